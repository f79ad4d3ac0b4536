import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Requests whose bytes are not UTF-8: the cache gets U+FFFD in their place, whichever they were.
@Suite(.timeLimit(.minutes(5))) struct AlteredBytesTests {
    private static let city = HTTPField.Name("X-City")!
    private static let altered: HTTPFields = [city: "Orl\u{FFFD}ans"]
    private static let policies: [CachePolicy] = [.fresh(for: .seconds(60)), .gateway]

    private func origin(_ fields: HTTPFields = [.vary: "X-City"]) -> TestOrigin {
        TestOrigin { _ in TestResponse("city", fields.adding([.cacheControl: "max-age=60"])) }
    }

    @Test(arguments: policies) func `A request with altered bytes in a field of Vary is neither hit nor stored`(
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let origin = origin()
        for _ in 0..<3 {
            let response = try await bench.get("/posts", Self.altered, under: policy, from: origin)
            #expect(response.cacheStatusText.contains("detail=request-altered-bytes"))
        }
        #expect(origin.fetches.count == 3)
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: policies) func `A request with altered bytes in a field of a stored Vary bypasses the cache`(
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let origin = origin()
        _ = try await bench.get("/posts", [Self.city: "Orleans"], under: policy, from: origin)
        let response = try await bench.get("/posts", Self.altered, under: policy, from: origin)
        #expect(response.cacheStatusText == "Larder; fwd=bypass; fwd-status=200; detail=altered-bytes")
        #expect(origin.forwards == 1 && origin.fetches.count == 1)
        let hit = try await bench.get("/posts", [Self.city: "Orleans"], under: policy, from: origin)
        #expect(hit.isHit)
        let cached = try await bench.get(
            "/posts",
            Self.altered.adding([.cacheControl: "only-if-cached"]),
            under: policy,
            from: origin
        )
        #expect(cached.head.status == .gatewayTimeout)
    }

    @Test func `Requests with altered bytes that wait for one fetch all fetch for themselves`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("city", [.vary: "X-City", .cacheControl: "max-age=60"])
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    try await bench.get("/posts", Self.altered, under: .gateway, from: origin).cacheStatusText
                }
            }
            await gate.reached()
            try await eventually("the others wait") { bench.cache.waiterCount == 2 }
            gate.open()
            for try await status in group { #expect(!status.contains("collapsed")) }
        }
        #expect(origin.fetches.count == 3)
    }

    @Test(
        arguments: [
            [.contentType: "text/caf\u{FFFD}"], [.eTag: "\"\u{FFFD}\""], [.cacheTag: "caf\u{FFFD}"],
            [.lastModified: "\u{FFFD}"], [.vary: "\u{FFFD}"], [.location: "/\u{FFFD}"],
        ] as [HTTPFields]
    ) func `A response with altered bytes in its head is not stored`(_ fields: HTTPFields) async throws {
        for policy in Self.policies {
            let bench = Bench()
            let origin = origin(fields)
            for _ in 0..<2 {
                let response = try await bench.get(under: policy, from: origin)
                #expect(!response.cacheStatusText.contains("stored") && response.cacheStatusText.contains("detail="))
            }
            #expect(origin.fetches.count == 2)
            #expect(await bench.cache.count() == 0)
        }
    }

    @Test func `A request with altered bytes in its key bypasses the cache`() async throws {
        let bench = Bench()
        let origin = origin([:])
        let policy = CachePolicy.fresh(for: .seconds(60))
        for response in [
            try await bench.get("/posts", Self.altered, under: policy.varying(by: Self.city), from: origin),
            try await bench.get("/posts", for: "Ren\u{FFFD}", under: policy, from: origin),
        ] {
            #expect(response.cacheStatusText == "Larder; fwd=bypass; fwd-status=200; detail=altered-bytes")
        }
        var request = HTTPRequest.get("/posts")
        request.authority = "caf\u{FFFD}.example"
        let response: TestResponse = try await bench.cache.respond(
            to: request,
            under: policy.varyingByHost(),
            from: origin
        )
        #expect(response.cacheStatusText.contains("detail=altered-bytes"))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `Altered bytes in a part that nothing depends on have no effect`() async throws {
        let bench = Bench()
        let origin = origin([:])
        for _ in 0..<2 { _ = try await bench.get("/posts", Self.altered, from: origin) }
        #expect(origin.fetches.count == 1)
    }

    @Test func `An altered entity tag of a client does not match`() async throws {
        let bench = Bench()
        let origin = origin([.eTag: "\"caf\""])
        for fields in [[.ifNoneMatch: "\"caf\u{FFFD}\""], [.ifNoneMatch: "\"\u{FFFD}\", \"b\""]] as [HTTPFields] {
            #expect(try await bench.get("/posts", fields, under: .gateway, from: origin).head.status == .ok)
        }
        let range: HTTPFields = [.range: "bytes=0-1", .ifRange: "\"\u{FFFD}\""]
        #expect(try await bench.get("/posts", range, under: .gateway, from: origin).head.status == .ok)
    }

    @Test func `Values that are not UTF-8 distinguish requests if their bytes are known`() async throws {
        let bench = Bench()
        let origin = origin()
        for byte in [0xE9, 0xE8, 0xE9] as [UInt8] {
            let field = HTTPField(name: Self.city, lenientValue: Array("Orl".utf8) + [byte] + Array("ans".utf8))
            _ = try await bench.get("/posts", HTTPFields([field]), from: origin)
        }
        #expect(origin.fetches.count == 2)
    }
}
