import TestHelpers
import Testing

@testable import LarderRedis
@testable import RedisClient

@Suite(.timeLimit(.minutes(5))) struct RedisTransitionsTests {
    private let start = ContinuousClock.now
    private let quiet = Duration.seconds(5)

    @Test func `Each change in the availability of Redis is reported once`() {
        var transitions = RedisTransitions(quiet: quiet)
        let reported = [true, true, false, false, false, true, true, false].map { transitions.record(isAvailable: $0) }
        #expect(reported == [.connected, nil, .lost, nil, nil, .restored, nil, .lost])
    }

    @Test func `A Redis that is unavailable from the beginning is reported, and so is its connection`() {
        var transitions = RedisTransitions(quiet: quiet)
        let reported = [false, false, true].map { transitions.record(isAvailable: $0) }
        #expect(reported == [.lost, nil, .restored])
    }

    @Test func `A refusal of the user is reported once, also if it is known after the loss`() {
        var transitions = RedisTransitions(quiet: quiet)
        let states: [(Bool, String?)] = [
            (true, nil), (false, nil), (false, "WRONGPASS"), (false, "WRONGPASS"), (false, nil), (true, nil),
            (false, "NOAUTH"),
        ]
        let reported = states.map { transitions.record(isAvailable: $0, refusing: $1) }
        #expect(reported == [.connected, .lost, .refused, nil, nil, .restored, .refused])
    }

    @Test func `A refusal is reported once, and is over when its command is answered after the quiet time`() {
        var transitions = RedisTransitions(quiet: quiet)
        let set = RedisCommand("SET", "a", "1")
        let refusals = [0, 3].map { transitions.refused("OOM", set, at: start + .seconds($0)) }
        #expect(refusals == [true, false])
        let other = transitions.answered(.get("a"), at: start + .seconds(9))
        #expect(other == nil)
        let answers = [7, 8, 9].map { transitions.answered(set, at: start + .seconds($0)) }
        #expect(answers == [nil, "OOM", nil])
        let again = transitions.refused("OOM", set, at: start + .seconds(9))
        #expect(again)
    }

    @Test func `Refusals that alternate are reported once each`() {
        var transitions = RedisTransitions(quiet: quiet)
        let reported = (0..<10).map { number in
            transitions.refused(number.isMultiple(of: 2) ? "OOM" : "NOPERM", .get("a"), at: start)
        }
        #expect(reported == [true, true] + Array(repeating: false, count: 8))
    }

    @Test func `A refusal is over when every refused command or script is answered`() {
        var transitions = RedisTransitions(quiet: .zero)
        let scripts = ["return 1", "return 2"].map { RedisCommand.run(RedisScript($0), keys: []) }
        _ = scripts.map { transitions.refused("OOM", $0, at: start) }
        let answers = scripts.map { transitions.answered($0, at: start) }
        #expect(answers == [nil, "OOM"])
    }

    @Test func `The number of remembered error codes is limited`() {
        var transitions = RedisTransitions(quiet: quiet)
        let reported = (0..<100).count { transitions.refused("E\($0)", .get("a"), at: start) }
        #expect(reported == 16)
    }
}
