import Larder
import LarderTestSupport
import Testing

@testable import LarderRedis

/// The invalidations that have to be delivered before Redis is used again.
@Suite(.timeLimit(.minutes(5))) struct OutboxTests {
    private let start = ContinuousClock.now

    private func scopes(_ range: Range<Int>) -> [InvalidationScope] {
        range.map { .tag("tag-\($0)") }
    }

    @Test func `Scopes wait when they are added, until they are delivered`() {
        var outbox = Outbox()
        outbox.add([.tag("a"), .tag("b")])
        #expect(Set(outbox.scopes) == [.tag("a"), .tag("b")] && outbox.count == 2)
        outbox.deliver([.tag("a")], sentAt: outbox.turn, now: start)
        #expect(outbox.scopes == [.tag("b")])
        outbox.deliver([.tag("b"), .tag("never-added")], sentAt: outbox.turn, now: start)
        #expect(outbox.count == 0)
        outbox.validate()
    }

    @Test func `A scope that is added again while it is being sent waits on`() {
        var outbox = Outbox()
        outbox.add([.tag("a"), .tag("b")])
        let sentAt = outbox.turn
        outbox.add([.tag("a")])
        outbox.deliver([.tag("a"), .tag("b")], sentAt: sentAt, now: start)
        #expect(outbox.scopes == [.tag("a")])
        outbox.deliver([.tag("a")], sentAt: outbox.turn, now: start)
        #expect(outbox.count == 0)
    }

    @Test func `Every invalidation is another turn, delivered or not`() {
        var outbox = Outbox()
        var last = outbox.turn
        for step in 0..<4 {
            if step.isMultiple(of: 2) { outbox.begin() } else { outbox.add([.tag("a")]) }
            #expect(outbox.turn > last)
            last = outbox.turn
        }
    }

    @Test func `Too many waiting scopes become one that includes all of them`() {
        var outbox = Outbox(limit: 10)
        outbox.add(scopes(0..<10))
        #expect(outbox.count == 10)
        outbox.add(scopes(10..<11))
        #expect(outbox.scopes == [.everything])
        outbox.validate()
        // The same happens while `everything` is being sent.
        let sentAt = outbox.turn
        outbox.add(scopes(0..<11))
        #expect(outbox.scopes == [.everything])
        outbox.deliver([.everything], sentAt: sentAt, now: start)
        #expect(outbox.scopes == [.everything])
        outbox.deliver([.everything], sentAt: outbox.turn, now: start)
        #expect(outbox.count == 0)
    }

    @Test func `Confirming a batch that was sent before an overflow does not confirm the overflow`() {
        var outbox = Outbox(limit: 10)
        outbox.add(scopes(0..<10))
        let sentAt = outbox.turn
        outbox.add(scopes(10..<20))
        outbox.deliver(scopes(0..<10), sentAt: sentAt, now: start)
        #expect(outbox.scopes == [.everything])
    }

    @Test func `The scopes that have waited longest are sent first, up to a limit`() {
        var outbox = Outbox()
        for first in stride(from: 0, to: 1_000, by: 10) { outbox.add(scopes(first..<first + 10)) }
        // A scope that is invalidated again has its old place.
        outbox.add(scopes(0..<1))
        #expect(outbox.deliveredThrough == 0)
        for _ in 0..<2 {
            let batch = outbox.next(upTo: 15)
            #expect(batch == scopes(0..<15))
        }
        outbox.deliver(scopes(0..<15), sentAt: outbox.turn, now: start)
        outbox.validate()
        #expect(outbox.deliveredThrough == 1, "of the second turn something waits")
        outbox.deliver(scopes(15..<20), sentAt: outbox.turn, now: start)
        #expect(outbox.deliveredThrough == 2)
        outbox.deliver(scopes(20..<1_000), sentAt: outbox.turn, now: start)
        #expect(outbox.deliveredThrough == outbox.turn && outbox.count == 0)
        outbox.validate()
    }

    @Test func `A scope that is queued again while it is being sent delays no other scope`() {
        var outbox = Outbox()
        outbox.add([.tag("hot"), .tag("a")])
        let sentAt = outbox.turn
        outbox.add([.tag("b")])
        outbox.add([.tag("hot")])
        outbox.deliver([.tag("hot"), .tag("a")], sentAt: sentAt, now: start)
        outbox.validate()
        #expect(outbox.deliveredThrough == sentAt)
        let batch = outbox.next(upTo: 100)
        #expect(Set(batch) == [.tag("hot"), .tag("b")])
        // `everything` replaces waiting scopes, and has waited as long as they have.
        var full = Outbox(limit: 10)
        full.add(scopes(0..<5))
        full.add(scopes(5..<11))
        #expect(full.scopes == [.everything] && full.deliveredThrough == 0)
        full.validate()
    }

    @Test func `The work of a delivery does not depend on how many scopes wait`() {
        var outbox = Outbox()
        outbox.add(scopes(0..<100_000))
        #expect(outbox.examined == 0)
        // These are the calls for a server that confirms nothing, or that comes and goes.
        for _ in 0..<1_000 { _ = outbox.next(upTo: 100) }
        #expect(outbox.examined == 100_000)
        // The same scopes are added many times.
        for _ in 0..<10_000 { outbox.add(scopes(0..<100)) }
        #expect(outbox.examined < 2_000_000)
        let before = outbox.examined
        var rounds = 0
        while outbox.count > 0 {
            outbox.deliver(outbox.next(upTo: 100), sentAt: outbox.turn, now: start)
            rounds += 1
        }
        #expect(rounds == 1_000 && outbox.examined - before < 1_000_000)
        outbox.validate()
    }

    @Test func `A scope of a replay that a server has taken no longer waits, and is remembered once`() {
        var outbox = Outbox()
        outbox.deliver([.tag("old")], sentAt: outbox.turn, now: start)
        outbox.add([.tag("waiting")])
        let sentAt = outbox.turn
        outbox.add([.tag("later")])
        outbox.replayed([.tag("old"), .tag("waiting")], sentAt: sentAt, now: start + .seconds(40))
        #expect(outbox.scopes == [.tag("later")])
        #expect(Set(outbox.replay(at: start + .seconds(61), all: true)) == [.tag("waiting"), .tag("later")])
        outbox.replayed([.everything], sentAt: sentAt, now: start + .seconds(40))
        #expect(outbox.scopes == [.tag("later")])
        outbox.replayed([.everything], sentAt: outbox.turn, now: start + .seconds(40))
        #expect(outbox.count == 0)
        outbox.validate()
    }

    @Test func `A replay has the scopes that wait and those delivered in the last minute`() {
        var outbox = Outbox()
        #expect(outbox.replay(at: start, all: true).isEmpty)
        outbox.deliver([.tag("old")], sentAt: outbox.turn, now: start)
        outbox.deliver([.tag("young")], sentAt: outbox.turn, now: start + .seconds(30))
        outbox.add([.tag("waiting")])
        #expect(
            Set(outbox.replay(at: start + .seconds(59), all: true)) == [.tag("old"), .tag("young"), .tag("waiting")]
        )
        #expect(Set(outbox.replay(at: start + .seconds(60), all: true)) == [.tag("young"), .tag("waiting")])
        #expect(outbox.replay(at: start + .seconds(90), all: true) == [.tag("waiting")])
    }

    @Test func `A replay to a server with the same run ID has only the scopes that wait`() {
        var outbox = Outbox()
        outbox.deliver([.tag("delivered")], sentAt: outbox.turn, now: start)
        #expect(outbox.replay(at: start, all: false).isEmpty)
        outbox.add([.tag("waiting")])
        #expect(outbox.replay(at: start, all: false) == [.tag("waiting")])
    }

    @Test func `Scopes that take more memory than the limit become everything`() {
        var outbox = Outbox(costLimit: .kibibytes(2))
        let name = String(repeating: "x", count: 900)
        for id in 0..<5 { outbox.add([.path(CachePath("/\(id)\(name)"))]) }
        outbox.validate()
        #expect(outbox.count == 5)
        outbox.add([.path("/0"), .path(CachePath("/a\(name)")), .path(CachePath("/b\(name)"))])
        #expect(outbox.scopes == [.everything])
        outbox.validate()
        outbox.deliver([.everything], sentAt: outbox.turn, now: start)
        outbox.validate()
        #expect(outbox.count == 0)
    }

    @Test func `A replay that includes everything has no other scope`() {
        var outbox = Outbox()
        outbox.deliver([.tag("a"), .everything], sentAt: outbox.turn, now: start)
        outbox.add([.tag("b")])
        #expect(outbox.replay(at: start, all: true) == [.everything])
    }

    @Test func `More deliveries in the last minute than are remembered are replayed as everything`() {
        var outbox = Outbox(limit: 10)
        outbox.deliver(scopes(0..<10), sentAt: 0, now: start)
        #expect(Set(outbox.replay(at: start, all: true)) == Set(scopes(0..<10)))
        outbox.deliver(scopes(10..<11), sentAt: 0, now: start + .seconds(1))
        #expect(outbox.replay(at: start + .seconds(1), all: true) == [.everything])
        #expect(outbox.replay(at: start + .seconds(60), all: true) == [.everything])
        #expect(outbox.replay(at: start + .seconds(61), all: true).isEmpty)
        outbox.validate()
    }

    @Test func `Deliveries older than a minute do not displace later ones`() {
        var outbox = Outbox(limit: 10)
        outbox.deliver(scopes(0..<10), sentAt: 0, now: start)
        outbox.deliver(scopes(10..<11), sentAt: 0, now: start + .seconds(3_600))
        #expect(outbox.replay(at: start + .seconds(3_600), all: true) == scopes(10..<11))
    }

    /// A simple outbox that remembers every invalidation and its delivery without a limit.
    private struct Model {
        var debts: [(scope: InvalidationScope, turn: UInt64)] = []
        var delivered: [(scopes: [InvalidationScope], at: ContinuousClock.Instant)] = []

        func delivered(within span: Duration, before now: ContinuousClock.Instant) -> [InvalidationScope] {
            delivered.filter { $0.at + span > now }.flatMap(\.scopes)
        }
    }

    @Test(arguments: 1...20) func `Random operations lose no invalidation and exceed no limit`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var outbox = Outbox(limit: 12, memory: .seconds(60))
        var model = Model()
        var onTheWay: [(scopes: [InvalidationScope], turn: UInt64)] = []
        var now = start
        for step in 0..<1_500 {
            let context: Comment = "step \(step)"
            now += .seconds(Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                let first = Int.random(in: 0..<24, using: &random)
                let added = scopes(first..<first + Int.random(in: 1...4, using: &random))
                outbox.add(added)
                model.debts += added.map { ($0, outbox.turn) }
            case 3: outbox.begin()
            case 4: onTheWay.append((outbox.scopes, outbox.turn))
            case 5: onTheWay.append((outbox.next(upTo: 3), outbox.turn))
            case 6..<8 where !onTheWay.isEmpty:
                let batch = onTheWay.remove(at: .random(in: onTheWay.indices, using: &random))
                outbox.deliver(batch.scopes, sentAt: batch.turn, now: now)
                model.delivered.append((batch.scopes, now))
                model.debts.removeAll { debt in
                    debt.turn <= batch.turn
                        && (batch.scopes.contains(debt.scope) || batch.scopes.contains(.everything))
                }
            case 8 where !onTheWay.isEmpty: onTheWay.removeFirst()
            default: break
            }
            outbox.validate()
            let waiting = Set(outbox.scopes)
            let settled = model.debts.map(\.turn).min().map { $0 - 1 } ?? outbox.turn
            #expect(outbox.deliveredThrough <= settled, context)
            let owed = Set(model.debts.map(\.scope))
            #expect(waiting.contains(.everything) || waiting.isSuperset(of: owed), context)
            #expect(waiting.subtracting([.everything]).isSubset(of: owed) || waiting.contains(.everything), context)
            let replay = Set(outbox.replay(at: now, all: true))
            let right = Set(model.delivered(within: .seconds(60), before: now)).union(waiting)
            if replay == [.everything] {
                let isFull = model.delivered(within: .seconds(120), before: now).count > 12
                #expect(right.contains(.everything) || isFull, context)
            } else {
                #expect(replay == right, context)
            }
        }
        outbox.deliver(outbox.scopes, sentAt: outbox.turn, now: now)
        #expect(outbox.count == 0)
    }
}
