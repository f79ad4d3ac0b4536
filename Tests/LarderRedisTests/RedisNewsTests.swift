import Testing

@testable import LarderRedis
@testable import RedisClient

@Suite(.timeLimit(.minutes(5))) struct RedisNewsTests {
    private let start = ContinuousClock.now
    private let quiet = Duration.seconds(5)

    @Test func `that Redis came, went and is back is news once`() {
        var news = RedisNews(quiet: quiet)
        let told = [true, true, false, false, false, true, true, false].map { news.redis(isThere: $0) }
        #expect(told == [.come, nil, .gone, nil, nil, .back, nil, .gone])
    }

    @Test func `that Redis was away from the beginning is news, and so is that it came`() {
        var news = RedisNews(quiet: quiet)
        let told = [false, false, true].map { news.redis(isThere: $0) }
        #expect(told == [.gone, nil, .back])
    }

    @Test func `a refusal is news once, and over when what was refused is answered and some time has gone by`() {
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

    @Test func `refusals that alternate are news once each`() {
        var news = RedisNews(quiet: quiet)
        let told = (0..<10).map { news.refused($0.isMultiple(of: 2) ? "OOM" : "NOPERM", .get("a"), at: start) }
        #expect(told == [true, true] + Array(repeating: false, count: 8))
    }

    @Test func `a refusal is over when all that was refused is answered, a script by its name`() {
        var news = RedisNews(quiet: .zero)
        let scripts = ["return 1", "return 2"].map { RedisCommand.run(RedisScript($0), keys: []) }
        _ = scripts.map { news.refused("OOM", $0, at: start) }
        let answers = scripts.map { news.answered($0, at: start) }
        #expect(answers == [nil, "OOM"])
    }

    @Test func `a server that makes codes up is not remembered for ever`() {
        var news = RedisNews(quiet: quiet)
        let told = (0..<100).count { news.refused("E\($0)", .get("a"), at: start) }
        #expect(told == 16)
    }
}
