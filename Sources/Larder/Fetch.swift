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

    /// Asks the origin, gives the leader its answer, and returns what those who waited may have.
    /// - Parameter release: lets those who wait go, once it is known that there is nothing for them.
    func run(releasing release: @escaping @Sendable () -> Void) async -> Arrival {
        let request = inquiry.fillRequest
        let requestedAt = cache.clock.now
        let response: O.Response
        do {
            response = try await FetchContext.$keys.withValue(fetchedKeys) { try await origin.fetch(request) }
        } catch {
            return await failed(error)
        }
        let status = response.head.status
        if status.kind == .serverError, let arrival = await serveKept(after: status.code) { return arrival }
        let rules = inquiry.policy.rules
        let reception = Reception(
            head: response.head,
            directives: ResponseDirectives(response.head.headerFields, targets: rules.targetedFields),
            at: cache.clock.now
        )
        let storability = Storability.decide(
            request: request,
            response: response.head,
            directives: reception.directives,
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: reception.at
        )
        switch storability {
        case .refuse(let refusal): return await pass(response, because: .refused(refusal), releasing: release)
        case .store where response.bodyLength ?? 0 > inquiry.policy.bodyLimit.bytes:
            return await pass(response, because: .tooLarge, releasing: release)
        case .store(let lifetimes):
            return await capture(response, reception, lifetimes, releasing: release)
        }
    }

    private var fetchedKeys: [CacheKey] { FetchContext.keys + [inquiry.address.key] }

    /// A response's head, and when it came.
    private struct Reception {
        let head: HTTPResponse
        let directives: ResponseDirectives
        let at: Timestamp
    }
}

// MARK: - What the origin does

extension Fetch {
    /// The origin threw.
    private func failed(_ error: any Error) async -> Arrival {
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's answer, and no failure.
        if status.map({ $0.kind == .serverError }) ?? true {
            if let arrival = await serveKept(after: status?.code) { return arrival }
            if seat == nil { cache.refreshFailed(inquiry.address.key) }
        } else if let kept {
            // What the origin has replaced must not come back when the origin fails.
            await cache.store.discard(kept)
        }
        seat?.give(.failure(error))
        let verdict = await cache.store.judge(birth, covers: inquiry.address.covers())
        return Arrival(outcome: .failure(error), birth: birth, verdict: verdict)
    }

    /// The origin failed, and what is kept may be served all the same (RFC 5861 §4): nil where it may not.
    private func serveKept(after status: Int?) async -> Arrival? {
        guard let kept else { return nil }
        let now = cache.clock.now
        let mayServe = Reuse.mayServeOnError(
            lifetimes: kept.lifetimes,
            request: inquiry.directives,
            now: now,
            failure: status.map(Reuse.Failure.status) ?? .unreachable
        )
        // What was invalidated meanwhile is never served stale.
        let verdict = await cache.store.judge(kept.birth, covers: kept.address.covers(with: kept.tags))
        guard mayServe, verdict.isAlive else { return nil }
        if seat == nil { cache.refreshFailed(inquiry.address.key) }
        let outcome = CacheStatus.Outcome.forwarded(reason, status: status)
        let answer = cache.serving.answer(kept, to: inquiry, at: now, outcome, detail: "stale-if-error")
        seat?.give(.success(O.Response(answer)), .staleOnError)
        return Arrival(outcome: .entry(kept, .staleOnError(status: status)), birth: kept.birth, verdict: verdict)
    }

    /// The origin answered what is not kept: the leader has it as it is, everybody else asks alone.
    private func pass(
        _ response: O.Response,
        because notStored: NotStored,
        releasing release: @Sendable () -> Void
    ) async -> Arrival {
        let isServerError = response.head.status.kind == .serverError
        cache.record(.notStored(inquiry.address.key, notStored))
        if isServerError {
            if seat == nil { cache.refreshFailed(inquiry.address.key) }
        } else {
            if notStored.isLasting { cache.remember(refused: inquiry.address.key) }
            // What the origin has replaced must not come back when the origin fails.
            if let kept { await cache.store.discard(kept) }
        }
        release()
        seat?.give(.success(passed(response, because: notStored)))
        return .nothing(since: birth)
    }

    /// The origin answered what is kept, if its body comes in whole.
    private func capture(
        _ response: O.Response,
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        releasing release: @escaping @Sendable () -> Void
    ) async -> Arrival {
        let key = inquiry.address.key
        let capture = BodyCapture(
            length: response.bodyLength,
            limit: inquiry.policy.bodyLimit.bytes,
            deadline: reception.at.advanced(by: inquiry.policy.captureTime),
            clock: cache.clock
        ) { event, capture in
            switch event {
            case .begun: stream(response, from: capture)
            case .overflowed(let notStored):
                cache.record(.notStored(key, notStored))
                cache.remember(refused: key)
                release()
            }
        }
        defer { capture.release() }
        if response.bodyLength == nil { stream(response, from: capture) }
        do {
            try await FetchContext.$keys.withValue(fetchedKeys) { try await response.pourBody(into: capture) }
            capture.fail(BodyError.unfinished)
        } catch {
            capture.fail(error)
            guard seat?.isServed != false else { return await failed(error) }
        }
        do {
            return try await store(try capture.whole(), reception, lifetimes)
        } catch {
            if error == .brokenOff {
                cache.record(.notStored(key, error))
                if seat == nil { cache.refreshFailed(key) }
            } else if let kept {
                await cache.store.discard(kept)
            }
            seat?.give(.failure(BodyError.unfinished))
            return .nothing(since: birth)
        }
    }

    /// The body came in whole.
    private func store(
        _ body: ByteBuffer,
        _ reception: Reception,
        _ lifetimes: Lifetimes
    ) async throws(NotStored) -> Arrival {
        let tags = SurrogateKeys.tags(in: reception.head.headerFields, named: inquiry.policy.rules.tagFields)
        let entry = CacheEntry(
            request: inquiry.request,
            head: Serving.storedHead(
                reception.head,
                body: body,
                directives: reception.directives,
                receivedAt: reception.at,
                policy: inquiry.policy
            ),
            body: body,
            lifetimes: lifetimes,
            birth: birth,
            address: inquiry.address,
            tags: tags.compactMap { CacheTag($0) }
        )
        let (verdict, notStored) = await keep(entry)
        let status = reception.head.status.code
        let outcome = CacheStatus.Outcome.forwarded(reason, status: status, stored: notStored == nil)
        let answer = cache.serving.answer(entry, to: inquiry, at: cache.clock.now, outcome, detail: notStored?.detail)
        seat?.give(.success(O.Response(answer)))
        return Arrival(outcome: .entry(entry, .origin(status: status, notStored)), birth: birth, verdict: verdict)
    }

    private func keep(_ entry: CacheEntry) async -> (Verdict, NotStored?) {
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
            cache.record(.stored(key, cost: entry.cost))
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
            policy: inquiry.policy
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
            policy: inquiry.policy
        )
        return inquiry.isHead ? O.Response(headOnly: response.head) : response
    }
}

extension Arrival {
    /// Nothing that anybody else may have.
    static func nothing(since birth: Birth) -> Arrival {
        Arrival(outcome: .nothing, birth: birth, verdict: Verdict(isAlive: false, said: birth))
    }
}
