import HTTPCaching
import HTTPTypes
import NIOCore

/// The keys that this task fetches for, the outermost first: a handler that asks the cache for its own key, directly or
/// through another route, must not wait for itself.
enum FetchContext {
    @TaskLocal static var keys: [CacheKey] = []
}

/// One question to the origin: asks, captures, stores, and says what it brought. It belongs to the cache and not to the
/// client that started it.
struct Fetch<O: Origin>: Sendable {
    let inquiry: Inquiry
    let origin: O
    /// Why the store did not answer.
    let reason: CacheStatus.ForwardReason
    /// What is kept for when the origin fails.
    let kept: CacheEntry?
    /// Where the invalidations stood, read before the origin is asked.
    let birth: Birth
    /// Where the client waits that leads this fetch; nil for a refresh.
    let seat: LeaderSeat<O.Response>?
    let cache: Cache

    /// Asks the origin, and returns what those who waited may have, and what the leader gets.
    /// - Parameter release: lets those who wait go, once it is known that there is nothing for them.
    func run(releasing release: @escaping @Sendable () -> Void) async -> Landing {
        if isForHeadAlone { return await runForHead(releasing: release) }
        let reception: Reception
        do {
            let first = try await ask(question)
            switch reading(of: first) {
            case .whole: reception = first
            case .confirms(let confirmed): return await redate(confirmed, by: first, releasing: release)
            // A 304 about nothing that is kept says nothing: the whole is asked for, once.
            case .mistaken: reception = try await ask(inquiry.fillRequest)
            }
        } catch {
            return await failed(error)
        }
        let response = reception.response
        let status = reception.head.status
        if status.kind == .serverError, let landing = await serveKept(after: status.code) { return landing }
        switch storability(of: reception.head, reception.directives, at: reception) {
        case .refuse(let refusal): return await pass(response, because: .refused(refusal), releasing: release)
        case .store where response.bodyLength ?? 0 > inquiry.policy.bodyLimit.bytes:
            return await pass(response, because: .tooLarge, releasing: release)
        case .store(let lifetimes):
            if !lifetimes.mayAnswerOthers { release() }
            return await capture(reception, lifetimes, releasing: release)
        }
    }

    /// Asks the origin, and notes the times that an age is reckoned from.
    func ask(_ request: HTTPRequest) async throws -> Reception {
        let requestedAt = cache.clock.now
        let hasFallback = kept.map { kept in
            kept.lifetimes.isBarelyStale(at: requestedAt)
                && kept.mayBeServed(to: inquiry, afterFailure: nil, at: requestedAt)
        }
        let response = try await FetchContext.$keys.withValue(fetchedKeys) {
            try await origin.fetch(request, hasFallback: hasFallback ?? false)
        }
        return Reception(
            request: request,
            response: response,
            directives: directives(of: response.head),
            requestedAt: requestedAt,
            at: cache.clock.now
        )
    }

    /// What a head says about caching.
    func directives(of head: HTTPResponse) -> ResponseDirectives {
        ResponseDirectives(head.headerFields, targets: inquiry.policy.rules.targetedFields)
    }

    /// Whether a response that came when `reception` did is stored.
    func storability(
        of head: HTTPResponse,
        _ directives: ResponseDirectives,
        at reception: Reception
    ) -> Storability {
        var request = reception.request
        // What an answer to HEAD brought up to date is the answer to a GET.
        request.method = .get
        return Storability.decide(
            request: request,
            response: head,
            directives: directives,
            rules: inquiry.policy.rules,
            requestedAt: reception.requestedAt,
            respondedAt: reception.at
        )
    }

    private var fetchedKeys: [CacheKey] { FetchContext.keys + [inquiry.address.key] }

    /// What the origin answered to which request, and when it was asked and came.
    struct Reception {
        let request: HTTPRequest
        let response: O.Response
        let directives: ResponseDirectives
        let requestedAt: Timestamp
        let at: Timestamp

        var head: HTTPResponse { response.head }
    }

    /// What a fetch came to. The leader has the end of its answer after those who wait have theirs: what it asks next
    /// comes after this flight, and never boards it.
    struct Landing {
        let arrival: Arrival
        let answerLeader: @Sendable () -> Void
    }
}

// MARK: - What the origin does

extension Fetch {
    /// The origin threw.
    func failed(_ error: any Error) async -> Landing {
        let now = cache.clock.now
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's answer, and no failure.
        if status.map({ $0.kind == .serverError }) ?? true {
            if let landing = await serveKept(after: status?.code) { return landing }
            if seat == nil { cache.refreshFailed(inquiry.address.key) }
        } else if let kept {
            // What the origin has replaced must not come back when the origin fails.
            await cache.store.discard(kept)
        }
        let failure = mustAnswerDisconnected(status) ? DisconnectedError(underlying: error) : error
        let verdict = await cache.store.judge(birth, covers: inquiry.address.covers())
        let arrival = Arrival(outcome: .failure(failure), birth: birth, verdict: verdict, answeredAt: now)
        return Landing(arrival: arrival) { [seat] in seat?.give(.failure(failure)) }
    }

    /// Whether a server without an answer of its own leaves nothing but "an error response rather than […] the stale
    /// response" (RFC 9111 §5.2.2.2).
    private func mustAnswerDisconnected(_ status: HTTPResponse.Status?) -> Bool {
        inquiry.policy.asking == .server && status == nil && kept?.lifetimes.mustRevalidate == true
    }

    /// The origin failed, and what is kept may be served all the same (RFC 5861 §4): nil where it may not.
    func serveKept(after status: Int?) async -> Landing? {
        let now = cache.clock.now
        guard let kept, kept.mayBeServed(to: inquiry, afterFailure: status, at: now) else { return nil }
        // What was invalidated meanwhile is never served stale.
        let verdict = await cache.store.judge(kept.birth, covers: kept.address.covers(with: kept.tags))
        guard verdict.isAlive else { return nil }
        if seat == nil { cache.refreshFailed(inquiry.address.key) }
        return landing(of: kept, .staleOnError(status: status), verdict, answeredAt: now)
    }

    /// The origin answered what is not kept: the leader has it as it is, everybody else asks alone.
    private func pass(
        _ response: O.Response,
        because notStored: NotStored,
        releasing release: @Sendable () -> Void
    ) async -> Landing {
        let isServerError = response.head.status.kind == .serverError
        cache.record(.notStored(inquiry.address.key, notStored))
        if isServerError {
            if seat == nil { cache.refreshFailed(inquiry.address.key) }
        } else {
            if notStored.isLasting { cache.remember(refused: inquiry.address.key) }
            if notStored == .refused(.authorization) { cache.remember(personal: inquiry.address.key) }
            // What the origin has replaced must not come back when the origin fails.
            if let kept { await cache.store.discard(kept) }
        }
        release()
        return landingAlone(.success(passed(response, because: notStored)))
    }

    /// The origin answered what is kept, if its body comes in whole.
    private func capture(
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        releasing release: @escaping @Sendable () -> Void
    ) async -> Landing {
        let key = inquiry.address.key
        let response = reception.response
        let capture = BodyCapture(
            length: response.bodyLength,
            limit: inquiry.policy.bodyLimit.bytes,
            deadline: reception.at.advanced(by: inquiry.policy.captureTime),
            clock: cache.clock
        ) { event, capture in
            switch event {
            // A range is cut from the whole, if there will be one.
            case .begun: if !inquiry.hasRange { stream(response, from: capture) }
            case .overflowed(let notStored):
                cache.record(.notStored(key, notStored))
                cache.remember(refused: key)
                release()
                stream(response, from: capture)
            }
        }
        // Before the first part what is kept can still be served in place of a body that breaks off.
        if response.bodyLength == nil, kept == nil, !inquiry.hasRange { stream(response, from: capture) }
        let landing = await collect(reception, lifetimes, in: capture)
        return Landing(arrival: landing.arrival) {
            landing.answerLeader()
            capture.release()
        }
    }

    /// The body comes in.
    private func collect(_ reception: Reception, _ lifetimes: Lifetimes, in capture: BodyCapture) async -> Landing {
        let response = reception.response
        do {
            try await FetchContext.$keys.withValue(fetchedKeys) { try await response.pourBody(into: capture) }
            capture.fail(BodyError.unfinished)
        } catch {
            capture.fail(error)
            guard seat?.isServed != false else { return await failed(error) }
        }
        do {
            return await store(try capture.whole(), reception, lifetimes)
        } catch {
            if error == .brokenOff {
                cache.record(.notStored(inquiry.address.key, error))
                if seat?.isServed == false { return await failed(BodyError.unfinished) }
                if seat == nil { cache.refreshFailed(inquiry.address.key) }
            } else if let kept {
                await cache.store.discard(kept)
            }
            return landingAlone(.failure(BodyError.unfinished))
        }
    }

    /// The body came in whole.
    private func store(_ body: ByteBuffer, _ reception: Reception, _ lifetimes: Lifetimes) async -> Landing {
        let tags = tags(in: reception.head.headerFields)
        let entry = entry(
            reception.head,
            reception.directives,
            body: body,
            lifetimes: lifetimes,
            tags: tags,
            receivedAt: reception.at
        )
        let (verdict, notStored) = await keep(entry)
        let source = Arrival.Source.fetched(status: reception.head.status.code, notStored)
        return landing(of: entry, source, verdict, answeredAt: reception.at)
    }

    /// The leader gets what is an entry now, and so may everybody who waits.
    func landing(
        of entry: CacheEntry,
        _ source: Arrival.Source,
        _ verdict: Verdict,
        answeredAt moment: Timestamp
    ) -> Landing {
        let arrival = Arrival(
            outcome: .entry(entry, source),
            birth: entry.birth,
            verdict: verdict,
            answeredAt: moment
        )
        let answer = answer(from: entry, source)
        return Landing(arrival: arrival) { [seat] in seat?.give(.success(answer), source.kind) }
    }

    /// The leader gets what nobody else may have.
    func landingAlone(_ answer: Result<O.Response, any Error>, _ kind: CacheEvent.Miss = .led) -> Landing {
        let arrival = Arrival(
            outcome: .nothing,
            birth: birth,
            verdict: Verdict(isAlive: false, said: birth),
            answeredAt: cache.clock.now
        )
        return Landing(arrival: arrival) { [seat] in seat?.give(answer, kind) }
    }

    /// The leader's answer from an entry.
    func answer(from entry: CacheEntry, _ source: Arrival.Source) -> O.Response {
        let outcome = source.outcome(reason)
        return O.Response(
            cache.serving.answer(entry, to: inquiry, at: cache.clock.now, outcome, detail: source.detail)
        )
    }

    /// An entry of this fetch, born when it was: whatever is invalidated while it is under way kills it.
    func entry(
        _ head: HTTPResponse,
        _ directives: ResponseDirectives,
        body: ByteBuffer,
        lifetimes: Lifetimes,
        tags: [CacheTag],
        receivedAt: Timestamp,
        confirmed: CacheEntry? = nil
    ) -> CacheEntry {
        CacheEntry(
            request: inquiry.request,
            head: Serving.storedHead(
                head,
                body: body,
                directives: directives,
                receivedAt: receivedAt,
                policy: inquiry.policy
            ),
            body: body,
            lifetimes: lifetimes,
            birth: birth,
            address: inquiry.address,
            tags: tags,
            confirmed: confirmed
        )
    }

    /// The tags that the origin gives a response.
    func tags(in fields: HTTPFields) -> [CacheTag] {
        SurrogateKeys.tags(in: fields, named: inquiry.policy.rules.tagFields).compactMap { CacheTag($0) }
    }

    /// Stores an entry; `isNew`: rather than what was kept before, confirmed.
    func keep(_ entry: CacheEntry, isNew: Bool = true) async -> (Verdict, NotStored?) {
        let key = entry.address.key
        let verdict: Verdict
        let notStored: NotStored?
        if entry.tags.count > CacheEntry.tagLimit || entry.cost > cache.store.entryLimit.bytes {
            verdict = await cache.store.judge(birth, covers: entry.address.covers(with: entry.tags))
            notStored = entry.tags.count > CacheEntry.tagLimit ? .tooManyTags : .tooLarge
        } else {
            verdict = await cache.store.save(entry, at: cache.clock.now)
            notStored = verdict.isAlive ? nil : verdict.isKnown ? .overtaken : .unavailable
        }
        if let notStored {
            cache.record(.notStored(key, notStored))
            if notStored.isLasting {
                cache.remember(refused: key)
                if let kept { await cache.store.discard(kept) }
            }
        } else {
            // What answered this request before must not come back in front of what does now.
            if let kept, !entry.replaces(kept) { await cache.store.discard(kept) }
            cache.record(isNew ? .stored(key, cost: entry.cost) : .validated(key))
            cache.forget(refused: key)
        }
        return (verdict, notStored)
    }
}

// MARK: - What the leader gets

extension Fetch {
    /// The leader reads the body while it comes in.
    private func stream(_ response: O.Response, from capture: BodyCapture) {
        guard let seat, !seat.isServed else { return }
        let head = cache.serving.head(
            response.head,
            .forwarded(reason, status: response.head.status.code),
            policy: inquiry.policy,
            at: cache.clock.now
        )
        seat.give(
            .success(
                inquiry.isHead
                    ? O.Response(headOnly: head)
                    : O.Response(head: head, streaming: capture.reader(), length: response.bodyLength)
            )
        )
    }

    /// The leader has the origin's response as it is.
    private func passed(_ response: O.Response, because notStored: NotStored) -> O.Response {
        var response = response
        response.head = cache.serving.head(
            response.head,
            .forwarded(reason, status: response.head.status.code),
            detail: notStored.detail,
            policy: inquiry.policy,
            at: cache.clock.now
        )
        return inquiry.isHead ? O.Response(headOnly: response.head) : response
    }
}
