import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct ConditionRouteTests {
    static let modified = "Tue, 15 Nov 1994 12:45:26 GMT"
    static let earlier = "Tue, 15 Nov 1994 12:45:25 GMT"

    private let bench = Bench()
    private let calls = Counter()

    /// Conditions on a response with the entity tag "v1" and this modification date, and true if the response is a 304.
    static let conditions: [([String], Bool)] = [
        ([#"If-None-Match: "v1""#], true),
        ([#"If-None-Match: W/"v1""#], true),
        ([#"If-None-Match: "v0", "v1""#], true),
        ([#"If-None-Match: "v0""#, #"If-None-Match: "v1""#], true),
        (["If-None-Match: *"], true),
        ([#"If-None-Match: "v0""#], false),
        ([#"If-None-Match: v1"#], false),
        (["If-Modified-Since: \(modified)"], true),
        (["If-Modified-Since: \(earlier)"], false),
        (["If-Modified-Since: yesterday"], false),
        ([#"If-None-Match: "v0""#, "If-Modified-Since: \(modified)"], false),
        ([#"If-None-Match: "v1""#, "If-Modified-Since: \(earlier)"], true),
    ]

    @Test(arguments: conditions, ["GET", "HEAD"])
    func `A client that has the stored response gets a 304, and the entity tag precedes the date`(
        _ condition: ([String], Bool),
        _ method: String
    ) async throws {
        try await serve(router) { port in
            let whole = try await Wire.send("GET", "/a", to: port)
            let answer = try await Wire.send(method, "/a", condition.0, to: port)
            #expect(answer.status == (condition.1 ? 304 : 200) && answer.isHit)
            guard condition.1 else { return }
            // RFC 9110 §15.4.5: "The server generating a 304 response MUST generate any of the following header fields
            // that would have been sent in a 200 (OK) response to the same request: Content-Location, Date, ETag, and
            // Vary; Cache-Control and Expires".
            for name in [HTTPField.Name.contentLocation, .eTag, .vary, .cacheControl, .expires] {
                #expect(answer.fields[name] == whole.fields[name] && answer.fields[name] != nil, "\(name)")
            }
            #expect(answer.fields[.date] != nil)
            for name in [HTTPField.Name.contentType, .contentLanguage, .contentEncoding, .lastModified] {
                #expect(answer.fields[name] == nil, "\(name)")
            }
            // RFC 9110 §8.6: the Content-Length of a 304 "MUST NOT" differ from that of the 200.
            #expect(answer.fields[.contentLength] == nil || answer.fields[.contentLength] == "4")
        }
        #expect(calls.value == 1)
    }

    @Test func `A miss with a condition stores the complete response for all clients`() async throws {
        try await serve(router) { port in
            let first = try await Wire.send("GET", "/a", [#"If-None-Match: "v1""#], to: port)
            #expect(first.status == 304 && first.cacheStatusText.contains("fwd=uri-miss; fwd-status=200"))
            let second = try await Wire.send("GET", "/a", to: port)
            #expect(second.status == 200 && second.isHit && second.text == "body")
        }
    }

    @Test func `A request with a condition that only the origin can evaluate bypasses the cache`() async throws {
        try await serve(router) { port in
            _ = try await Wire.send("GET", "/a", to: port)
            for condition in [#"If-Match: "v1""#, "If-Unmodified-Since: \(Self.modified)"] {
                let answer = try await Wire.send("GET", "/a", [condition], to: port)
                #expect(answer.text == "body" && answer.cacheStatusText.hasSuffix("detail=precondition"))
            }
        }
        #expect(calls.value == 3)
    }

    @Test func `A HEAD response has a length and no body, on a miss and on a hit`() async throws {
        try await serve(router) { port in
            try await Wire.open(to: port) { wire in
                for place in 0..<3 {
                    try await wire.send("HEAD", "/a")
                    let head = try await wire.answer(hasBody: false)
                    #expect(head.status == 200 && head.fields[.contentLength] == "4")
                    #expect(head.fields[.eTag] == #""v1""# && head.isHit == (place > 0))
                }
                // If a body had been sent, the next answer would not begin here.
                try await wire.send("GET", "/a")
                let whole = try await wire.answer()
                #expect(whole.text == "body" && whole.isHit)
                try await wire.send("GET", "/a", [#"If-None-Match: "v1""#])
                try await wire.send("GET", "/a")
                let unchanged = try await wire.answer()
                let last = try await wire.answer()
                #expect(unchanged.status == 304 && last.text == "body")
            }
        }
        #expect(calls.value == 1)
    }

    private var router: Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            calls.next()
            return Response(
                status: .ok,
                headers: [
                    .contentLocation: "/a.txt", .eTag: #""v1""#, .vary: "Accept-Language",
                    .cacheControl: "max-age=60", .expires: "Fri, 01 Jan 2100 00:00:00 GMT",
                    .contentType: "text/plain", .contentLanguage: "en", .contentEncoding: "identity",
                    .lastModified: Self.modified,
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "body"))
            )
        }
        return router
    }
}
