import Larder
import NIOCore
import RedisClient

/// Where the ledger stood at one moment, and what it said of some covers.
struct LedgerReading {
    /// The number of the last invalidation, in the life of the ledger that counts it.
    let birth: Birth
    /// Everything born before this is dead.
    let floor: UInt64
    private let stamps: [String: UInt64]

    /// The command that reads a ledger, with the stamps of some covers: all in one step, so that they fit each other.
    static func command(_ ledger: String, _ members: [String]) -> RedisCommand {
        RedisCommand("ZMSCORE", ([ledger] + standing + members).map { .text($0) })
    }

    /// The most members that one command asks for: a reply has a limit of elements (`RESPLimits`).
    static let memberLimit = 4_096

    /// Members in parts that one command can ask for each; one part at least.
    static func parts(_ members: [String]) -> [[String]] {
        guard members.count > memberLimit else { return [members] }
        return stride(from: 0, to: members.count, by: memberLimit).map { first in
            Array(members[first..<min(first + memberLimit, members.count)])
        }
    }

    private static let standing = ["~epoch1", "~epoch2", "~n", "!floor"]

    /// What the command, or a script that replies alike, said; nil where there is no ledger.
    /// - Parameter members: the covers that were asked for.
    /// - Throws: the server's error, or `unexpectedReply` where the reply is none of a ledger.
    init?(_ reply: RESPValue, of members: [String] = []) throws(RedisError) {
        try self.init(try reply.elements(), of: members)
    }

    init?(_ values: [RESPValue], of members: [String] = []) throws(RedisError) {
        guard values.count == Self.standing.count + members.count else {
            throw RedisError(.unexpectedReply, "a ledger of another length")
        }
        guard let high = try values[0].number(), let low = try values[1].number(),
            let number = try values[2].number(), let floor = try values[3].number()
        else { return nil }
        birth = Birth(epoch: Birth.Epoch(high: high, low: low), number: number)
        self.floor = floor
        var stamps: [String: UInt64] = [:]
        for (member, value) in zip(members, values.dropFirst(Self.standing.count)) {
            stamps[member] = try value.number()
        }
        self.stamps = stamps
    }

    /// The highest number at which one of the covers was invalidated, or the floor where that is higher.
    func newestStamp(on members: some Sequence<String>) -> UInt64 {
        members.reduce(floor) { max($0, stamps[$1] ?? 0) }
    }

    /// Whether something born at `birth` with these covers is alive (PROTOCOL, "Alive").
    func isAlive(_ birth: Birth, _ members: some Sequence<String>) -> Bool {
        birth.epoch == self.birth.epoch && birth.number >= newestStamp(on: members)
    }
}

extension Birth.Epoch {
    /// An epoch that never was before, of 2 × 52 random bits: what the scores of a sorted set can hold and compare.
    static func newInRedis() -> Birth.Epoch {
        let range = (UInt64(1) << 52)..<(UInt64(1) << 53)
        return Birth.Epoch(high: .random(in: range), low: .random(in: range))
    }
}

extension RESPValue {
    /// A score of the ledger; nil where there is none. From 2^53 on a score does not count: one more is the same again.
    fileprivate func number() throws(RedisError) -> UInt64? {
        switch self {
        case .null: return nil
        case .double(let score):
            if let number = UInt64(exactly: score), number < 1 << 53 { return number }
        case .bulk(let bytes):
            if let number = UInt64(String(buffer: bytes)), number < 1 << 53 { return number }
        case .error(let error): throw RedisError(.refused, "the ledger cannot be read", underlying: error)
        default: break
        }
        throw RedisError(.unexpectedReply, "a ledger that does not count in whole numbers")
    }
}
