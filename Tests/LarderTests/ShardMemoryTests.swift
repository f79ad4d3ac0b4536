import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import Testing

@testable import Larder

/// The memory that a part of the memory store takes while the sizes and the numbers of its entries change.
@Suite(.timeLimit(.minutes(5))) struct ShardMemoryTests {
    private static let epoch = LogVersion.Epoch(high: 1, low: 1)
    private static let now = Timestamp(secondsSinceEpoch: 1_800_000_000)

    /// A shard whose calls need no list of removed entries.
    private struct Box {
        var shard: MemoryShard

        init(limit: Int) { shard = MemoryShard(limit: limit, variantLimit: 8) }

        mutating func save(_ name: String, bytes: Int, tags: [CacheTag] = []) {
            var dropped: [CacheEntry] = []
            let entry = CacheEntry.sample(
                String(repeating: "x", count: bytes),
                at: EntryLocation(key: CacheKey(legal: "GET:/" + name), target: "/" + name),
                readVersion: LogVersion(epoch: ShardMemoryTests.epoch, number: 0),
                now: ShardMemoryTests.now,
                tags: tags
            )
            shard.save(entry, at: ShardMemoryTests.now, number: 0, dropping: &dropped)
        }

        /// Finds and uses an entry. Returns its body's size; nil if it is not stored.
        @discardableResult
        mutating func use(_ name: String) -> Int? {
            var dropped: [CacheEntry] = []
            let found = shard.load(
                CacheKey(legal: "GET:/" + name),
                at: ShardMemoryTests.now,
                number: 0,
                isValid: { Validity(isValid: true, checkedVersion: $0.readVersion) },
                dropping: &dropped
            )
            found?.first?.noteUse()
            return found?.first?.body.readableBytes
        }

        /// The part of the limit that entries take.
        var usedPart: Double { Double(shard.bytes - shard.unusedBytes) / Double(shard.limit) }
    }

    @Test(arguments: [[40, 350, 100], [10, 5_000, 100, 40_000]])
    func `A shard whose bodies change in size stays within its limit, and uses most of it`(_ sizes: [Int]) {
        let limit = 4 << 20
        var box = Box(limit: limit)
        for (phase, size) in sizes.enumerated() {
            // Twice what there is room for. Some entries of each phase are used often, and stay.
            let count = 2 * limit / (size + 200)
            for id in 0..<count {
                box.save("\(phase)/\(id)", bytes: size)
                if id % 20 == 0 { for _ in 0..<2 { box.use("\(phase)/\(id)") } }
                if box.shard.bytes > limit { Issue.record("\(box.shard.bytes) bytes") }
            }
            box.shard.validate()
            #expect(box.usedPart > 0.85, "\(box.usedPart) of the limit with bodies of \(size) bytes")
            #expect(box.shard.pool.mappedBytes <= limit)
        }
    }

    @Test func `Entries keep their bodies, scopes and uses while blocks and slots move`() {
        var box = Box(limit: 4 << 20)
        // The first entries are used more often than all others.
        for id in 0..<15_000 {
            box.save("a/\(id)", bytes: 10 + id % 100, tags: [CacheTag("t\(id % 10)")])
            if id % 50 == 0 { for _ in 0..<3 { box.use("a/\(id)") } }
        }
        let before = box.shard.slots.count
        for id in 0..<10_000 {
            box.save("b/\(id)", bytes: 400, tags: (0..<id % 7).map { CacheTag("u\($0)") })
            if id % 10 == 0 { box.use("a/\(id / 50 * 50 % 2_000)") }
            if id % 1_000 == 0 { box.shard.validate() }
        }
        box.shard.validate()
        #expect(box.shard.slots.count < before / 2)
        let found = stride(from: 0, to: 2_000, by: 50).compactMap { id in
            box.use("a/\(id)").map { $0 == 10 + id % 100 }
        }
        #expect(found.count > 30 && !found.contains(false))
        // All entries with a tag are found by it, and no others.
        var dropped: [CacheEntry] = []
        for tag in ["t0", "u3"] {
            let scope = InvalidationScope.tag(CacheTag(tag)).fingerprint
            var isComplete = false
            while !isComplete {
                isComplete =
                    box.shard.removeInvalidated(
                        scope,
                        isValid: { entry in
                            #expect(entry.scopes.contains(scope))
                            return Validity(isValid: false, checkedVersion: entry.readVersion)
                        },
                        dropping: &dropped
                    ).isComplete
            }
            box.shard.validate()
            for place in box.shard.slots.indices {
                #expect(!box.shard.compared(at: place).contains { $0.scopes.contains(scope) })
            }
        }
    }

    @Test func `A shard whose entries are removed takes no memory`() {
        var box = Box(limit: 8 << 20)
        for id in 0..<5_000 { box.save("\(id)", bytes: 400, tags: ["a", "b"]) }
        #expect(box.shard.count == 5_000)
        var dropped: [CacheEntry] = []
        for id in 0..<5_000 { box.shard.remove(CacheKey(legal: "GET:/\(id)"), dropping: &dropped) }
        box.shard.validate()
        #expect(box.shard.bytes == 0 && box.shard.pool.mappedBytes == 0 && box.shard.slots.unusedCount == 0)
        box.save("again", bytes: 400)
        #expect(box.use("again") == 400)
        box.shard.validate()
    }

    @Test(arguments: [4_096, 16_384, 65_536]) func `Pages of other sizes change only the size of runs`(_ page: Int) {
        let limit = 4 << 20
        var box = Box(limit: limit)
        box.shard.pool = BlockPool(limit: limit, page: page)
        #expect(box.shard.pool.runSize >= page && box.shard.pool.largestBlock > 0)
        for size in [300, 900] {
            // More than there is room for.
            let count = limit * 5 / 4 / (size + 200)
            for id in 0..<count { box.save("\(size)/\(id)", bytes: size) }
            box.shard.validate()
            #expect(box.usedPart > 0.75, "\(box.usedPart) of the limit with bodies of \(size) bytes")
            #expect(box.use("\(size)/\(count - 1)") == size)
        }
    }
}
