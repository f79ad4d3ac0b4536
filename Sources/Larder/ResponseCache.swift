import HTTPCaching
public import HTTPTypes
public import Logging
public import Metrics
import NIOCore
import OpenMetrics
public import ServiceLifecycle
import Synchronization
public import Tracing

/// A response cache.
///
/// Each request is looked up in the store, bypasses the cache, or is a write. If the store cannot answer a request, the
/// version of the invalidation log is read, and then the origin is asked, once for all requests that wait. So a
/// response that a write has overtaken is never served to a request that arrived after the write.
public final class ResponseCache: Service {
    /// The counts of what the cache did since it was created.
    public let statistics: CacheStatistics

    let store: any CacheStore
    let clock: WallClock
    let created = NIODeadline.now()
    private let currentServing: Mutex<Serving>
    let flights: FlightGroup
    let tasks: BackgroundTasks
    /// The notes about keys that were uncacheable, or whose origin failed.
    let keyNotes: KeyNotes
    /// The limit on the memory of bodies in flight.
    package let inFlight: InFlightBudget
    let observer: (any CacheObserver)?
    let logger: Logger
    let tracing: CacheTracing
    let serviceReminder = ServiceReminder()
    /// The targets whose hits are answered before middleware.
    package let earlyTargets = EarlyTargets()
    let debounced = DebouncedScopes()
    let gauges: CacheGauges
    /// The counts of the last hour.
    package let history = StatisticsHistory()
    /// The keys and tags that are fetched the most.
    package let topFetches: TopFetches

    /// Creates a cache.
    /// - Parameters:
    ///   - store: The store of the responses.
    ///   - name: The name of the cache in `Cache-Status`.
    ///   - limits: The limits on fetches, waiting requests, counted keys and memory.
    ///   - observer: The observer of what the cache does.
    ///   - metrics: The factory that makes the counters.
    ///   - tracer: The tracer of the cache's spans; nil for the one that the application has bootstrapped, if it has.
    ///   - logger: The logger of warnings, such as that the cache does not run as a service.
    ///   - clock: The clock that ages and timeouts are measured with.
    public init(
        store: any CacheStore,
        name: String = "Larder",
        limits: CacheLimits = CacheLimits(),
        observer: (any CacheObserver)? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory,
        tracer: (any Tracer)? = nil,
        logger: Logger = Logger(label: "larder"),
        clock: WallClock = .system
    ) {
        self.store = store
        self.clock = clock
        self.currentServing = Mutex(Serving(name: name))
        self.statistics = CacheStatistics(keyLimit: limits.topKeys, metrics: metrics)
        self.tasks = BackgroundTasks()
        self.flights = FlightGroup(
            flightLimit: limits.flights,
            waiterLimit: limits.waiters,
            clock: clock,
            tasks: tasks
        )
        self.keyNotes = KeyNotes(limits)
        self.topFetches = TopFetches(room: limits.topKeys)
        self.inFlight = InFlightBudget(limit: limits.bodiesInFlight)
        self.observer = observer
        self.logger = logger
        self.tracing = CacheTracing(tracer)
        self.gauges = CacheGauges(cache: name, factory: statistics.metrics)
        history.add(StatisticsHistory.Sample(time: clock.now))
        statistics.metrics.addCollector { [weak self, gauges] in
            if let self { await gauges.record(self, asksStore: true) }
        }
    }

    /// The conversion of responses, with the name of the cache.
    var serving: Serving { currentServing.withLock { $0 } }

    /// Changes the name of the cache in `Cache-Status`, for responses to requests that arrive from now on.
    package func rename(_ name: String) {
        guard name != serving.name else { return }
        let serving = Serving(name: name)
        currentServing.withLock { $0 = serving }
    }

    /// Answers a request from the store if a stored response may be used, and from the origin otherwise.
    /// - Parameters:
    ///   - request: The head of the client's request.
    ///   - user: The ID of the user whom the response is for, if responses differ by user; it becomes part of the key.
    ///   - policy: The policy by which the route's responses are cached.
    ///   - origin: The origin that is asked if the store cannot answer.
    /// - Throws: The origin's error, unchanged; `CancellationError` if the client has left.
    @inlinable
    public func respond<O: Origin>(
        to request: HTTPRequest,
        for user: String? = nil,
        under policy: CachePolicy,
        from origin: @autoclosure () -> O
    ) async throws -> O.Response {
        try await respond(to: request, for: user, under: SharedPolicy(policy), from: origin())
    }

    /// Answers a request in the same way, under a policy that many requests share.
    @inlinable
    package func respond<O: Origin>(
        to request: HTTPRequest,
        for user: String? = nil,
        under policy: SharedPolicy,
        from origin: @autoclosure () -> O
    ) async throws -> O.Response {
        // Inlined into the caller, so that a hit creates no origin and does not suspend.
        switch begin(request, for: user, under: policy) {
        case .answered(let answer): O.Response(answer)
        case .decided(let decision): try await proceed(request, decision, under: policy, from: origin())
        }
    }

    /// Runs the store's background work until the service is shut down. Then carries out the invalidations that are due
    /// at most once in a time, stops the store, and cancels the fetches and refreshes under way.
    public func run() async throws {
        serviceReminder.serviceStarted()
        defer { tasks.cancelAll() }
        // A group shuts its services down in reverse order, so the store is still there for the last invalidations.
        let services: [any Service] = [
            StoreService(store: store), DebouncedInvalidations(cache: self), StatisticsSampling(cache: self),
        ]
        let configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            logger: logger
        )
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Waits until no background fetch or refresh is under way, including those that begin meanwhile.
    ///
    /// A test calls this before it checks what a refresh has stored, or how often the origin was asked: a fetch goes on
    /// after its client has left, and a refresh after its client has got the stale response.
    ///
    /// Invalidations count as well, and so do those that are scheduled, once their time has come: with a clock that a
    /// test advances, advance it first. The background work of the store does not count.
    public func idle() async {
        await tasks.drain { clock.now }
    }
}

// MARK: - Answering requests

/// The result of the first step of a request, which does not suspend.
@usableFromInline
enum FirstStep: Sendable {
    /// The store answered the request.
    case answered(ServedResponse)
    /// The store did not answer the request, which continues as this decision says.
    indirect case decided(RequestDecision)
}

extension ResponseCache {
    /// Decides about a request, and answers it if the memory of this process has a fresh response.
    @usableFromInline
    func begin(_ request: HTTPRequest, for user: String?, under policy: SharedPolicy) -> FirstStep {
        switch RequestDecision.decide(request, user: user, policy: policy) {
        case .lookUp(let cacheable):
            let now = clock.now
            guard let (entry, _) = findFresh(cacheable, at: now) else { return .decided(.lookUp(cacheable)) }
            recordHit(entry, cacheable)
            return .answered(serving.answer(entry, to: cacheable, at: now, .hit, in: FetchContext.frames))
        case let decision: return .decided(decision)
        }
    }

    /// Returns the fresh response to a request, if it is in the memory of this process, and all that was found there.
    func findFresh(
        _ cacheable: CacheableRequest,
        at now: Timestamp
    ) -> (entry: CacheEntry, found: [CacheEntry])? {
        guard let found = store.find(cacheable.location, at: now),
            case .serve(let entry) = Selection.choose(found, for: cacheable, at: now),
            // The store may give up the object while it is sent, even if it holds the response in another form.
            entry.take(from: inFlight)
        else { return nil }
        return (entry, found)
    }

    /// Continues with a request that ``begin(_:for:under:)`` did not answer.
    @usableFromInline
    func proceed<O: Origin>(
        _ request: HTTPRequest,
        _ decision: RequestDecision,
        under shared: SharedPolicy,
        from origin: O
    ) async throws -> O.Response {
        serviceReminder.check(at: clock.now, logger)
        return try await tracing {
            try await logging(request, decision) {
                switch decision {
                case .lookUp(let cacheable): try await answer(cacheable, from: origin)
                case .bypass(let reason): try await bypass(because: reason, under: shared, to: origin)
                case .write: try await write(request, under: shared, to: origin)
                }
            }
        }
    }

    /// Looks for a response, and asks the origin or waits for another request's fetch, until there is one.
    ///
    /// A request looks up again if it may not have the response that it waited for, or if it was chosen to lead a
    /// flight after it has waited: then it holds the permit of that flight.
    func answer<O: Origin>(_ cacheable: CacheableRequest, from origin: O) async throws -> O.Response {
        let frames = FetchContext.frames
        let level = FetchContext.level(of: cacheable.location.key, among: frames, in: self)
        guard level < FetchContext.maximumLevel else {
            return try await bypass(because: .nested, under: cacheable.sharedPolicy, to: origin)
        }
        var permit: FlightPermit?
        // True if the use of a stored entry was counted: a request counts one, however often it looks up.
        var isUseCounted = false
        func countUse(_ entry: CacheEntry) {
            if !isUseCounted { entry.noteUse() }
            isUseCounted = true
        }
        // An entry that this request waited for and may not have: it shows by which fields the responses vary.
        var variant: CacheEntry?
        for attempt in 1... {
            let now = clock.now
            // A request looks up again only once because another flight has stored a response: no completion is later
            // than `.max`.
            let completion = attempt == 1 ? flights.lastCompletion : .max
            let lookup = await tracing.span("larder.lookup") { _ in
                await store.load(cacheable.location, for: cacheable.query, at: now)
            }
            func miss(_ reason: CacheStatus.ForwardReason, _ stored: CacheEntry?) -> CacheMiss<O> {
                CacheMiss(
                    cacheable: cacheable,
                    origin: origin,
                    reason: reason,
                    stored: stored,
                    snapshot: LookupSnapshot(lookup: lookup, completion: completion),
                    frames: frames,
                    level: level,
                    isUncacheable: keyNotes.isUncacheable(
                        LeveledKey(key: cacheable.location.key, level: level),
                        withAuthorization: cacheable.hasAuthorization,
                        at: now
                    )
                )
            }
            switch Selection.choose(lookup.entries, of: lookup.rules, for: cacheable, at: now) {
            // An entry that was decoded or unpacked for this request needs room in the budget: one from Redis, or a
            // copy of a packed one.
            case .serve(let entry) where !entry.take(from: inFlight),
                .serveStale(let entry, _) where !entry.take(from: inFlight):
                if cacheable.directives.onlyIfCached { return unavailable(cacheable, because: .miss) }
                return try await bypass(because: .noRoom, under: cacheable.sharedPolicy, to: origin)
            case .serve(let entry):
                countUse(entry)
                record(.hit(cacheable.location.key, .fresh), for: cacheable)
                return O.Response(serving.answer(entry, to: cacheable, at: now, .hit, in: frames))
            case .serveStale(let entry, let reason):
                // A request with `only-if-cached` never starts a refresh.
                if reason == .whileRevalidating, !cacheable.directives.onlyIfCached { refresh(miss(.stale, entry)) }
                countUse(entry)
                record(.hit(cacheable.location.key, CacheEvent.Hit(reason)), for: cacheable)
                return O.Response(
                    serving.answer(entry, to: cacheable, at: now, .hit, in: frames, detail: reason.rawValue)
                )
            case .bypass(let reason):
                return try await bypass(because: reason, under: cacheable.sharedPolicy, to: origin)
            case .fetch(let reason, let stored):
                if cacheable.directives.onlyIfCached { return unavailable(cacheable, because: reason) }
                if let stored {
                    countUse(stored)
                    stored.charge(to: inFlight)
                }
                let miss = miss(reason, stored)
                if let response = servePaused(miss, at: now) { return response }
                origin.willWait()
                if let reason = miss.bypassReason {
                    return try await bypass(because: reason, under: cacheable.sharedPolicy, to: origin)
                }
                let joinedAt = clock.now
                switch await wait(for: miss, permit.take(), like: variant) {
                case .lead(let flight): return try await lead(miss, flight)
                case .fetchAlone: return try await lead(miss, nil)
                case .lookUpAgain(let flight): permit = flight.map { FlightPermit(for: FlightHandle($0, in: flights)) }
                case .completed(let outcome):
                    // The versions of the log allow the result. The request itself may nevertheless not have it.
                    if let response = try response(to: miss, from: outcome, joinedAt) { return response }
                    if case .entry(let entry, _) = outcome.content { variant = entry }
                case .softTimeout: return serveAfterSoftTimeout(miss)
                case .cancelled:
                    // The request counts as a miss, as a leader does whose client leaves.
                    record(.miss(cacheable.location.key, .collapsed), for: cacheable)
                    throw CancellationError()
                }
            }
        }
        preconditionFailure("The loop must end with a response")
    }
}

// MARK: - Waiting for another request's fetch

extension ResponseCache {
    /// Waits for another request's fetch, unless the request leads a flight or fetches alone.
    /// - Parameters:
    ///   - permit: The permit of the flight that the request was chosen to lead; nil if it was not chosen.
    ///   - variant: An entry that was fetched meanwhile: its `Vary` decides which requests share a flight.
    private func wait<O: Origin>(
        for miss: CacheMiss<O>,
        _ permit: consuming FlightPermit?,
        like variant: CacheEntry?
    ) async -> WaitOutcome {
        if let flight = permit.take()?.handOver() {
            flights.start(flight, miss.snapshot.lookup)
            return .lead(flight)
        }
        guard miss.isSharable else { return .fetchAlone }
        let policy = miss.cacheable.policy
        return await tracing.span("larder.wait") { _ in
            await flights.join(
                miss.flightKey(like: variant),
                miss.snapshot,
                timeout: policy.coalescingTimeout,
                softTimeout: miss.softTimeout(at: clock.now),
                // "[…] a cache MUST NOT store any part of either this request or any response to it" (RFC 9111
                // §5.2.1.5): the request may have the response of another request's fetch, and leads no flight.
                mayLead: !miss.cacheable.directives.noStore
            )
        }
    }

    /// Returns the response to a request that waited, from the outcome of another request's flight; nil if the request
    /// may not have it.
    /// - Throws: The origin's error, if the flight failed with one.
    private func response<O: Origin>(
        to miss: CacheMiss<O>,
        from outcome: FlightOutcome,
        _ joinedAt: Timestamp
    ) throws -> O.Response? {
        let key = miss.cacheable.location.key
        switch outcome.content {
        case .failure(let error, let tags):
            guard outcome.answers(joinedAt: joinedAt) else { return nil }
            record(.miss(key, .failed), for: miss.cacheable)
            // A handler that catches the error of a value makes its response from the values that this one used.
            let location = miss.cacheable.location
            if location.isOfValue { FetchContext.noteValue(taggedBy: location.dependentTags + tags) }
            throw error
        case .entry(let entry, let source):
            guard outcome.mayAnswer(miss.cacheable, joinedAt: joinedAt, with: entry, source) else { return nil }
            record(.miss(key, source.kind == .led ? .collapsed : source.kind), for: miss.cacheable)
            return serving.answer(entry, to: miss, at: clock.now, source, collapsed: true)
        }
    }

    /// Serves a stale response without asking an origin that failed a short while ago; returns nil if the origin is to
    /// be asked.
    private func servePaused<O: Origin>(_ miss: CacheMiss<O>, at now: Timestamp) -> O.Response? {
        guard let stored = miss.stored, let failure = keyNotes.pause(of: miss.leveledKey, at: now),
            stored.mayBeServed(to: miss.cacheable, afterFailure: failure.status, at: now)
        else { return nil }
        record(.hit(miss.cacheable.location.key, .staleAfterError), for: miss.cacheable)
        return serving.answer(stored, to: miss, at: clock.now, .stalePaused)
    }

    private func serveAfterSoftTimeout<O: Origin>(_ miss: CacheMiss<O>) -> O.Response {
        guard let stored = miss.stored else {
            preconditionFailure("Only a request with a stored response can time out")
        }
        record(.miss(miss.cacheable.location.key, .staleOnTimeout), for: miss.cacheable)
        return serving.answer(stored, to: miss, at: clock.now, .staleOnSoftTimeout, collapsed: true)
    }
}
