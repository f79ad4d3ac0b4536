import HTTPCaching
import HTTPTypes
import NIOCore

/// One question to the origin: asks, captures, stores, and says what it brought. It belongs to the cache and not to the
/// client that started it.
struct Fetch<O: Origin>: Sendable {
    let asking: Asking<O>
    /// Where the client waits that leads this fetch; nil for a refresh.
    let seat: LeaderSeat<O.Response>?
    let cache: Cache

    init(_ asking: Asking<O>, seat: LeaderSeat<O.Response>?, cache: Cache) {
        self.asking = asking
        self.seat = seat
        self.cache = cache
    }

    var inquiry: Inquiry { asking.inquiry }
    var origin: O { asking.origin }
    var reason: CacheStatus.ForwardReason { asking.reason }
    /// What is kept for when the origin fails.
    var kept: CacheEntry? { asking.kept }
    /// The version of the log, read before the origin is asked.
    var birth: Birth { asking.ticket.lookup.birth }

    /// Asks the origin, and returns what those who waited may have, and what the leader gets.
    /// - Parameter release: tells those who wait, once it is known, that there is nothing for them.
    func run(releasing release: @escaping @Sendable (FlightResult) -> Void) async -> Landing {
        if isForHeadAlone { return await runForHead() }
        let reception: Reception
        do {
            let first = try await ask(question)
            switch reading(of: first) {
            case .whole: reception = first
            case .confirms(let confirmed):
                cache.memory.succeeded(asking.leveledKey)
                return await redate(confirmed, by: first, releasing: release)
            // A 304 about nothing that is kept says nothing: the whole is asked for, once.
            case .mistaken: reception = try await ask(inquiry.fillRequest)
            }
        } catch {
            return await failed(error)
        }
        let status = reception.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let landing = await serveKept(after: status.code) { return landing }
        } else {
            cache.memory.succeeded(asking.leveledKey)
        }
        switch storability(of: reception.head, reception.directives, at: reception) {
        case .refuse(let refusal): return await refuse(reception, because: .refused(refusal), releasing: release)
        case .store where reception.response.bodyLength ?? 0 > inquiry.policy.bodyLimit.bytes:
            return await pass(reception, because: .tooLarge, releasing: release)
        case .store(let lifetimes):
            if !lifetimes.mayAnswerOthers { release(.unsharable) }
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
        let response = try await FetchContext.$frames.withValue(frames) {
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
            rules: rules ?? inquiry.policy.rules,
            requestedAt: reception.requestedAt,
            respondedAt: reception.at
        )
    }

    var frames: [FetchContext.Frame] {
        let frame = FetchContext.Frame(
            cache: ObjectIdentifier(cache),
            key: inquiry.address.key,
            tagFields: inquiry.policy.rules.tagFields
        )
        return FetchContext.frames + [frame]
    }

    /// Whether the client wants a head, and a server is asked for no more. Nobody else waits for it.
    var isForHeadAlone: Bool { asking.isForHeadAlone && seat != nil }

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
    /// comes after this flight, and never joins it.
    struct Landing {
        let result: FlightResult
        let answerLeader: @Sendable () -> Void
    }
}

// MARK: - When the origin fails

extension Fetch {
    /// The origin threw.
    func failed(_ error: any Error) async -> Landing {
        let now = cache.clock.now
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's answer, and no failure. It belongs to the request
        // that caused it.
        if let status, status.kind != .serverError {
            await discardKept(replacedBy: status)
            return landingAlone(.failure(error), .refusedToLeader)
        }
        noteFailure(status: status?.code)
        if let landing = await serveKept(after: status?.code) { return landing }
        let failure = mustAnswerDisconnected(status) ? DisconnectedError(underlying: error) : error
        let verdict = await cache.store.judge(birth, covers: inquiry.address.covers())
        let arrival = Arrival(outcome: .failure(failure), birth: birth, verdict: verdict, answeredAt: now)
        return Landing(result: .shared(arrival)) { [seat] in seat?.give(.failure(failure)) }
    }

    /// Whether a server without an answer of its own leaves nothing but "an error response rather than […] the stale
    /// response" (RFC 9111 §5.2.2.2).
    private func mustAnswerDisconnected(_ status: HTTPResponse.Status?) -> Bool {
        inquiry.policy.asking == .server && status == nil && kept?.lifetimes.mustRevalidate == true
    }

    /// Remembers the failure, so that the origin is not asked again at once while there is something to serve.
    func noteFailure(status: Int?) {
        cache.memory.failed(asking.leveledKey, status: status, at: cache.clock.now)
        if seat == nil { cache.record(.refreshFailed(inquiry.address.key)) }
    }

    /// The origin failed, and what is kept may be served all the same (RFC 5861 §4): nil if it may not.
    func serveKept(after status: Int?) async -> Landing? {
        let now = cache.clock.now
        guard let kept, kept.mayBeServed(to: inquiry, afterFailure: status, at: now) else { return nil }
        // What was invalidated meanwhile is never served stale.
        let verdict = await cache.store.judge(kept.birth, covers: kept.address.covers(with: kept.tags))
        guard verdict.isAlive else { return nil }
        return landing(of: kept, .staleOnError(status: status), verdict, answeredAt: now)
    }

    /// Removes what the origin has replaced by a response that is not stored: it must not come back when the origin
    /// fails.
    ///
    /// A client error that is due to the request says nothing of what others get. And while what is kept is fresh, no
    /// client error takes it from the others: the client asked past it by its own directives.
    func discardKept(replacedBy status: HTTPResponse.Status) async {
        guard let kept else { return }
        if status.kind == .clientError {
            guard !status.isDueToRequest, kept.lifetimes.freshUntil <= cache.clock.now else { return }
        }
        await cache.store.discard(kept)
    }
}

extension HTTPResponse.Status {
    /// Whether another request for the same target may well get another status: a client error, but for those that speak
    /// of the resource (404, 405, 410, 451).
    var isDueToRequest: Bool {
        kind == .clientError && ![404, 405, 410, 451].contains(code)
    }
}

// MARK: - What is not stored

extension Fetch {
    /// The origin answered what is not stored. An error of the server is shared all the same with those who wait for
    /// it, as a thrown one is, unless it says otherwise.
    private func refuse(
        _ reception: Reception,
        because notStored: NotStored,
        releasing release: @escaping @Sendable (FlightResult) -> Void
    ) async -> Landing {
        guard isSharableFailure(reception), reception.response.bodyLength ?? 0 <= inquiry.policy.bodyLimit.bytes else {
            return await pass(reception, because: notStored, releasing: release)
        }
        cache.record(.notStored(inquiry.address.key, notStored))
        return await capture(reception, Lifetimes(expiredAt: reception.at), notStored, releasing: release)
    }

    /// Whether a response is an error of the server that would be stored if it had a lifetime.
    private func isSharableFailure(_ reception: Reception) -> Bool {
        guard reception.head.status.kind == .serverError else { return false }
        var rules = inquiry.policy.rules
        rules.storableStatuses = .everyFinal
        rules.requiresExplicitPermission = false
        switch storability(of: reception.head, reception.directives, at: reception, by: rules) {
        case .store(let lifetimes): return !lifetimes.alwaysRevalidate
        case .refuse(let refusal): return refusal == .noFreshness
        }
    }

    /// The origin answered what is not kept: the leader has it as it is, everybody else asks alone.
    private func pass(
        _ reception: Reception,
        because notStored: NotStored,
        releasing release: @Sendable (FlightResult) -> Void
    ) async -> Landing {
        let head = reception.head
        cache.record(.notStored(inquiry.address.key, notStored))
        if notStored == .refused(.authorization) {
            cache.memory.add(personal: asking.leveledKey, at: cache.clock.now)
        }
        var result = FlightResult.refusedToLeader
        if head.status.kind != .serverError, !notStored.isDueToRequest {
            await discardKept(replacedBy: head.status)
            if notStored.isLasting, !head.status.isDueToRequest {
                rememberUncacheable()
                result = .unsharable
            }
        }
        release(result)
        return landingAlone(await passed(reception.response, because: notStored), result)
    }

    private func rememberUncacheable() {
        cache.memory.add(uncacheable: asking.leveledKey, at: cache.clock.now)
    }

    /// The leader has the origin's response as it would be without the cache: whole as it came, a 304 if the client has
    /// it already, and the origin's own answer to a range.
    private func passed(_ response: O.Response, because notStored: NotStored) async -> Result<O.Response, any Error> {
        guard seat?.isServed == false else { return .success(response) }
        var response = response
        if let notModified = inquiry.notModified(response.head, receivedAt: cache.clock.now) {
            response = O.Response(headOnly: notModified)
        } else if inquiry.hasRange, response.head.status == .ok {
            do { response = try await origin.forward() } catch { return .failure(error) }
        }
        response.head = cache.serving.head(
            response.head,
            .forwarded(reason, status: response.head.status.code),
            detail: notStored.detail,
            policy: inquiry.policy,
            at: cache.clock.now
        )
        return .success(inquiry.isHead ? O.Response(headOnly: response.head) : response)
    }
}

// MARK: - What is captured

extension Fetch {
    /// The origin answered what others may have, if its body comes in whole.
    /// - Parameter notStored: why it is not stored, if it is only for those who wait.
    private func capture(
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStored? = nil,
        releasing release: @escaping @Sendable (FlightResult) -> Void
    ) async -> Landing {
        let response = reception.response
        // "A server MUST evaluate received request preconditions […] just before it would process the request content"
        // (RFC 9110 §13.2.1): they are judged by the head that the client is about to get, before the body comes.
        answerConditions(by: reception)
        let waitsForWhole = inquiry.hasRange || isJudgedByBody(reception.head)
        let capture = BodyCapture(
            length: response.bodyLength,
            limit: inquiry.policy.bodyLimit.bytes,
            deadline: reception.at.advanced(by: inquiry.policy.captureTime),
            clock: cache.clock
        ) { event, capture in
            switch event {
            // A range is cut from the whole, if there will be one.
            case .begun: if !waitsForWhole { stream(response, from: capture) }
            case .overflowed(let tooMuch):
                if notStored == nil {
                    cache.record(.notStored(inquiry.address.key, tooMuch))
                    rememberUncacheable()
                }
                release(notStored == nil ? .unsharable : .refusedToLeader)
                // A range is for the origin to answer; without a reader the capture ends.
                if !inquiry.hasRange { stream(response, from: capture) }
            }
        }
        // Before the first part what is kept can still be served in place of a body that breaks off.
        if response.bodyLength == nil, kept == nil, !waitsForWhole { stream(response, from: capture) }
        let landing = await collect(reception, lifetimes, notStored, in: capture)
        return Landing(result: landing.result) {
            landing.answerLeader()
            capture.release()
        }
    }

    /// Answers the leader with a 304 if the head says that the client has the response already.
    private func answerConditions(by reception: Reception) {
        guard let seat, inquiry.isConditional, !isJudgedByBody(reception.head),
            let notModified = inquiry.notModified(reception.head, receivedAt: reception.at)
        else { return }
        let head = cache.serving.head(
            notModified,
            .forwarded(reason, status: reception.head.status.code),
            policy: inquiry.policy,
            at: cache.clock.now
        )
        seat.give(.success(O.Response(headOnly: head)))
    }

    /// Whether the client's condition can only be judged by the whole body, from which the entity tag is yet to be made.
    private func isJudgedByBody(_ head: HTTPResponse) -> Bool {
        inquiry.policy.makesEntityTags && inquiry.request.headerFields.contains(.ifNoneMatch)
            && !head.headerFields.contains(.eTag)
    }

    /// The body comes in.
    private func collect(
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStored?,
        in capture: BodyCapture
    ) async -> Landing {
        let response = reception.response
        do {
            try await FetchContext.$frames.withValue(frames) { try await response.pourBody(into: capture) }
            capture.fail(BodyError.unfinished)
        } catch {
            capture.fail(error)
            if !capture.isPastLimit, seat?.isServed == false { return await failed(error) }
        }
        do {
            return await store(try capture.whole(), reception, lifetimes, notStored)
        } catch {
            if error == .brokenOff {
                cache.record(.notStored(inquiry.address.key, error))
                if seat?.isServed == false { return await failed(BodyError.unfinished) }
                if notStored == nil { noteFailure(status: nil) }
            } else {
                if let kept { await cache.store.discard(kept) }
                // A range of what is too large to be stored.
                if seat?.isServed == false { return landingAlone(await passed(response, because: error), .unsharable) }
            }
            return landingAlone(.failure(BodyError.unfinished), .refusedToLeader)
        }
    }

    /// The body came in whole.
    private func store(
        _ body: ByteBuffer,
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStored?
    ) async -> Landing {
        let tags = tags(in: reception.head.headerFields)
        let entry = entry(
            reception.head,
            reception.directives,
            body: body,
            lifetimes: lifetimes,
            tags: tags,
            receivedAt: reception.at
        )
        if let notStored {
            let verdict = await cache.store.judge(birth, covers: entry.address.covers(with: entry.tags))
            return landing(of: entry, .fetched(status: reception.head.status.code, notStored), verdict, by: reception)
        }
        let (verdict, failure) = await keep(entry)
        return landing(of: entry, .fetched(status: reception.head.status.code, failure), verdict, by: reception)
    }
}

// MARK: - What it comes to

extension Fetch {
    /// The leader gets its response, and everybody who waits may have what is an entry now.
    /// - Parameter reception: what the origin sent for the leader; nil if the entry is from before.
    func landing(
        of entry: CacheEntry,
        _ source: Arrival.Source,
        _ verdict: Verdict,
        by reception: Reception? = nil,
        answeredAt moment: Timestamp? = nil
    ) -> Landing {
        let arrival = Arrival(
            outcome: .entry(entry, source),
            birth: entry.birth,
            verdict: verdict,
            answeredAt: reception?.at ?? moment ?? cache.clock.now
        )
        let answer = answer(from: entry, source, received: reception?.head.headerFields)
        return Landing(result: .shared(arrival)) { [seat] in seat?.give(.success(answer), source.kind) }
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
                to: inquiry,
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
        receivedAt: Timestamp
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
            tags: tags
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
                rememberUncacheable()
                if let kept { await cache.store.discard(kept) }
            }
        } else {
            cache.record(isNew ? .stored(key, cost: entry.cost) : .validated(key))
            cache.memory.forget(uncacheable: asking.leveledKey)
        }
        return (verdict, notStored)
    }

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
}
