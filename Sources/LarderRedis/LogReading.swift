import Larder
import NIOCore
import RedisClient

/// The state of an invalidation log: its version, and what it has moved into its tables.
struct LogState: Hashable, Sendable {
    /// The epoch of the log, and the number of its last invalidation.
    let readVersion: LogVersion
    /// The version at which everything was invalidated last: an entry with a lower read version is invalid.
    let floor: UInt64
    /// The highest version of each kind that was moved from the list into a table, by the kind's position; 0 if none
    /// was.
    private let moved: [UInt64]
    /// The highest version that was moved into any table.
    let highestMoved: UInt64
    let tables: ScopeTables

    /// The log's own members that have these values, in the order of their scores in a reply.
    static let members =
        ["~epoch1", "~epoch2", "~n", "!floor"] + ScopeKind.allCases.map(\.movedMember) + ["~cells"]

    /// Creates the state from the scores of ``members``.
    /// - Throws: The server's error, or `unexpectedReply` if the values are not those of a log.
    /// - Returns: Nil if there is no log.
    init?(_ values: some Collection<RESPValue>) throws(RedisError) {
        var numbers: [UInt64] = []
        for value in values {
            guard let number = try value.number() else { return nil }
            numbers.append(number)
        }
        guard numbers.count == Self.members.count, let cells = numbers.last, cells > ScopeTables.sizeBase else {
            throw RedisError(.unexpectedReply, "the invalidation log has an unexpected length")
        }
        readVersion = LogVersion(epoch: LogVersion.Epoch(high: numbers[0], low: numbers[1]), number: numbers[2])
        floor = numbers[3]
        moved = Array(numbers[4..<4 + ScopeKind.allCases.count])
        highestMoved = moved.max() ?? 0
        tables = ScopeTables(cells: Int(clamping: cells - ScopeTables.sizeBase))
    }

    /// Returns the highest version of a kind that was moved into its table; 0 if none was.
    func moved(_ kind: ScopeKind) -> UInt64 { moved[kind.place] }

    /// Returns true if a version was moved into the table of a kind.
    func hasVersions(in table: ScopeKind) -> Bool {
        ScopeKind.allCases.contains { $0.table == table && moved($0) > 0 }
    }

    /// Returns the highest version that was moved into a table for the kind of this scope; 0 if none was.
    func moved(_ member: String) -> UInt64 {
        highestMoved == 0 ? 0 : ScopeKind(member: member).map(moved) ?? 0
    }
}

/// The validity of a response, as far as invalidations go.
enum ScopeComparison: Hashable {
    case valid
    case invalidated
    /// The version may be in a table that was not read.
    case unknown
}

/// The state of the invalidation log at one moment, with the versions of some scopes.
struct LogReading {
    let state: LogState
    /// The versions in the list of the scopes that it was asked for; nil for a scope that is not in it.
    private let listed: [String: UInt64?]
    /// The versions of scopes that follow from the tables.
    private(set) var tabled: [String: UInt64] = [:]

    /// The scopes that the list was asked for, in no particular order.
    var members: [String] { Array(listed.keys) }

    var readVersion: LogVersion { state.readVersion }
    var floor: UInt64 { state.floor }

    /// Returns the command that reads the list, with the versions of some scopes: all in one step, so that they fit
    /// each other.
    static func command(_ log: String, _ members: [String]) -> RedisCommand {
        RedisCommand("ZMSCORE", ([log] + LogState.members + members).map { .text($0) })
    }

    /// The largest number of members that one command asks for: a reply has a limit of elements (`RESPLimits`).
    static let memberLimit = 4_096

    /// Returns the members in parts that one command can ask for each; at least one part.
    static func parts(_ members: [String], of limit: Int = memberLimit) -> [[String]] {
        guard members.count > limit else { return [members] }
        return stride(from: 0, to: members.count, by: limit).map { first in
            Array(members[first..<min(first + limit, members.count)])
        }
    }

    /// Creates a reading from the reply to the command, or to a script that replies alike; nil if there is no log.
    /// - Parameter members: The scopes that were asked for.
    /// - Throws: The server's error, or `unexpectedReply` if the reply is not that of a log.
    init?(_ reply: RESPValue, of members: [String] = []) throws(RedisError) {
        try self.init(try reply.elements(), of: members)
    }

    init?(_ values: [RESPValue], of members: [String] = []) throws(RedisError) {
        guard values.count == LogState.members.count + members.count else {
            throw RedisError(.unexpectedReply, "the invalidation log has an unexpected length")
        }
        guard let state = try LogState(values.prefix(LogState.members.count)) else { return nil }
        self.state = state
        var listed: [String: UInt64?] = [:]
        for (member, value) in zip(members, values.dropFirst(LogState.members.count)) {
            listed[member] = .some(try value.number())
        }
        self.listed = listed
    }

    /// Adds the reply of a table about scopes, read after the list.
    /// - Returns: False if versions were moved into the table and it is lost, or of another epoch: a log without its
    ///   table needs a new epoch.
    mutating func add(_ reply: RESPValue, to question: TableQuestion) throws(RedisError) -> Bool {
        let values = try reply.elements()
        guard values.count == 2 + ScopeTables.rows * question.members.count else {
            throw RedisError(.unexpectedReply, "a table of the invalidation log has an unexpected length")
        }
        var numbers: [UInt64] = []
        for value in values { numbers.append(UInt64(clamping: try value.integer())) }
        guard state.hasVersions(in: question.table) else { return true }
        guard numbers[0] == readVersion.epoch.high, numbers[1] == readVersion.epoch.low else { return false }
        // Cells that were chosen for another epoch, or another size, are those of other scopes.
        guard question.epoch == readVersion.epoch, question.tables == state.tables else { return true }
        for (place, member) in question.members.enumerated() {
            let first = 2 + place * ScopeTables.rows
            // No scope of a kind has a higher version than the highest that was moved of the kind, whatever the cells
            // have from another kind.
            tabled[member] = numbers[first..<first + ScopeTables.rows].reduce(state.moved(member), min)
        }
        return true
    }

    /// Returns the highest version at which one of the scopes was invalidated, or a higher one if only unread tables
    /// have it.
    func newestVersion(on members: some Sequence<String>) -> UInt64 {
        members.reduce(state.floor) { max($0, (listed[$1] ?? nil) ?? tabled[$1] ?? state.moved($1)) }
    }

    /// Returns the validity of a response with a read version and these scopes (docs/invalidation.md, rule 3). Scopes
    /// that were not asked for count as not invalidated.
    func comparison(of readVersion: LogVersion, _ members: some Sequence<String>) -> ScopeComparison {
        guard readVersion.epoch == self.readVersion.epoch, readVersion.number >= state.floor else {
            return .invalidated
        }
        var isUnknown = false
        for member in members {
            guard let listed = listed[member] else { continue }
            if let version = listed ?? tabled[member] {
                if readVersion.number < version { return .invalidated }
            } else if readVersion.number < state.moved(member) {
                isUnknown = true
            }
        }
        return isUnknown ? .unknown : .valid
    }

    /// Returns the scopes whose comparison with a read version needs the tables, which have not been read for them.
    func unread(_ readVersion: LogVersion, _ members: some Sequence<String>) -> [String] {
        guard readVersion.number < state.highestMoved else { return [] }
        return members.filter { member in
            listed[member] == .some(nil) && tabled[member] == nil && readVersion.number < state.moved(member)
        }
    }
}

/// A question to one table for the cells of some scopes, for one size of tables and one epoch.
struct TableQuestion: Hashable, Sendable {
    /// The kind that the table is named after.
    let table: ScopeKind
    let members: [String]
    let epoch: LogVersion.Epoch
    let tables: ScopeTables

    /// The largest number of scopes that one command asks for: a reply has a limit of elements.
    static let memberLimit = 1_000

    /// Returns the questions for scopes of any kind.
    static func all(_ members: some Sequence<String>, _ state: LogState) -> [TableQuestion] {
        let byTable = Dictionary(grouping: members) { ScopeKind(member: $0)?.table }
        return ScopeKind.tables.flatMap { table -> [TableQuestion] in
            guard let members = byTable[table] else { return [] }
            return LogReading.parts(members, of: memberLimit).map { part in
                TableQuestion(table: table, members: part, epoch: state.readVersion.epoch, tables: state.tables)
            }
        }
    }

    /// Returns the command that reads the table's epoch and the cells.
    func command(_ names: RedisNames) -> RedisCommand {
        var arguments: [RedisCommand.Argument] = [.text(names.table(table)), "GET", "u63", "0", "GET", "u63", "64"]
        for member in members {
            for offset in tables.offsets(of: member, table, in: epoch) {
                arguments += ["GET", .text("u\(ScopeTables.cellBits)"), .integer(Int64(offset))]
            }
        }
        return RedisCommand("BITFIELD_RO", arguments)
    }
}

extension LogVersion.Epoch {
    /// Returns a new epoch of 2 × 52 random bits: the scores of a sorted set can hold and compare them.
    static func newInRedis() -> LogVersion.Epoch {
        let range = (UInt64(1) << 52)..<(UInt64(1) << 53)
        return LogVersion.Epoch(high: .random(in: range), low: .random(in: range))
    }
}

extension RESPValue {
    /// Returns a score of the log; nil if there is none. A score from 2^53 on is an error: adding one may not change
    /// it.
    fileprivate func number() throws(RedisError) -> UInt64? {
        switch self {
        case .null: return nil
        case .double(let score):
            if let number = UInt64(exactly: score), number < 1 << 53 { return number }
        case .bulk(let bytes):
            if let number = UInt64(String(buffer: bytes)), number < 1 << 53 { return number }
        case .error(let error): throw RedisError(.refused, "the invalidation log cannot be read", underlying: error)
        default: break
        }
        throw RedisError(.unexpectedReply, "the version of the invalidation log is not an integer")
    }
}
