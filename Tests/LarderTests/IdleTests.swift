import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// Waiting until a cache does nothing in the background.
@Suite(.timeLimit(.minutes(5))) struct IdleTests {
    /// Waits until a cache is idle, in a task that notes it.
    private final class Waiting: Sendable {
        private let isOver = NIOLockedValueBox(false)
        private let task: Task<Void, Never>

        init(for cache: ResponseCache) {
            task = Task { [isOver] in
                await cache.idle()
                isOver.withLockedValue { $0 = true }
            }
        }

        /// Returns true if the cache is idle, after other tasks have had time to run.
        var isIdle: Bool {
            get async {
                for _ in 0..<100 { await Task.yield() }
                return isOver.withLockedValue { $0 }
            }
        }

        func end() async { await task.value }
    }

    @Test func `A cache without background work is idle`() async throws {
        let bench = Bench()
        await bench.cache.idle()
        let origin = TestOrigin { _ in TestResponse("v") }
        for _ in 0..<2 { _ = try await bench.get(from: origin) }
        await bench.cache.invalidate(.everything)
        await bench.cache.idle()
    }

    @Test func `A refresh is waited for until its response is stored`() async throws {
        let bench = Bench()
        let (row, gate) = (Row("old"), Gate())
        let origin = TestOrigin { _ in
            if row.text == "new" { await gate.pass() }
            return TestResponse(row.text)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(30))
        _ = try await bench.get(under: policy, from: origin)
        row.text = "new"
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.get(under: policy, from: origin).isStale)
        let waiting = Waiting(for: bench.cache)
        await gate.reached()
        #expect(await !waiting.isIdle)
        gate.open()
        await waiting.end()
        let response = try await bench.get(under: policy, from: origin)
        #expect(try await response.text == "new" && response.isHit && !response.isStale)
    }

    @Test func `A fetch is waited for after its client has left`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v")
        }
        let client = Task { try await bench.get(from: origin) }
        await gate.reached()
        client.cancel()
        _ = await client.result
        let waiting = Waiting(for: bench.cache)
        #expect(await !waiting.isIdle)
        gate.open()
        await waiting.end()
        #expect(try await bench.get(from: origin).isHit)
    }

    @Test func `An invalidation that is scheduled for later is waited for once its time has come`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        bench.cache.invalidate(.everything, after: .seconds(10))
        await bench.cache.idle()
        #expect(try await bench.get(from: origin).isHit)
        bench.clock.advance(by: .seconds(10))
        await bench.cache.idle()
        #expect(try await bench.get(from: origin).isMiss)
    }
}
