import HTTPCaching
import HTTPTypes
import NIOCore

/// A fetch from the origin: it asks, captures, stores, and returns its result. It belongs to the cache, and not to the
/// client that started it.
struct Fetch<O: Origin>: Sendable {
    let miss: CacheMiss<O>
    /// The request that leads this fetch and waits for its response; nil for a refresh.
    let leader: LeaderPromise<O.Response>?
    /// The flight of this fetch; nil if no other request may have its result.
    let flight: FlightHandle?
    /// The fetches that this one runs in, with this one.
    let frames: [FetchContext.Frame]
    let dependencies: FetchDependencies
    /// Applies events and notes at once that must not wait for the end of the fetch.
    let report: @Sendable (FetchRecord) -> Void
    /// The events and notes that are applied with the result.
    var record = FetchRecord()

    var cacheable: CacheableRequest { miss.cacheable }
    var origin: O { miss.origin }
    /// The stored response to validate, or to serve if the origin fails; nil if there is none.
    var stored: CacheEntry? { miss.stored }
    /// The version of the log, read before the origin is asked.
    var readVersion: LogVersion { miss.snapshot.lookup.readVersion }
    var store: any CacheStore { dependencies.store }
    var now: Timestamp { dependencies.clock.now }

    /// Asks the origin, stores its response if it may be, and returns the results for the leader and the waiters.
    mutating func run() async -> FetchResult<O.Response> {
        var result = fetchesHeadAlone ? await runForHead() : await runForResponse()
        result.record = record
        return result
    }

    private mutating func runForResponse() async -> FetchResult<O.Response> {
        let fetched: Fetched
        do {
            let first = try await ask(validatingRequest)
            switch validation(by: first) {
            case .none: fetched = first
            case .confirmed(let confirmed):
                noteSuccess(status: first.head.status)
                return await freshen(confirmed, by: first)
            // A 304 that is not about the stored response is of no use: the whole response is asked for, once.
            case .unrelated: fetched = try await ask(cacheable.fillRequest)
            }
        } catch {
            return await failed(error)
        }
        let status = fetched.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let result = await serveStored(afterFailure: status.code) { return result }
        }
        switch storability(of: fetched.head, fetched.directives, in: fetched) {
        case .notStorable(let reason):
            return await answerUnstored(fetched, because: .notStorable(reason))
        case .store where fetched.response.bodyLength ?? 0 > cacheable.policy.bodyLimit.bytes:
            return await answerLeaderAlone(fetched, because: .tooLarge)
        case .store where prefersStored(to: status):
            return await answerUnstored(fetched, because: .originFailed)
        case .store(let lifetimes):
            if let reason = fetched.tags.notStoredReason(limit: cacheable.policy.tagLimit) {
                return await answerLeaderAlone(fetched, because: reason)
            }
            if let storing = cacheable.policy.storing, !storing(fetched.request, fetched.head) {
                return await answerLeaderAlone(fetched, because: .policy)
            }
            if !lifetimes.mayAnswerOthers { flight?.release(.unsharable) }
            return await capture(fetched, lifetimes)
        }
    }

    /// Returns true if the origin answered with an error that must not replace the stored response, which is of more
    /// use to other requests.
    ///
    /// After a server error, the stored response is of more use if it may be served after a 503. After a client error,
    /// it is of more use if it is fresh. After a client error that is due to the request, it is of more use even if it
    /// is stale, unless it is such an error itself.
    private func prefersStored(to status: HTTPResponse.Status) -> Bool {
        guard let stored else { return false }
        if status.kind == .clientError {
            return isStoredFresh || status.isDueToRequest && !stored.head.status.isDueToRequest
        }
        guard status.kind == .serverError else { return false }
        return Reuse.mayServeOnError(
            lifetimes: stored.lifetimes,
            request: .none,
            now: now,
            failure: .status(503)
        )
    }

    /// Returns the reason for not storing a response with this status; nil unless the leader's request may have caused
    /// the error and other requests wait. One of them then asks the origin, and stores the error if it gets one as
    /// well.
    func unconfirmed(_ status: HTTPResponse.Status) -> NotStoredReason? {
        status.mayBeFailureDueToRequest && flight?.awaitsConfirmation == true ? .unconfirmedError : nil
    }

    /// True if the origin is asked only for a head. A refresh because of a HEAD request asks for the whole response.
    private var fetchesHeadAlone: Bool { miss.isForHeadAlone && leader != nil }
}

// MARK: - Asking the origin

extension Fetch {
    /// A response of the origin, the request that it answers, and the times of both.
    struct Fetched {
        let request: HTTPRequest
        let response: O.Response
        let directives: ResponseDirectives
        let tags: ResponseTags
        let requestedAt: Timestamp
        let receivedAt: Timestamp

        var head: HTTPResponse { response.head }
    }

    /// Asks the origin, and notes the times from which an age is calculated.
    func ask(_ request: HTTPRequest) async throws -> Fetched {
        let requestedAt = now
        let hasFallback = stored.map { stored in
            stored.lifetimes.isBarelyStale(at: requestedAt)
                && stored.mayBeServed(to: cacheable, afterFailure: nil, at: requestedAt)
        }
        let response = try await FetchContext.$frames.withValue(frames) {
            try await dependencies.tracing.span("larder.origin") { span in
                let response = try await origin.fetch(request, hasFallback: hasFallback ?? false)
                span?.note(response.head.status)
                return response
            }
        }
        return Fetched(
            request: request,
            response: response,
            directives: directives(of: response.head),
            tags: tags(in: response.head.headerFields),
            requestedAt: requestedAt,
            receivedAt: now
        )
    }

    /// Returns the caching directives of a head.
    ///
    /// A directive of a handler for the cache alone replaces the lifetime that `Cache-Control` gives. It does not
    /// permit what that forbids to every shared cache: a response that is `private`, or must not be stored, or has a
    /// field that must not be reused, may hold one user's data. And it does not forbid what `public` or `s-maxage`
    /// permits.
    func directives(of head: HTTPResponse) -> ResponseDirectives {
        var directives = ResponseDirectives(head.headerFields, targets: cacheable.policy.rules.targetedFields)
        guard directives.target == .larderCacheControl else { return directives }
        let general = ResponseDirectives(head.headerFields, targets: [])
        directives.noStore = directives.noStore || general.noStore
        if directives.privacy == .absent { directives.privacy = general.privacy }
        if case .fields = general.noCache, directives.noCache == .absent { directives.noCache = general.noCache }
        directives.isPublic = directives.isPublic || general.isPublic || general.sMaxAge != nil
        return directives
    }

    /// Returns the tags that the origin gives a response.
    func tags(in fields: HTTPFields) -> ResponseTags {
        ResponseTags(fields, named: cacheable.policy.rules.tagFields)
    }

    /// Returns the decision about storing a response whose head arrived with `fetched`.
    func storability(
        of head: HTTPResponse,
        _ directives: ResponseDirectives,
        in fetched: Fetched,
        by rules: CachingRules? = nil
    ) -> Storability {
        var request = fetched.request
        // A response to HEAD updates the stored response to a GET.
        request.method = .get
        return Storability.decide(
            request: request,
            response: head,
            directives: directives,
            rules: rules ?? cacheable.policy.rules,
            requestedAt: fetched.requestedAt,
            respondedAt: fetched.receivedAt
        )
    }
}

// MARK: - Results

extension Fetch {
    /// Returns the result for a response that is an entry now: the leader gets it, and every waiter may have it.
    /// - Parameters:
    ///   - moment: The time at which the origin answered, or was seen to fail.
    ///   - received: The fields that the origin sent for the leader; nil if the entry was stored before.
    func result(
        of entry: CacheEntry,
        _ source: FlightOutcome.Source,
        _ validity: Validity,
        answeredAt moment: Timestamp,
        received: HTTPFields? = nil
    ) -> FetchResult<O.Response> {
        let outcome = FlightOutcome(
            content: .entry(entry, source),
            readVersion: entry.readVersion,
            validity: validity,
            answeredAt: moment
        )
        return FetchResult(
            leader: leaderResponse(from: entry, source, received: received),
            completion: outcome.completion
        )
    }

    /// Returns the leader's response from an entry.
    /// - Parameter received: The fields that the origin sent for this request. The limits of storing and reuse remove
    ///   nothing from the response to the client whose request was forwarded (RFC 9111 §5.2.2.4, §5.2.2.7).
    func leaderResponse(
        from entry: CacheEntry,
        _ source: FlightOutcome.Source,
        received: HTTPFields?
    ) -> FetchResult<O.Response>.LeaderResponse {
        .response(dependencies.serving.answer(entry, to: miss, at: now, source, received: received), source.kind)
    }

    /// Returns a head of the origin as the leader gets it.
    func leaderHead(
        _ head: HTTPResponse,
        forwarded status: HTTPResponse.Status? = nil,
        because notStored: NotStoredReason? = nil
    ) -> ServedHead {
        dependencies.serving.head(head, for: miss, at: now, forwarded: status, because: notStored)
    }
}

// MARK: - Storing

extension Fetch {
    /// Creates an entry with the read version of this fetch: an invalidation of its scopes during the fetch makes it
    /// invalid.
    func entry(
        _ head: HTTPResponse,
        _ directives: ResponseDirectives,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        tags: [CacheTag],
        receivedAt: Timestamp,
        confirmed: CacheEntry? = nil
    ) -> CacheEntry {
        let entry = CacheEntry(
            request: cacheable.request,
            head: Serving.storedHead(
                head,
                body: body,
                directives: directives,
                receivedAt: receivedAt,
                policy: cacheable.policy
            ),
            body: body,
            lifetimes: lifetimes,
            readVersion: readVersion,
            location: cacheable.location,
            tags: tags,
            confirmed: confirmed
        )
        entry.charge(to: dependencies.inFlight)
        return entry
    }

    /// Returns the validity of an entry, compared with the log by all its tags.
    func validity(of entry: CacheEntry) async -> Validity {
        await store.validity(of: entry.readVersion, scopes: entry.location.scopes(with: entry.tags))
    }

    /// Returns the limit that prevents an entry from being stored; nil if there is none.
    private func limit(against entry: CacheEntry) -> NotStoredReason? {
        if entry.cost > store.entryLimit.bytes { return .tooLarge }
        let limit = cacheable.policy.keys.lengthLimit.bytes
        return entry.selectingFields.text.utf8.count > limit ? .selectingFieldsTooLong : nil
    }

    /// Stores an entry. `isNew` is false for a stored response that the origin confirmed.
    /// - Returns: The entry's validity, and the reason if it was not stored.
    mutating func save(_ entry: CacheEntry, isNew: Bool = true) async -> (Validity, NotStoredReason?) {
        let validity: Validity
        let notStored: NotStoredReason?
        if let limit = limit(against: entry) {
            validity = await self.validity(of: entry)
            notStored = limit
        } else {
            validity = await dependencies.tracing.span("larder.store") { _ in await store.save(entry, at: now) }
            notStored = !validity.isKnown ? .unavailable : validity.isValid ? nil : .overtaken
        }
        let key = entry.location.key
        record.received = (entry.location.tags + entry.tags, isNew ? entry.body.readableBytes : 0)
        if let notStored {
            record.events.append(.notStored(key, notStored))
            if notStored.isLasting {
                _ = noteUncacheable(because: notStored)
                await removeStored()
            }
        } else {
            // The entry that answered this request before must not be chosen instead of the new one.
            if let stored, !entry.replaces(stored) { await store.discard(stored) }
            record.events.append(isNew ? .stored(key, cost: entry.cost) : .validated(key))
            record.notes.append(.stored)
        }
        return (validity, notStored)
    }

    /// True if the stored response is fresh, and the client's directives had the origin asked nevertheless. Such a
    /// response says little about those that other clients get: the client can influence it by a cookie, or by a field
    /// that makes the origin fail.
    var isStoredFresh: Bool { stored.map { $0.lifetimes.freshUntil > now } ?? false }

    /// Removes a stored response that the origin has replaced by one that is not stored: it must not be served when the
    /// origin fails later.
    ///
    /// A client error that is due to the request says nothing about the responses that other clients get. And while the
    /// stored response is fresh, no client error removes it.
    /// - Parameter status: The status of the response that is not stored; nil if the status does not matter.
    func removeStored(replacedBy status: HTTPResponse.Status? = nil) async {
        guard let stored else { return }
        if let status, status.kind == .clientError {
            guard !status.isDueToRequest, !isStoredFresh else { return }
        }
        await store.discard(stored)
    }
}
