import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// Ranges of stored responses (RFC 9110 §14).
@Suite(.timeLimit(.minutes(5))) struct RangeTests {
    static let digits = "0123456789"

    private static func origin(_ fields: HTTPFields = [:]) -> TestOrigin {
        TestOrigin { _ in
            TestResponse(
                digits,
                fields.adding([.cacheControl: "max-age=60", .eTag: "\"d\"", .contentType: "text/plain"])
            )
        }
    }

    @Test(
        arguments: [
            ("bytes=0-3", "0123", "bytes 0-3/10"), ("bytes=4-", "456789", "bytes 4-9/10"),
            ("bytes=-2", "89", "bytes 8-9/10"), ("bytes=8-99", "89", "bytes 8-9/10"),
        ] as [(String, String, String)],
        [CachePolicy.gateway, .fresh(for: .seconds(60))]
    ) func `A range is cut from a stored response`(
        _ example: (range: String, text: String, contentRange: String),
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let origin = Self.origin()
        // The first request leads a fetch of the whole response; the second is answered from the store.
        for status in ["fwd=uri-miss; fwd-status=200", "; hit"] {
            let part = try await bench.get("/posts", [.range: example.range], under: policy, from: origin)
            #expect(part.head.status == .partialContent)
            #expect(try await part.text == example.text)
            #expect(part.head.headerFields[.contentRange] == example.contentRange)
            #expect(part.head.headerFields[.contentLength] == "\(example.text.utf8.count)")
            #expect(part.head.headerFields[.contentType] == "text/plain")
            #expect(part.cacheStatusText.contains(status))
        }
        #expect(origin.fetches.count == 1)
        #expect(origin.fetches.first?.headerFields.contains(.range) == false)
        #expect(try await bench.get(under: policy, from: origin).text == Self.digits)
    }

    @Test(arguments: ["bytes=0-1,4-5", "items=0-1", "bytes=5-1", "bytes=", "bytes=a-b", "0-1"])
    func `Several ranges and invalid ranges get the whole response`(_ range: String) async throws {
        let bench = Bench()
        let origin = Self.origin()
        for _ in 0..<2 {
            let whole = try await bench.get("/posts", [.range: range], under: .gateway, from: origin)
            #expect(whole.head.status == .ok)
            #expect(try await whole.text == Self.digits)
            #expect(!whole.head.headerFields.contains(.contentRange))
        }
    }

    @Test func `A range beyond the end gets a 416 that must not be stored`() async throws {
        let bench = Bench()
        let response = try await bench.get("/posts", [.range: "bytes=10-"], under: .gateway, from: Self.origin())
        #expect(response.head.status == .rangeNotSatisfiable)
        #expect(response.head.headerFields[.contentRange] == "bytes */10")
        #expect(!response.head.headerFields.contains(.cacheControl))
        #expect(response.head.headerFields.contains(.date))
        #expect(try await response.text == "")
    }

    @Test(arguments: [("\"d\"", true), ("W/\"d\"", false), ("\"x\"", false)])
    func `If-Range gets the range only with the same strong validator`(_ tag: String, _ isSame: Bool) async throws {
        let bench = Bench()
        let origin = Self.origin()
        _ = try await bench.get(under: .gateway, from: origin)
        let fields: HTTPFields = [.range: "bytes=0-3", .ifRange: tag]
        let response = try await bench.get("/posts", fields, under: .gateway, from: origin)
        #expect(response.head.status == (isSame ? .partialContent : .ok))
        #expect(response.head.headerFields[.eTag] == "\"d\"")
        #expect(response.head.headerFields.contains(.contentType) != isSame)
        #expect(origin.fetches.count == 1)
    }

    @Test func `A condition precedes a range, and HEAD ignores the range`() async throws {
        let bench = Bench()
        let origin = Self.origin()
        let fields: HTTPFields = [.range: "bytes=0-3", .ifNoneMatch: "\"d\""]
        _ = try await bench.get(under: .gateway, from: origin)
        #expect(try await bench.get("/posts", fields, under: .gateway, from: origin).head.status == .notModified)
        var head = HTTPRequest.get("/posts", [.range: "bytes=0-3"])
        head.method = .head
        let response = try await bench.cache.respond(to: head, under: .gateway, from: origin)
        #expect(response.head.status == .ok)
        #expect(response.head.headerFields[.contentLength] == "10")
    }

    @Test func `A range is cut only from a 200`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("missing", status: .notFound, [.cacheControl: "max-age=60"]) }
        for _ in 0..<2 {
            let response = try await bench.get("/posts", [.range: "bytes=0-3"], under: .gateway, from: origin)
            #expect(response.head.status == .notFound)
            #expect(try await response.text == "missing")
        }
        #expect(origin.fetches.count == 1)
    }

    @Test(arguments: [nil, 10]) func `A range of a body in parts waits for the whole body`(
        _ length: Int?
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse(length: length, [.cacheControl: "max-age=60"]) { sink in
                for part in ["012345", "6789"] { try await sink.write(ByteBuffer(string: part)) }
                try await sink.finish()
            }
        }
        let part = try await bench.get("/posts", [.range: "bytes=5-6"], under: .gateway, from: origin)
        #expect(part.head.status == .partialContent)
        #expect(try await part.text == "56")
    }

    @Test(arguments: [nil, 100]) func `A range of a body that is too large gets the whole body as a stream`(
        _ length: Int?
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse(length: length, [.cacheControl: "max-age=60"]) { sink in
                for _ in 0..<10 { try await sink.write(ByteBuffer(string: Self.digits)) }
                try await sink.finish()
            }
        }
        let policy = CachePolicy.gateway.limitingBodies(to: .bytes(35))
        let whole = try await bench.get("/posts", [.range: "bytes=5-6"], under: policy, from: origin)
        #expect(whole.head.status == .ok)
        #expect(try await whole.text == String(repeating: Self.digits, count: 10))
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
        // The server answers the range itself, as long as the key is hit-for-miss.
        let next = try await bench.get("/posts", [.range: "bytes=5-6"], under: policy, from: origin)
        #expect(next.cacheStatusText.contains("detail=uncacheable"))
        #expect(origin.forwards == 2)
    }

    @Test func `A 206 is never stored`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse(
                "0123",
                status: .partialContent,
                [.contentRange: "bytes 0-3/10", .cacheControl: "max-age=60", .eTag: "\"d\""]
            )
        }
        for _ in 0..<2 {
            let part = try await bench.get("/posts", [.range: "bytes=0-3"], under: .gateway, from: origin)
            #expect(part.cacheStatusText.contains("detail=partial"))
        }
        #expect(await bench.cache.count() == 0)
        #expect(origin.fetches.count == 2)
    }

    @Test func `A waiter for the whole response may get a range of it`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse(Self.digits, [.cacheControl: "max-age=60"])
        }
        async let whole = bench.get(under: .gateway, from: origin)
        await gate.reached()
        async let part = bench.get("/posts", [.range: "bytes=-1"], under: .gateway, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        let texts = try await [whole.text, part.text]
        #expect(texts == [Self.digits, "9"])
    }
}
