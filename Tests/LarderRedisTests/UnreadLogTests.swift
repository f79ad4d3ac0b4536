import HTTPTypes
import Larder
import LarderRedis
import LarderTestSupport
import NIOConcurrencyHelpers
import RedisClient
import TestHelpers
import Testing

/// A process whose look-ups do not reach the log, while another process writes.
@Suite(.timeLimit(.minutes(5))) struct UnreadLogTests {
    @Test func `Joined too late: a request whose look-up timed out does not share a fetch from before another's write`()
        async throws
    {
        try await RedisProcess.run { redis in
            try await CountingProxy.run(to: redis.port) { proxy, port in
                try await withStores(1, on: redis) { writers in
                    var options = RedisStore.Options.longTimeouts
                    options.timeout = .milliseconds(50)
                    options.timeoutBounds = .milliseconds(50) ... .milliseconds(50)
                    options.connections = 1
                    try await withStores(1, on: redis, options: options, port: port) { readers in
                        let clock = ManualClock(now: WallClock.system.now)
                        let (a, b) = (Process(writers[0], clock), Process(readers[0], clock))
                        let (row, rendered) = (Row("v0"), Gate())
                        let origin = TestOrigin { _ in
                            let text = row.text
                            if text == "v0" { await rendered.pass() }
                            return TestResponse(text)
                        }
                        // Commands of the second process no longer reach Redis.
                        let held = Gate()
                        proxy.hold(trip: 1, at: held)
                        async let before = b.get(from: origin)
                        await rendered.reached()
                        row.text = "v1"
                        let written = try await a.put()
                        #expect(!written.cacheStatusText.contains("pending"))
                        let after = (0..<10).map { _ in Task { try await b.get(from: origin) } }
                        try await eventually("they wait") { b.cache.waiterCount == 10 }
                        #expect(origin.fetches.count == 1)
                        rendered.open()
                        let text = try await before.text
                        #expect(text == "v0")
                        for request in after {
                            let text = try await request.value.text
                            #expect(text == "v1")
                        }
                        // One fetch serves all requests that arrived after the first one had begun.
                        #expect(origin.fetches.count == 2)
                        held.open()
                    }
                }
            }
        }
    }
}
