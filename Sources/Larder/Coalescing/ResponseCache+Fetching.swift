import HTTPCaching
import HTTPTypes
import NIOCore

/// A request that the store has no response for, and everything needed to ask the origin for it.
struct CacheMiss<O: Origin>: Sendable {
    let cacheable: CacheableRequest
    let origin: O
    /// The reason why the store did not answer.
    let reason: CacheStatus.ForwardReason
    /// The stored response that has to be validated, or served if the origin fails; nil if there is none.
    let kept: CacheEntry?
    let snapshot: LookupSnapshot
    /// The number of fetches for the key around this request.
    let level: Int

    var leveledKey: LeveledKey { LeveledKey(key: cacheable.location.key, level: level) }

    /// True if the request demands a response newer than what is stored or being fetched.
    var isDemand: Bool {
        reason == .request || cacheable.directives.noCache || cacheable.directives.maxAge == .zero
    }

    /// True if the request can share a fetch with other requests. Requests that can never share do not wait.
    var isSharable: Bool {
        if isDemand, cacheable.policy.clientDirectives != .coalesce { return false }
        return kept?.lifetimes.mayAnswerOthers != false
    }

    /// True if the client wants a head, and a server is asked only for it. Other HEAD requests can share it.
    var isForHeadAlone: Bool { cacheable.isHead && cacheable.policy.originKind == .server }

    /// Returns the key of the flight for the request, as far as the stored variants tell.
    /// - Parameters:
    ///   - other: A variant that was fetched meanwhile and is not stored.
    ///   - isRefresh: True if the origin is asked for the whole response even if the request is a HEAD.
    func flightKey(like other: CacheEntry?, isRefresh: Bool = false) -> FlightKey {
        var selecting = SelectingFields.none
        // A response without `Vary` does not tell how the variants with one differ.
        let rules = [other?.vary].compactMap(\.self) + snapshot.lookup.rules
        if let vary = rules.first(where: { $0 != .nothing }) {
            selecting = vary.selectingFields(of: cacheable.request.selectableFields) ?? .none
        }
        return FlightKey(
            key: cacheable.location.key,
            selecting: selecting,
            level: level,
            isDemand: isDemand,
            isForHead: isForHeadAlone && !isRefresh
        )
    }

    /// Returns the time for which the request waits for the origin while a stale response is at hand; nil if it waits
    /// until the origin has answered.
    ///
    /// A stale response may be served before the origin has failed only if the response or its route allows it: never
    /// with `must-revalidate`, `no-cache`, `proxy-revalidate` or `s-maxage` (RFC 9111 §4.2.4).
    func softTimeout(at now: Timestamp) -> Duration? {
        guard let kept, !isDemand, !kept.lifetimes.mustRevalidate, let timeout = cacheable.policy.softTimeout,
            // A longer wait is treated as a 504.
            kept.mayBeServed(to: cacheable, afterFailure: 504, at: now)
        else { return nil }
        return timeout
    }
}

/// The result for a request that asked the origin, or waited.
enum Asked<Response: Sendable>: Sendable {
    case response(Response)
    /// The request has to look again.
    /// - `leading`: The flight that the request leads unless it finds a response.
    /// - `like`: A variant that was fetched for another request, and that tells the fields by which responses vary.
    case lookAgain(leading: FlightID?, like: CacheEntry?)
}

extension ResponseCache {
    /// Serves a stale response without asking an origin that failed a short while ago; returns nil if the origin is to
    /// be asked.
    func servePaused<O: Origin>(_ miss: CacheMiss<O>, at now: Timestamp) -> O.Response? {
        guard let kept = miss.kept, let failure = memory.pause(of: miss.leveledKey, at: now),
            kept.mayBeServed(to: miss.cacheable, afterFailure: failure.status, at: now)
        else { return nil }
        record(.hit(miss.cacheable.location.key, .stale))
        return answer(miss, from: kept, .stalePaused)
    }

    private func answer<O: Origin>(
        _ miss: CacheMiss<O>,
        from entry: CacheEntry,
        _ source: FlightOutcome.Source,
        collapsed: Bool = false
    ) -> O.Response {
        let outcome = source.outcome(miss.reason, collapsed: collapsed)
        return O.Response(
            serving.answer(entry, to: miss.cacheable, at: clock.now, outcome, detail: source.detail)
        )
    }

    /// Asks the origin, or waits for another request's fetch.
    /// - Parameters:
    ///   - permit: The permit of the flight that the request was chosen to lead.
    ///   - other: A variant that tells the fields by which responses vary.
    func ask<O: Origin>(
        _ miss: CacheMiss<O>,
        _ permit: consuming FlightPermit?,
        like other: CacheEntry?
    ) async throws -> Asked<O.Response> {
        miss.origin.willWait()
        let cacheable = miss.cacheable
        let isUncacheable = memory.isUncacheable(
            miss.leveledKey,
            withAuthorization: cacheable.hasAuthorization,
            at: clock.now
        )
        // If responses are not stored, the whole response is not needed: the origin answers the client's conditions and
        // range.
        if miss.kept == nil, cacheable.hasRange || cacheable.isConditional, isUncacheable {
            return .response(try await bypass(because: .uncacheable, under: cacheable.policy, to: miss.origin))
        }
        if miss.kept == nil, let reason = cacheable.bypassOnMiss {
            return .response(try await bypass(because: reason, under: cacheable.policy, to: miss.origin))
        }
        if let id = permit.take()?.handOver() {
            flights.start(id, miss.snapshot.lookup)
            return .response(try await lead(miss, id))
        }
        // A response that is not stored is of no use to any other request.
        let isOfUse = !isUncacheable && !cacheable.directives.noStore
        guard miss.isSharable, !isUncacheable else {
            return .response(try await lead(miss, nil, outlivesRequest: isOfUse))
        }
        let joinedAt = clock.now
        let joined = await flights.join(
            miss.flightKey(like: other),
            miss.snapshot,
            timeout: cacheable.policy.coalescingTimeout,
            softTimeout: miss.softTimeout(at: joinedAt),
            // "[…] a cache MUST NOT store any part of either this request or any response to it" (RFC 9111 §5.2.1.5):
            // the request may have the response of another request's fetch, and leads no flight for others.
            mayLead: !cacheable.directives.noStore
        )
        switch joined {
        case .lead(let id): return .response(try await lead(miss, id))
        case .alone: return .response(try await lead(miss, nil, outlivesRequest: isOfUse))
        case .leadAfterLooking(let id): return .lookAgain(leading: id, like: other)
        case .lookAgain: return .lookAgain(leading: nil, like: other)
        case .arrived(let outcome): return try receive(outcome, joinedAt, miss)
        case .timedOut:
            guard let kept = miss.kept else { preconditionFailure("Only a request with a stale response times out") }
            record(.miss(cacheable.location.key, .staleOnError))
            return .response(answer(miss, from: kept, .staleOnSoftTimeout, collapsed: true))
        case .cancelled:
            // The request counts as a miss, as a leader does whose client leaves.
            record(.miss(cacheable.location.key, .collapsed))
            throw CancellationError()
        }
    }

    /// Answers a request with the result of another request's flight, if it may have it.
    private func receive<O: Origin>(
        _ outcome: FlightOutcome,
        _ joinedAt: Timestamp,
        _ miss: CacheMiss<O>
    ) throws -> Asked<O.Response> {
        let key = miss.cacheable.location.key
        switch outcome.outcome {
        case .failure(let error):
            guard outcome.answers(joinedAt: joinedAt) else { return .lookAgain(leading: nil, like: nil) }
            record(.miss(key, .collapsed))
            throw error
        case .entry(let entry, let source):
            guard outcome.mayAnswer(miss.cacheable, joinedAt: joinedAt, with: entry, source) else {
                return .lookAgain(leading: nil, like: entry)
            }
            record(.miss(key, source.kind == .led ? .collapsed : source.kind))
            return .response(answer(miss, from: entry, source, collapsed: true))
        }
    }
}

// MARK: - Leading

extension ResponseCache {
    /// Starts a fetch, and waits for the response.
    /// - Parameter outlivesRequest: True if the fetch goes on when this request leaves.
    private func lead<O: Origin>(
        _ miss: CacheMiss<O>,
        _ flight: FlightID?,
        outlivesRequest: Bool = true
    ) async throws -> O.Response {
        let key = miss.cacheable.location.key
        let seat = LeaderPromise<O.Response>()
        var kind = CacheEvent.Miss.led
        defer { record(.miss(key, kind)) }
        let fetch = start(Fetch(miss, seat: seat, cache: self), flight)
        if let flight { watchOthers(flight, miss, seat) }
        let timer = timeSoftly(miss, seat)
        defer { timer?.cancel() }
        do {
            let answer = try await seat.wait()
            kind = answer.kind
            return answer.response
        } catch {
            if Task.isCancelled { outlivesRequest ? fetch.leave() : fetch.abandon() }
            throw error
        }
    }

    /// Gives the leader the result of another flight of its key, if that completes earlier than its own: the leader is
    /// one of the waiters of the key, too.
    private func watchOthers<O: Origin>(_ flight: FlightID, _ miss: CacheMiss<O>, _ seat: LeaderPromise<O.Response>) {
        let joinedAt = clock.now
        flights.watch(flight, miss.snapshot.lookup) { [self] outcome in
            guard case .entry(let entry, let source) = outcome.outcome,
                outcome.mayAnswer(miss.cacheable, joinedAt: joinedAt, with: entry, source)
            else { return }
            let response = answer(miss, from: entry, source, collapsed: true)
            seat.give(.success(response), source.kind == .led ? .collapsed : source.kind)
        }
    }

    /// Gives the leader the stale response when the soft timeout is over.
    private func timeSoftly<O: Origin>(_ miss: CacheMiss<O>, _ seat: LeaderPromise<O.Response>) -> Task<Void, Never>? {
        guard let kept = miss.kept, let timeout = miss.softTimeout(at: clock.now) else { return nil }
        return tasks.start { [self] in
            do { try await clock.sleep(for: timeout) } catch { return }
            seat.give(.success(answer(miss, from: kept, .staleOnSoftTimeout)), .staleOnError)
        }
    }

    /// Fetches in the background while a stale response is served, unless a fetch is under way, or one failed a short
    /// while ago.
    func refresh<O: Origin>(
        _ entry: CacheEntry,
        for cacheable: CacheableRequest,
        _ snapshot: LookupSnapshot,
        _ level: Int,
        from origin: O
    ) {
        let miss = CacheMiss(
            cacheable: cacheable,
            origin: origin,
            reason: .stale,
            kept: entry,
            snapshot: snapshot,
            level: level
        )
        guard memory.pause(of: miss.leveledKey, at: clock.now) == nil,
            let flight = flights.lead(miss.flightKey(like: nil, isRefresh: true), snapshot)
        else { return }
        start(Fetch(miss, seat: nil, cache: self), flight)
    }

    @discardableResult
    private func start<O: Origin>(_ fetch: Fetch<O>, _ flight: FlightID?) -> BackgroundFetch {
        let handle = BackgroundFetch { [flights, seat = fetch.seat] in
            // A refresh has no leader, and is wanted for later requests.
            guard let seat else { return true }
            return !seat.isServed || flight.map(flights.isAwaited) == true
        }
        let task = tasks.start { [flights] in
            defer { handle.end() }
            await FetchContext.$fetch.withValue(handle) {
                let permit = flights.permit(for: flight)
                let completion = await fetch.run(releasing: permit.release)
                permit.land(completion.result)
                completion.answerLeader()
            }
        }
        handle.attach(task)
        return handle
    }
}
