import Crypto
import Larder

/// The kinds of scopes that an invalidation names one by one.
///
/// Each has a table, so that scopes that any client can invalidate (paths) do not affect those that only applications
/// name (tags). The raw value begins the name of each scope in Redis (``InvalidationScope/member``) and ends the name
/// of its table.
///
/// Paths on a host and paths without one share a table, and have separate versions in ``movedMember``. Writes by
/// anonymous clients name one of the two kinds, which depends on the process: a gateway names the paths on its hosts, a
/// server the others. A response in a gateway has scopes of both kinds, and a moved version of a kind affects it only
/// through its scopes of that kind.
enum ScopeKind: String, Hashable, Sendable, CaseIterable {
    case key = "k"
    case path = "p"
    /// A path on one host: `//example.org/api/posts`.
    case hostPath = "h"
    case prefix = "d"
    case tag = "t"

    /// Creates the kind of a scope from its name in Redis; nil for "everything", which has no table.
    init?(member: String) {
        guard let first = member.first, let kind = ScopeKind(rawValue: String(first)) else { return nil }
        self = kind
    }

    /// The position among the kinds, from 0: that of its `!moved` number.
    var place: Int {
        switch self {
        case .key: 0
        case .path: 1
        case .hostPath: 2
        case .prefix: 3
        case .tag: 4
        }
    }

    /// The member of the list whose score is the highest version of this kind that was moved into its table.
    var movedMember: String { "!moved:" + rawValue }

    /// The kinds that tables are named after, in the order in which scripts take the tables.
    static let tables: [ScopeKind] = [.key, .path, .prefix, .tag]

    /// The kind whose table this one uses.
    var table: ScopeKind { self == .hostPath ? .path : self }

    /// The position of the kind's table among the tables, from 0.
    var tablePlace: Int {
        switch table {
        case .key: 0
        case .path, .hostPath: 1
        case .prefix: 2
        case .tag: 3
        }
    }

    /// The cells of this kind's table, in sixteenths of those of the paths' table. The paths' table is the largest,
    /// because every anonymous write names paths.
    var share: Int {
        switch self {
        case .path, .hostPath: 16
        case .tag: 3
        case .key, .prefix: 1
        }
    }
}

/// The tables into which the invalidation log moves versions that its list has no room for.
///
/// The list has the exact versions of the scopes that were invalidated last. A version that leaves it is written into
/// four cells of the table of its kind, one in each of four rows, which the scope shares with others. Versions leave
/// the list in ascending order, so that a cell always has the highest version moved into it (rows L14 and L15 of
/// `Model/log.py`). If a scope is not in the list, the lowest of its four cells is taken as its version: that is
/// sometimes too high, which costs a needless miss, and never too low. So no invalidation is forgotten, however many
/// there are and however often a scope is invalidated (the idea of a counting Bloom filter, with versions in place of
/// counts; Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch", 2005).
///
/// If n scopes were moved since an entry was stored, and a row has m cells, one scope of the entry is affected with the
/// probability p = (1 - e^(-n/m))^4. An entry with k scopes of the kinds that were moved is affected with the
/// probability 1 - (1 - p)^k. With the default limit, by which the paths' table has 677,000 cells in a row, and writes
/// that name paths of one kind:
///
/// | paths moved | affected entries with one reading of their path | with eight |
/// |--|--|--|
/// | 100,000 | 0.04 % | 0.3 % |
/// | 300,000 | 1.7 % | 12 % |
///
/// If paths of both kinds are moved, an entry in a gateway has twice as many scopes that count.
///
/// The cells are chosen by a hash keyed with the log's epoch, so that clients cannot choose scopes that share all cells
/// with another scope.
struct ScopeTables: Hashable, Sendable {
    static let rows = 4
    /// The number of bits of a cell. An epoch ends at the last version that a cell can hold: after 49 days of 1,000
    /// invalidations a second.
    static let cellBits = 32
    static let lastVersion: UInt64 = 1 << cellBits - 1
    /// The number of bits before the first cell: the two halves of the epoch that the table belongs to, in 64 bits
    /// each.
    static let headerBits = 128
    /// The number that is added to the number of cells in the score of its log member, so that it sorts behind all
    /// scopes.
    static let sizeBase: UInt64 = 1 << 52

    /// The number of cells in a row of the paths' table.
    let cells: Int

    /// Creates tables with this many cells in a row of the paths' table.
    init(cells: Int) { self.cells = max(1, min(cells, 1 << 28)) }

    /// Returns the number of cells in a row of the table of a kind.
    func count(_ kind: ScopeKind) -> Int { max(1, cells * kind.table.share / 16) }

    /// Returns the offsets in bits of a scope's cells in the table of its kind.
    func offsets(of member: String, _ kind: ScopeKind, in epoch: LogVersion.Epoch) -> [Int] {
        let count = UInt64(count(kind))
        var digest = Insecure.SHA1.hash(data: Array("\(epoch.high) \(epoch.low) \(member)".utf8)).makeIterator()
        return (0..<Self.rows).map { row in
            let word = (0..<4).reduce(UInt64(0)) { word, _ in word << 8 | UInt64(digest.next() ?? 0) }
            return Self.headerBits + Self.cellBits * (row * Int(count) + Int(word % count))
        }
    }
}

/// The division of the memory of the invalidation log between its list and its tables.
struct LogSize: Hashable, Sendable {
    /// The memory in bytes that a scope in the list takes, measured with names of 128 bytes.
    static let listedCost = 256
    /// The divisor for the largest part of the limit that the list takes, 1/6. If the list took more, the tables would
    /// soon be full.
    private static let part = 6
    /// The most memory that a log takes, however high its limit is. A table is one value, which Redis limits to 512 MB.
    static let maximum = ByteCount.mebibytes(256)

    /// The most memory that the log takes.
    let limit: ByteCount
    /// The largest number of scopes in the list, at least 1.
    let listLimit: Int
    let tables: ScopeTables

    /// Creates the division of a limit.
    /// - Parameter listLimit: The largest number of scopes in the list, if there is room for so many.
    init(within limit: ByteCount, listLimit: Int) {
        let limit = min(limit, Self.maximum)
        self.limit = limit
        self.listLimit = max(1, min(listLimit, limit.bytes / Self.part / Self.listedCost))
        let room = max(0, limit.bytes - self.listLimit * Self.listedCost)
        let shares = ScopeKind.tables.reduce(0) { $0 + $1.share }
        // The bytes of all rows of all tables for 16 cells in a row of the paths' table.
        let bytes = ScopeTables.rows * shares * ScopeTables.cellBits / 8
        tables = ScopeTables(cells: room / bytes * 16)
    }
}
