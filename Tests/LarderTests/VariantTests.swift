import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Variants of a key on decorated routes, with a handler of the process as the origin.
@Suite(.timeLimit(.minutes(5))) struct VariantTests {
    private static let policies: [CachePolicy] = [.fresh(for: .seconds(60)), .gateway]
    private static let browsers = [
        "gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "gzip,deflate", "deflate, gzip",
        "gzip;q=1.0, deflate", "GZIP, Deflate", "gzip,deflate,br", "br, gzip, deflate", "gzip,deflate,br,zstd",
        "deflate, gzip, br, zstd",
    ]

    /// Returns an origin that compresses as Hummingbird's middleware does: by default without `Vary`.
    private func compressing(vary: Bool = false) -> TestOrigin {
        TestOrigin { request in
            let codings = request.headerFields[.acceptEncoding] ?? ""
            guard codings.lowercased().contains("gzip"), !codings.contains("q=0") else {
                return TestResponse("plain", [.cacheControl: "max-age=60"])
            }
            var fields: HTTPFields = [.cacheControl: "max-age=60", .contentEncoding: "gzip"]
            if vary { fields[.vary] = "Accept-Encoding" }
            return TestResponse("gzip", fields)
        }
    }

    @Test(arguments: policies, [true, false]) func `Every client gets what it can decode, whichever asks first`(
        _ policy: CachePolicy,
        vary: Bool
    ) async throws {
        let clients: [(HTTPFields, String)] = [
            ([:], "plain"), ([.acceptEncoding: "gzip"], "gzip"), ([.acceptEncoding: ""], "plain"),
            ([.acceptEncoding: "identity"], "plain"), ([.acceptEncoding: "br"], "plain"),
            ([.acceptEncoding: "deflate, gzip"], "gzip"), ([.acceptEncoding: "gzip;q=0"], "plain"),
        ]
        for first in clients.indices {
            let bench = Bench()
            let origin = compressing(vary: vary)
            let order = clients[first...] + clients[..<first]
            for _ in 0..<2 {
                for (fields, text) in order {
                    let response = try await bench.get("/posts", fields, under: policy, from: origin)
                    #expect(try await response.text == text, "\(fields) after \(order.map(\.0))")
                }
            }
            let count = origin.fetches.count
            for (fields, _) in order { _ = try await bench.get("/posts", fields, under: policy, from: origin) }
            #expect(origin.fetches.count == count, "everything is stored by now")
        }
    }

    @Test(arguments: policies) func `Eleven spellings of browsers make three variants`(
        _ policy: CachePolicy
    ) async throws {
        for vary in [true, false] {
            let bench = Bench()
            let origin = compressing(vary: vary)
            for spelling in Self.browsers + Self.browsers {
                _ = try await bench.get("/posts", [.acceptEncoding: spelling], under: policy, from: origin)
            }
            #expect(origin.fetches.count == 3)
        }
    }

    @Test func `One uncoded response answers all clients that accept no further coding`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("plain", [.cacheControl: "max-age=60"]) }
        for spelling in Self.browsers + ["", "identity", "gzip", "br;q=0.5"] {
            _ = try await bench.get("/posts", [.acceptEncoding: spelling], under: .gateway, from: origin)
        }
        #expect(origin.fetches.count == 1)
    }

    @Test(arguments: policies) func `Nine values of Vary in turn are all hits the second time`(
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("", [.cacheControl: "max-age=60", .vary: "Accept"]) }
        for _ in 0..<3 {
            for id in 0..<9 {
                _ = try await bench.get("/posts", [.accept: "text/\(id)"], under: policy, from: origin)
            }
        }
        #expect(origin.fetches.count == 9)
    }

    @Test func `A variant in use is not evicted by new ones`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("", [.cacheControl: "max-age=60", .vary: "Accept"]) }
        for id in 0..<200 {
            for accept in ["text/used", "text/\(id)"] {
                _ = try await bench.get("/posts", [.accept: accept], under: .gateway, from: origin)
            }
        }
        #expect(origin.fetches.count { $0.headerFields[.accept] == "text/used" } == 1)
    }

    @Test func `A response with a coding that the client did not accept reaches this client alone`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("gzip", [.cacheControl: "max-age=60", .contentEncoding: "gzip"]) }
        for _ in 0..<2 {
            let response = try await bench.get("/posts", [.acceptEncoding: "br"], under: .gateway, from: origin)
            #expect(response.cacheStatusText.contains("detail=unaccepted-coding"))
        }
        _ = try await bench.get("/posts", [.acceptEncoding: "gzip"], under: .gateway, from: origin)
        let hit = try await bench.get("/posts", [.acceptEncoding: "gzip"], under: .gateway, from: origin)
        #expect(hit.isHit)
    }

    @Test func `Waiters of a fetch get only what they can decode`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            await gate.pass()
            return request.headerFields[.acceptEncoding] == "gzip"
                ? TestResponse("gzip", [.cacheControl: "max-age=60", .contentEncoding: "gzip"])
                : TestResponse("plain", [.cacheControl: "max-age=60"])
        }
        let spellings: [HTTPFields] = [[.acceptEncoding: "gzip"], [:], [.acceptEncoding: "identity"]]
        try await withThrowingTaskGroup(of: (HTTPFields, String).self) { group in
            for fields in spellings + spellings {
                group.addTask { (fields, try await bench.get("/posts", fields, under: .gateway, from: origin).text) }
            }
            try await eventually("all but the leader wait") { bench.cache.waiterCount == 5 }
            gate.open()
            for try await (fields, text) in group {
                #expect(text == (fields[.acceptEncoding] == "gzip" ? "gzip" : "plain"))
            }
        }
        #expect(origin.fetches.count <= 3)
    }

    @Test func `A route limits the freshness of errors`() async throws {
        for (limit, seconds) in [(nil, 10), (Duration.seconds(30), 30)] {
            let bench = Bench()
            let origin = TestOrigin { _ in
                TestResponse("", status: .internalServerError, [.cacheControl: "s-maxage=31536000"])
            }
            let policy = limit.map { CachePolicy.gateway.limitingErrors(to: $0) } ?? .gateway
            _ = try await bench.get(under: policy, from: origin)
            bench.clock.advance(by: .seconds(seconds) - .milliseconds(1))
            _ = try await bench.get(under: policy, from: origin)
            #expect(origin.fetches.count == 1)
            bench.clock.advance(by: .milliseconds(1))
            _ = try await bench.get(under: policy, from: origin)
            #expect(origin.fetches.count == 2)
        }
    }
}
