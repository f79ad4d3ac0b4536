import HTTPCaching
import TestHelpers
import Testing

@testable import Larder

/// The pauses after failures of an origin.
@Suite(.timeLimit(.minutes(5))) struct FailureMemoTests {
    private let start = Timestamp(secondsSinceEpoch: 1_800_000_000)
    private let instant = Duration.nanoseconds(1)

    private func memo(limit: Int = 10) -> FailureMemo<Int> {
        FailureMemo(limit: limit, first: .milliseconds(500), longest: .seconds(10))
    }

    /// Returns the rest of the pause that is under way at `now`; nil if there is none.
    private func left(_ memo: FailureMemo<Int>, _ key: Int, at now: Timestamp) -> Duration? {
        memo.pause(of: key, at: now).map { $0.until.duration(since: now) }
    }

    @Test func `The pause begins with the failure, and its end is not part of it`() {
        var memo = memo()
        #expect(memo.pause(of: 1, at: start) == nil)
        memo.failed(1, status: 503, at: start)
        #expect(memo.pause(of: 1, at: start)?.status == 503)
        #expect(left(memo, 1, at: start) == .milliseconds(500))
        #expect(left(memo, 1, at: start.advanced(by: .milliseconds(500) - instant)) == instant)
        #expect(left(memo, 1, at: start.advanced(by: .milliseconds(500))) == nil)
        #expect(memo.pause(of: 2, at: start) == nil)
        memo.validate()
    }

    @Test func `The pause doubles with each failure after it, up to the longest`() {
        var memo = memo()
        var now = start
        var pauses: [Duration] = []
        for _ in 0..<8 {
            memo.failed(1, status: nil, at: now)
            memo.validate()
            guard let left = left(memo, 1, at: now) else { break }
            pauses.append(left)
            now = now.advanced(by: left)
        }
        #expect(pauses == [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000].map { .milliseconds($0) })
    }

    @Test func `A failure within the pause belongs to a fetch under way, and starts the same pause again`() {
        var memo = memo()
        memo.failed(1, status: 500, at: start)
        let last = start.advanced(by: .milliseconds(500) - instant)
        memo.failed(1, status: 502, at: last)
        #expect(left(memo, 1, at: last) == .milliseconds(500))
        #expect(memo.pause(of: 1, at: last)?.status == 502)
    }

    @Test func `A failure more than the longest pause after the end of the last one starts with the first pause`() {
        for (delay, pause) in [(Duration.zero - instant, 1_000), (.zero, 500), (.seconds(60), 500)] {
            var memo = memo()
            memo.failed(1, status: nil, at: start)
            let now = start.advanced(by: .milliseconds(10_500) + delay)
            memo.failed(1, status: nil, at: now)
            #expect(left(memo, 1, at: now) == .milliseconds(pause), "\(delay)")
        }
    }

    @Test func `A success ends the pause, and the next failure starts with the first`() {
        var memo = memo()
        memo.failed(1, status: nil, at: start)
        memo.failed(2, status: nil, at: start)
        memo.failed(1, status: nil, at: start.advanced(by: .seconds(1)))
        memo.succeeded(1)
        let now = start.advanced(by: .seconds(1))
        #expect(memo.pause(of: 1, at: now) == nil && memo.count == 1)
        memo.failed(1, status: nil, at: now)
        #expect(left(memo, 1, at: now) == .milliseconds(500))
        memo.succeeded(3)
        #expect(memo.count == 2)
    }

    @Test func `Beyond the limit of keys, those whose pause ends first are forgotten`() {
        var memo = memo(limit: 4)
        for key in 0..<4 { memo.failed(key, status: nil, at: start.advanced(by: .milliseconds(key))) }
        #expect(memo.count == 4)
        memo.failed(4, status: nil, at: start.advanced(by: .milliseconds(4)))
        memo.validate()
        let now = start.advanced(by: .milliseconds(4))
        #expect((0..<5).map { memo.pause(of: $0, at: now) != nil } == [false, false, false, true, true])
    }

    @Test func `The key that failed last is remembered, though its pause ends first`() {
        var memo = memo(limit: 4)
        // The clock was set back.
        for key in 0..<5 { memo.failed(key, status: nil, at: start.advanced(by: .seconds(-key))) }
        memo.validate()
        #expect(memo.pause(of: 4, at: start.advanced(by: .seconds(-4))) != nil)
    }

    @Test func `There is room for at least one key, and no pause is longer than the longest`() {
        var memo = FailureMemo<Int>(limit: 0, first: .seconds(5), longest: .seconds(1))
        memo.failed(1, status: nil, at: start)
        #expect(memo.count == 1 && left(memo, 1, at: start) == .seconds(5))
        memo.failed(1, status: nil, at: start.advanced(by: .seconds(5)))
        #expect(left(memo, 1, at: start.advanced(by: .seconds(5))) == .seconds(5))
        memo.failed(2, status: nil, at: start.advanced(by: .seconds(5)))
        #expect(memo.count == 1 && memo.pause(of: 2, at: start.advanced(by: .seconds(5))) != nil)
        memo.validate()
    }
}
