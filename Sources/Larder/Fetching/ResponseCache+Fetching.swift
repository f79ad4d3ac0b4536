import HTTPCaching
import HTTPTypes
import NIOCore

/// Fetches: those that a request leads and waits for, and refreshes in the background.
extension ResponseCache {
    /// Starts a fetch, and waits for the response.
    /// - Parameter flight: The flight that the fetch completes; nil if no other request may have its result.
    func lead<O: Origin>(_ miss: CacheMiss<O>, _ flight: FlightID?) async throws -> O.Response {
        let leader = LeaderPromise<O.Response>()
        var kind = CacheEvent.Miss.led
        defer { record(.miss(miss.cacheable.location.key, kind), for: miss.cacheable) }
        let fetch = start(miss, flight, leader)
        if let flight { watchOthers(flight, miss, leader) }
        let timer = startSoftTimer(miss, leader)
        defer { timer?.cancel() }
        do {
            let value = try await leader.value()
            kind = value.kind
            return value.response
        } catch {
            // The origin has not failed if the client has left.
            if !Task.isCancelled { kind = .failed }
            if Task.isCancelled { flight != nil || miss.mayFillCache ? fetch.leave() : fetch.abandon() }
            throw error
        }
    }

    /// Fetches in the background while a stale response is served, unless a fetch is under way, or one failed a short
    /// while ago.
    func refresh<O: Origin>(_ miss: CacheMiss<O>) {
        guard keyNotes.pause(of: miss.leveledKey, at: clock.now) == nil,
            let flight = flights.lead(miss.flightKey(like: nil, isRefresh: true), miss.snapshot)
        else { return }
        start(miss, flight, nil)
    }

    /// Fetches and stores a response that nobody waits for, whatever is stored or being fetched.
    /// - Parameter readVersion: The version of the log before the key was invalidated, to replace what is stored. If
    ///   another scope was invalidated since then, the response may be older, and is not stored.
    func fill<O: Origin>(_ cacheable: CacheableRequest, from origin: O, readAt readVersion: LogVersion) async {
        let frames = FetchContext.frames
        let lookup = await store.load(cacheable.location, for: cacheable.query, at: clock.now)
        let others = cacheable.location.scopes().filter { $0 != .key(cacheable.location.key) }
        guard await store.validity(of: readVersion, scopes: others).isValid else { return }
        let miss = CacheMiss(
            cacheable: cacheable,
            origin: origin,
            reason: .request,
            stored: nil,
            snapshot: LookupSnapshot(lookup: lookup, completion: flights.lastCompletion),
            frames: frames,
            level: FetchContext.level(of: cacheable.location.key, among: frames, in: self),
            isUncacheable: false
        )
        await run(miss, nil, nil)
    }

    @discardableResult
    private func start<O: Origin>(
        _ miss: CacheMiss<O>,
        _ flight: FlightID?,
        _ leader: LeaderPromise<O.Response>?
    ) -> BackgroundFetch {
        let flight = flight.map { FlightHandle($0, in: flights) }
        let handle = BackgroundFetch {
            // A refresh has no leader, and is wanted for later requests.
            leader?.isCompleted != true || flight?.isAwaited == true
        }
        let task = tasks.start { [self] in
            defer { handle.end() }
            await FetchContext.$fetch.withValue(handle) { await run(miss, flight, leader) }
        }
        handle.attach(task)
        return handle
    }

    /// Runs a fetch, and applies its result: records it, completes the flight, which resumes the waiters, and answers
    /// the leader last, so that the client's next request comes after this flight and does not join it.
    private func run<O: Origin>(
        _ miss: CacheMiss<O>,
        _ flight: FlightHandle?,
        _ leader: LeaderPromise<O.Response>?
    ) async {
        let permit = flight.map { FlightPermit(for: $0) }
        var fetch = Fetch(
            miss: miss,
            leader: leader,
            flight: flight,
            frames: FetchContext.frames(of: miss, in: self),
            dependencies: FetchDependencies(
                store: store,
                serving: serving,
                inFlight: inFlight,
                tracing: tracing,
                clock: clock
            ),
            report: { self.apply($0, to: miss) }
        )
        let began = NIODeadline.now()
        let result = await fetch.run()
        topFetches.count(
            miss.cacheable.location.key,
            tags: result.record.received?.tags ?? [],
            bytes: result.record.received?.bytes ?? 0,
            nanoseconds: Int((.now() - began).nanoseconds)
        )
        apply(result.record, to: miss)
        permit?.complete(result.completion)
        if let leader, !leader.isCompleted { await complete(leader, of: miss, with: result.leader) }
        result.body?.release()
    }

    private func apply<O: Origin>(_ fetchRecord: FetchRecord, to miss: CacheMiss<O>) {
        for event in fetchRecord.events { record(event, of: miss.cacheable.sharedPolicy.route) }
        if logsRequests { for event in fetchRecord.events { log(event) } }
        for note in fetchRecord.notes { keyNotes.note(note, about: miss.leveledKey, at: clock.now) }
    }

    private func complete<O: Origin>(
        _ leader: LeaderPromise<O.Response>,
        of miss: CacheMiss<O>,
        with response: FetchResult<O.Response>.LeaderResponse
    ) async {
        switch response {
        case .response(let response, let kind): leader.succeed(response, kind)
        case .failure(let error): leader.fail(error)
        case .forward(let notStored):
            do {
                var response = try await forward(to: miss.origin)
                let head = serving.head(response.head, for: miss, at: clock.now, because: notStored)
                response.take(head)
                leader.succeed(miss.cacheable.isHead ? O.Response(headOnly: head) : response)
            } catch {
                leader.fail(error)
            }
        }
    }
}

// MARK: - Other responses for a leader

extension ResponseCache {
    /// Gives the leader the result of another flight of its key, if that completes earlier than its own: the leader is
    /// one of the waiters of the key, too.
    private func watchOthers<O: Origin>(
        _ flight: FlightID,
        _ miss: CacheMiss<O>,
        _ leader: LeaderPromise<O.Response>
    ) {
        let joinedAt = clock.now
        flights.watch(flight, miss.snapshot.lookup) { [self] outcome in
            guard case .entry(let entry, let source) = outcome.content,
                outcome.mayAnswer(miss.cacheable, joinedAt: joinedAt, with: entry, source)
            else { return }
            leader.succeed(
                serving.answer(entry, to: miss, at: clock.now, source, collapsed: true),
                source.kind == .led ? .collapsed : source.kind
            )
        }
    }

    /// Gives the leader the stale response when the soft timeout is over.
    private func startSoftTimer<O: Origin>(
        _ miss: CacheMiss<O>,
        _ leader: LeaderPromise<O.Response>
    ) -> Task<Void, Never>? {
        guard let stored = miss.stored, let timeout = miss.softTimeout(at: clock.now) else { return nil }
        return tasks.start { [self] in
            do { try await clock.sleep(for: timeout) } catch { return }
            leader.succeed(serving.answer(stored, to: miss, at: clock.now, .staleOnSoftTimeout), .staleOnTimeout)
        }
    }
}
