import HTTPCaching
import HTTPTypes
import NIOCore

/// One question to the origin: asks, captures, stores, and says what it brought. It belongs to the cache and not to the
/// client that started it.
struct Fetch<O: Origin>: Sendable {
    let asking: Asking<O>
    /// Where the client waits that leads this fetch; nil for a refresh.
    let seat: LeaderSeat<O.Response>?
    let cache: ResponseCache

    init(_ asking: Asking<O>, seat: LeaderSeat<O.Response>?, cache: ResponseCache) {
        self.asking = asking
        self.seat = seat
        self.cache = cache
    }

    var cacheable: CacheableRequest { asking.cacheable }
    var origin: O { asking.origin }
    var reason: CacheStatus.ForwardReason { asking.reason }
    /// What is kept for when the origin fails.
    var kept: CacheEntry? { asking.kept }
    /// The version of the log, read before the origin is asked.
    var readVersion: LogVersion { asking.ticket.lookup.readVersion }

    /// Asks the origin, and returns what those who waited may have, and what the leader gets.
    /// - Parameter release: tells those who wait, once it is known, that there is nothing for them.
    func run(releasing release: @escaping @Sendable (FlightResult) -> Void) async -> Landing {
        if fetchesHeadAlone { return await runForHead() }
        let reception: Reception
        do {
            let first = try await ask(question)
            switch reading(of: first) {
            case .whole: reception = first
            case .confirms(let confirmed):
                noteSuccess(status: first.head.status)
                return await redate(confirmed, by: first, releasing: release)
            // A 304 about nothing that is kept says nothing: the whole is asked for, once.
            case .mistaken: reception = try await ask(cacheable.fillRequest)
            }
        } catch {
            return await failed(error)
        }
        let status = reception.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let landing = await serveKept(after: status.code) { return landing }
        }
        switch storability(of: reception.head, reception.directives, at: reception) {
        case .notStorable(let refusal):
            return await refuse(reception, because: .notStorable(refusal), releasing: release)
        case .store where reception.response.bodyLength ?? 0 > cacheable.policy.bodyLimit.bytes:
            return await pass(reception, because: .tooLarge, releasing: release)
        case .store where isOfMoreUse(than: status):
            return await refuse(reception, because: .originFailed, releasing: release)
        case .store(let lifetimes):
            if let obstacle = reception.tags.obstacle(limit: cacheable.policy.tagLimit) {
                return await pass(reception, because: obstacle, releasing: release)
            }
            if !lifetimes.mayAnswerOthers { release(.unsharable) }
            return await capture(reception, lifetimes, releasing: release)
        }
    }

    /// True if the origin answered with an error, and what is kept is of more use to others: a request past it that
    /// meets an error does not take it from them.
    ///
    /// Beside an error of the server that is what is fresh, or may be served after one; beside a client error what is
    /// fresh, and if the error is due to the request, all that is no such error itself.
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

    /// Asks the origin, and notes the times that an age is reckoned from.
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

    /// What a head says about caching.
    func directives(of head: HTTPResponse) -> ResponseDirectives {
        ResponseDirectives(head.headerFields, targets: cacheable.policy.rules.targetedFields)
    }

    /// Whether a response that came when `reception` did is stored.
    func storability(
        of head: HTTPResponse,
        _ directives: ResponseDirectives,
        at reception: Reception,
        by rules: CachingRules? = nil
    ) -> Storability {
        var request = reception.request
        // What an answer to HEAD brought up to date is the answer to a GET.
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

    /// True if the origin is asked for a head alone. A refresh for the sake of a HEAD request asks for the whole.
    private var fetchesHeadAlone: Bool { asking.isForHeadAlone && seat != nil }

    /// What the origin answered to which request, and when it was asked and came.
    struct Reception {
        let request: HTTPRequest
        let response: O.Response
        let directives: ResponseDirectives
        let tags: ResponseTags
        let requestedAt: Timestamp
        let at: Timestamp

        var head: HTTPResponse { response.head }
    }

    /// What a fetch came to. The leader has the end of its answer after those who wait have theirs: what it asks next
    /// comes after this flight, and never joins it.
    struct Landing {
        let result: FlightResult
        let answerLeader: @Sendable () -> Void
    }
}

// MARK: - What it comes to

extension Fetch {
    /// The leader gets its response, and everybody who waits may have what is an entry now.
    /// - Parameters:
    ///   - moment: when the origin answered, or was seen to fail.
    ///   - received: the fields that the origin sent for the leader; nil if the entry is from before.
    func landing(
        of entry: CacheEntry,
        _ source: Arrival.Source,
        _ verdict: Verdict,
        answeredAt moment: Timestamp,
        received: HTTPFields? = nil
    ) -> Landing {
        let arrival = Arrival(
            outcome: .entry(entry, source),
            readVersion: entry.readVersion,
            verdict: verdict,
            answeredAt: moment
        )
        let answer = answer(from: entry, source, received: received)
        let result = source.mayBeDueToRequest ? FlightResult.failed(arrival) : .shared(arrival)
        return Landing(result: result) { [seat] in seat?.give(.success(answer), source.kind) }
    }

    /// The leader gets what nobody else may have.
    func landingAlone(
        _ answer: Result<O.Response, any Error>,
        _ result: FlightResult,
        _ kind: CacheEvent.Miss = .led
    ) -> Landing {
        Landing(result: result) { [seat] in seat?.give(answer, kind) }
    }

    /// The leader's answer from an entry.
    /// - Parameter received: the fields that the origin sent for this request. What limits storing and reuse takes
    ///   nothing from the client whose request was forwarded (RFC 9111 §5.2.2.4, §5.2.2.7).
    func answer(from entry: CacheEntry, _ source: Arrival.Source, received: HTTPFields?) -> O.Response {
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

    /// An entry of this fetch, with its read version: whatever is invalidated while it is under way makes it invalid.
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

    /// The tags that the origin gives a response.
    func tags(in fields: HTTPFields) -> ResponseTags {
        ResponseTags(fields, named: cacheable.policy.rules.tagFields)
    }

    /// Asks the log about an entry, with all its tags.
    func verdict(on entry: CacheEntry) async -> Verdict {
        await cache.store.judge(entry.readVersion, scopes: entry.location.scopes(with: entry.tags))
    }

    /// The limit that keeps an entry from being stored; nil if none does.
    private func obstacle(to entry: CacheEntry) -> NotStoredReason? {
        if entry.cost > cache.store.entryLimit.bytes { return .tooLarge }
        let limit = cacheable.policy.keys.lengthLimit.bytes
        return entry.selectingFields.text.utf8.count > limit ? .selectingFieldsTooLong : nil
    }

    /// Stores an entry; `isNew`: rather than what was kept before, confirmed.
    func keep(_ entry: CacheEntry, isNew: Bool = true) async -> (Verdict, NotStoredReason?) {
        let key = entry.location.key
        let verdict: Verdict
        let notStored: NotStoredReason?
        if let obstacle = obstacle(to: entry) {
            verdict = await self.verdict(on: entry)
            notStored = obstacle
        } else {
            verdict = await cache.store.save(entry, at: cache.clock.now)
            notStored = !verdict.isKnown ? .unavailable : verdict.isAlive ? nil : .overtaken
        }
        if let notStored {
            cache.record(.notStored(key, notStored))
            if notStored.isLasting {
                noteUncacheable(because: notStored)
                await discardKept()
            }
        } else {
            // What answered this request before must not come back in front of what does now.
            if let kept, !entry.replaces(kept) { await cache.store.discard(kept) }
            cache.record(isNew ? .stored(key, cost: entry.cost) : .validated(key))
            cache.memory.forget(uncacheable: asking.leveledKey)
        }
        return (verdict, notStored)
    }

    /// The leader reads the body while it comes in.
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
