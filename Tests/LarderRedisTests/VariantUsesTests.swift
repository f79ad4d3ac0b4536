import Larder
import Testing

@testable import LarderRedis

/// The variants that a process has used.
@Suite(.timeLimit(.minutes(5))) struct VariantUsesTests {
    private let key = CacheKey("GET:/a")!

    @Test func `The least recently used variant comes first, and unused variants are not named`() {
        var uses = VariantUses()
        let marks = uses.marks(of: ["v:a", "v:b", "v:c"], under: key)
        #expect(uses.used(under: key).isEmpty)
        for place in [0, 1, 0] { marks[place].mark() }
        #expect(uses.used(under: key) == ["v:b", "v:a"])
        #expect(
            uses.marks(of: ["v:a", "v:b", "v:c"], under: key).map(ObjectIdentifier.init)
                == marks.map(ObjectIdentifier.init)
        )
        uses.note("v:d", under: key)
        #expect(uses.used(under: key) == ["v:b", "v:a", "v:d"])
        uses.validate()
    }

    @Test func `A variant that no longer exists is forgotten, and a single variant is not remembered`() {
        var uses = VariantUses()
        for mark in uses.marks(of: ["v:a", "v:b"], under: key) { mark.mark() }
        _ = uses.marks(of: ["v:b", "v:c"], under: key)
        #expect(uses.used(under: key) == ["v:b"])
        let other = CacheKey("GET:/b")!
        for mark in uses.marks(of: ["v:a"], under: other) { mark.mark() }
        uses.note("v:a", under: other)
        #expect(uses.count == 1 && uses.used(under: other).isEmpty)
        uses.validate()
    }

    @Test func `The number of keys does not exceed the limit`() {
        var uses = VariantUses(limit: 3)
        for id in 0..<10 {
            _ = uses.marks(of: ["v:a", "v:b"], under: CacheKey("GET:/\(id)")!)
            uses.validate()
        }
        #expect(uses.count == 3)
    }
}
