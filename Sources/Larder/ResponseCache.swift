import HTTPCaching
public import HTTPTypes
public import Logging
public import Metrics
public import ServiceLifecycle

/// A response cache.
///
/// The life of a request: it is admitted (or passes by, or writes), it is looked up, what is found is served where it
/// may be, and else the origin is asked: once for all who wait, with the version of the invalidation log read before,
/// so that what was overtaken by a write is never served to anyone who came after it.
public final class ResponseCache: Service {
    /// What the cache did since the process began.
    public let statistics: CacheStatistics

    let store: any CacheStore
    let clock: WallClock
    let serving: Serving
    let flights: FlightGroup
    let tasks: BackgroundTasks
    let memory: CacheMemory
    /// The memory of bodies that are on their way.
    package let inFlight: InFlightBudget
    private let observer: (any CacheObserver)?
    let logger: Logger
    private let serviceReminder = ServiceReminder()

    /// A cache.
    /// - Parameters:
    ///   - store: where responses are kept.
    ///   - name: what the cache calls itself in `Cache-Status`.
    ///   - limits: how many fetches, waiting requests and counted keys there may be.
    ///   - observer: is told what the cache does.
    ///   - metrics: where its counters go.
    ///   - clock: tells the time.
    public init(
        store: any CacheStore,
        name: String = "Larder",
        limits: CacheLimits = CacheLimits(),
        observer: (any CacheObserver)? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory,
        logger: Logger = Logger(label: "larder"),
        clock: WallClock = .system
    ) {
        self.store = store
        self.clock = clock
        self.serving = Serving(name: name)
        self.statistics = CacheStatistics(keyLimit: limits.topKeys, metrics: metrics)
        self.tasks = BackgroundTasks()
        self.flights = FlightGroup(
            flightLimit: limits.flights,
            waiterLimit: limits.passengers,
            clock: clock,
            tasks: tasks
        )
        self.memory = CacheMemory(limits)
        self.inFlight = InFlightBudget(limit: limits.bodiesInFlight)
        self.observer = observer
        self.logger = logger
    }

    /// Answers a request: from the store where it may, from the origin where it must.
    /// - Parameters:
    ///   - user: who the answer is for, where answers differ by user; it becomes part of the key.
    ///   - policy: how the route's responses are cached.
    ///   - origin: what is asked where the store has no answer.
    /// - Throws: what the origin throws, unchanged; `CancellationError` where the client has left.
    @inlinable
    public func respond<O: Origin>(
        to request: HTTPRequest,
        for user: String? = nil,
        under policy: CachePolicy,
        from origin: @autoclosure () -> O
    ) async throws -> O.Response {
        // Inlined into the caller, so that a hit makes no origin and waits for nothing.
        switch open(request, for: user, under: policy) {
        case .answered(let answer): O.Response(answer)
        case .decided(let decision): try await proceed(request, decision, under: policy, from: origin())
        }
    }

    /// Runs what the cache does beside requests, until the service is shut down: the store's duties and the refreshes.
    public func run() async throws {
        serviceReminder.serviceStarted()
        defer { tasks.cancelAll() }
        try await store.run()
    }
}

// MARK: - The life of a request

/// What becomes of a request at first sight.
@usableFromInline
enum Opening: Sendable {
    /// The store answers it at once.
    case answered(Answer)
    /// It goes on as it was admitted.
    indirect case decided(RequestDecision)
}

extension ResponseCache {
    /// Admits a request, and answers it where that takes no waiting: a fresh response in the memory of this process.
    @usableFromInline
    func open(_ request: HTTPRequest, for user: String?, under policy: CachePolicy) -> Opening {
        let decision = RequestDecision.decide(request, user: user, policy: policy)
        guard case .lookUp(let cacheable) = decision else { return .decided(decision) }
        let now = clock.now
        guard let entries = store.find(cacheable.location, at: now),
            case .serve(let entry) = Selection.choose(entries, for: cacheable, at: now)
        else { return .decided(decision) }
        record(.hit(cacheable.location.key, .fresh))
        return .answered(serving.answer(entry, to: cacheable, at: now, .hit))
    }

    @usableFromInline
    func proceed<O: Origin>(
        _ request: HTTPRequest,
        _ decision: RequestDecision,
        under policy: CachePolicy,
        from origin: O
    ) async throws -> O.Response {
        serviceReminder.check(at: clock.now, logger)
        return switch decision {
        case .lookUp(let cacheable): try await answer(cacheable, from: origin)
        case .bypass(let reason): try await bypass(because: reason, under: policy, to: origin)
        case .write: try await write(request, under: policy, to: origin)
        }
    }

    /// Looks for a response, and asks the origin or waits for who does, until there is one.
    ///
    /// A request looks again when what it waited for may not be its response, and when it was chosen to lead a fetch
    /// after it has waited: then it holds the permit of that flight, and nobody else starts one meanwhile.
    private func answer<O: Origin>(_ cacheable: CacheableRequest, from origin: O) async throws -> O.Response {
        let level = FetchContext.level(of: cacheable.location.key, in: self)
        guard level < FetchContext.maximumLevel else {
            return try await bypass(because: .nested, under: cacheable.policy, to: origin)
        }
        var permit: FlightPermit?
        var hint: CacheEntry?
        for attempt in 1... {
            let now = clock.now
            // To look again for what has landed since is worth it once.
            let landing = attempt == 1 ? flights.lastLanding : .max
            let lookup = await store.load(cacheable.location, for: cacheable.query, at: now)
            let ticket = Ticket(lookup: lookup, landing: landing)
            let asking: Asking<O>
            switch Selection.choose(lookup.entries, of: lookup.rules, for: cacheable, at: now) {
            case .serve(let entry) where !entry.take(from: inFlight),
                .serveStale(let entry, _) where !entry.take(from: inFlight):
                if cacheable.directives.onlyIfCached { return unavailable(cacheable, because: .miss) }
                return try await bypass(because: .noRoom, under: cacheable.policy, to: origin)
            case .serve(let entry):
                record(.hit(cacheable.location.key, .fresh))
                return O.Response(serving.answer(entry, to: cacheable, at: now, .hit))
            case .serveStale(let entry, let reason):
                // A request with `only-if-cached` never starts a refresh.
                if reason == .whileRevalidating, !cacheable.directives.onlyIfCached {
                    refresh(entry, for: cacheable, ticket, level, from: origin)
                }
                record(.hit(cacheable.location.key, .stale))
                return O.Response(serving.answer(entry, to: cacheable, at: now, .hit, detail: reason.rawValue))
            case .bypass(let reason): return try await bypass(because: reason, under: cacheable.policy, to: origin)
            case .ask(let reason, let kept):
                if cacheable.directives.onlyIfCached { return unavailable(cacheable, because: reason) }
                kept?.charge(to: inFlight)
                asking = Asking(
                    cacheable: cacheable,
                    origin: origin,
                    reason: reason,
                    kept: kept,
                    ticket: ticket,
                    level: level
                )
            }
            if let response = servePaused(asking, at: now) { return response }
            switch try await ask(asking, permit.take(), like: hint) {
            case .response(let response): return response
            case .lookAgain(let id, let other):
                permit = id.map { flights.permit(for: $0) }
                hint = other ?? hint
            }
        }
        preconditionFailure("A request looks again until it has a response")
    }
}

// MARK: - Past the store

extension ResponseCache {
    func bypass<O: Origin>(
        because reason: BypassReason,
        under policy: CachePolicy,
        to origin: O
    ) async throws -> O.Response {
        record(.bypassed(reason))
        var response = try await origin.forward()
        let outcome = CacheStatus.Outcome.forwarded(
            reason == .method ? .method : .bypass,
            status: response.head.status.code
        )
        response.head = serving.head(response.head, outcome, detail: reason.rawValue, policy: policy, at: clock.now)
        return response
    }

    private func unavailable<Response: OriginResponse>(
        _ cacheable: CacheableRequest,
        because reason: CacheStatus.ForwardReason
    ) -> Response {
        // RFC 9111 §5.2.1.7: "a cache SHOULD […] respond with a 504 (Gateway Timeout) status code".
        record(.miss(cacheable.location.key, .onlyIfCached))
        let head = serving.head(
            HTTPResponse(status: .gatewayTimeout, headerFields: [.contentLength: "0"]),
            .forwarded(reason),
            detail: CacheEvent.Miss.onlyIfCached.rawValue,
            policy: cacheable.policy,
            at: clock.now
        )
        return Response(headOnly: head)
    }
}

// MARK: - What fetches need

extension ResponseCache {
    func record(_ event: CacheEvent) {
        statistics.record(event)
        observer?.observe(event)
    }

    /// Waits until nothing is fetched in the background; for tests.
    package func idle() async {
        await tasks.drain()
    }

    /// The number of requests that wait for another one's fetch; for tests.
    package var passengerCount: Int { flights.waiterCount }

    /// The number of fetches under way that others may wait for; for tests.
    package var flightCount: Int { flights.count }
}
