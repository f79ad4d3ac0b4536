import HTTPCaching
import HTTPTypes

/// What becomes of a fetch whose origin fails, or answers what is not stored.
extension Fetch {
    /// The origin threw.
    func failed(_ error: any Error) async -> Landing {
        // An origin that was not waited for has not failed.
        if FetchContext.fetch?.isAbandoned == true { return landingAlone(.failure(CancellationError()), .abandoned) }
        let now = cache.clock.now
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's answer, and no failure. It belongs to the
        // request that caused it.
        if let status, status.kind != .serverError {
            await discardKept(replacedBy: status)
            pauseRefreshes(after: status)
            return landingAlone(.failure(error), .refusedToLeader)
        }
        noteFailure(status: status?.code)
        if let landing = await serveKept(after: status?.code) { return landing }
        let failure = mustAnswerDisconnected(status) ? DisconnectedError(underlying: error) : error
        let verdict = await cache.store.judge(readVersion, scopes: cacheable.location.scopes())
        let arrival = Arrival(outcome: .failure(failure), readVersion: readVersion, verdict: verdict, answeredAt: now)
        let mayBeItsOwn = origin.mayBeDueToRequest(error)
        return Landing(result: mayBeItsOwn ? .failed(arrival) : .shared(arrival)) { [seat] in
            seat?.give(.failure(failure))
        }
    }

    /// Whether a server without an answer of its own leaves nothing but "an error response rather than […] the stale
    /// response" (RFC 9111 §5.2.2.2).
    private func mustAnswerDisconnected(_ status: HTTPResponse.Status?) -> Bool {
        cacheable.policy.asking == .server && status == nil && kept?.lifetimes.mustRevalidate == true
    }

    /// Remembers the failure, so that the origin is not asked again at once while there is something to serve.
    func noteFailure(status: Int?) {
        cache.memory.failed(asking.leveledKey, status: status, at: cache.clock.now)
        if seat == nil { cache.record(.refreshFailed(cacheable.location.key)) }
    }

    /// Forgets failures of the origin: it has answered, with the whole body if that is captured.
    func noteSuccess(status: HTTPResponse.Status) {
        guard status.kind != .serverError, !status.isDueToRequest else { return }
        cache.memory.succeeded(asking.leveledKey)
    }

    /// The origin failed, and what is kept may be served all the same (RFC 5861 §4): nil if it may not.
    func serveKept(after status: Int?) async -> Landing? {
        let now = cache.clock.now
        guard let kept, kept.mayBeServed(to: cacheable, afterFailure: status, at: now) else { return nil }
        // What was invalidated meanwhile is never served stale.
        let verdict = await verdict(on: kept)
        guard verdict.isAlive else { return nil }
        return landing(of: kept, .staleOnError(status: status), verdict, answeredAt: now)
    }

    /// Remembers that a refresh was refused and what is kept stays, so that not every stale hit starts another one.
    func pauseRefreshes(after status: HTTPResponse.Status) {
        guard seat == nil, status.isDueToRequest else { return }
        cache.memory.failed(asking.leveledKey, status: status.code, at: cache.clock.now)
        cache.record(.refreshFailed(cacheable.location.key))
    }

    /// True if the origin was asked past a fresh response, by the client's own directives. What it answers says little
    /// of what others get: the client can have it answer by a cookie, or by a field that makes it fail.
    var isPastFreshResponse: Bool { kept.map { $0.lifetimes.freshUntil > cache.clock.now } ?? false }

    /// Removes what the origin has replaced by a response that is not stored: it must not come back when the origin
    /// fails.
    ///
    /// A client error that is due to the request says nothing of what others get. And while what is kept is fresh, no
    /// client error takes it from the others.
    /// - Parameter status: The status of the response that is not stored; nil if it says nothing of the request.
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

// MARK: - What is not stored

extension Fetch {
    /// The origin answered what is not stored. An error of the server is shared all the same with those who wait for
    /// it, as a thrown one is, unless it says otherwise.
    func refuse(
        _ reception: Reception,
        because notStored: NotStoredReason,
        releasing release: @escaping @Sendable (FlightResult) -> Void
    ) async -> Landing {
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
        // Nothing says that a page that was made for a cookie is for those with another one.
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

    /// The origin answered what is not kept: the leader has it as it is, everybody else asks alone.
    func pass(
        _ reception: Reception,
        because notStored: NotStoredReason,
        releasing release: @Sendable (FlightResult) -> Void
    ) async -> Landing {
        let head = reception.head
        cache.record(.notStored(cacheable.location.key, notStored))
        if notStored == .notStorable(.authorization) {
            cache.memory.add(personal: asking.leveledKey, at: cache.clock.now)
        }
        var result = FlightResult.refusedToLeader
        noteSuccess(status: head.status)
        pauseRefreshes(after: head.status)
        if head.status.kind != .serverError, !notStored.isDueToRequest {
            await discardKept(replacedBy: head.status)
            if !head.status.isDueToRequest { result = noteUncacheable(because: notStored) }
        }
        release(result)
        return landingAlone(await passed(reception.response, because: notStored), result)
    }

    /// Remembers that responses for the key are not stored, if the reason says so. Past a fresh response it does not:
    /// one client's request would have all others ask the origin, each by itself.
    /// - Returns: What those who wait are told.
    @discardableResult
    func noteUncacheable(because notStored: NotStoredReason) -> FlightResult {
        guard notStored.isLasting, !notStored.isDueToRequest, !isPastFreshResponse else { return .refusedToLeader }
        cache.memory.add(uncacheable: asking.leveledKey, at: cache.clock.now)
        return .unsharable
    }

    /// The leader has the origin's response as it would be without the cache: as it came, or the origin's own answer to
    /// the client's range or condition, which the fetch was without.
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
