import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Writes to other paths, which do not keep requests from sharing a fetch.
@Suite(.timeLimit(.minutes(5))) struct UnrelatedWriteTests {
    /// The stored response when the requests arrive.
    enum Stored: CaseIterable { case nothing, stale, variant }

    @Test(arguments: Stored.allCases) func `Requests share one fetch although unrelated writes happen meanwhile`(
        _ stored: Stored
    ) async throws {
        let bench = Bench()
        let (isSlow, rendered) = (Row("no"), Gate())
        let origin = TestOrigin { _ in
            if isSlow.text == "yes" { await rendered.pass() }
            return TestResponse("v0", stored == .variant ? [.vary: "Accept-Language"] : [:])
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(60)).tagged("posts")
        if stored != .nothing {
            _ = try await bench.get(under: policy, from: origin)
            bench.clock.advance(by: .seconds(20))
        }
        isSlow.text = "yes"
        let before = origin.fetches.count
        var requests: [Task<String, any Error>] = []
        for number in 0..<20 {
            requests.append(Task { try await bench.get(under: policy, from: origin).text })
            if number == 0 {
                await rendered.reached()
            } else {
                try await eventually("it waits") { bench.cache.waiterCount == number }
            }
            // The invalidations are by path, by tag, by prefix, by key, and by a path that begins alike.
            await bench.cache.invalidate(.path("/other"), .tag("other"), .prefix("/post"), .path("/posts/1"))
            await bench.cache.remove(try #require(CacheKey("GET:/other")))
        }
        #expect(origin.fetches.count == before + 1)
        rendered.open()
        for request in requests { #expect(try await request.value == "v0") }
        #expect(origin.fetches.count == before + 1)
    }

    @Test(arguments: [InvalidationScope.path("/posts"), .prefix("/"), .tag("posts"), .everything])
    func `A request after a write to the same path does not share the fetch from before it`(
        _ scope: InvalidationScope
    ) async throws {
        let bench = Bench()
        let (row, isSlow, rendered) = (Row("v0"), Row("no"), Gate())
        let origin = TestOrigin { _ in
            let text = row.text
            if isSlow.text == "yes", text == "v0" { await rendered.pass() }
            return TestResponse(text)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(60)).tagged("posts")
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(20))
        isSlow.text = "yes"
        async let before = bench.get(under: policy, from: origin)
        await rendered.reached()
        row.text = "v1"
        await bench.cache.invalidate(scope)
        #expect(try await bench.get(under: policy, from: origin).text == "v1")
        rendered.open()
        _ = try await before
        #expect(try await bench.get(under: policy, from: origin).text == "v1")
    }
}
