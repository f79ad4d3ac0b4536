import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderRedis

/// A look-up for a request finds what a look-up of all variants finds for it.
@Suite(.timeLimit(.minutes(5))) struct VariantSearchTests {
    private static let languages = ["en", "de", "fr"]
    private static let encodings = ["", "gzip", "br", "gzip, br", "gzip;q=0.5, br", "identity", "*", "x-odd, gzip"]
    private static let accepts = ["text/html", "text/plain"]
    private static let responses: [HTTPFields] = [
        [:], [.vary: "Accept-Language"], [.vary: "Accept-Language, Accept"], [.vary: "Accept-Encoding"],
        [.contentEncoding: "gzip"], [.vary: "Accept-Encoding, Accept-Language", .contentEncoding: "br"],
    ]

    private static func request(_ random: inout SeededRandom) -> HTTPFields {
        var fields = HTTPFields()
        if Bool.random(using: &random) { fields[.acceptLanguage] = languages.randomElement(using: &random) }
        if let encoding = encodings.randomElement(using: &random), !encoding.isEmpty {
            fields[.acceptEncoding] = encoding
        }
        if Bool.random(using: &random) { fields[.accept] = accepts.randomElement(using: &random) }
        return fields
    }

    /// Returns the text that the engine's rule chooses: a response that varies by something comes before one that does
    /// not, and the newest comes first.
    private static func chosen(_ entries: [CacheEntry], _ fields: HTTPFields) -> String? {
        let matching = entries.filter { $0.matches(.get("/", fields)) }
        return (matching.first { $0.vary != .nothing } ?? matching.first)?.text
    }

    @Test(arguments: 1...6) func `The variant found for a request is the one chosen among all`(_ seed: Int) async throws
    {
        var limits = StoreLimits()
        limits.variantLimit = 12
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis, limits) { (stores) async throws in
                var random = SeededRandom(seed: UInt64(seed))
                let (location, now) = (EntryLocation("/a", tags: ["policy"]), WallClock.system.now)
                for step in 0..<200 {
                    let store = stores[step % 2]
                    switch Int.random(in: 0..<8, using: &random) {
                    case 0..<3:
                        let response = Self.responses.randomElement(using: &random) ?? [:]
                        let tags: [CacheTag] = [CacheTag("t\(Int.random(in: 0..<4, using: &random))")]
                        let entry = CacheEntry.sample(
                            "\(step)",
                            at: location,
                            readVersion: await store.readVersion(),
                            now: now,
                            freshFor: .seconds(600),
                            tags: tags,
                            request: Self.request(&random),
                            response
                        )
                        #expect(await store.save(entry, at: now).isValid)
                    case 3 where step.isMultiple(of: 3):
                        await store.invalidate([.tag(CacheTag("t\(Int.random(in: 0..<4, using: &random))"))])
                    case 4 where step.isMultiple(of: 5): await store.invalidate([.path("/a")])
                    case 5 where step.isMultiple(of: 2):
                        if let entry = await store.load(location, at: now).entries.randomElement(using: &random) {
                            await store.discard(entry)
                        }
                    default:
                        let fields = Self.request(&random)
                        let all = await stores[(step + 1) % 2].load(location, at: now)
                        let found = await store.load(location, for: VariantQuery(fields), at: now)
                        let right = Self.chosen(all.entries, fields)
                        #expect(found.entries.map(\.text) == [right].compactMap(\.self), "step \(step): \(fields)")
                        #expect(found.readVersion == all.readVersion && found.newestVersion == all.newestVersion)
                        // A variant that a late tag invalidated may still be listed.
                        #expect(found.rules.count >= all.entries.count)
                        for store in stores {
                            store.memo.withLockedValue { memo in
                                memo.variants.validate()
                                memo.decoded.validate()
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func `A look-up finds the next variant if the policy does not share the first`() async throws {
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis) { stores in
                let fields: HTTPFields = [.acceptLanguage: "de"]
                #expect(await stores[0].put("plain", at: "/a", fields, [:]))
                #expect(await stores[0].put("private", at: "/a", fields, [.vary: "Accept-Language"]))
                let query = VariantQuery(fields: fields) { $0.text != "private" && $0.matches(.get("/", fields)) }
                let found = await stores[0].load(EntryLocation("/a"), for: query, at: WallClock.system.now)
                #expect(found.entries.map(\.text) == ["plain"])
                #expect(found.rules == [.fields([.acceptLanguage]), .nothing])
            }
        }
    }

    @Test func `A memo remembers what was stored, up to its limits`() throws {
        var memo = VariantMemo(limit: 3, variantLimit: 6)
        let epoch = LogVersion.Epoch(high: 1, low: 2)
        func list(_ count: Int) throws -> (VariantList, ByteBuffer) {
            let lines = (0..<count).map { "v:\($0) 1 2 3 0 accept-language" }
            let value = ByteBuffer(string: (["3 1 2"] + lines).joined(separator: "\n"))
            return (try #require(VariantList(value)), value)
        }
        for id in 0..<10 {
            let key = try #require(CacheKey("GET:/\(id)"))
            let (list, value) = try list(id % 4)
            memo.remember(list, of: value, for: key)
            memo.validate()
            #expect(memo[key] == list && memo.list(key, of: value) == list)
            #expect(memo.list(key, of: ByteBuffer(string: "3 1 2\nv: 1 2 3 0 -")) == nil)
        }
        #expect(memo.count <= 3)
        let key = try #require(CacheKey("GET:/9"))
        let stored = try #require(try list(1).0.variants.first)
        memo.store(stored, in: epoch, for: key)
        #expect(memo[key]?.variants.first == stored)
        memo.store(stored, in: LogVersion.Epoch(high: 1, low: 3), for: key)
        #expect(memo[key]?.variants == [stored])
        memo.forget(key)
        #expect(memo[key]?.variants.isEmpty == true)
        memo.validate()
        #expect(memo.rules.count == 2 && memo.rules.last == .plain)
    }
}
