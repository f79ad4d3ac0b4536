import HTTPCaching
public import HTTPTypes
public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import ServiceLifecycle

/// A response cache.
///
/// The life of a request: it is admitted (or passes by, or writes), it is looked up, what is found is served where it
/// may be, and else the origin is asked: once for all who wait, with the number of the last invalidation noted before,
/// so that what was overtaken by a write is never served to anyone who came after it.
public final class Cache: Service {
    /// What the cache did since the process began.
    public let statistics: CacheStatistics

    let store: any CacheStore
    let clock: WallClock
    let serving: Serving
    private let flights: FlightGroup
    private let tasks: BackgroundTasks
    private let refusals: NIOLockedValueBox<KeyMemo>
    /// The keys whose answers to requests with `Authorization` are for the user alone.
    private let personal: NIOLockedValueBox<KeyMemo>
    private let failedRefreshes: NIOLockedValueBox<KeyMemo>
    private let observer: (any CacheObserver)?
    let logger: Logger

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
            passengerLimit: limits.passengers,
            clock: clock,
            tasks: tasks
        )
        self.refusals = NIOLockedValueBox(KeyMemo(limit: limits.refusals, span: limits.refusalSpan))
        self.personal = NIOLockedValueBox(KeyMemo(limit: limits.refusals, span: limits.refusalSpan))
        self.failedRefreshes = NIOLockedValueBox(KeyMemo(limit: limits.refusals, span: limits.refreshPause))
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
        case .admitted(let admission): try await proceed(request, admission, under: policy, from: origin())
        }
    }

    /// Runs what the cache does beside requests, until the service is shut down: the store's duties and the refreshes.
    public func run() async throws {
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
    indirect case admitted(Admission)
}

extension Cache {
    /// Admits a request, and answers it where that takes no waiting: a fresh response in the memory of this process.
    @usableFromInline
    func open(_ request: HTTPRequest, for user: String?, under policy: CachePolicy) -> Opening {
        let admission = Admission.decide(request, user: user, policy: policy)
        guard case .lookUp(let inquiry) = admission else { return .admitted(admission) }
        let now = clock.now
        guard let entries = store.find(inquiry.address, at: now),
            case .serve(let entry) = Selection.choose(entries, for: inquiry, at: now)
        else { return .admitted(admission) }
        record(.hit(inquiry.address.key, .fresh))
        return .answered(serving.answer(entry, to: inquiry, at: now, .hit))
    }

    @usableFromInline
    func proceed<O: Origin>(
        _ request: HTTPRequest,
        _ admission: Admission,
        under policy: CachePolicy,
        from origin: O
    ) async throws -> O.Response {
        switch admission {
        case .lookUp(let inquiry): try await answer(inquiry, from: origin)
        case .pass(let reason): try await pass(because: reason, under: policy, to: origin)
        case .write: try await write(request, under: policy, to: origin)
        }
    }

    private func answer<O: Origin>(_ inquiry: Inquiry, from origin: O) async throws -> O.Response {
        // A request waits for others' fetches a few times at most; then it asks for itself.
        for attempt in 1... {
            let now = clock.now
            // To look again for what has landed since is worth it once.
            let landing = attempt == 1 ? flights.lastLanding : .max
            let lookup = await store.load(inquiry.address, at: now)
            let ticket = Ticket(lookup: lookup, landing: landing)
            switch Selection.choose(lookup.entries, for: inquiry, at: now) {
            case .serve(let entry):
                record(.hit(inquiry.address.key, .fresh))
                return O.Response(serving.answer(entry, to: inquiry, at: now, .hit))
            case .serveStale(let entry, let reason):
                // Nobody who wants an answer of caches alone makes one ask.
                if reason == .whileRevalidating, !inquiry.directives.onlyIfCached {
                    refresh(entry, for: inquiry, ticket, from: origin)
                }
                record(.hit(inquiry.address.key, .stale))
                return O.Response(serving.answer(entry, to: inquiry, at: now, .hit, detail: reason.rawValue))
            case .pass(let reason): return try await pass(because: reason, under: inquiry.policy, to: origin)
            case .ask(let reason, let kept):
                if inquiry.directives.onlyIfCached { return unavailable(inquiry, because: reason) }
                let next = try await ask(inquiry, because: reason, kept: kept, ticket, attempt, from: origin)
                if let response = next { return response }
            }
        }
        preconditionFailure("A request asks for itself in the end")
    }

    /// Asks the origin, or waits for who does; nil where the request has to look again.
    private func ask<O: Origin>(
        _ inquiry: Inquiry,
        because reason: CacheStatus.ForwardReason,
        kept: CacheEntry?,
        _ ticket: Ticket,
        _ attempt: Int,
        from origin: O
    ) async throws -> O.Response? {
        let lookup = ticket.lookup
        let key = inquiry.address.key
        // A handler that asks for the key it is fetched for would wait for itself.
        if FetchContext.keys.contains(key) {
            return try await pass(because: .nested, under: inquiry.policy, to: origin)
        }
        // Conditions and ranges are stripped from what fills the cache: where it is not filled, they would be lost.
        if kept == nil, inquiry.hasRange || inquiry.isConditional, inquiry.policy.asking == .server,
            isRefused(inquiry)
        {
            return try await pass(because: .uncacheable, under: inquiry.policy, to: origin)
        }
        let seat = LeaderSeat<O.Response>()
        let fetch = Fetch(
            inquiry: inquiry,
            origin: origin,
            reason: reason,
            kept: kept,
            birth: lookup.birth,
            seat: seat,
            cache: self
        )
        var flight: FlightID?
        // Who demands a new answer gets one of his own; and what cannot be shared is not worth waiting for.
        let isDemand = reason == .request || inquiry.directives.noCache
        let isShared = !isDemand && !fetch.isForHeadAlone && kept?.lifetimes.mayAnswerOthers != false
        if isShared, attempt < Self.attempts, !isRefused(inquiry) {
            let boardedAt = clock.now
            switch await flights.board(ticket.flight(for: inquiry), ticket, patience: inquiry.policy.patience) {
            case .lead(let id): flight = id
            case .alone: break
            case .waited(let news): return try await receive(news, boardedAt, after: lookup, fetch)
            }
        }
        return try await lead(fetch, flight)
    }

    /// Fetches, and waits for the answer. The fetch goes on when this request leaves.
    private func lead<O: Origin>(_ fetch: Fetch<O>, _ flight: FlightID?) async throws -> O.Response {
        guard let seat = fetch.seat else { preconditionFailure("A leader has a seat") }
        var kind = CacheEvent.Miss.led
        defer { record(.miss(fetch.inquiry.address.key, kind)) }
        start(fetch, flight)
        let answer = try await seat.wait()
        kind = answer.kind
        return answer.response
    }

    /// What a request gets that waited for another one's fetch; nil where it has to look again.
    private func receive<O: Origin>(
        _ news: FlightGroup.News,
        _ boardedAt: Timestamp,
        after lookup: Lookup,
        _ fetch: Fetch<O>
    ) async throws -> O.Response? {
        let inquiry = fetch.inquiry
        switch news {
        case .left:
            // It asked and waited, and counts as the leader does whose client leaves.
            record(.miss(inquiry.address.key, .collapsed))
            throw CancellationError()
        // One of those whose patience is over leads the next fetch; all at once would be a stampede.
        case .released(.landed), .released(.overdue): return nil
        case .released(.unsharable), .released(.full): return try await lead(fetch, nil)
        case .arrived(let arrival):
            guard arrival.mayServe(lookup.birth) else { return nil }
            switch arrival.outcome {
            case .nothing: return try await lead(fetch, nil)
            case .failure(let error):
                guard arrival.answers(boardedAt: boardedAt) else { return nil }
                record(.miss(inquiry.address.key, .collapsed))
                throw error
            case .entry(let entry, let source):
                guard arrival.mayAnswer(inquiry, boardedAt: boardedAt, with: entry, source) else { return nil }
                return collapsed(entry, source, inquiry, because: fetch.reason)
            }
        }
    }

    private func collapsed<Response: OriginResponse>(
        _ entry: CacheEntry,
        _ source: Arrival.Source,
        _ inquiry: Inquiry,
        because reason: CacheStatus.ForwardReason
    ) -> Response {
        record(.miss(inquiry.address.key, source.kind == .led ? .collapsed : source.kind))
        let outcome = source.outcome(reason, collapsed: true)
        return Response(serving.answer(entry, to: inquiry, at: clock.now, outcome, detail: source.detail))
    }

    /// Fetches in the background what is served stale meanwhile, unless somebody does already, or it failed just now.
    private func refresh<O: Origin>(_ entry: CacheEntry, for inquiry: Inquiry, _ ticket: Ticket, from origin: O) {
        let hasFailed = failedRefreshes.withLockedValue { $0.contains(inquiry.address.key, at: clock.now) }
        guard !hasFailed, let flight = flights.lead(ticket.flight(for: inquiry), ticket) else { return }
        let fetch = Fetch(
            inquiry: inquiry,
            origin: origin,
            reason: .stale,
            kept: entry,
            birth: ticket.lookup.birth,
            seat: nil,
            cache: self
        )
        start(fetch, flight)
    }

    private func start<O: Origin>(_ fetch: Fetch<O>, _ flight: FlightID?) {
        tasks.start { [flights] in
            let permit = flights.permit(for: flight)
            let landing = await fetch.run(releasing: permit.release)
            permit.land(landing.arrival)
            landing.answerLeader()
        }
    }

    private func pass<O: Origin>(
        because reason: PassReason,
        under policy: CachePolicy,
        to origin: O
    ) async throws -> O.Response {
        record(.passed(reason))
        var response = try await origin.forward()
        let outcome = CacheStatus.Outcome.forwarded(
            reason == .method ? .method : .bypass,
            status: response.head.status.code
        )
        response.head = serving.head(response.head, outcome, detail: reason.rawValue, policy: policy, at: clock.now)
        return response
    }

    private func write<O: Origin>(
        _ request: HTTPRequest,
        under policy: CachePolicy,
        to origin: O
    ) async throws -> O.Response {
        var response = try await origin.forward()
        let targets = Invalidation.targets(request: request, response: response.head)
        if !targets.isEmpty {
            // The write is done, whatever becomes of the invalidation: its answer is the handler's.
            try? await invalidate(targets.map { policy.keys.cover(of: $0, for: request) } + policy.invalidated)
        }
        let outcome = CacheStatus.Outcome.forwarded(.method, status: response.head.status.code)
        response.head = serving.head(response.head, outcome, policy: policy, at: clock.now)
        return response
    }

    private func unavailable<Response: OriginResponse>(
        _ inquiry: Inquiry,
        because reason: CacheStatus.ForwardReason
    ) -> Response {
        // RFC 9111 §5.2.1.7: "a cache SHOULD […] respond with a 504 (Gateway Timeout) status code".
        record(.miss(inquiry.address.key, .onlyIfCached))
        let head = serving.head(
            HTTPResponse(status: .gatewayTimeout, headerFields: [.contentLength: "0"]),
            .forwarded(reason),
            detail: CacheEvent.Miss.onlyIfCached.rawValue,
            policy: inquiry.policy,
            at: clock.now
        )
        return Response(headOnly: head)
    }
}

// MARK: - What fetches need

extension Cache {
    /// How often a request waits for others before it asks for itself.
    private static var attempts: Int { 3 }

    func record(_ event: CacheEvent) {
        statistics.record(event)
        observer?.observe(event)
    }

    func remember(refused key: CacheKey) {
        refusals.withLockedValue { $0.add(key, at: clock.now) }
    }

    func remember(personal key: CacheKey) {
        personal.withLockedValue { $0.add(key, at: clock.now) }
    }

    func forget(refused key: CacheKey) {
        refusals.withLockedValue { $0.forget(key) }
    }

    func refreshFailed(_ key: CacheKey) {
        record(.refreshFailed(key))
        failedRefreshes.withLockedValue { $0.add(key, at: clock.now) }
    }

    /// Whether what a request fetches was not kept lately, and is not worth waiting for.
    private func isRefused(_ inquiry: Inquiry) -> Bool {
        let (key, now) = (inquiry.address.key, clock.now)
        return refusals.withLockedValue { $0.contains(key, at: now) }
            || inquiry.hasAuthorization && personal.withLockedValue { $0.contains(key, at: now) }
    }

    /// Waits until nothing is fetched in the background; for tests.
    package func idle() async {
        await tasks.drain()
    }

    /// The number of requests that wait for another one's fetch; for tests.
    package var passengerCount: Int { flights.passengerCount }

    /// The number of fetches under way that others may wait for; for tests.
    package var flightCount: Int { flights.count }
}

extension Ticket {
    /// What tells the flight for a request apart, as far as what is kept tells of variants.
    fileprivate func flight(for inquiry: Inquiry) -> FlightKey {
        var selecting = SelectingFields.none
        // A response without Vary does not tell how those that have one differ.
        if let vary = lookup.entries.first(where: { $0.vary != .nothing })?.vary {
            selecting = vary.selectingFields(of: inquiry.request.selectableFields) ?? .none
        }
        return FlightKey(key: inquiry.address.key, selecting: selecting)
    }
}
