import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers

/// A cache with a memory store, a clock that the test advances, and a log of the cache's events.
struct Bench {
    let clock = ManualClock()
    let log = EventLog()
    let store: MemoryStore
    let cache: ResponseCache

    init(limit: ByteCount = .mebibytes(64), limits: CacheLimits = CacheLimits()) {
        store = MemoryStore(limit: limit, clock: clock.clock)
        cache = ResponseCache(store: store, limits: limits, observer: log, clock: clock.clock)
    }

    func get(
        _ path: String = "/posts",
        _ fields: HTTPFields = [:],
        for user: String? = nil,
        under policy: CachePolicy = .fresh(for: .seconds(60)),
        from origin: TestOrigin
    ) async throws -> TestResponse {
        try await cache.respond(to: .get(path, fields), for: user, under: policy, from: origin)
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String = "/posts",
        under policy: CachePolicy = .fresh(for: .seconds(60)),
        to origin: TestOrigin
    ) async throws -> TestResponse {
        var request = HTTPRequest.get(path)
        request.method = method
        return try await cache.respond(to: request, under: policy, from: origin)
    }
}
