import LarderTestSupport
import Testing

@testable import LarderRedis
@testable import RedisClient

@Suite(.timeLimit(.minutes(5))) struct RedisNewsTests {
    private let start = ContinuousClock.now
    private let quiet = Duration.seconds(5)

    @Test func `Each change in the availability of Redis is reported once`() {
        var news = RedisNews(quiet: quiet)
        let told = [true, true, false, false, false, true, true, false].map { news.redis(isThere: $0) }
        #expect(told == [.come, nil, .lost, nil, nil, .back, nil, .lost])
    }

    @Test func `A Redis that is away from the beginning is reported, and so is its return`() {
        var news = RedisNews(quiet: quiet)
        let told = [false, false, true].map { news.redis(isThere: $0) }
        #expect(told == [.lost, nil, .back])
    }

    @Test func `A refusal of the user is reported once, also if it is known after the loss`() {
        var news = RedisNews(quiet: quiet)
        let states: [(Bool, String?)] = [
            (true, nil), (false, nil), (false, "WRONGPASS"), (false, "WRONGPASS"), (false, nil), (true, nil),
            (false, "NOAUTH"),
        ]
        let told = states.map { news.redis(isThere: $0, refusing: $1) }
        #expect(told == [.come, .lost, .refused, nil, nil, .back, .refused])
    }

    @Test func `A refusal is reported once, and is over when its command is answered after the quiet time`() {
        var news = RedisNews(quiet: quiet)
        let set = RedisCommand("SET", "a", "1")
        let refusals = [0, 3].map { news.refused("OOM", set, at: start + .seconds($0)) }
        #expect(refusals == [true, false])
        let other = news.answered(.get("a"), at: start + .seconds(9))
        #expect(other == nil)
        let answers = [7, 8, 9].map { news.answered(set, at: start + .seconds($0)) }
        #expect(answers == [nil, "OOM", nil])
        let again = news.refused("OOM", set, at: start + .seconds(9))
        #expect(again)
    }

    @Test func `Refusals that alternate are reported once each`() {
        var news = RedisNews(quiet: quiet)
        let told = (0..<10).map { news.refused($0.isMultiple(of: 2) ? "OOM" : "NOPERM", .get("a"), at: start) }
        #expect(told == [true, true] + Array(repeating: false, count: 8))
    }

    @Test func `A refusal is over when every refused command or script is answered`() {
        var news = RedisNews(quiet: .zero)
        let scripts = ["return 1", "return 2"].map { RedisCommand.run(RedisScript($0), keys: []) }
        _ = scripts.map { news.refused("OOM", $0, at: start) }
        let answers = scripts.map { news.answered($0, at: start) }
        #expect(answers == [nil, "OOM"])
    }

    @Test func `The number of remembered error codes is limited`() {
        var news = RedisNews(quiet: quiet)
        let told = (0..<100).count { news.refused("E\($0)", .get("a"), at: start) }
        #expect(told == 16)
    }
}
