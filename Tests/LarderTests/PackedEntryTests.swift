import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import Testing

@testable import Larder

/// Entries that are packed into a block of bytes, and unpacked again.
@Suite(.timeLimit(.minutes(5))) struct PackedEntryTests {
    private static let epoch = LogVersion.Epoch(high: 1, low: 2)
    private static let start = Timestamp(nanosecondsSinceEpoch: 1_800_000_000_123_456_789)

    private static func lifetimes(_ random: inout SeededRandom) -> Lifetimes {
        func later(_ time: Timestamp) -> Timestamp {
            let spans: [Duration] = [
                .zero, .seconds(60), .nanoseconds(1), .milliseconds(1_500), .seconds(86_400 * 365),
            ]
            let span = spans.randomElement(using: &random) ?? .zero
            return Int.random(in: 0..<9, using: &random) == 0 ? .distantFuture : time.advanced(by: span)
        }
        let generatedAt =
            [start, .distantPast, start.advanced(by: .seconds(-10))].randomElement(using: &random) ?? start
        let fresh = later(generatedAt)
        return Lifetimes(
            generatedAt: generatedAt,
            freshUntil: fresh,
            staleWhileRevalidateUntil: later(fresh),
            staleIfErrorUntil: later(fresh),
            staleIfUnreachableUntil: later(fresh),
            storedUntil: later(fresh),
            source: Lifetimes.Source.allCases.randomElement(using: &random) ?? .none,
            mustRevalidate: Bool.random(using: &random),
            alwaysRevalidate: Bool.random(using: &random),
            isImmutable: Bool.random(using: &random)
        )
    }

    private static func entry(_ random: inout SeededRandom) -> CacheEntry {
        let path = ["/", "/a", "/api/things/7?x=1", "/%C3%A4/b", "/a%2fb/../c"].randomElement(using: &random) ?? "/"
        let key = ["GET:\(path)", "HEAD:\(path)", "GET:\(path)#user=1"].randomElement(using: &random) ?? "GET:/"
        let size = [0, 1, 40, 127, 128, 5_000].randomElement(using: &random) ?? 0
        var head = HTTPResponse(status: [.ok, .notFound, .movedPermanently].randomElement(using: &random) ?? .ok)
        if Bool.random(using: &random) { head.status = HTTPResponse.Status(code: 299, reasonPhrase: "Odd \u{e9}") }
        let fields: [HTTPField] = [
            HTTPField(name: .contentType, value: "application/json"), HTTPField(name: .contentLength, value: "\(size)"),
            HTTPField(name: .contentLength, value: "040"), HTTPField(name: .eTag, value: "\"x\(size)\""),
            HTTPField(name: .setCookie, value: "a=b"), HTTPField(name: .setCookie, value: ""),
            HTTPField(name: .vary, value: "Accept-Language"), HTTPField(name: .contentEncoding, value: "gzip"),
            HTTPField(name: .cacheControl, lenientValue: [0x61, 0xE9, 0xFF, 0x20]),
        ]
        for field in fields where Bool.random(using: &random) { head.headerFields.append(field) }
        return CacheEntry(
            head: head,
            body: ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0) }),
            lifetimes: lifetimes(&random),
            selectingFields: SelectingFields(
                text: ["", "?1f", "accept-language:de\n?3"].randomElement(using: &random) ?? ""
            ),
            readVersion: LogVersion(epoch: epoch, number: UInt64.random(in: 0...400, using: &random)),
            location: EntryLocation(
                key: CacheKey(legal: key),
                target: Bool.random(using: &random) ? path : "http://example.org" + path,
                tags: Bool.random(using: &random) ? [] : ["policy", "a b"]
            ),
            tags: Bool.random(using: &random) ? [] : [CacheTag("ü")]
        )
    }

    private static func pack(_ entry: CacheEntry, _ heads: inout HeadTable, _ pool: inout BlockPool) -> PackedEntry? {
        PackedEntry.bytes(of: entry, heads: &heads).flatMap { PackedEntry($0, for: 0, pool: &pool) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `An unpacked entry is equal to the one that was packed`(
        _ seed: UInt64
    ) throws {
        var random = SeededRandom(seed: seed)
        var heads = HeadTable(limit: 1 << 20)
        var pool = BlockPool(limit: 1 << 30)
        var stored: [(packed: PackedEntry, entry: CacheEntry)] = []
        for _ in 0..<1_000 {
            let entry = Self.entry(&random)
            stored.append((try #require(Self.pack(entry, &heads, &pool)), entry))
            if stored.count > 50 {
                stored.remove(at: Int.random(in: 0...50, using: &random)).packed.deallocate(heads: &heads, pool: &pool)
            }
            heads.validate(uses: stored.count)
            pool.validate(blocks: stored.count)
        }
        for (packed, entry) in stored {
            #expect(packed.storedUntil == entry.lifetimes.storedUntil && packed.hasKey(entry.location.key))
            #expect(packed.readNumber == entry.readVersion.number)
            #expect(!packed.hasKey(CacheKey(legal: "GET:/other")))
            let hash = entry.location.key.hash
            let found = packed.entry(epoch: Self.epoch, hash: hash, scopes: entry.scopes, heads: heads)
            #expect(found.head == entry.head && found.head.status.reasonPhrase == entry.head.status.reasonPhrase)
            #expect(found.body == entry.body && found.lifetimes == entry.lifetimes)
            #expect(found.selectingFields == entry.selectingFields && found.variant == entry.variant)
            #expect(found.readVersion == entry.readVersion && found.location.key == entry.location.key)
            #expect(found.location.target == entry.location.target && found.location.tags == entry.location.tags)
            #expect(found.tags == entry.tags && found.cost == entry.cost)
        }
        for (packed, _) in stored { packed.deallocate(heads: &heads, pool: &pool) }
        heads.validate(uses: 0)
        pool.validate(blocks: 0)
        #expect(heads.cost == 0)
    }

    private static func entry(server: String) -> CacheEntry {
        CacheEntry.sample(
            "x",
            at: EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a"),
            readVersion: LogVersion(epoch: epoch, number: 0),
            now: start,
            [.server: server]
        )
    }

    @Test(arguments: [(1 << 20, 256), (20_000, nil)] as [(Int, Int?)])
    func `Heads beyond the number of templates, or beyond their memory, are in their entries`(
        _ limit: Int,
        _ templates: Int?
    ) throws {
        var heads = HeadTable(limit: limit)
        var pool = BlockPool(limit: 1 << 30)
        let stored = try (0..<512).map { try #require(Self.pack(Self.entry(server: "\($0)"), &heads, &pool)) }
        heads.validate(uses: stored.count)
        #expect(heads.cost <= limit)
        if let templates { #expect(heads.count == templates) } else { #expect(heads.count < 50) }
        for (number, packed) in stored.enumerated() {
            let entry = packed.entry(epoch: Self.epoch, hash: 0, scopes: [], heads: heads)
            #expect(entry.head.headerFields[.server] == "\(number)")
        }
        for packed in stored { packed.deallocate(heads: &heads, pool: &pool) }
        heads.validate(uses: 0)
        #expect(heads.cost == 0)
        pool.deallocateAll()
    }

    @Test func `A large head is no template, and a template is charged by its size`() throws {
        var heads = HeadTable(limit: 1 << 20)
        var pool = BlockPool(limit: 1 << 30)
        var costs: [Int] = []
        for size in [10, 500, 2_000] {
            let entry = Self.entry(server: String(repeating: "x", count: size))
            let packed = try #require(Self.pack(entry, &heads, &pool))
            costs.append(heads.cost)
            let found = packed.entry(epoch: Self.epoch, hash: 0, scopes: [], heads: heads)
            #expect(found.head == entry.head)
            packed.deallocate(heads: &heads, pool: &pool)
        }
        #expect(costs[0] > 0 && costs[1] >= costs[0] + 2 * 490 && costs[2] == 0)
        pool.deallocateAll()
    }

    @Test func `A value, a large body and a field that must not be indexed are not packed`() throws {
        var heads = HeadTable(limit: 1 << 20)
        var pool = BlockPool(limit: 1 << 30)
        func isPacked(target: String, size: Int, strategy: HTTPField.DynamicTableIndexingStrategy) -> Bool {
            var head = HTTPResponse(status: .ok, headerFields: [.server: "a"])
            head.headerFields[0].indexingStrategy = strategy
            let entry = CacheEntry(
                head: head,
                body: ByteBuffer(repeating: 0, count: size),
                lifetimes: CacheEntry.sample(
                    "x",
                    at: EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a"),
                    readVersion: LogVersion(epoch: Self.epoch, number: 0),
                    now: Self.start
                ).lifetimes,
                selectingFields: .none,
                readVersion: LogVersion(epoch: Self.epoch, number: 0),
                location: EntryLocation(key: CacheKey(legal: "GET:/a"), target: target),
                tags: []
            )
            guard let packed = Self.pack(entry, &heads, &pool) else { return false }
            packed.deallocate(heads: &heads, pool: &pool)
            return true
        }
        #expect(isPacked(target: "/a", size: 8_000, strategy: .automatic))
        #expect(!isPacked(target: "/a", size: 8_192, strategy: .automatic))
        #expect(!isPacked(target: "/a", size: 1, strategy: .disallow))
        #expect(!isPacked(target: "value:a", size: 1, strategy: .automatic))
    }

    @Test(arguments: [4, 5] as [UInt64])
    func `Blocks do not overlap, can be moved, and their memory is given back`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Small enough that free blocks are soon more than a sixteenth.
        var pool = BlockPool(limit: 1 << 22)
        var blocks: [Int: (address: UInt, count: Int, mark: UInt8)] = [:]
        var moved = 0
        for step in 0..<30_000 {
            if Int.random(in: 0..<3, using: &random) > 0, step < 15_000 || blocks.isEmpty {
                let count = Int.random(in: 4...500, using: &random)
                #expect(BlockPool.cost(of: count) <= count + 4 + max(15, (count + 4) / 16))
                let (mapped, growth) = (pool.mappedBytes, pool.growth(for: count))
                guard let address = pool.allocate(count, for: step) else {
                    Issue.record("The pool refuses a block")
                    return
                }
                let block = (address, count, UInt8.random(in: 0...255, using: &random))
                #expect(pool.mappedBytes == mapped + growth)
                memory(block).initializeMemory(as: UInt8.self, repeating: block.2)
                blocks[step] = block
            } else if let slot = blocks.keys.randomElement(using: &random), let block = blocks.removeValue(forKey: slot)
            {
                pool.deallocate(block.address)
            }
            if let (slot, address) = pool.moveNext() {
                blocks[slot]?.address = address
                moved += 1
            }
            guard step % 100 == 0 else { continue }
            pool.validate(blocks: blocks.count)
            for block in blocks.values { #expect(memory(block).allSatisfy { $0 == block.mark }, "seed \(seed)") }
        }
        #expect(moved > 100)
        for block in blocks.values { pool.deallocate(block.address) }
        pool.validate(blocks: 0)
        #expect(pool.mappedBytes == 0)
        pool.deallocateAll()
    }

    @Test func `Moving blocks leaves less free memory than a sixteenth of the limit`() {
        var pool = BlockPool(limit: 1 << 22)
        var blocks: [Int: UInt] = [:]
        for slot in 0..<12_000 { blocks[slot] = pool.allocate(200, for: slot) }
        #expect(blocks.count == 12_000)
        // Every run has a few blocks that stay.
        for slot in 0..<12_000 where slot % 10 != 0 { blocks.removeValue(forKey: slot).map { pool.deallocate($0) } }
        #expect(pool.unusedBytes > 2_000_000 && pool.isFragmented)
        while let (slot, address) = pool.moveNext() { blocks[slot] = address }
        #expect(!pool.isFragmented && pool.unusedBytes <= (1 << 22) / 16)
        pool.validate(blocks: 1_200)
        for address in blocks.values { pool.deallocate(address) }
        pool.deallocateAll()
    }

    @Test func `A block is refused if it is too large, or if the pool is small or full`() {
        var pool = BlockPool(limit: 1 << 30)
        #expect(pool.allocate(pool.largestBlock - BlockPool.header, for: 0) != nil)
        #expect(pool.allocate(pool.largestBlock, for: 0) == nil)
        pool.deallocateAll()
        var small = BlockPool(limit: 64 * MappedMemory.page - 64)
        #expect(small.allocate(1, for: 0) == nil && small.mappedBytes == 0)
        var full = BlockPool(limit: 1 << 22)
        var count = 0
        while full.allocate(200, for: 0) != nil { count += 1 }
        #expect(count * 208 > 4_000_000 && full.mappedBytes < 5 << 20)
        full.deallocateAll()
    }

    @Test func `A body is in the heap if the system allows no more mappings`() {
        for map in [{ _ in nil }, MappedMemory.allocate] as [(Int) -> UnsafeMutableRawPointer?] {
            let memory = MappedBody.allocate(ByteBuffer.mapped, from: map)
            memory.initializeMemory(as: UInt8.self, repeating: 7, count: ByteBuffer.mapped)
            MappedBody.deallocate(memory)
        }
        #expect(MappedMemory.allocate(1 << 62) == nil)
        #expect(MappedMemory.reserve(1 << 62) == nil)
    }

    private func memory(_ block: (address: UInt, count: Int, mark: UInt8)) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: block.address),
            count: block.count
        )
    }
}
