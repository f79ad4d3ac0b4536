import LarderTesting
import Testing

@testable import LarderRedis

/// When nobody asks a server that does not answer.
@Suite(.timeLimit(.minutes(5))) struct BreakerTests {
    private static let start = ContinuousClock.now

    /// What happens to a breaker, by the second of the test.
    enum Event: Hashable {
        case asks(at: Int, mayGo: Bool)
        case succeeds(Breaker.Change)
        case fails(at: Int, Breaker.Change)
        case abandons(at: Int)
    }

    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let events: [Event]
        let state: Breaker.State
        let span: Duration

        init(_ description: String, span: Duration = .zero, _ events: [Event], _ state: Breaker.State) {
            (testDescription, self.span, self.events, self.state) = (description, span, events, state)
        }
    }

    private static func moment(_ second: Int) -> ContinuousClock.Instant { start + .seconds(second) }

    /// Three failures in a row open it, for ten seconds.
    private static let opened: [Event] = [.fails(at: 0, .none), .fails(at: 0, .none), .fails(at: 0, .opened)]

    private static let none = Breaker.State.closed(failures: 0, since: nil)
    private static func row(of failures: Int, since second: Int = 0) -> Breaker.State {
        .closed(failures: failures, since: moment(second))
    }

    static let rows: [Row] = [
        Row("it begins closed", [.asks(at: 0, mayGo: true), .asks(at: 0, mayGo: true)], none),
        Row("failures in a row are counted", [.fails(at: 0, .none), .fails(at: 1, .none)], row(of: 2)),
        Row("an answer ends the row", [.fails(at: 0, .none), .succeeds(.none)], none),
        Row(
            "failures with answers between them open nothing",
            [.fails(at: 0, .none), .fails(at: 0, .none), .succeeds(.none), .fails(at: 0, .none), .fails(at: 0, .none)],
            row(of: 2)
        ),
        Row("one failure too many opens it", opened, .open(until: moment(10))),
        Row(
            "while it is open nobody goes, and nothing moves its end",
            opened + [.asks(at: 9, mayGo: false), .fails(at: 9, .none), .abandons(at: 9), .asks(at: 9, mayGo: false)],
            .open(until: moment(10))
        ),
        Row(
            "after its pause one goes, and no other",
            opened + [.asks(at: 10, mayGo: true), .asks(at: 10, mayGo: false), .asks(at: 99, mayGo: false)],
            .probing
        ),
        Row(
            "where the one fails it waits again, and says nothing twice",
            opened + [.asks(at: 12, mayGo: true), .fails(at: 13, .none), .asks(at: 22, mayGo: false)],
            .open(until: moment(23))
        ),
        Row(
            "where the one is answered it closes",
            opened + [.asks(at: 10, mayGo: true), .succeeds(.closed), .asks(at: 10, mayGo: true)],
            none
        ),
        Row(
            "where the one leaves the next goes at once",
            opened + [.asks(at: 10, mayGo: true), .abandons(at: 11), .asks(at: 11, mayGo: true)],
            .probing
        ),
        Row(
            "who asked before it opened and is answered late closes it",
            opened + [.succeeds(.closed), .succeeds(.none)],
            none
        ),
        Row(
            "a thousand that fail at the same time open nothing",
            span: .seconds(2),
            Array(repeating: .fails(at: 0, .none), count: 1_000),
            row(of: 1_000)
        ),
        Row(
            "a row that lasts long enough opens it, counted from its first failure",
            span: .seconds(2),
            [.fails(at: 0, .none), .fails(at: 1, .none), .fails(at: 1, .none), .fails(at: 2, .opened)],
            .open(until: moment(12))
        ),
        Row(
            "a row that lasts long enough and is short opens nothing",
            span: .seconds(2),
            [.fails(at: 0, .none), .fails(at: 9, .none)],
            row(of: 2)
        ),
        Row(
            "an answer begins another row",
            span: .seconds(2),
            [.fails(at: 0, .none), .fails(at: 1, .none), .succeeds(.none)]
                + [.fails(at: 2, .none), .fails(at: 3, .none), .fails(at: 3, .none)],
            row(of: 3, since: 2)
        ),
        Row("who leaves is no failure", [.fails(at: 0, .none), .abandons(at: 1)], row(of: 1)),
    ]

    @Test(arguments: rows) func `a breaker`(_ row: Row) {
        var breaker = Breaker(threshold: 3, span: row.span, pause: .seconds(10))
        for (number, event) in row.events.enumerated() {
            switch event {
            case .asks(let second, let mayGo):
                #expect(breaker.admits(at: Self.moment(second)) == mayGo, "event \(number)")
            case .succeeds(let change): #expect(breaker.succeeded() == change, "event \(number)")
            case .fails(let second, let change):
                #expect(breaker.failed(at: Self.moment(second)) == change, "event \(number)")
            case .abandons(let second): breaker.abandoned(at: Self.moment(second))
            }
        }
        #expect(breaker.state == row.state)
    }

    @Test(arguments: 1...20) func `whatever happens, few ask a server that is away`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var breaker = Breaker(threshold: 3, span: .seconds(2), pause: .seconds(10))
        var asking = 0
        var (now, row, openedAt) = (Self.start, [ContinuousClock.Instant](), ContinuousClock.Instant?.none)
        // It says that it opened and that it closed in turns.
        var isOpen = false
        for _ in 0..<2_000 {
            now += .seconds(Int.random(in: 0...4, using: &random))
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let mayGo = breaker.admits(at: now)
                if !isOpen { #expect(mayGo) }
                if mayGo {
                    if let openedAt, isOpen { #expect(now >= openedAt + .seconds(10)) }
                    asking += 1
                }
            case 4..<6 where asking > 0:
                asking -= 1
                row.append(now)
                let change = breaker.failed(at: now)
                #expect((change == .opened) == (!isOpen && row.count >= 3 && now - row[0] >= .seconds(2)))
                if change == .opened { (isOpen, openedAt) = (true, now) }
            case 6 where asking > 0:
                asking -= 1
                row = []
                #expect(breaker.succeeded() == (isOpen ? .closed : .none))
                (isOpen, openedAt) = (false, nil)
            case 7 where asking > 0:
                asking -= 1
                breaker.abandoned(at: now)
            default: break
            }
            #expect(breaker.isClosed == !isOpen)
        }
    }
}
