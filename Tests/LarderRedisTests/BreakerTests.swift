import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderRedis

/// The states of a breaker, and when requests may ask the server.
@Suite(.timeLimit(.minutes(5))) struct BreakerTests {
    private static let start = ContinuousClock.now

    /// An event of a test, with its time in seconds.
    enum Event: Hashable {
        case asks(mayGo: Bool)
        case probes(at: Int, mayGo: Bool)
        case succeeds(Breaker.Change)
        case fails(at: Int, Breaker.Change)
        case probeFails(at: Int)
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

    /// Three failures in a row, which open the breaker for ten seconds.
    private static let opened: [Event] = [.fails(at: 0, .none), .fails(at: 0, .none), .fails(at: 0, .opened)]

    private static let none = Breaker.State.closed(failures: 0, since: nil)
    private static func row(of failures: Int, since second: Int = 0) -> Breaker.State {
        .closed(failures: failures, since: moment(second))
    }

    static let rows: [Row] = [
        Row("it begins closed", [.asks(mayGo: true), .probes(at: 0, mayGo: false), .asks(mayGo: true)], none),
        Row("failures in a row are counted", [.fails(at: 0, .none), .fails(at: 1, .none)], row(of: 2)),
        Row("an answer ends the row", [.fails(at: 0, .none), .succeeds(.none)], none),
        Row(
            "failures with answers between them open nothing",
            [.fails(at: 0, .none), .fails(at: 0, .none), .succeeds(.none), .fails(at: 0, .none), .fails(at: 0, .none)],
            row(of: 2)
        ),
        Row("one failure too many opens it", opened, .open(until: moment(10))),
        Row(
            "while it is open no request goes, and nothing moves its end",
            opened + [.asks(mayGo: false), .probes(at: 9, mayGo: false), .fails(at: 9, .none), .probeFails(at: 9)],
            .open(until: moment(10))
        ),
        Row(
            "after its pause one probe goes, and no request",
            opened + [.asks(mayGo: false), .probes(at: 10, mayGo: true), .probes(at: 99, mayGo: false)]
                + [.asks(mayGo: false)],
            .probing
        ),
        Row(
            "where the probe fails it waits again",
            opened + [.probes(at: 12, mayGo: true), .probeFails(at: 13), .probes(at: 22, mayGo: false)],
            .open(until: moment(23))
        ),
        Row(
            "where the probe is answered it closes",
            opened + [.probes(at: 10, mayGo: true), .succeeds(.closed), .asks(mayGo: true)],
            none
        ),
        Row(
            "a request that fails while a probe is under way says nothing",
            opened + [.probes(at: 10, mayGo: true), .fails(at: 11, .none), .probes(at: 99, mayGo: false)],
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
    ]

    @Test(arguments: rows) func `A breaker opens after failures in a row and closes after an answer`(_ row: Row) {
        var breaker = Breaker(threshold: 3, span: row.span, pause: .seconds(10))
        for (number, event) in row.events.enumerated() {
            switch event {
            case .asks(let mayGo): #expect(breaker.isClosed == mayGo, "event \(number)")
            case .probes(let second, let mayGo):
                let goes = breaker.beginProbe(at: Self.moment(second))
                #expect(goes == mayGo, "event \(number)")
            case .succeeds(let change): #expect(breaker.succeeded() == change, "event \(number)")
            case .fails(let second, let change):
                #expect(breaker.failed(at: Self.moment(second)) == change, "event \(number)")
            case .probeFails(let second): breaker.probeFailed(at: Self.moment(second))
            }
        }
        #expect(breaker.state == row.state)
    }

    @Test(arguments: 1...20) func `Only one probe at a time asks a server that is away`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var breaker = Breaker(threshold: 3, span: .seconds(2), pause: .seconds(10))
        var (asking, isProbing) = (0, false)
        var (now, row, openedAt) = (Self.start, [ContinuousClock.Instant](), ContinuousClock.Instant?.none)
        // The breaker reports alternately that it opened and that it closed.
        var isOpen: Bool { openedAt != nil }
        for _ in 0..<2_000 {
            now += .seconds(Int.random(in: 0...4, using: &random))
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<2: if breaker.isClosed { asking += 1 }
            case 2..<4:
                let goes = breaker.beginProbe(at: now)
                #expect(goes == (openedAt.map { now >= $0 + .seconds(10) } == true && !isProbing))
                isProbing = isProbing || goes
            case 4..<6 where asking > 0:
                asking -= 1
                if !isOpen { row.append(now) }
                let change = breaker.failed(at: now)
                #expect((change == .opened) == (!isOpen && row.count >= 3 && now - row[0] >= .seconds(2)))
                if change == .opened { (openedAt, row) = (now, []) }
            case 6 where asking > 0 || isProbing:
                // The probe is answered, or a request that was sent before.
                if isProbing { isProbing = false } else { asking -= 1 }
                row = []
                let change = breaker.succeeded()
                #expect(change == (isOpen ? .closed : .none))
                openedAt = nil
            case 7 where isProbing:
                isProbing = false
                breaker.probeFailed(at: now)
                if isOpen { openedAt = now }
            default: break
            }
            #expect(breaker.isClosed == !isOpen)
        }
    }
}
