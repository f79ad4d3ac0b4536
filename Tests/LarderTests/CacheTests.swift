import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct CacheTests {
    @Test func `A response is fresh until its lifetime ends`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        bench.clock.advance(by: .milliseconds(500))
        #expect(try await bench.get(from: origin).cacheStatusText.contains("ttl=60"))
        bench.clock.advance(by: .milliseconds(58_500))
        let hit = try await bench.get(from: origin)
        #expect(hit.head.headerFields[.age] == "59")
        #expect(hit.cacheStatusText.contains("ttl=1"))
        bench.clock.advance(by: .seconds(1))
        #expect(await bench.cache.count() == 0)
        #expect(try await !bench.get(from: origin).isHit)
        #expect(origin.fetches.count == 2)
    }

    @Test func `A 404 is not stored, and the 200 after it is`() async throws {
        let bench = Bench()
        let status = Row("missing")
        let origin = TestOrigin { _ in
            status.text == "missing" ? TestResponse("no", status: .notFound) : TestResponse("yes")
        }
        #expect(try await bench.get(from: origin).cacheStatusText.contains("detail=status"))
        status.text = "there"
        #expect(try await bench.get(from: origin).text == "yes")
        #expect(try await bench.get(from: origin).isHit)
    }

    @Test(
        arguments: [
            ([.cookie: "a=b"], "cookie"), ([.authorization: "Bearer x"], "authorization"),
            ([.contentLength: "3"], "content"),
            ([.ifMatch: "\"x\""], "precondition"), ([.transferEncoding: "chunked"], "content"),
        ] as [(HTTPFields, String)]
    ) func `A request with a reason to bypass the cache bypasses it`(
        _ fields: HTTPFields,
        _ reason: String
    )
        async throws
    {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        let response = try await bench.get("/posts", fields, from: origin)
        #expect(response.cacheStatusText.contains("fwd=bypass"))
        #expect(response.cacheStatusText.contains("detail=\(reason)"))
        #expect(origin.forwards == 1)
        let counts = bench.cache.statistics.snapshot()
        #expect(counts.hits == 0 && counts.misses == 1)
    }

    @Test func `A bypass neither reads nor stores`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        #expect(try await bench.get("/posts?nocache=true", from: origin).cacheStatusText.contains("detail=nocache"))
        #expect(await bench.cache.count() == 0)
        _ = try await bench.get("/posts?nocache=false", from: origin)
        #expect(try await bench.get("/posts", from: origin).isHit)
    }

    @Test func `Two users never see each other's response`() async throws {
        let bench = Bench()
        var policy = CachePolicy.fresh(for: .seconds(60))
        policy.rules.allowsAuthorization = true
        for user in ["a", "b", "a&user=b", "a#user=b", "a%23"] {
            let origin = TestOrigin { _ in TestResponse("of \(user)") }
            for _ in 0..<2 {
                let response = try await bench.get("/me", [.authorization: "x"], for: user, under: policy, from: origin)
                #expect(try await response.text == "of \(user)")
            }
            #expect(origin.fetches.count == 1)
        }
    }

    @Test(
        arguments: [
            ([.cacheControl: "no-store"], "no-store"), ([.cacheControl: "private"], "private"),
            ([.setCookie: "a=b"], "set-cookie"), ([.vary: "*"], "vary-star"),
        ] as [(HTTPFields, String)]
    ) func `A response with a reason not to store it is not stored`(
        _ fields: HTTPFields,
        _ reason: String
    )
        async throws
    {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", fields) }
        #expect(try await bench.get(from: origin).cacheStatusText.contains("detail=\(reason)"))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `The lifetime in the response overrides the policy`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=5"]) }
        _ = try await bench.get(from: origin)
        bench.clock.advance(by: .seconds(5))
        #expect(try await !bench.get(from: origin).isHit)
    }

    @Test func `A condition is answered from the store`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        let tag = try #require(try await bench.get(from: origin).head.headerFields[.eTag])
        for condition in [tag, "W/" + tag, "\"x\", " + tag, "*"] {
            let response = try await bench.get("/posts", [.ifNoneMatch: condition], from: origin)
            #expect(response.head.status == .notModified, "\(condition)")
            #expect(response.head.headerFields[.eTag] == tag)
        }
        #expect(try await bench.get("/posts", [.ifNoneMatch: "\"x\""], from: origin).head.status == .ok)
    }

    @Test func `A stale response is served while one refresh fetches the new one`() async throws {
        let bench = Bench()
        let row = Row("old")
        let origin = TestOrigin { _ in TestResponse(row.text) }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(30))
        _ = try await bench.get(under: policy, from: origin)
        row.text = "new"
        bench.clock.advance(by: .seconds(15))
        let stale = try await bench.get(under: policy, from: origin)
        #expect(try await stale.text == "old")
        await bench.cache.idle()
        #expect(origin.fetches.count == 2)
        #expect(try await bench.get(under: policy, from: origin).text == "new")
        bench.clock.advance(by: .seconds(45))
        #expect(try await !bench.get(under: policy, from: origin).isHit)
    }

    @Test func `A refresh that failed is not tried again at every request`() async throws {
        let bench = Bench(limits: CacheLimits(failurePause: .seconds(5)))
        let isDown = Row("")
        let origin = TestOrigin { _ in
            if isDown.text == "yes" { throw TestFailure("down") }
            return TestResponse("good")
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(60))
        _ = try await bench.get(under: policy, from: origin)
        isDown.text = "yes"
        bench.clock.advance(by: .seconds(15))
        for _ in 0..<5 {
            let stale = try await bench.get(under: policy, from: origin)
            #expect(try await stale.text == "good")
            await bench.cache.idle()
        }
        #expect(origin.fetches.count == 2)
        bench.clock.advance(by: .seconds(6))
        _ = try await bench.get(under: policy, from: origin)
        await bench.cache.idle()
        #expect(origin.fetches.count == 3)
    }

    @Test(arguments: [true, false]) func `A failing origin's stale response is served`(_ throwing: Bool) async throws {
        let bench = Bench()
        let isDown = Row("")
        let origin = TestOrigin { _ in
            guard isDown.text == "yes" else { return TestResponse("good") }
            if throwing { throw TestFailure("down", status: .serviceUnavailable) }
            return TestResponse("bad", status: .serviceUnavailable)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(30))
        _ = try await bench.get(under: policy, from: origin)
        isDown.text = "yes"
        bench.clock.advance(by: .seconds(15))
        let stale = try await bench.get(under: policy, from: origin)
        #expect(try await stale.text == "good")
        #expect(stale.cacheStatusText.contains("detail=stale-if-error"))
        bench.clock.advance(by: .seconds(30))
        if throwing {
            await #expect(throws: TestFailure.self) { try await bench.get(under: policy, from: origin) }
        } else {
            #expect(try await bench.get(under: policy, from: origin).head.status == .serviceUnavailable)
        }
    }

    @Test func `A request with only-if-cached is never forwarded`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        let response = try await bench.get("/posts", [.cacheControl: "only-if-cached"], from: origin)
        #expect(response.head.status == .gatewayTimeout)
        #expect(origin.fetches.isEmpty && origin.forwards == 0)
    }

    @Test(arguments: [(HTTPResponse.Status.ok, true), (.seeOther, true), (.badRequest, false)])
    func `A write invalidates the scopes that it names if it succeeds`(
        _ status: HTTPResponse.Status,
        _ isInvalidated: Bool
    )
        async throws
    {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        let policy = CachePolicy.fresh(for: .seconds(60)).invalidating(.path("/list"))
        for path in ["/posts", "/posts?page=2", "/list"] { _ = try await bench.get(path, under: policy, from: origin) }
        for method in [HTTPRequest.Method.post, .init("WHATEVER")!] {
            _ = try await bench.send(method, under: policy, to: TestOrigin { _ in TestResponse("", status: status) })
        }
        #expect(await bench.cache.count() == (isInvalidated ? 0 : 3))
    }

    @Test func `Hits and misses are exact under concurrency`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for step in 0..<250 { _ = try await bench.get("/\((worker + step) % 10)", from: origin) }
                }
            }
            try await group.waitForAll()
        }
        let counts = bench.cache.statistics.snapshot(topKeys: 100)
        #expect(counts.hits + counts.misses == 2_000)
        #expect(origin.fetches.count == 10)
        #expect(counts.topKeys.count == 10)
        #expect(counts.topKeys.reduce(0) { $0 + $1.count } == 2_000)
        #expect(await bench.cache.count() == 10)
    }
}
