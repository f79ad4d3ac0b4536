import HTTPCaching
import HTTPTypes
import NIOCore

/// A fetch from the origin: it asks, captures, stores, and returns its result. It belongs to the cache, and not to the
/// client that started it.
struct Fetch<O: Origin>: Sendable {
    let miss: CacheMiss<O>
    /// The place where the request that leads this fetch waits; nil for a refresh.
    let seat: LeaderPromise<O.Response>?
    let cache: ResponseCache

    init(_ miss: CacheMiss<O>, seat: LeaderPromise<O.Response>?, cache: ResponseCache) {
        self.miss = miss
        self.seat = seat
        self.cache = cache
    }

    var cacheable: CacheableRequest { miss.cacheable }
    var origin: O { miss.origin }
    var reason: CacheStatus.ForwardReason { miss.reason }
    /// The stored response to validate, or to serve if the origin fails; nil if there is none.
    var kept: CacheEntry? { miss.kept }
    /// The version of the log, read before the origin is asked.
    var readVersion: LogVersion { miss.snapshot.lookup.readVersion }

    /// Asks the origin, and returns the results for the waiters and for the leader.
    /// - Parameter release: Tells the waiters, as soon as it is known, that they may not have the result.
    func run(releasing release: @escaping @Sendable (FlightCompletion) -> Void) async -> FetchResult {
        if fetchesHeadAlone { return await runForHead() }
        let reception: Reception
        do {
            let first = try await ask(question)
            switch reading(of: first) {
            case .whole: reception = first
            case .confirms(let confirmed):
                noteSuccess(status: first.head.status)
                return await redate(confirmed, by: first, releasing: release)
            // A 304 that is not about the stored response is of no use: the whole response is asked for, once.
            case .mistaken: reception = try await ask(cacheable.fillRequest)
            }
        } catch {
            return await failed(error)
        }
        let status = reception.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let completion = await serveKept(after: status.code) { return completion }
        }
        switch storability(of: reception.head, reception.directives, at: reception) {
        case .notStorable(let refusal):
            return await refuse(reception, because: .notStorable(refusal), releasing: release)
        case .store where reception.response.bodyLength ?? 0 > cacheable.policy.bodyLimit.bytes:
            return await pass(reception, because: .tooLarge, releasing: release)
        case .store where isOfMoreUse(than: status):
            return await refuse(reception, because: .originFailed, releasing: release)
        case .store(let lifetimes):
            if let obstacle = reception.tags.notStoredReason(limit: cacheable.policy.tagLimit) {
                return await pass(reception, because: obstacle, releasing: release)
            }
            if !lifetimes.mayAnswerOthers { release(.unsharable) }
            return await capture(reception, lifetimes, releasing: release)
        }
    }

    /// Returns true if the origin answered with an error, and the stored response is of more use to other requests: the
    /// error must not replace it.
    ///
    /// After a server error that is a stored response that may be served after a 503. After a client error it is a
    /// fresh one; and if the error is due to the request, any stored response that is not such an error itself.
    private func isOfMoreUse(than status: HTTPResponse.Status) -> Bool {
        guard let kept else { return false }
        if status.kind == .clientError {
            return isPastFreshResponse || status.isDueToRequest && !kept.head.status.isDueToRequest
        }
        guard status.kind == .serverError else { return false }
        return Reuse.mayServeOnError(
            lifetimes: kept.lifetimes,
            request: .none,
            now: cache.clock.now,
            failure: .status(503)
        )
    }

    /// Asks the origin, and notes the times from which an age is calculated.
    func ask(_ request: HTTPRequest) async throws -> Reception {
        let requestedAt = cache.clock.now
        let hasFallback = kept.map { kept in
            kept.lifetimes.isBarelyStale(at: requestedAt)
                && kept.mayBeServed(to: cacheable, afterFailure: nil, at: requestedAt)
        }
        let response = try await FetchContext.$frames.withValue(frames) {
            try await origin.fetch(request, hasFallback: hasFallback ?? false)
        }
        return Reception(
            request: request,
            response: response,
            directives: directives(of: response.head),
            tags: tags(in: response.head.headerFields),
            requestedAt: requestedAt,
            at: cache.clock.now
        )
    }

    /// Returns the caching directives of a head.
    func directives(of head: HTTPResponse) -> ResponseDirectives {
        ResponseDirectives(head.headerFields, targets: cacheable.policy.rules.targetedFields)
    }

    /// Returns the decision about storing a response that arrived with `reception`.
    func storability(
        of head: HTTPResponse,
        _ directives: ResponseDirectives,
        at reception: Reception,
        by rules: CachingRules? = nil
    ) -> Storability {
        var request = reception.request
        // A response to HEAD updates the stored response to a GET.
        request.method = .get
        return Storability.decide(
            request: request,
            response: head,
            directives: directives,
            rules: rules ?? cacheable.policy.rules,
            requestedAt: reception.requestedAt,
            respondedAt: reception.at
        )
    }

    var frames: [FetchContext.Frame] {
        let frame = FetchContext.Frame(
            cache: ObjectIdentifier(cache),
            key: cacheable.location.key,
            tagFields: cacheable.policy.rules.tagFields
        )
        return FetchContext.frames + [frame]
    }

    /// True if the origin is asked only for a head. A refresh because of a HEAD request asks for the whole response.
    private var fetchesHeadAlone: Bool { miss.isForHeadAlone && seat != nil }

    /// The origin's response, the request that it answers, and the times of both.
    struct Reception {
        let request: HTTPRequest
        let response: O.Response
        let directives: ResponseDirectives
        let tags: ResponseTags
        let requestedAt: Timestamp
        let at: Timestamp

        var head: HTTPResponse { response.head }
    }

    /// The result of a fetch. The leader gets the end of its response after the waiters have theirs, so that its next
    /// request comes after this flight and does not join it.
    struct FetchResult {
        let result: FlightCompletion
        let answerLeader: @Sendable () -> Void
    }
}

// MARK: - Results

extension Fetch {
    /// Returns the result for a response that is an entry now: the leader gets it, and every waiter may have it.
    /// - Parameters:
    ///   - moment: The time at which the origin answered, or was seen to fail.
    ///   - received: The fields that the origin sent for the leader; nil if the entry was stored before.
    func completion(
        of entry: CacheEntry,
        _ source: FlightOutcome.Source,
        _ validity: Validity,
        answeredAt moment: Timestamp,
        received: HTTPFields? = nil
    ) -> FetchResult {
        let outcome = FlightOutcome(
            outcome: .entry(entry, source),
            readVersion: entry.readVersion,
            validity: validity,
            answeredAt: moment
        )
        let answer = answer(from: entry, source, received: received)
        let result = source.mayBeDueToRequest ? FlightCompletion.failed(outcome) : .shared(outcome)
        return FetchResult(result: result) { [seat] in seat?.give(.success(answer), source.kind) }
    }

    /// Returns the result for a response that only the leader may have.
    func landingAlone(
        _ answer: Result<O.Response, any Error>,
        _ result: FlightCompletion,
        _ kind: CacheEvent.Miss = .led
    ) -> FetchResult {
        FetchResult(result: result) { [seat] in seat?.give(answer, kind) }
    }

    /// Returns the leader's response from an entry.
    /// - Parameter received: The fields that the origin sent for this request. The limits of storing and reuse remove
    ///   nothing from the response to the client whose request was forwarded (RFC 9111 §5.2.2.4, §5.2.2.7).
    func answer(from entry: CacheEntry, _ source: FlightOutcome.Source, received: HTTPFields?) -> O.Response {
        let outcome = source.outcome(reason)
        return O.Response(
            cache.serving.answer(
                entry,
                to: cacheable,
                at: cache.clock.now,
                outcome,
                detail: source.detail,
                received: received
            )
        )
    }

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
        entry.charge(to: cache.inFlight)
        return entry
    }

    /// Returns the tags that the origin gives a response.
    func tags(in fields: HTTPFields) -> ResponseTags {
        ResponseTags(fields, named: cacheable.policy.rules.tagFields)
    }

    /// Returns the validity of an entry, compared with the log by all its tags.
    func validity(of entry: CacheEntry) async -> Validity {
        await cache.store.validity(of: entry.readVersion, scopes: entry.location.scopes(with: entry.tags))
    }

    /// Returns the limit that prevents an entry from being stored; nil if there is none.
    private func obstacle(to entry: CacheEntry) -> NotStoredReason? {
        if entry.cost > cache.store.entryLimit.bytes { return .tooLarge }
        let limit = cacheable.policy.keys.lengthLimit.bytes
        return entry.selectingFields.text.utf8.count > limit ? .selectingFieldsTooLong : nil
    }

    /// Stores an entry. `isNew` is false for a stored response that the origin confirmed.
    func keep(_ entry: CacheEntry, isNew: Bool = true) async -> (Validity, NotStoredReason?) {
        let key = entry.location.key
        let validity: Validity
        let notStored: NotStoredReason?
        if let obstacle = obstacle(to: entry) {
            validity = await self.validity(of: entry)
            notStored = obstacle
        } else {
            validity = await cache.store.save(entry, at: cache.clock.now)
            notStored = !validity.isKnown ? .unavailable : validity.isValid ? nil : .overtaken
        }
        if let notStored {
            cache.record(.notStored(key, notStored))
            if notStored.isLasting {
                noteUncacheable(because: notStored)
                await discardKept()
            }
        } else {
            // The entry that answered this request before must not be chosen instead of the new one.
            if let kept, !entry.replaces(kept) { await cache.store.discard(kept) }
            cache.record(isNew ? .stored(key, cost: entry.cost) : .validated(key))
            cache.memory.forget(uncacheable: miss.leveledKey)
        }
        return (validity, notStored)
    }

    /// Gives the leader a response whose body it reads while the body arrives.
    func stream(_ response: O.Response, from capture: BodyCapture) {
        guard let seat, !seat.isServed else { return }
        let head = cache.serving.head(
            response.head,
            .forwarded(reason, status: response.head.status.code),
            policy: cacheable.policy,
            at: cache.clock.now
        )
        seat.give(
            .success(
                cacheable.isHead
                    ? O.Response(headOnly: head)
                    : O.Response(head: head, streaming: capture.reader(), length: response.bodyLength)
            )
        )
    }
}
