import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// The rules of RFC 9111 and related RFCs for a shared cache, on the engine as a gateway runs it: a response is
/// fetched, time passes, and the answer to a further request is checked.
@Suite(.timeLimit(.minutes(5))) struct RuleTests {
    enum Answer: CustomTestStringConvertible {
        /// From the store, fresh, and with this age if one is given.
        case hit(age: Int? = nil)
        /// From the store, stale, for this reason.
        case stale(String)
        /// From the origin, for this reason.
        case asked(String)
        /// A 504, from the cache itself.
        case unavailable

        var testDescription: String { "\(self)" }
    }

    struct Rule: CustomTestStringConvertible {
        let id: String
        var response: HTTPFields
        var status = HTTPResponse.Status.ok
        var first: HTTPFields = [:]
        var after = 0
        var request: HTTPFields = [:]
        let answer: Answer

        init(
            _ id: String,
            _ response: HTTPFields,
            status: HTTPResponse.Status = .ok,
            first: HTTPFields = [:],
            after: Int = 0,
            miss request: HTTPFields = [:],
            _ answer: Answer
        ) {
            (self.id, self.response, self.status, self.first) = (id, response, status, first)
            (self.after, self.request, self.answer) = (after, request, answer)
        }

        var testDescription: String { id }
    }

    static func cc(_ value: String) -> HTTPFields { [.cacheControl: value] }
    static func tagged(_ value: String) -> HTTPFields { [.cacheControl: value, .eTag: "\"x\""] }
    static let cdn = HTTPField.Name("CDN-Cache-Control")!
    /// Ten minutes before the bench's clock starts.
    static let modified = "Fri, 15 Jan 2027 07:50:00 GMT"

    static let storing: [Rule] = [
        Rule("9111-3 every final status with explicit freshness", cc("max-age=9"), status: .init(code: 599), .hit()),
        Rule("9111-3 a status that allows heuristics", [.lastModified: modified], status: .gone, after: 59, .hit()),
        Rule("9111-4.2.2 a tenth of the age of the resource", [.lastModified: modified], after: 61, .asked("stale")),
        Rule("9111-4.2.2 a status without heuristics", [.lastModified: modified], status: .found, .asked("uri-miss")),
        Rule("9111-3 neither freshness nor validator", [:], .asked("uri-miss")),
        Rule("9111-3 no-store", cc("no-store, max-age=9"), .asked("uri-miss")),
        Rule("9111-3 private", cc("private, max-age=9"), .asked("uri-miss")),
        Rule("9111-3 s-maxage", cc("s-maxage=9, max-age=0"), after: 8, .hit(age: 8)),
        Rule("9111-5.3 an invalid Expires is past", [.expires: "0", .eTag: "\"x\""], .asked("stale")),
        Rule("9111-5.2.1.5 a request's no-store", cc("max-age=9"), first: cc("no-store"), .asked("uri-miss")),
        Rule("9111-5.2.2.3 must-understand, and is", cc("must-understand, no-store, max-age=9"), .hit()),
        Rule(
            "9111-5.2.2.3 must-understand, and is not",
            cc("must-understand, max-age=9"),
            status: .init(code: 299),
            .asked("uri-miss")
        ),
        Rule("9111-4.1 Vary: *", cc("max-age=9").adding([.vary: "*"]), .asked("uri-miss")),
        Rule("Set-Cookie", cc("max-age=9").adding([.setCookie: "a=b"]), .asked("uri-miss")),
        Rule("9213-2.2 the targeted field counts", [cdn: "max-age=9", .cacheControl: "no-store"], after: 8, .hit()),
        Rule("9213-2.2 it forbids too", [cdn: "no-store", .cacheControl: "max-age=9"], .asked("uri-miss")),
        Rule("9213-2.2 a broken one is as none", [cdn: "max-age=", .cacheControl: "max-age=9"], .hit()),
        Rule("9111-4.2.3 an Age on arrival", cc("max-age=9").adding([.age: "5"]), after: 3, .hit(age: 8)),
        Rule("9111-4.2.3 an Age past the lifetime", cc("max-age=9").adding([.age: "9"]), .asked("stale")),
    ]

    static let reuse: [Rule] = [
        Rule("9111-4.2 fresh", cc("max-age=9"), after: 8, .hit(age: 8)),
        Rule("9111-4.2 stale at its age", cc("max-age=9"), after: 9, .asked("stale")),
        Rule("9111-5.2.1.1 max-age, and younger", cc("max-age=9"), after: 4, miss: cc("max-age=4"), .hit(age: 4)),
        Rule("9111-5.2.1.1 max-age, and older", cc("max-age=9"), after: 5, miss: cc("max-age=4"), .asked("request")),
        Rule(
            "9111-5.2.1.2 max-stale of any age",
            cc("max-age=9"),
            after: 99,
            miss: cc("max-stale"),
            .stale("max-stale")
        ),
        Rule(
            "9111-5.2.1.2 max-stale, enough",
            cc("max-age=9"),
            after: 12,
            miss: cc("max-stale=3"),
            .stale("max-stale")
        ),
        Rule(
            "9111-5.2.1.2 max-stale, not enough",
            cc("max-age=9"),
            after: 13,
            miss: cc("max-stale=3"),
            .asked("stale")
        ),
        Rule("9111-5.2.1.3 min-fresh, enough", cc("max-age=9"), after: 4, miss: cc("min-fresh=5"), .hit()),
        Rule(
            "9111-5.2.1.3 min-fresh, not enough",
            cc("max-age=9"),
            after: 5,
            miss: cc("min-fresh=5"),
            .asked("request")
        ),
        Rule("9111-5.2.1.4 no-cache", cc("max-age=9"), miss: cc("no-cache"), .asked("request")),
        Rule("9111-5.4 Pragma", cc("max-age=9"), miss: [.pragma: "no-cache"], .asked("request")),
        Rule(
            "9111-5.4 Cache-Control before Pragma",
            cc("max-age=9"),
            miss: cc("x").adding([.pragma: "no-cache"]),
            .hit()
        ),
        Rule("9111-5.2.1.7 only-if-cached, and it is", cc("max-age=9"), miss: cc("only-if-cached"), .hit()),
        Rule(
            "9111-5.2.1.7 only-if-cached, and stale",
            cc("max-age=9"),
            after: 9,
            miss: cc("only-if-cached"),
            .unavailable
        ),
        Rule(
            "9111-5.2.1.7 only-if-cached, however stale",
            cc("max-age=9"),
            after: 9,
            miss: cc("only-if-cached, max-stale"),
            .stale("max-stale")
        ),
        Rule("9111-5.2.2.2", tagged("max-age=9, must-revalidate"), after: 9, miss: cc("max-stale"), .asked("stale")),
        Rule("9111-5.2.2.8", tagged("max-age=9, proxy-revalidate"), after: 9, miss: cc("max-stale"), .asked("stale")),
        Rule("9111-5.2.2.10", tagged("s-maxage=9"), after: 9, miss: cc("max-stale"), .asked("stale")),
        Rule(
            "9111-5.2.2.4",
            tagged("max-age=9, no-cache"),
            miss: cc("max-stale"),
            .asked("stale")
        ),
        Rule("5861-3", cc("max-age=9, stale-while-revalidate=9"), after: 17, .stale("stale-while-revalidate")),
        Rule("5861-3 past it", cc("max-age=9, stale-while-revalidate=9"), after: 18, .asked("stale")),
        Rule("8246-2 a reload", cc("max-age=9, immutable"), after: 1, miss: cc("max-age=0"), .hit(age: 1)),
        Rule("8246-2 a forced reload", cc("max-age=9, immutable"), miss: cc("no-cache"), .asked("request")),
        Rule("8246-2 while fresh only", cc("max-age=9, immutable"), after: 9, miss: cc("max-age=0"), .asked("stale")),
        Rule(
            "9111-4.1 another variant",
            cc("max-age=9").adding([.vary: "Accept-Language"]),
            first: [.acceptLanguage: "de"],
            miss: [.acceptLanguage: "en"],
            .asked("vary-miss")
        ),
        Rule(
            "9111-4.1 the same variant in other words",
            cc("max-age=9").adding([.vary: "Accept-Language"]),
            first: [.acceptLanguage: "de, en;q=0.5"],
            miss: [.acceptLanguage: "DE,en; q=0.5"],
            .hit()
        ),
        Rule(
            "9111-4.1 a field that is not there",
            cc("max-age=9").adding([.vary: "Accept-Language"]),
            miss: [.acceptLanguage: ""],
            .asked("vary-miss")
        ),
    ]

    @Test(arguments: storing + reuse) func `A request is answered as the rule says`(_ rule: Rule) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", status: rule.status, rule.response) }
        _ = try await bench.get("/posts", rule.first, under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(rule.after))
        let response = try await bench.get("/posts", rule.request, under: .gateway, from: origin)
        let status = response.cacheStatusText
        await bench.cache.idle()
        switch rule.answer {
        case .hit(let age):
            #expect(status.hasPrefix("Larder; hit") && !status.contains("detail"), "\(status)")
            if let age { #expect(response.head.headerFields[.age] == "\(age)") }
            #expect(response.head.headerFields[values: .age].count == 1)
            #expect(origin.fetches.count == 1)
        case .stale(let reason):
            #expect(status.hasPrefix("Larder; hit") && status.hasSuffix("detail=\(reason)"), "\(status)")
            #expect(response.head.headerFields[.age] == "\(rule.after)")
        case .asked(let reason):
            #expect(status.hasPrefix("Larder; fwd=\(reason); fwd-status=\(rule.status.code)"), "\(status)")
            #expect(origin.fetches.count == 2)
        case .unavailable:
            #expect(response.head.status == .gatewayTimeout)
            #expect(status == "Larder; fwd=stale; detail=only-if-cached")
            #expect(origin.fetches.count == 1)
        }
    }

    @Test func `RFC 9111 4.2.3: The time that a response takes to arrive counts as age`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            bench.clock.advance(by: .seconds(4))
            return TestResponse("v", [.cacheControl: "max-age=9"])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        #expect(try await bench.get(under: .gateway, from: origin).head.headerFields[.age] == "4")
        bench.clock.advance(by: .seconds(5))
        #expect(try await bench.get(under: .gateway, from: origin).cacheStatusText.contains("fwd=stale"))
    }

    @Test func `RFC 9111 4: A waiter gets an Age with the shared response`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=9"])
        }
        async let leader = bench.get(under: .gateway, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: .gateway, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        _ = try await leader
        let ages = try await waiter.head.headerFields[values: .age]
        #expect(ages == ["0"])
    }

    @Test func `RFC 9211 2: The Cache-Status of this cache follows those of the caches before it`() async throws {
        let bench = Bench()
        let name = try #require(HTTPField.Name("Cache-Status"))
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=9", name: "Inner; hit"]) }
        for own in ["Larder; fwd=uri-miss; fwd-status=200; ttl=9; stored", "Larder; hit; ttl=9"] {
            let response = try await bench.get(under: .gateway, from: origin)
            #expect(response.head.headerFields[values: name] == ["Inner; hit", own])
        }
    }

    @Test(arguments: [("GET", false), ("OPTIONS", false), ("POST", true), ("PURGEALL", true)])
    func `RFC 9111 4.4: Unsafe methods invalidate, even unknown ones`(
        _ name: String,
        _ isInvalidated: Bool
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=9"]) }
        _ = try await bench.get(under: .gateway, from: origin)
        let method = try #require(HTTPRequest.Method(name))
        _ = try await bench.send(method, under: .gateway, to: origin)
        #expect(await bench.cache.count() == (isInvalidated ? 0 : 1))
    }
}
