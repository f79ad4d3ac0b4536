import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Cached values: the rules for all stores, on the memory store.
@Suite(.timeLimit(.minutes(5))) struct ValueTests {
    @Test(arguments: ValueBehaviour.all)
    func `Values in memory follow each rule`(_ behaviour: ValueBehaviour) async throws {
        let bench = Bench()
        try await behaviour.check(on: ValueBench(bench.cache, advance: { bench.clock.advance(by: $0) }))
        bench.store.validate()
    }

    /// A value that counts how often it is decoded.
    private struct Counted: Codable, Sendable {
        static let decodings = Row("")
        var text = "x"

        init() {}

        init(from decoder: any Decoder) throws {
            text = try decoder.singleValueContainer().decode(String.self)
            Self.decodings.text += "."
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(text)
        }
    }

    @Test func `A value in memory is decoded once`() async throws {
        let bench = Bench()
        for _ in 0..<20 {
            _ = try await bench.cache.value("counted", for: .seconds(60)) { Counted() }
        }
        #expect(Counted.decodings.text == ".")
    }

    @Test func `The key of a value is its name and parts, percent-encoded`() {
        #expect(CacheKey(value: "top list", parts: [42, "a:b"]).description == "value:top%20list:42:a%3Ab")
        #expect(CacheKey(value: "x").description == "value:x")
        #expect(CacheKey(value: "x", parts: [""]).description == "value:x:")
    }

    @Test func `Hits and misses of values are counted`() async throws {
        let bench = Bench()
        for _ in 0..<3 { _ = try await bench.cache.value("counted", parts: 1, for: .seconds(60)) { 1 } }
        _ = await bench.cache.get("counted", parts: 2, as: Int.self)
        let counts = bench.cache.statistics.snapshot()
        #expect(counts.hits == 2 && counts.misses == 2)
        #expect(await bench.cache.count() == 1)
    }

    @Test func `No request has the key of a value`() async throws {
        let bench = Bench()
        try await bench.cache.set("secret", "name", for: .seconds(60))
        let origin = TestOrigin { _ in TestResponse("page") }
        for path in ["value:name", "/value:name", "//value:name", "/../value:name"] {
            let text = try? await bench.get(path, from: origin).text
            #expect(text == nil || text == "page")
        }
    }
}
