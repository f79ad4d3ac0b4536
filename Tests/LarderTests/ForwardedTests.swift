import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The response to the client whose request was forwarded: as the origin sent it (RFC 9111 §5.2.2.4, §5.2.2.7).
@Suite(.timeLimit(.minutes(5))) struct ForwardedTests {
    private static let custom = HTTPField.Name("X-Custom")!

    /// The way in which the body of a response arrives.
    enum Way: CaseIterable {
        case whole, inParts, chunked
    }

    private static func response(_ way: Way, _ fields: HTTPFields) -> TestResponse {
        switch way {
        case .whole: TestResponse("0123456789", fields)
        case .inParts, .chunked:
            TestResponse(length: way == .inParts ? 10 : nil, fields) { sink in
                for part in ["01234", "56789"] { try await sink.write(ByteBuffer(string: part)) }
                try await sink.finish()
            }
        }
    }

    @Test(
        arguments: Way.allCases,
        ["no-cache=\"Set-Cookie\"", "private=\"Set-Cookie\"", "no-cache=\"set-cookie, x-custom\""]
    )
    func `Fields that only limit storing and reuse reach the client whose request was forwarded, and no other`(
        _ way: Way,
        _ directive: String
    ) async throws {
        for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
            let bench = Bench()
            let origin = TestOrigin { _ in
                var fields: HTTPFields = [.cacheControl: "max-age=60, " + directive, Self.custom: "1"]
                fields[values: .setCookie] = ["s=1", "t=2"]
                return Self.response(way, fields)
            }
            let first = try await bench.get(under: policy, from: origin)
            #expect(first.head.headerFields[values: .setCookie] == ["s=1", "t=2"])
            #expect(first.head.headerFields[Self.custom] == "1")
            #expect(try await first.text == "0123456789")
            await bench.cache.idle()
            let second = try await bench.get(under: policy, from: origin)
            #expect(second.isHit)
            #expect(!second.head.headerFields.contains(.setCookie))
            #expect(second.head.headerFields.contains(Self.custom) != directive.contains("x-custom"))
        }
    }

    @Test func `Waiters for the same response do not get such fields`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=60, no-cache=\"Set-Cookie\"", .setCookie: "s=1"])
        }
        async let leader = bench.get(from: origin)
        await gate.reached()
        async let waiter = bench.get(from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        let cookies = try await [leader, waiter].map { $0.head.headerFields[.setCookie] }
        #expect(cookies == ["s=1", nil])
    }

    @Test(arguments: ["GET", "HEAD", "range", "condition"])
    func `A forwarded client gets such fields with every kind of request`(_ kind: String) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse(
                "0123456789",
                [.cacheControl: "max-age=60, no-cache=\"Set-Cookie\"", .setCookie: "s=1", .eTag: "\"e\""]
            )
        }
        var request = HTTPRequest.get("/posts")
        if kind == "HEAD" { request.method = .head }
        if kind == "range" { request.headerFields[.range] = "bytes=0-1" }
        if kind == "condition" { request.headerFields[.ifNoneMatch] = "\"e\"" }
        let policy = CachePolicy.fresh(for: .seconds(60))
        let first = try await bench.cache.respond(to: request, under: policy, from: origin)
        #expect(first.head.headerFields[.setCookie] == "s=1")
        let status = ["range": 206, "condition": 304][kind] ?? 200
        #expect(first.head.status.code == status)
        let second = try await bench.cache.respond(to: request, under: policy, from: origin)
        #expect(second.head.status.code == status && !second.head.headerFields.contains(.setCookie))
    }

    @Test func `A response that is not stored after all reaches its client as it came`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=60, private=\"x-custom\"", Self.custom: "1"])
        }
        async let overtaken = bench.get(from: origin)
        await gate.reached()
        _ = try await bench.send(.put, to: TestOrigin { _ in TestResponse("done") })
        gate.open()
        let response = try await overtaken
        #expect(response.cacheStatusText.contains("detail=overtaken"))
        #expect(response.head.headerFields[Self.custom] == "1")
    }

    @Test func `Fields between two servers are not forwarded`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse(
                "v",
                [
                    .cacheControl: "max-age=60", .connection: "x-custom", Self.custom: "1",
                    .init("Cache-Tag")!: "posts", .transferEncoding: "chunked",
                ]
            )
        }
        let first = try await bench.get(under: .gateway, from: origin)
        for name in [.connection, Self.custom, .init("Cache-Tag")!, .transferEncoding] {
            #expect(!first.head.headerFields.contains(name))
        }
    }
}

/// Responses that are not storable because of one request, and do not affect other requests.
@Suite(.timeLimit(.minutes(5))) struct RefusedToOneTests {
    @Test(
        arguments: [
            [.cacheControl: "no-cache, no-store"], [.cacheControl: "no-cache", .authorization: "Bearer x"],
            [.cacheControl: "max-age=0, no-store"], [.pragma: "no-cache", .authorization: "Bearer x"],
        ] as [HTTPFields],
        [CachePolicy.ClientDirectives.honor, .coalesce]
    )
    func `A fresh entry stays after a forwarded request whose response may not be stored`(
        _ fields: HTTPFields,
        _ directives: CachePolicy.ClientDirectives
    ) async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway
        policy.clientDirectives = directives
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        _ = try await bench.get(under: policy, from: origin)
        _ = try await bench.get("/posts", fields, under: policy, from: origin)
        #expect(origin.fetches.count == 2)
        #expect(try await bench.get(under: policy, from: origin).isHit)
    }

    @Test(arguments: [400, 401, 403, 404, 406, 410, 429], [true, false])
    func `A fresh entry stays after a client error of a forwarded request`(_ code: Int, _ isThrown: Bool) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).honoringRequestDirectives()
        let status = HTTPResponse.Status(code: code)
        let origin = TestOrigin { request in
            guard request.headerFields.contains(.cacheControl) else { return TestResponse("v") }
            if isThrown { throw TestFailure("refused", status: status) }
            return TestResponse("refused", status: status)
        }
        _ = try await bench.get(under: policy, from: origin)
        _ = try? await bench.get("/posts", [.cacheControl: "no-cache"], under: policy, from: origin)
        #expect(origin.fetches.count == 2)
        #expect(try await bench.get(under: policy, from: origin).isHit)
    }

    @Test(arguments: [401, 403, 406, 429]) func `A stale entry stays after a client error that is due to the request`(
        _ code: Int
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        let state = Row("good")
        let origin = TestOrigin { _ in
            switch state.text {
            case "good": return TestResponse("v")
            case "refusing": throw TestFailure("refused", status: .init(code: code))
            default: throw TestFailure("down")
            }
        }
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        state.text = "refusing"
        await #expect(throws: TestFailure.self) { try await bench.get(under: policy, from: origin) }
        state.text = "down"
        #expect(try await bench.get(under: policy, from: origin).text == "v")
    }

    @Test func `A response whose own directives forbid storing replaces a fresh entry`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).honoringRequestDirectives()
        let origin = TestOrigin { request in
            TestResponse("v", request.headerFields.contains(.cacheControl) ? [.cacheControl: "private"] : [:])
        }
        _ = try await bench.get(under: policy, from: origin)
        _ = try await bench.get("/posts", [.cacheControl: "no-cache"], under: policy, from: origin)
        #expect(try await !bench.get(under: policy, from: origin).isHit)
    }
}

/// The directives of requests (RFC 9111 §5.2.1): advisory.
@Suite(.timeLimit(.minutes(5))) struct RequestDirectiveTests {
    static let demands: [HTTPFields] = [
        [.cacheControl: "no-cache"], [.cacheControl: "max-age=0"], [.pragma: "no-cache"],
        [.cacheControl: "min-fresh=9999"], [.cacheControl: "max-age=0, no-cache, must-revalidate"],
    ]

    @Test(arguments: demands) func `A decorated route ignores demands, whichever clients may bypass the cache`(
        _ fields: HTTPFields
    ) async throws {
        for policy in [
            CachePolicy.fresh(for: .seconds(60)), .fresh(for: .seconds(60)).bypassable(by: .noClients), .whatIsPublic,
        ] {
            let bench = Bench()
            let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "public, max-age=60"]) }
            for _ in 0..<20 { _ = try await bench.get("/posts", fields, under: policy, from: origin) }
            #expect(origin.fetches.count == 1)
        }
    }

    @Test(arguments: demands) func `A decorated route that honors demands forwards each of them`(
        _ fields: HTTPFields
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).honoringRequestDirectives()
        let origin = TestOrigin { _ in TestResponse("v") }
        for _ in 0..<5 { _ = try await bench.get("/posts", fields, under: policy, from: origin) }
        #expect(origin.fetches.count == 5)
    }

    @Test func `A decorated route honors only-if-cached and no-store`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        let cached: HTTPFields = [.cacheControl: "only-if-cached"]
        #expect(try await bench.get("/posts", cached, from: origin).head.status == .gatewayTimeout)
        _ = try await bench.get("/posts", [.cacheControl: "no-store"], from: origin)
        #expect(await bench.cache.count() == 0)
        _ = try await bench.get(from: origin)
        #expect(try await bench.get("/posts", cached, from: origin).isHit)
    }

    @Test func `A client cannot ask for stale responses on a decorated route`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        bench.clock.advance(by: .seconds(61))
        let response = try await bench.get("/posts", [.cacheControl: "max-stale"], from: origin)
        #expect(!response.isHit)
    }

    @Test(arguments: demands) func `A gateway coalesces all requests that demand a newer response`(
        _ fields: HTTPFields
    ) async throws {
        let bench = Bench()
        let gates = [Gate(), Gate()]
        let calls = Row("")
        let origin = TestOrigin { _ in
            let call = calls.text.count
            calls.text += "x"
            if call > 0 { await gates[min(call, 2) - 1].pass() }
            return TestResponse("v\(call)", [.cacheControl: "max-age=60"])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        async let first = bench.get("/posts", fields, under: .gateway, from: origin)
        await gates[0].reached()
        // These requests arrived after that fetch began: its response may be older than they are.
        let others = (0..<50).map { _ in
            Task { try await bench.get("/posts", fields, under: .gateway, from: origin).text }
        }
        try await eventually("fifty wait") { bench.cache.waiterCount == 50 }
        // A request that demands nothing gets the stored response.
        #expect(try await bench.get(under: .gateway, from: origin).text == "v0")
        gates[0].open()
        #expect(try await first.text == "v1")
        await gates[1].reached()
        try await eventually("the others wait for the next") { bench.cache.waiterCount == 49 }
        gates[1].open()
        for other in others { #expect(try await other.value == "v2") }
        #expect(origin.fetches.count == 3)
    }

    @Test(arguments: ["no-cache", "max-age=0"])
    func `A request that demands a newer response does not join a fetch that began before it, even on a cold key`(
        _ directive: String
    ) async throws {
        let bench = Bench()
        let gate = Gate()
        let row = Row("old")
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "old" { await gate.pass() }
            return TestResponse(text, [.cacheControl: "max-age=60"])
        }
        async let first = bench.get(under: .gateway, from: origin)
        await gate.reached()
        row.text = "new"
        let demanding = try await bench.get("/posts", [.cacheControl: directive], under: .gateway, from: origin)
        #expect(try await demanding.text == "new")
        gate.open()
        _ = try await first
    }

    @Test(arguments: demands) func `A gateway that honors demands forwards each at once`(
        _ fields: HTTPFields
    ) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=60"])
        }
        var policy = CachePolicy.gateway
        policy.clientDirectives = .honor
        let clients = (0..<5).map { _ in
            Task { [policy] in try await bench.get("/posts", fields, under: policy, from: origin) }
        }
        // `min-fresh` has no effect while nothing is stored.
        let directives = RequestDirectives(fields)
        let demandsAtOnce = directives.noCache || directives.maxAge == .zero
        await gate.reached(by: demandsAtOnce ? 5 : 1)
        gate.open()
        for client in clients { _ = try await client.value }
        #expect(demandsAtOnce == (origin.fetches.count == 5))
    }
}
