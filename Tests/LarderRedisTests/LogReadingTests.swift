import Larder
import LarderTestSupport
import NIOCore
import RedisClient
import Testing

@testable import LarderRedis

/// The reading of a reply of the invalidation log, and the rejection of all others.
@Suite(.timeLimit(.minutes(5))) struct LogReadingTests {
    /// The result of reading a reply.
    enum Outcome: Hashable {
        case reading(LogVersion, floor: UInt64)
        case noLog
        case failure(RedisError.Code)
    }

    private static let first: UInt64 = 1 << 52
    private static let epoch = LogVersion.Epoch(high: first, low: first + 1)
    private static let state: [RESPValue] = [
        .double(0x1p52), .double(0x1p52 + 1), .double(7), .double(3), .double(0), .double(0), .double(0), .double(0),
        .double(0), .double(0x1p52 + 1_000),
    ]

    private static func outcome(of reply: RESPValue, members: [String] = []) -> Outcome {
        do throws(RedisError) {
            guard let reading = try LogReading(reply, of: members) else { return .noLog }
            return .reading(reading.readVersion, floor: reading.floor)
        } catch {
            return .failure(error.code)
        }
    }

    private static func bulk(_ text: String) -> RESPValue { .bulk(ByteBuffer(string: text)) }

    /// Numbers as a server or another program may write them.
    static let numbers: [(RESPValue, UInt64?)] = [
        (.double(0), 0), (.double(-0.0), 0), (.double(42), 42), (.double(0x1p53 - 1), (1 << 53) - 1),
        (bulk("0"), 0), (bulk("42"), 42), (bulk("9007199254740991"), (1 << 53) - 1),
        // Adding one may not change these numbers, so that the log would not count on.
        (.double(0x1p53), nil), (.double(0x1p53 + 2), nil), (.double(0x1p64), nil), (.double(1e300), nil),
        (bulk("9007199254740992"), nil), (bulk("9007199254740993"), nil), (bulk("18446744073709551615"), nil),
        (bulk("18446744073709551616"), nil), (bulk(String(repeating: "9", count: 400)), nil),
        (.double(-1), nil), (.double(0.5), nil), (.double(7.000001), nil), (.double(.nan), nil),
        (.double(.signalingNaN), nil), (.double(.infinity), nil), (.double(-.infinity), nil),
        (.double(.leastNonzeroMagnitude), nil), (.double(-.greatestFiniteMagnitude), nil),
        (bulk(""), nil), (bulk("-1"), nil), (bulk("1.0"), nil), (bulk("1e3"), nil), (bulk(" 1"), nil),
        (bulk("1\n"), nil), (bulk("nan"), nil), (bulk("inf"), nil), (bulk("0x10"), nil), (bulk("seven"), nil),
        (bulk("\u{0}"), nil), (bulk("٧"), nil), (.bulk(ByteBuffer(bytes: [0xFF, 0xFE])), nil),
        (.integer(7), nil), (.integer(.min), nil), (.boolean(true), nil), (.status("7"), nil), (.bigNumber("7"), nil),
        (.array([.double(7)]), nil), (.set([]), nil), (.map([]), nil),
    ]

    @Test(arguments: numbers) func `A number in the log is whole, and below the limit up to which Redis counts exactly`(
        _ value: RESPValue,
        _ number: UInt64?
    ) {
        for place in 0..<4 {
            var values = Self.state
            values[place] = value
            let outcome = Self.outcome(of: .array(values))
            guard let number else {
                #expect(outcome == .failure(.unexpectedReply), "place \(place)")
                continue
            }
            var parts: [UInt64] = [Self.first, Self.first + 1, 7, 3]
            parts[place] = number
            let readVersion = LogVersion(epoch: LogVersion.Epoch(high: parts[0], low: parts[1]), number: parts[2])
            #expect(outcome == .reading(readVersion, floor: parts[3]), "place \(place)")
        }
        let outcome = Self.outcome(of: .array(Self.state + [value]), members: ["ta"])
        #expect((outcome == .failure(.unexpectedReply)) == (number == nil), "a version")
    }

    static let replies: [(RESPValue, Outcome)] = [
        (.array(state), .reading(LogVersion(epoch: epoch, number: 7), floor: 3)),
        (.array([RESPValue](repeating: .null, count: 10)), .noLog),
        (.array([.null] + state[1...]), .noLog),
        (.array(state[..<2] + [.null] + state[3...]), .noLog),
        (.array(state[..<9] + [.null]), .noLog),
        (.array(state[..<8] + [.double(1_000)]), .failure(.unexpectedReply)),
        (.array([]), .failure(.unexpectedReply)),
        (.array(Array(state[..<3])), .failure(.unexpectedReply)),
        (.array(state + [.null]), .failure(.unexpectedReply)),
        (.array(state + state), .failure(.unexpectedReply)),
        (.null, .failure(.unexpectedReply)),
        (.double(7), .failure(.unexpectedReply)), (.integer(7), .failure(.unexpectedReply)),
        (.status("OK"), .failure(.unexpectedReply)), (bulk("7"), .failure(.unexpectedReply)),
        (.boolean(false), .failure(.unexpectedReply)), (.map([]), .failure(.unexpectedReply)),
        (.error(RedisReplyError("WRONGTYPE of key")), .failure(.refused)),
        (.error(RedisReplyError("")), .failure(.refused)),
        (.array([.error(RedisReplyError("ERR"))] + state[1...]), .failure(.refused)),
    ]

    @Test(arguments: replies) func `A reply is a log, no log, or an error`(_ reply: RESPValue, _ outcome: Outcome) {
        #expect(Self.outcome(of: reply) == outcome)
    }

    @Test(arguments: 1...20) func `No reply traps`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let values = Self.numbers.map(\.0) + Self.state + [.null, .error(RedisReplyError("ERR x"))]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...14, using: &random)
            let reply = (0..<count).map { _ in values.randomElement(using: &random) ?? .null }
            let members = (0..<Int.random(in: 0...4, using: &random)).map { "t\($0)" }
            guard case .reading(let readVersion, let floor) = Self.outcome(of: .array(reply), members: members) else {
                continue
            }
            #expect(count == 9 + members.count && max(readVersion.number, floor) < 1 << 53)
        }
    }

    /// Rule 3 of docs/invalidation.md: the epoch, the floor, and the versions of all scopes are compared.
    @Test func `A read version is valid unless it is below the floor or the version of one of its scopes`() throws {
        let values = Self.state + [.double(5), .null, .double(6)]
        let reading = try #require(try LogReading(.array(values), of: ["ta", "tb", "tc"]))
        let rows: [(UInt64, [String], Bool)] = [
            (7, [], true), (3, [], true), (2, [], false), (5, ["ta"], true), (4, ["ta"], false), (3, ["tb"], true),
            (5, ["ta", "tb", "tc"], false), (6, ["ta", "tb", "tc"], true), (2, ["tb"], false), (4, ["unasked"], true),
        ]
        for (number, members, isValid) in rows {
            let readVersion = LogVersion(epoch: Self.epoch, number: number)
            #expect((reading.comparison(of: readVersion, members) == .valid) == isValid, "\(number) \(members)")
        }
        for epoch in [
            LogVersion.Epoch(high: Self.epoch.high, low: 0), LogVersion.Epoch(high: 0, low: Self.epoch.low),
            LogVersion.Epoch(high: Self.epoch.low, low: Self.epoch.high),
        ] {
            #expect(reading.comparison(of: LogVersion(epoch: epoch, number: 7), []) == .invalidated)
        }
        #expect(reading.newestVersion(on: ["tb"]) == 3 && reading.newestVersion(on: ["tc", "ta"]) == 6)
    }

    @Test func `An epoch fits into a score of Redis and is never repeated`() {
        let epochs = (0..<1_000).map { _ in LogVersion.Epoch.newInRedis() }
        #expect(Set(epochs).count == epochs.count)
        for epoch in epochs {
            #expect(UInt64(exactly: Double(epoch.high)) == epoch.high && epoch.high < 1 << 53)
            #expect(UInt64(exactly: Double(epoch.low)) == epoch.low && epoch.low < 1 << 53)
        }
    }
}
