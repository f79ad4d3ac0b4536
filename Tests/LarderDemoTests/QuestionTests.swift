import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderRedis
import LarderTestSupport
import MetricsTestKit
import NIOCore
import RedisClient
import TestHelpers
import Testing

/// Tests of the number of questions to a Redis that does not answer: a request waits for at most that many timeouts.
@Suite(.timeLimit(.minutes(5))) struct QuestionTests {
    static let requests: [(HTTPRequest.Method, String, String?, HTTPResponse.Status, Int)] = [
        (.get, "/api/users/1", nil, .ok, 1), (.get, "/api/users/1?nocache=true", nil, .ok, 0),
        (.put, "/api/users/1", #"{"name":"x"}"#, .ok, 1), (.post, "/api/posts/", #"{"title":"x"}"#, .ok, 1),
        (.delete, "/api/invalidate/GET:/api/users/1", nil, .serviceUnavailable, 2),
        (.get, "/metrics/cache", nil, .ok, 1),
    ]

    @Test(arguments: requests)
    func `A request waits for a silent Redis at most twice, and is still answered`(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String?,
        _ status: HTTPResponse.Status,
        _ questions: Int
    ) async throws {
        try await withSilentRedis { client, metrics, _ in
            let response = try await client.send(method, path, body: body)
            #expect(response.status == status)
            #expect(Self.count(metrics, "deadlineExceeded") == questions && Self.count(metrics, "breaker") == 0)
        }
        // The default timeout is 50 ms, and a request asks twice at most.
        #expect(RedisStore.Options().timeout == .milliseconds(50) && questions <= 2)
    }

    @Test func `Once it is known that Redis does not answer, requests do not ask it`() async throws {
        try await withSilentRedis { client, metrics, proxy in
            for _ in 0..<RedisStore.Options().failureLimit { _ = try await client.send(.get, "/api/users/1") }
            #expect(Self.count(metrics, "deadlineExceeded") == RedisStore.Options().failureLimit)
            let bytes = proxy.bytesIn
            for id in 1...100 {
                let response = try await client.send(.get, "/api/users/\(id)")
                #expect(response.status == .ok && !response.isHit)
            }
            #expect(Self.count(metrics, "breaker") == 100)
            #expect(proxy.bytesIn == bytes)
        }
    }

    /// Serves the API with the default timeouts on a Redis that stops answering, and that is tried again only after 600
    /// seconds.
    private func withSilentRedis(
        _ test: @escaping @Sendable (any TestClientProtocol, TestMetrics, SlowProxy) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            try await SlowProxy.run(to: redis.port) { proxy in
                let metrics = TestMetrics()
                var configuration = RedisConfiguration.longTimeouts(proxy.port)
                configuration.heartbeat = .seconds(600)
                var options = RedisStore.Options()
                options.retryPause = .seconds(600)
                let store = try RedisStore(
                    configuration,
                    options: options,
                    metrics: metrics,
                    logger: .silent,
                    // Only requests ask Redis: the store's timers use this clock, which stands still.
                    clock: ManualClock().clock
                )
                try await serve(ResponseCache(store: store)) { client in
                    try await eventually("both connections are open") { store.connectionCount == 2 }
                    proxy.delay(by: .seconds(600))
                    try await test(client, metrics, proxy)
                }
            }
        }
    }

    private static func count(_ metrics: TestMetrics, _ reason: String) -> Int64 {
        metrics.counterTotal(label: "larder_redis_failures", dimensions: [("reason", reason)])
    }
}
