import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// Tags: responses, purges and code mean the same tag by the same text.
@Suite(.timeLimit(.minutes(5))) struct TagTests {
    @Test(arguments: [
        ("posts", "posts"), ("garden & home", "garden%20&%20home"), ("caf\u{E9}", "caf%C3%A9"), ("a,b", "a%2Cb"),
        ("50%", "50%25"), ("new%20arrivals", "new%2520arrivals"), ("a?b#c", "a%3Fb%23c"), ("a/b:c", "a/b:c"),
        ("\n", "%0A"), ("\u{0}", "%00"), ("\"", "%22"), ("Posts", "Posts"), ("\u{FFFD}", "%EF%BF%BD"),
    ]) func `Any text is a tag, percent-encoded in one way`(_ text: String, _ spelling: String) {
        #expect(CacheTag(text).description == spelling)
        #expect(CacheTag(percentEncoded: spelling) == CacheTag(text))
    }

    @Test func `A tag is written in code as a literal, with or without interpolation`() {
        let id = 7
        let tags: [CacheTag] = ["posts", "user-\(id)", "garden & home"]
        #expect(tags == [CacheTag("posts"), CacheTag("user-7"), CacheTag("garden & home")])
        #expect(CachePolicy.fresh(for: .seconds(1)).tagged("posts", "user-\(id)").tags.count == 2)
    }

    @Test func `Different texts never make the same tag`() {
        let parts = [
            ["a", "b:c"], ["a:b", "c"], ["a", "b", "c"], ["a%3Ab", "c"], ["a", "b%3Ac"], ["a", ""], ["", "a"],
            ["a", "b"],
        ]
        let tags = parts.map { $0.count == 2 ? CacheTag($0[0], $0[1]) : CacheTag($0[0], $0[1], $0[2]) }
        #expect(Set(tags).count == tags.count)
        #expect(CacheTag("category", "garden & home") == CacheTag("category:garden & home"))
        #expect(CacheTag("user", 42) == "user:42")
        // These texts are equal as Swift strings, and have different bytes.
        #expect(CacheTag("caf\u{E9}") != CacheTag("cafe\u{301}"))
        #expect(CacheTag("K") != CacheTag("\u{212A}"))
    }

    @Test func `A text that is not a tag becomes one, the same each time and for no other text`() {
        let texts = [
            "", String(repeating: "a", count: 257), String(repeating: "a", count: 258),
            String(repeating: "\u{E9}", count: 200),
        ]
        let tags = texts.map { CacheTag($0) }
        #expect(Set(tags).count == texts.count)
        for (text, tag) in zip(texts, tags) {
            #expect(CacheTag(text) == tag)
            #expect(CacheTag(percentEncoded: tag.description) == tag)
            #expect(tag.description.contains("#sha256="))
            // No text is spelled like this tag, and a response field with its spelling names it.
            #expect(CacheTag(tag.description) != tag)
            #expect(CacheTag(percentEncoded: tag.description) == tag)
            #expect(CacheTag(percentEncoded: tag.description.replacing("#", with: "%23")) != tag)
        }
        #expect(CacheTag(String(repeating: "a", count: 256)).description.utf8.count == 256)
    }

    @Test(arguments: [
        ("new%20arrivals", "new arrivals"), ("new arrivals", "new arrivals"), ("100%", "100%"), ("50%25", "50%"),
        ("a%2Cb", "a,b"), ("caf%C3%A9", "caf\u{E9}"), ("caf%c3%a9", "caf\u{E9}"), ("caf\u{E9}", "caf\u{E9}"),
        ("%2520", "%20"), ("%EF%BF%BD", "\u{FFFD}"),
    ]) func `A tag in a field, a URL or a file is decoded once`(_ written: String, _ text: String) {
        #expect(CacheTag(percentEncoded: written) == CacheTag(text))
    }

    static let notAccepted = [
        "", String(repeating: "a", count: 257), String(repeating: "%41", count: 257), "%FF", "caf%E9", "a\u{FFFD}b",
    ]

    @Test(arguments: notAccepted) func `A tag must have 1 to 256 bytes of UTF-8`(_ written: String) {
        #expect(CacheTag(percentEncoded: written) == nil)
    }

    @Test(arguments: [
        ("Cache-Tag", "new arrivals, caf\u{E9} ,,a%2Cb", ["new arrivals", "caf\u{E9}", "a,b"]),
        ("Cache-Tag", "a,a,%61", ["a"]), ("Cache-Tag", " , ", []),
        ("Cache-Tag", "caf\u{E9},cafe\u{301}", ["caf\u{E9}", "cafe\u{301}"]),
        ("Edge-Cache-Tag", "new arrivals,b", ["new arrivals", "b"]),
        ("Surrogate-Key", "new%20arrivals caf\u{E9}\tb  c,d", ["new arrivals", "caf\u{E9}", "b", "c,d"]),
        ("xkey", "a b", ["a", "b"]),
    ]) func `Tags are read from the fields of a response`(_ name: String, _ value: String, _ texts: [String]) throws {
        let field = try #require(HTTPField.Name(name))
        let named = ResponseTags([field: value], named: [field])
        #expect(named.tags == texts.map { CacheTag($0) })
        #expect(named.rejected.isEmpty)
    }

    private static let cacheTag = HTTPField.Name("Cache-Tag")!
    private static let surrogateKey = HTTPField.Name("Surrogate-Key")!

    @Test(arguments: [
        ("new arrivals", "new%20arrivals"), ("caf\u{E9}", "caf%C3%A9"), ("garden & home", "garden%20%26%20home"),
        (String(repeating: "t", count: 256), String(repeating: "t", count: 256)),
    ]) func `A response with a tag is invalidated by every spelling of it`(
        _ text: String,
        _ encoded: String
    ) async throws {
        let purges = [
            CacheTag(text), try #require(CacheTag(percentEncoded: encoded)),
            try #require(CacheTag(percentEncoded: text)),
        ]
        for fields: HTTPFields in [[Self.cacheTag: "a, \(text)"], [Self.surrogateKey: "a \(encoded)"]] {
            for purge in purges {
                let bench = Bench()
                let origin = TestOrigin { _ in TestResponse("v", fields) }
                _ = try await bench.get(from: origin)
                #expect(try await bench.get(from: origin).isHit)
                await bench.cache.invalidate(.tag(purge))
                #expect(try await !bench.get(from: origin).isHit)
            }
        }
    }

    @Test(
        arguments: [
            (String(repeating: "a", count: 257), "tag-not-accepted"), ("%FF", "tag-not-accepted"),
            ("a\u{FFFD}", "altered-bytes"),
        ]
    )
    func `A response with a tag that is not accepted is not stored, and says why`(
        _ tag: String,
        _ reason: String
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [Self.cacheTag: "posts, \(tag)"]) }
        for _ in 0..<2 {
            let response = try await bench.get(from: origin)
            #expect(response.cacheStatusText.contains("detail=\(reason)"))
            #expect(try await response.text == "v")
        }
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: [(1_000, nil), (1_001, nil), (2, 2), (3, 2), (0, 0), (1, 0)] as [(Int, Int?)])
    func `A response has up to as many tags as the policy says`(_ count: Int, _ limit: Int?) async throws {
        let bench = Bench()
        var policy = CachePolicy.fresh(for: .seconds(60))
        #expect(policy.tagLimit == 1_000)
        if let limit { policy = policy.limitingTags(to: limit) }
        let isStored = count <= policy.tagLimit
        let origin = TestOrigin { _ in
            TestResponse("v", [Self.cacheTag: (0..<count).map { "t\($0)" }.joined(separator: ",")])
        }
        let first = try await bench.get(under: policy, from: origin)
        #expect(first.cacheStatusText.contains("detail=too-many-tags") == !isStored)
        #expect(await bench.cache.count() == (isStored ? 1 : 0))
        guard isStored, count > 0 else { return }
        await bench.cache.invalidate(.tag("t\(count - 1)"))
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: [(["%FF"], "tag-not-accepted"), (["a", "b", "c"], "too-many-tags")])
    func `A 304 with tags that are not accepted removes the response`(_ tags: [String], _ detail: String) async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway.limitingTags(to: 2)
        policy.keys = KeyPolicy()
        let origin = TestOrigin { request in
            guard request.headerFields[.ifNoneMatch] != nil else {
                return TestResponse("v", [.cacheControl: "max-age=10", .eTag: "\"1\"", Self.cacheTag: "a"])
            }
            return .notModified([.eTag: "\"1\"", Self.cacheTag: tags.joined(separator: ",")])
        }
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(11))
        let response = try await bench.get(under: policy, from: origin)
        #expect(response.cacheStatusText.contains("detail=\(detail)"))
        #expect(try await response.text == "v")
        #expect(await bench.cache.count() == 0)
    }
}
