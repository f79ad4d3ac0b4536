import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// The scopes that a write invalidates, by its ending.
@Suite(.timeLimit(.minutes(5))) struct WriteTests {
    /// The ending of a write.
    enum Ending: CustomTestStringConvertible {
        case answers(Int, HTTPFields = [:])
        case throwing(Int?)
        /// It throws, and the origin was never reached.
        case unsent
        case cancelled

        var testDescription: String {
            switch self {
            case .answers(let code, let fields): "answers \(code) \(fields.map(\.description))"
            case .throwing(let code): "throws \(code.map { "\($0)" } ?? "an error without a status")"
            case .unsent: "is never sent"
            case .cancelled: "throws CancellationError"
            }
        }

        func act() throws -> TestResponse {
            switch self {
            case .answers(let code, let fields): return TestResponse("answer", status: .init(code: code), fields)
            case .throwing(let code): throw TestFailure("failed", status: code.map { .init(code: $0) })
            case .unsent: throw TestFailure("refused", wasSent: false)
            case .cancelled: throw CancellationError()
            }
        }
    }

    /// Stores responses, lets a write end, and returns the paths whose responses were removed.
    private func gone(
        after ending: Ending,
        under policy: CachePolicy,
        _ method: HTTPRequest.Method = .put
    ) async throws -> [String] {
        let bench = Bench()
        let paths = ["/posts", "/posts?page=2", "/named", "/located", "/else"]
        let origin = TestOrigin { _ in TestResponse("v0", [.cacheControl: "max-age=60"]) }
        for path in paths { _ = try await bench.get(path, under: policy, from: origin) }
        let writer = TestOrigin { _ in try ending.act() }
        _ = try? await bench.send(method, under: policy, to: writer)
        #expect(writer.forwards == 1)
        var gone: [String] = []
        for path in paths {
            let response = try await bench.get(path, under: policy, from: origin)
            if !response.isHit { gone.append(path) }
        }
        bench.store.validate()
        return gone
    }

    private static let handler = CachePolicy.fresh(for: .seconds(60)).invalidating(.path("/named"))

    static let changing: [Ending] =
        [200, 201, 204, 302, 303, 500, 501, 502, 503, 504, 599].map { .answers($0) }
        + [nil, 303, 500, 502, 503, 504].map { .throwing($0) } + [.cancelled]

    @Test(arguments: changing) func `A write to a decorated route invalidates its path and the scopes of its policy`(
        _ ending: Ending
    ) async throws {
        #expect(try await gone(after: ending, under: Self.handler) == ["/posts", "/posts?page=2", "/named"])
    }

    static let refused: [Ending] =
        [400, 401, 403, 404, 409, 412, 422, 429, 499].map { .answers($0) } + [400, 404, 409, 422].map { .throwing($0) }

    @Test(arguments: refused)
    func `A write that is refused with a 4xx invalidates nothing`(_ ending: Ending) async throws {
        #expect(try await gone(after: ending, under: Self.handler) == [])
        let gateway = CachePolicy.gateway.invalidating(onError: true)
        #expect(try await gone(after: ending, under: gateway) == [])
    }

    @Test(arguments: [HTTPRequest.Method.options, .trace])
    func `A safe request that fails invalidates nothing`(_ method: HTTPRequest.Method) async throws {
        #expect(try await gone(after: .throwing(500), under: Self.handler, method) == [])
        #expect(try await gone(after: .answers(500), under: Self.handler, method) == [])
    }

    @Test func `Location counts for a write that succeeds, and not for one that fails`() async throws {
        let fields: HTTPFields = [.location: "/located"]
        let all = ["/posts", "/posts?page=2", "/named", "/located"]
        #expect(try await gone(after: .answers(201, fields), under: Self.handler) == all)
        #expect(try await gone(after: .answers(500, fields), under: Self.handler) == Array(all.dropLast()))
    }

    static let gateway: [(Ending, isInvalidated: Bool, ifOnError: Bool)] = [
        (.answers(200), true, true), (.answers(204), true, true), (.answers(303), true, true),
        (.answers(500), false, true), (.answers(501), false, true), (.answers(503), false, true),
        (.answers(502), true, true), (.answers(504), true, true), (.answers(404), false, false),
        (.throwing(nil), true, true), (.cancelled, true, true), (.unsent, false, false), (.throwing(400), false, false),
    ]

    @Test(arguments: gateway) func `A gateway invalidates by RFC 9111, and if the origin may have acted unseen`(
        _ ending: Ending,
        _ isInvalidated: Bool,
        _ ifOnError: Bool
    ) async throws {
        let own = ["/posts"]
        #expect(try await gone(after: ending, under: .gateway) == (isInvalidated ? own + ["/posts?page=2"] : []))
        let onError = CachePolicy.gateway.invalidating(onError: true)
        #expect(try await gone(after: ending, under: onError) == (ifOnError ? own + ["/posts?page=2"] : []))
    }

    @Test func `A route can keep its responses when a write fails`() async throws {
        let policy = Self.handler.invalidating(onError: false)
        for ending in [Ending.answers(500), .throwing(nil), .throwing(500), .cancelled] {
            #expect(try await gone(after: ending, under: policy) == [])
        }
        for ending in [Ending.answers(200), .answers(502), .throwing(504), .throwing(303)] {
            #expect(try await gone(after: ending, under: policy).count == 3)
        }
    }

    @Test func `A response that a failing write changed is not served from an earlier flight`() async throws {
        let bench = Bench()
        let (row, rendered) = (Row("v0"), Gate())
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "v0" { await rendered.pass() }
            return TestResponse(text)
        }
        async let before = bench.get(from: origin)
        await rendered.reached()
        let writer = TestOrigin { _ in
            row.text = "v1"
            throw TestFailure("after the commit")
        }
        await #expect(throws: TestFailure("after the commit")) { try await bench.send(.put, to: writer) }
        #expect(try await bench.get(from: origin).text == "v1")
        rendered.open()
        _ = try await before
        #expect(try await bench.get(from: origin).text == "v1")
    }
}

/// The time and the content of the response to a write.
@Suite(.timeLimit(.minutes(5))) struct AcknowledgementTests {
    private func cache(on store: SlowInvalidations, _ log: EventLog) -> ResponseCache {
        ResponseCache(store: store, observer: log, clock: store.clock.clock)
    }

    private func put(_ cache: ResponseCache, to origin: TestOrigin) async throws -> TestResponse {
        var request = HTTPRequest.get("/posts")
        request.method = .put
        return try await cache.respond(to: request, under: .fresh(for: .seconds(60)), from: origin)
    }

    @Test func `The response to a write waits for the acknowledgement`() async throws {
        let store = SlowInvalidations(result: .acknowledged)
        let (log, isAnswered) = (EventLog(), Row("no"))
        let cache = cache(on: store, log)
        let write = Task {
            defer { isAnswered.text = "yes" }
            return try await put(cache, to: TestOrigin { _ in TestResponse("written") })
        }
        await store.gate.reached()
        #expect(isAnswered.text == "no")
        store.gate.open()
        let response = try await write.value
        #expect(!response.cacheStatusText.contains("detail"))
        #expect(log.invalidations == ["acknowledged: /posts"])
    }

    @Test func `A write without an acknowledgement is answered, and says that its invalidation is pending`()
        async throws
    {
        let store = SlowInvalidations(result: .pending)
        store.gate.open()
        let log = EventLog()
        let cache = cache(on: store, log)
        let response = try await put(cache, to: TestOrigin { _ in TestResponse("written") })
        #expect(response.head.status == .ok)
        #expect(response.cacheStatusText == "Larder; fwd=method; fwd-status=200; detail=invalidation-pending")
        #expect(log.invalidations == ["pending: /posts"])
        #expect(await cache.invalidate(.tag("posts")) == .pending)
        let key = try #require(CacheKey("GET:/posts"))
        #expect(await cache.remove(key) == RemovalResult(removed: 0, invalidation: .pending))
        #expect(await cache.remove(.get("/posts"), under: .gateway).invalidation == .pending)
        #expect(await cache.invalidate([]) == .acknowledged)
    }

    @Test func `A write is invalidated even if its client leaves meanwhile`() async throws {
        let store = SlowInvalidations(result: .acknowledged)
        let (handler, log) = (Gate(), EventLog())
        let cache = cache(on: store, log)
        let write = Task {
            let origin = TestOrigin { _ in
                await handler.pass()
                // A handler behaves like this if the statement after its commit is cancelled.
                try Task.checkCancellation()
                return TestResponse("written")
            }
            return try await put(cache, to: origin)
        }
        await handler.reached()
        write.cancel()
        handler.open()
        await store.gate.reached()
        store.gate.open()
        await #expect(throws: CancellationError.self) { try await write.value }
        #expect(log.invalidations == ["acknowledged: /posts"])
        #expect(!store.wasCancelled)
    }

    @Test func `A handler's own invalidation is carried out even if its client leaves`() async throws {
        let store = SlowInvalidations(result: .acknowledged)
        let cache = cache(on: store, EventLog())
        let call = Task { await cache.invalidate(.tag("posts")) }
        await store.gate.reached()
        call.cancel()
        store.gate.open()
        #expect(await call.value == .acknowledged)
        #expect(!store.wasCancelled)
    }
}

/// A store whose invalidations wait at a gate and then have the result that the test sets.
private final class SlowInvalidations: CacheStore {
    let clock = ManualClock()
    let gate = Gate()
    private let base: MemoryStore
    private let result: InvalidationResult
    private let cancelled = NIOLockedValueBox(false)

    init(result: InvalidationResult) {
        base = MemoryStore(limit: .mebibytes(1))
        self.result = result
    }

    /// True if an invalidation was cancelled while it waited.
    var wasCancelled: Bool { cancelled.withLockedValue { $0 } }
    var entryLimit: ByteCount { base.entryLimit }

    func run() async throws { await base.run() }
    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        await base.load(location, for: query, at: now)
    }
    func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity { await base.save(entry, at: now) }
    func discard(_ entry: CacheEntry) async { await base.discard(entry) }
    func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        await base.validity(of: readVersion, scopes: scopes)
    }
    func count(at now: Timestamp) async -> Int { await base.count(at: now) }

    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        await gate.pass()
        if Task.isCancelled { cancelled.withLockedValue { $0 = true } }
        await base.invalidate(scopes)
        return result
    }

    func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        RemovalResult(removed: await base.remove(key, at: now).removed, invalidation: result)
    }
}

extension EventLog {
    /// The invalidations of paths so far, with their results.
    fileprivate var invalidations: [String] {
        events.compactMap { event in
            switch event {
            case .invalidated(let scopes): "acknowledged: \(scopes.text)"
            case .invalidationPending(let scopes): "pending: \(scopes.text)"
            default: nil
            }
        }
    }
}

extension [InvalidationScope] {
    fileprivate var text: String {
        map { if case .path(let path) = $0 { path.description } else { "\($0)" } }.joined(separator: " ")
    }
}
