import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// The words in which a test asks a response how the cache handled its request.
@Suite(.timeLimit(.minutes(5))) struct ResponseWordsTests {
    /// The words that are true of a response.
    struct Words: OptionSet, CustomTestStringConvertible {
        let rawValue: Int
        static let hit = Words(rawValue: 1)
        static let miss = Words(rawValue: 2)
        static let bypass = Words(rawValue: 4)
        static let stale = Words(rawValue: 8)

        init(rawValue: Int) { self.rawValue = rawValue }

        init(_ response: some CacheStatusReadable) {
            self = []
            if response.isHit { insert(.hit) }
            if response.isMiss { insert(.miss) }
            if response.isBypass { insert(.bypass) }
            if response.isStale { insert(.stale) }
        }

        var testDescription: String {
            let names: [(Words, String)] = [(.hit, "hit"), (.miss, "miss"), (.bypass, "bypass"), (.stale, "stale")]
            return names.filter { contains($0.0) }.map(\.1).joined(separator: " ")
        }
    }

    static let fields: [(text: String?, words: Words)] = [
        (nil, []), ("", []), ("Larder", []), ("no list at all", []),
        ("Larder; hit; ttl=60", .hit), ("Larder; hit; ttl=0", .hit), ("Larder; hit; ttl=-1", [.hit, .stale]),
        ("Larder; hit; ttl=0; detail=stale-while-revalidate", [.hit, .stale]),
        ("Larder; hit; detail=max-stale", [.hit, .stale]), ("Larder; hit; detail=stale-if-error", [.hit, .stale]),
        ("Larder; fwd=uri-miss; fwd-status=200; stored", .miss), ("Larder; fwd=vary-miss", .miss),
        ("Larder; fwd=miss; collapsed", .miss), ("Larder; fwd=request", .miss), ("Larder; fwd=partial", .miss),
        // The origin was asked because the stored response was stale, and a new one was served.
        ("Larder; fwd=stale; fwd-status=304; ttl=60", .miss),
        // A new response that is stale on arrival is not a stale stored one.
        ("Larder; fwd=uri-miss; fwd-status=200; ttl=-5; stored", .miss),
        ("Larder; fwd=stale; fwd-status=503; ttl=-9; detail=stale-if-error", [.miss, .stale]),
        ("Larder; fwd=stale; ttl=-9; detail=soft-timeout", [.miss, .stale]),
        ("Larder; fwd=bypass; detail=nocache", .bypass), ("Larder; fwd=method; fwd-status=201", []),
        // Other caches, behind and in front.
        ("CDN; hit", []), ("CDN; hit, Larder; fwd=uri-miss", .miss), ("Larder; hit, CDN; fwd=uri-miss", .hit),
        ("Larder; fwd=bypass, CDN; hit; ttl=-5", .bypass),
        // A cache of the same name inside of this one.
        ("Larder; hit, Larder; fwd=uri-miss; stored", .miss), ("Larder; fwd=stale, Larder; hit; ttl=5", .hit),
        ("\"Larder; hit\", Larder; fwd=bypass", .bypass), ("CDN; detail=\"a, Larder; hit\"", []),
    ]

    @Test(arguments: fields) func `The last member of Larder's counts`(_ text: String?, _ words: Words) {
        var fields: HTTPFields = [:]
        fields[.cacheStatus] = text
        #expect(Words(fields) == words)
        #expect(Words(HTTPResponse(status: .ok, headerFields: fields)) == words)
        #expect((fields.cacheStatus == nil) == (CacheStatus(of: "Larder", in: fields) == nil))
    }

    @Test func `A cache of another name is asked by its name`() {
        let fields: HTTPFields = [.cacheStatus: "Larder; fwd=bypass, \"The API\"; hit; ttl=-3"]
        let status = fields.cacheStatus(of: "The API")
        #expect(status?.isHit == true && status?.isStale == true && status?.ttl == -3)
        #expect(status?.isMiss == false && status?.isBypass == false)
        #expect(fields.isBypass && !fields.isHit)
    }

    @Test func `A client's response type needs one property`() {
        struct Reply: CacheStatusReadable { var cacheStatusField: String? }
        #expect(Reply(cacheStatusField: "Larder; hit").isHit)
        #expect(!Reply(cacheStatusField: nil).isMiss)
    }

    @Test func `Responses of a cache are what they are called`() async throws {
        let bench = Bench()
        let isDown = Row("")
        let origin = TestOrigin { _ in
            if isDown.text == "yes" { throw TestFailure("down", status: .serviceUnavailable) }
            return TestResponse("v")
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(10))
            .stale(ifError: .seconds(60)).bypassable(by: .allClients(parameter: "nocache"))
        func words(_ path: String = "/a") async throws -> Words {
            Words(try await bench.get(path, under: policy, from: origin).head)
        }
        #expect(try await words() == .miss)
        #expect(try await words() == .hit)
        #expect(try await words("/a?nocache=true") == .bypass)
        #expect(try await Words(bench.send(.post, "/b", under: policy, to: origin).head) == [])
        isDown.text = "yes"
        // At this very moment the response becomes stale.
        bench.clock.advance(by: .seconds(10))
        #expect(try await words() == [.hit, .stale])
        await bench.cache.idle()
        bench.clock.advance(by: .seconds(30))
        #expect(try await words() == [.miss, .stale])
        #expect(try await words() == [.hit, .stale])
        isDown.text = ""
        bench.clock.advance(by: .seconds(20))
        #expect(try await words() == .miss)
        #expect(try await words() == .hit)
    }
}
