import HTTPCaching
import HTTPTypes

/// The handling of origins that fail, and of responses that are not stored.
extension Fetch {
    /// Handles an error that the origin threw.
    func failed(_ error: any Error) async -> FetchResult {
        // If the fetch was abandoned, the origin has not failed.
        if FetchContext.fetch?.isAbandoned == true { return landingAlone(.failure(CancellationError()), .abandoned) }
        let now = cache.clock.now
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's response, and not a failure. It is only for the
        // request that caused it.
        if let status, status.kind != .serverError {
            await discardKept(replacedBy: status)
            pauseRefreshes(after: status)
            return landingAlone(.failure(error), .refusedToLeader)
        }
        noteFailure(status: status?.code)
        if let completion = await serveKept(after: status?.code) { return completion }
        let failure = mustAnswerDisconnected(status) ? DisconnectedError(underlying: error) : error
        let validity = await cache.store.validity(of: readVersion, scopes: cacheable.location.scopes())
        let outcome = FlightOutcome(
            outcome: .failure(failure),
            readVersion: readVersion,
            validity: validity,
            answeredAt: now
        )
        let mayBeItsOwn = origin.mayBeDueToRequest(error)
        return FetchResult(result: mayBeItsOwn ? .failed(outcome) : .shared(outcome)) { [seat] in
            seat?.give(.failure(failure))
        }
    }

    /// Returns true if the origin is a server that did not answer, and the stored response may not be served: the
    /// client gets "an error response rather than […] the stale response" (RFC 9111 §5.2.2.2).
    private func mustAnswerDisconnected(_ status: HTTPResponse.Status?) -> Bool {
        cacheable.policy.originKind == .server && status == nil && kept?.lifetimes.mustRevalidate == true
    }

    /// Remembers the failure, so that the origin is not asked again at once while a stored response can be served.
    func noteFailure(status: Int?) {
        cache.memory.failed(miss.leveledKey, status: status, at: cache.clock.now)
        if seat == nil { cache.record(.refreshFailed(cacheable.location.key)) }
    }

    /// Forgets failures of the origin, which has answered, with the whole body if that is captured.
    func noteSuccess(status: HTTPResponse.Status) {
        guard status.kind != .serverError, !status.isDueToRequest else { return }
        cache.memory.succeeded(miss.leveledKey)
    }

    /// Serves the stored response after a failure of the origin (RFC 5861 §4); returns nil if it may not be served.
    func serveKept(after status: Int?) async -> FetchResult? {
        let now = cache.clock.now
        guard let kept, kept.mayBeServed(to: cacheable, afterFailure: status, at: now) else { return nil }
        // A response that was invalidated meanwhile is never served stale.
        let validity = await validity(of: kept)
        guard validity.isValid else { return nil }
        return completion(of: kept, .staleOnError(status: status), validity, answeredAt: now)
    }

    /// Remembers that a refresh was refused while the stored response remains, so that not every stale hit starts
    /// another refresh.
    func pauseRefreshes(after status: HTTPResponse.Status) {
        guard seat == nil, status.isDueToRequest else { return }
        cache.memory.failed(miss.leveledKey, status: status.code, at: cache.clock.now)
        cache.record(.refreshFailed(cacheable.location.key))
    }

    /// True if the client's directives had the origin asked although the stored response is fresh. Such a response says
    /// little about those that other clients get: the client can influence it by a cookie, or by a field that makes the
    /// origin fail.
    var isPastFreshResponse: Bool { kept.map { $0.lifetimes.freshUntil > cache.clock.now } ?? false }

    /// Removes a stored response that the origin has replaced by one that is not stored: it must not be served when the
    /// origin fails later.
    ///
    /// A client error that is due to the request says nothing about the responses that other clients get. And while the
    /// stored response is fresh, no client error removes it.
    /// - Parameter status: The status of the response that is not stored; nil if the status does not matter.
    func discardKept(replacedBy status: HTTPResponse.Status? = nil) async {
        guard let kept else { return }
        if let status, status.kind == .clientError {
            guard !status.isDueToRequest, !isPastFreshResponse else { return }
        }
        await cache.store.discard(kept)
    }
}

extension HTTPResponse.Status {
    /// True if the status is a failure of the server that the request may have caused: not one that says that the
    /// server is overloaded, down or slow.
    var mayBeFailureDueToRequest: Bool { kind == .serverError && ![503, 504].contains(code) }
}

// MARK: - Responses that are not stored

extension Fetch {
    /// Handles a response that is not stored. An error of the server is nevertheless shared with the requests that wait
    /// for it, as a thrown error is, unless the response forbids it.
    func refuse(
        _ reception: Reception,
        because notStored: NotStoredReason,
        releasing release: @escaping @Sendable (FlightCompletion) -> Void
    ) async -> FetchResult {
        guard isSharableFailure(reception), reception.response.bodyLength ?? 0 <= cacheable.policy.bodyLimit.bytes
        else {
            return await pass(reception, because: notStored, releasing: release)
        }
        cache.record(.notStored(cacheable.location.key, notStored))
        return await capture(reception, Lifetimes(expiredAt: reception.at), notStored, releasing: release)
    }

    /// Returns true if a response is an error of the server that would be stored if it had a lifetime.
    func isSharableFailure(_ reception: Reception) -> Bool {
        guard reception.head.status.kind == .serverError else { return false }
        // "The no-cache response directive, in its unqualified form […], indicates that the response MUST NOT be used
        // to satisfy any other request without forwarding it for validation" (RFC 9111 §5.2.2.4).
        guard reception.directives.noCache != .response else { return false }
        // A page that was made for one cookie may not be right for requests with another cookie.
        if reception.request.headerFields.contains(.cookie), !cacheable.isForUser, !reception.directives.isPublic {
            return false
        }
        var rules = cacheable.policy.rules
        rules.storableStatuses = .everyFinal
        rules.requiresExplicitPermission = false
        switch storability(of: reception.head, reception.directives, at: reception, by: rules) {
        case .store: return true
        case .notStorable(let refusal): return refusal == .noFreshness
        }
    }

    /// Handles a response that is neither stored nor shared: the leader gets it unchanged, and all waiters ask for
    /// themselves.
    func pass(
        _ reception: Reception,
        because notStored: NotStoredReason,
        releasing release: @Sendable (FlightCompletion) -> Void
    ) async -> FetchResult {
        let head = reception.head
        cache.record(.notStored(cacheable.location.key, notStored))
        if notStored == .notStorable(.authorization) {
            cache.memory.add(personal: miss.leveledKey, at: cache.clock.now)
        }
        var result = FlightCompletion.refusedToLeader
        noteSuccess(status: head.status)
        pauseRefreshes(after: head.status)
        if head.status.kind != .serverError, !notStored.isDueToRequest {
            await discardKept(replacedBy: head.status)
            if !head.status.isDueToRequest { result = noteUncacheable(because: notStored) }
        }
        release(result)
        return landingAlone(await passed(reception.response, because: notStored), result)
    }

    /// Remembers that responses for the key are not stored, if the reason says so. While the stored response is fresh
    /// it does not: one client's request would have all other requests ask the origin, each by itself.
    /// - Returns: The result for the requests that wait.
    @discardableResult
    func noteUncacheable(because notStored: NotStoredReason) -> FlightCompletion {
        guard notStored.isLasting, !notStored.isDueToRequest, !isPastFreshResponse else { return .refusedToLeader }
        cache.memory.add(uncacheable: miss.leveledKey, at: cache.clock.now)
        return .unsharable
    }

    /// Returns the response that the leader would get without the cache: the fetched one, or the origin's response to
    /// the client's range or condition, which the fetch did not send.
    func passed(_ response: O.Response, because notStored: NotStoredReason) async -> Result<O.Response, any Error> {
        guard seat?.isServed == false else { return .success(response) }
        var response = response
        let mayAnswerOtherwise =
            cacheable.hasRange && response.head.status == .ok
            || cacheable.notModified(received: response.head, at: cache.clock.now) != nil
        if mayAnswerOtherwise {
            do { response = try await origin.forward() } catch { return .failure(error) }
        }
        response.head = cache.serving.head(
            response.head,
            .forwarded(reason, status: response.head.status.code),
            detail: notStored.detail,
            policy: cacheable.policy,
            at: cache.clock.now
        )
        return .success(cacheable.isHead ? O.Response(headOnly: response.head) : response)
    }
}
