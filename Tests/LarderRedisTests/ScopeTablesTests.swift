import Larder
import LarderTestSupport
import NIOCore
import RedisClient
import Testing

@testable import LarderRedis

/// The tables of the log for versions that its list has no room for, without Redis.
@Suite(.timeLimit(.minutes(5))) struct ScopeTablesTests {
    private static let epoch = LogVersion.Epoch(high: 1 << 52, low: 1 << 52 + 1)

    @Test(arguments: [1, 40, 1_000, 514_000]) func `Cells are in their rows, whatever the size`(_ cells: Int) {
        let tables = ScopeTables(cells: cells)
        for kind in ScopeKind.allCases {
            let count = tables.count(kind)
            for id in 0..<200 {
                let offsets = tables.offsets(of: "\(kind.rawValue)/\(id)", kind, in: Self.epoch)
                #expect(offsets.count == 4)
                for (row, offset) in offsets.enumerated() {
                    let cell = (offset - 128) / 32
                    #expect((offset - 128).isMultiple(of: 32) && cell >= row * count && cell < (row + 1) * count)
                }
            }
        }
    }

    @Test func `Cells depend on the epoch`() {
        let tables = ScopeTables(cells: 500_000)
        let other = LogVersion.Epoch(high: Self.epoch.high, low: Self.epoch.low + 1)
        let same = (0..<100).count { id in
            tables.offsets(of: "p/\(id)", .path, in: Self.epoch) == tables.offsets(of: "p/\(id)", .path, in: other)
        }
        #expect(same == 0)
    }

    @Test(arguments: [1, 2_048, 65_536, 1 << 20, 1 << 24, 1 << 27, 1 << 30], [1, 100, 10_000])
    func `The list and the tables stay within the limit`(_ bytes: Int, _ listLimit: Int) {
        let size = LogSize(within: .bytes(bytes), listLimit: listLimit)
        let cells = ScopeKind.tables.reduce(0) { $0 + 4 * size.tables.count($1) }
        // The log has one scope and a few cells, however small the limit is.
        #expect(cells * 4 + size.listLimit * LogSize.listedCost <= max(bytes, 256 + 64))
        #expect(size.listLimit <= listLimit)
        let used = min(bytes, 256 << 20)
        if bytes >= 65_536 { #expect(cells * 4 >= used * 4 / 5 && cells * 4 <= used) }
        if bytes == 1 << 24, listLimit == 10_000 { #expect(size.tables.cells > 675_000 && size.listLimit == 10_000) }
    }

    @Test func `A reading names the scopes that the tables were not asked for`() throws {
        let values: [RESPValue] = [
            .double(0x1p52), .double(0x1p52 + 1), .double(90), .double(3), .double(0), .double(50), .double(0),
            .double(0), .double(0), .double(0x1p52 + 1_000),
        ]
        var reading = try #require(
            try LogReading(.array(values + [.null, .double(70), .null]), of: ["p/a", "p/b", "tc"])
        )
        let readVersion = { LogVersion(epoch: Self.epoch, number: $0) }
        #expect(reading.comparison(of: readVersion(50), ["p/a", "tc"]) == .valid)
        #expect(reading.comparison(of: readVersion(49), ["p/a", "tc"]) == .unknown)
        #expect(reading.comparison(of: readVersion(49), ["tc"]) == .valid)
        #expect(reading.comparison(of: readVersion(69), ["p/a", "p/b"]) == .invalidated)
        #expect(reading.comparison(of: readVersion(2), ["tc"]) == .invalidated)
        #expect(reading.unread(readVersion(49), ["p/a", "p/b", "tc", "p/unasked"]) == ["p/a"])
        #expect(reading.newestVersion(on: ["p/a"]) == 50 && reading.newestVersion(on: ["tc"]) == 3)
        let question = try #require(TableQuestion.all(["p/a"], reading.state).first)
        let cells: [RESPValue] = [.integer(48), .integer(12), .integer(50), .integer(50)]
        let isOther = try reading.add(.array([.integer(1 << 52), .integer(7)] + cells), to: question)
        #expect(!isOther)
        let isWhole = try reading.add(.array([.integer(1 << 52), .integer(1 << 52 + 1)] + cells), to: question)
        #expect(isWhole)
        #expect(
            reading.comparison(of: readVersion(12), ["p/a"]) == .valid
                && reading.comparison(of: readVersion(11), ["p/a"]) == .invalidated
        )
        #expect(reading.newestVersion(on: ["p/a"]) == 12)
    }

    @Test func `Paths and paths on a host share cells, and are affected only by versions of their own kind`() throws {
        let values: [RESPValue] = [
            .double(0x1p52), .double(0x1p52 + 1), .double(90), .double(3), .double(0), .double(20), .double(80),
            .double(0), .double(0), .double(0x1p52 + 1_000),
        ]
        let members = ["p/a", "h//host/a"]
        var reading = try #require(try LogReading(.array(values + [.null, .null]), of: members))
        let readVersion = { LogVersion(epoch: Self.epoch, number: $0) }
        #expect(reading.unread(readVersion(19), members) == members)
        #expect(reading.unread(readVersion(20), members) == ["h//host/a"])
        let question = try #require(TableQuestion.all(members, reading.state).first)
        #expect(question.members == members && question.table == .path)
        let cells = [RESPValue](repeating: .integer(80), count: 8)
        let isWhole = try reading.add(.array([.integer(1 << 52), .integer(1 << 52 + 1)] + cells), to: question)
        #expect(isWhole)
        #expect(
            reading.comparison(of: readVersion(20), ["p/a"]) == .valid
                && reading.comparison(of: readVersion(19), ["p/a"]) == .invalidated
        )
        #expect(reading.comparison(of: readVersion(79), ["h//host/a"]) == .invalidated)
        #expect(InvalidationScope.path(CachePath("/a")).member == "p/a")
        #expect(InvalidationScope.path(CachePath("/a").on("host")).member == "h//host/a")
    }

    @Test(arguments: 1...10) func `No reply of a table traps`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let values: [RESPValue] = [
            .double(0x1p52), .double(0x1p52 + 1), .double(90), .double(3), .double(0), .double(50), .double(0),
            .double(0), .double(0), .double(0x1p52 + 1_000),
        ]
        let reading = try #require(try LogReading(.array(values + [.null]), of: ["p/a"]))
        let question = try #require(TableQuestion.all(["p/a"], reading.state).first)
        let parts: [RESPValue] = [
            .integer(1 << 52), .integer(1 << 52 + 1), .integer(.min), .integer(.max), .null, .double(1), .array([]),
            .error(RedisReplyError("WRONGTYPE x")), .bulk(ByteBuffer(string: "7")), .integer(0),
        ]
        for _ in 0..<2_000 {
            var reading = reading
            let reply = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? .null
            }
            let isWhole = try? reading.add(.array(reply), to: question)
            if isWhole == true { #expect(reply.count == 6) }
        }
    }
}
