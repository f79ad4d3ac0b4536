import HTTPCaching
import Testing

@testable import Larder

@Suite(.timeLimit(.minutes(5))) struct StatisticsHistoryTests {
    private static func sample(_ second: Int, hits: Int, misses: Int = 0) -> StatisticsHistory.Sample {
        var sample = StatisticsHistory.Sample(time: Timestamp(secondsSinceEpoch: Int64(second)))
        sample.requests = [.hit: hits, .miss: misses]
        sample.entries = hits
        return sample
    }

    private static func history(_ samples: StatisticsHistory.Sample...) -> StatisticsHistory {
        let history = StatisticsHistory()
        for sample in samples { history.add(sample) }
        return history
    }

    @Test func `A window has what happened since the last sample before it`() {
        let history = Self.history(
            Self.sample(0, hits: 0),
            Self.sample(5, hits: 10),
            Self.sample(10, hits: 30, misses: 10)
        )
        let window = history.window(.seconds(7), until: Self.sample(12, hits: 40, misses: 10))
        #expect(window.seconds == 7 && window.requests[.hit] == 30 && window.requests[.miss] == 10)
        #expect(window.hitRatio == 0.75 && window.entries == 40)
    }

    @Test func `A window is shorter if there are no older samples`() {
        let window = Self.history(Self.sample(10, hits: 5)).window(.seconds(60), until: Self.sample(12, hits: 9))
        #expect(window.seconds == 2 && window.requests[.hit] == 4 && window.requests[.miss] == 0)
        let empty = StatisticsHistory().window(.seconds(60), until: Self.sample(12, hits: 9))
        #expect(empty.seconds == 0 && empty.requests[.hit] == 9)
    }

    @Test func `Without a request that looked for a response there is no hit ratio`() {
        var after = Self.sample(5, hits: 0)
        after.requests[.bypass] = 3
        let window = Self.history(Self.sample(0, hits: 0)).window(.seconds(5), until: after)
        #expect(window.hitRatio == nil && window.requests[.bypass] == 3)
    }

    @Test func `Windows divide the time, the oldest first, and skip what the process was too busy for`() {
        let history = Self.history(
            Self.sample(0, hits: 0),
            Self.sample(5, hits: 1),
            Self.sample(10, hits: 3),
            Self.sample(21, hits: 6),
            Self.sample(26, hits: 10)
        )
        let windows = history.windows(of: .seconds(5), count: 10)
        #expect(windows.map(\.seconds) == [5, 5, 11, 5])
        #expect(windows.map { $0.requests[.hit] } == [1, 2, 3, 4])
        #expect(history.windows(of: .seconds(5), count: 2).map { $0.requests[.hit] } == [3, 4])
        #expect(history.windows(of: .seconds(20), count: 10).map { $0.requests[.hit] } == [1, 9])
    }

    @Test func `The samples of one hour are held, and none twice`() {
        let history = StatisticsHistory()
        for second in 0..<1_000 { history.add(Self.sample(second * 5, hits: second)) }
        history.add(Self.sample(999 * 5, hits: 5_000))
        let windows = history.windows(of: .seconds(5), count: 10_000)
        #expect(windows.count == 720 && windows.last?.requests[.hit] == 1)
    }
}

@Suite(.timeLimit(.minutes(5))) struct TopFetchesTests {
    @Test func `Each order has its own table`() throws {
        let top = TopFetches(room: 10)
        let keys = try ["a", "b", "c"].map { try #require(CacheKey("GET:/\($0)")) }
        let (a, b, c) = (keys[0], keys[1], keys[2])
        for _ in 0..<3 { top.count(a, tags: [], bytes: 1, nanoseconds: 10) }
        top.count(b, tags: [], bytes: 100, nanoseconds: 1)
        top.count(c, tags: [], bytes: 10, nanoseconds: 1_000)
        #expect(top.topKeys(by: .misses, 2).map(\.name) == ["GET:/a", "GET:/b"])
        #expect(top.topKeys(by: .bytes, 3).map(\.name) == ["GET:/b", "GET:/c", "GET:/a"])
        #expect(top.topKeys(by: .originTime, 1).map(\.nanoseconds) == [1_000])
        #expect(top.topKeys(by: .misses, 1).map(\.bytes) == [3] && top.topTags(by: .misses, 5).isEmpty)
    }

    @Test func `A frequent key stays among any number of others, whose certain counts are low`() throws {
        let top = TopFetches(room: 8)
        let hot = try #require(CacheKey("GET:/hot"))
        for number in 0..<1_000 {
            top.count(try #require(CacheKey("GET:/\(number)")), tags: [], bytes: 1, nanoseconds: 1)
            top.count(hot, tags: [], bytes: 1, nanoseconds: 1)
        }
        let keys = top.topKeys(by: .misses, 8)
        #expect(keys.count == 8 && keys[0].name == "GET:/hot" && keys[0].misses == 1_000)
        #expect(keys.dropFirst().allSatisfy { $0.misses <= 1 })
    }
}
