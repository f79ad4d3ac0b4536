import NIOCore
import Testing

@testable import RedisClient

/// Tests of how the timeout follows the times of replies. Times are in milliseconds.
@Suite(.timeLimit(.minutes(5))) struct AdaptiveTimeoutTests {
    enum Event: Hashable {
        /// This many replies come, each after this time.
        case replies(Int, after: Double)
        case expires
        case passes(seconds: Int)
    }

    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let events: [Event]
        let timeout: ClosedRange<Double>

        init(_ description: String, _ events: [Event], _ timeout: ClosedRange<Double>) {
            (testDescription, self.events, self.timeout) = (description, events, timeout)
        }
    }

    static let rows: [Row] = [
        Row("it begins at its base", [], 50...50),
        Row("fast replies alone change nothing at once", [.replies(10_000, after: 0.3)], 50...50),
        Row("it falls by half in ten seconds", [.passes(seconds: 10)], 24...26),
        Row("it falls to its lower bound, and no further", [.passes(seconds: 3_600)], 10...10),
        Row(
            "one slow reply among many is the measure",
            [.replies(1, after: 30), .replies(9_999, after: 0.3)],
            120...120
        ),
        Row("it rises to its upper bound, and no further", [.replies(1, after: 900)], 1_000...1_000),
        Row("it rises at once, however low it was", [.passes(seconds: 3_600), .replies(1, after: 9)], 36...36),
        Row("a slow reply is forgotten", [.replies(1, after: 200), .passes(seconds: 20)], 190...210),
        Row("what expires brings it back to its base", [.passes(seconds: 3_600), .expires], 50...50),
        Row("what expires brings it no higher", [.replies(1, after: 100), .expires, .expires], 400...400),
        Row("the reply to a probe is a measure, however late it is", [.expires, .replies(1, after: 120)], 480...480),
        Row(
            "it forgets while there are replies as well",
            [.replies(1, after: 200)] + (0..<20).flatMap { _ in [.passes(seconds: 1), .replies(5, after: 1)] },
            190...210
        ),
    ]

    @Test(arguments: rows) func `The timeout follows the times of replies`(_ row: Row) {
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var timeout = AdaptiveTimeout(AdaptiveTimeout.Bounds(), at: now)
        for event in row.events {
            switch event {
            case .replies(let count, let time):
                for _ in 0..<count { timeout.replied(after: .nanoseconds(Int64(time * 1e6)), at: now) }
            case .expires: timeout.expired()
            case .passes(let seconds):
                now = now + .seconds(Int64(seconds))
                timeout.advance(to: now)
            }
        }
        let milliseconds = Double(timeout.current.nanoseconds) / 1e6
        #expect(row.timeout.contains(milliseconds), "\(milliseconds) ms")
    }

    @Test func `A base outside the bounds widens them`() {
        let low = AdaptiveTimeout.Bounds(base: .milliseconds(2))
        #expect(low.shortest == .milliseconds(2) && low.longest == .seconds(1))
        let high = AdaptiveTimeout.Bounds(base: .seconds(5))
        #expect(high.shortest == .milliseconds(10) && high.longest == .seconds(5))
        #expect(AdaptiveTimeout(high, at: .now()).current == .seconds(5))
    }
}
