import NIOCore
import TestHelpers
import Testing

@testable import RedisClient

/// Tests of the state of a connection. Waiters are names, times are in seconds.
@Suite(.timeLimit(.minutes(5))) struct ConnectionStateTests {
    private func state(_ change: (inout RESPLimits) -> Void = { _ in }) -> ConnectionSubject {
        var limits = RESPLimits()
        change(&limits)
        return ConnectionSubject(
            ConnectionState(limits: limits, silenceLimit: .seconds(5), timeouts: .init(), now: .seconds(0))
        )
    }

    @Test func `Replies go to the callers in the order in which they sent their commands`() {
        let state = state()
        #expect(state.send("a") == 1)
        #expect(state.send("b", commands: 2) == 2)
        #expect(state.reply("1") == "a: 1")
        #expect(state.reply("2") == "wait")
        #expect(state.reply("3") == "b: 2 3")
    }

    @Test func `A tombstone discards the replies of a caller that left, and no others`() throws {
        let state = state()
        let first = try #require(state.send("a", commands: 2))
        state.send("b")
        #expect(state.abandon(first) == "a")
        #expect(state.abandon(first) == nil)
        #expect(state.reply("1") == "wait")
        #expect(state.reply("2") == "wait")
        #expect(state.reply("3") == "b: 3")
    }

    @Test func `A caller may leave between two replies of its batch`() throws {
        let state = state()
        let first = try #require(state.send("a", commands: 2))
        state.send("b")
        #expect(state.reply("1") == "wait")
        #expect(state.abandon(first) == "a")
        #expect(state.reply("2") == "wait")
        #expect(state.reply("3") == "b: 3")
    }

    @Test func `Abandoning a batch that was answered does not have an effect`() throws {
        let state = state()
        let first = try #require(state.send("a"))
        #expect(state.reply("1") == "a: 1")
        #expect(state.abandon(first) == nil)
        #expect(state.abandon(99) == nil)
        #expect(state.abandon(0) == nil)
        let second = try #require(state.send("b"))
        #expect(second == first + 1)
        #expect(state.abandon(second) == "b")
    }

    @Test func `A reply without a command closes the connection`() {
        let state = state()
        state.send("a")
        #expect(state.reply("1") == "a: 1")
        #expect(state.reply("2") == "close: protocolViolation")
    }

    @Test func `Deadlines release their callers, and the connection stays open`() {
        let state = state()
        state.send("a", timeout: .fixed(.seconds(10)))
        state.send("b", timeout: .fixed(.seconds(3)))
        #expect(state.nextExpiry == 3)
        #expect(state.expire(now: 2) == [])
        #expect(state.expire(now: 3) == ["b"])
        #expect(state.expire(now: 3) == [])
        #expect(state.nextExpiry == 10)
        #expect(state.reply("1") == "a: 1")
        #expect(state.reply("2") == "wait")
        #expect(state.nextExpiry == nil)
    }

    @Test func `A connection is lost when its oldest command is overdue by more than its silence limit`() {
        let state = state()
        state.send("a", timeout: .fixed(.seconds(1)))
        state.send("b", timeout: .fixed(.seconds(60)))
        #expect(state.expire(now: 1) == ["a"])
        #expect(state.nextExpiry == 6)
        #expect(state.expire(now: 5.999) == [])
        #expect(state.expire(now: 6) == ["lost"])
        #expect(state.close() == ["b"])
    }

    @Test func `The time that a command waited behind another does not count as its delay`() {
        let state = state()
        state.send("a", timeout: .fixed(.seconds(30)))
        state.send("b", timeout: .fixed(.seconds(1)))
        #expect(state.expire(now: 1) == ["b"])
        #expect(state.expire(now: 20) == [])
        #expect(state.reply("1", now: 25) == "a: 1")
        #expect(state.expire(now: 29) == [])
        #expect(state.nextExpiry == 30)
        #expect(state.expire(now: 30) == ["lost"])
    }

    @Test func `A timeout counts from when the commands were flushed to the socket`() {
        let state = state()
        state.send("a", timeout: .adaptive, at: nil)
        state.send("b", timeout: .fixed(.seconds(2)), at: nil)
        #expect(state.nextExpiry == nil)
        #expect(state.expire(now: 0.5) == [])
        #expect(state.flush(at: 0.5) == 0.55)
        #expect(state.nextExpiry == 0.55)
        #expect(state.expire(now: 0.54) == [])
        #expect(state.expire(now: 0.55) == ["a"])
        #expect(state.expire(now: 2.4) == [])
        #expect(state.expire(now: 2.5) == ["b"])
    }

    @Test func `Commands behind others wait while the server sends, up to the upper bound`() {
        let state = state()
        state.send("a", timeout: .adaptive)
        state.send("b", timeout: .adaptive)
        for step in 1...24 {
            state.read(at: Double(step) * 0.04)
            #expect(state.expire(now: Double(step) * 0.04 + 0.039) == [])
        }
        #expect(state.nextExpiry == 1)
        #expect(state.expire(now: 1) == ["a", "b"])
    }

    @Test func `An overdue reply may be unread if nothing was read since, and callers wait a second for it`() {
        let state = state()
        state.send("a", timeout: .adaptive)
        #expect(!state.isUnread(at: 0.049) && state.isUnread(at: 0.05))
        #expect(!state.isLongOverdue(at: 1.049) && state.isLongOverdue(at: 1.05))
        state.read(at: 0.06)
        #expect(!state.isUnread(at: 0.07))
        #expect(state.isUnread(at: 0.11))
        #expect(state.expire(now: 0.11) == ["a"])
        // The connection itself counts as lost next.
        #expect(state.nextExpiry == 5.05)
        state.read(at: 5.04)
        #expect(state.isUnread(at: 5.06))
        state.read(at: 5.06)
        #expect(!state.isUnread(at: 5.07), "a server that sends without end has its end")
    }

    @Test func `Callers do not wait for a server that has stopped sending`() {
        let state = state()
        state.send("a", timeout: .adaptive)
        state.send("b", timeout: .adaptive)
        #expect(state.reply("1", now: 0.001) == "a: 1")
        #expect(state.expire(now: 0.05) == [])
        #expect(state.expire(now: 0.051) == ["b"])
    }

    @Test func `A reply after the timeout is late, and is not a sample`() {
        let state = state()
        state.send("a", timeout: .adaptive)
        state.send("b", timeout: .fixed(.seconds(2)))
        #expect(state.reply("1", now: 0.2) == "a: 1 (late)")
        #expect(state.reply("2", now: 0.2) == "b: 2", "a fixed timeout is its caller's own affair")
        state.send("c", timeout: .adaptive, at: 1)
        #expect(state.nextExpiry == 1.05)
        #expect(state.reply("3", now: 1.04) == "c: 3")
        state.send("d", timeout: .adaptive, at: 2)
        // The timeout is four times the time of the slowest reply.
        #expect(state.nextExpiry.map { abs($0 - 2.16) < 0.001 } == true)
    }

    @Test func `A probe waits up to the upper bound, and its reply is a sample`() {
        let state = state()
        for second in [0.0, 1] {
            state.send("a", timeout: .adaptive, at: second)
            #expect(state.reply("1", now: second + 0.12) == "a: 1 (late)", "a server that is never in time")
        }
        state.send("probe", timeout: .probe, at: 2)
        #expect(state.nextExpiry == 3)
        #expect(state.expire(now: 2.9) == [])
        #expect(state.reply("2", now: 2.12) == "probe: 2")
        state.send("b", timeout: .adaptive, at: 4)
        #expect(state.reply("3", now: 4.12) == "b: 3")
        // A reply that a busy process reads too late is not a sample, and neither is one whose caller has left.
        for isExact in [false, true] {
            state.send("probe", timeout: .probe, at: 10)
            if isExact { #expect(state.expire(now: 11) == ["probe"]) }
            #expect(state.reply("4", now: 11.5, isExact: isExact) == (isExact ? "wait" : "probe: 4"))
        }
        state.send("c", timeout: .adaptive, at: 20)
        #expect(state.nextExpiry.map { $0 < 20.5 } == true)
        #expect(state.expire(now: 20.6) == ["c"])
    }

    @Test func `A reply is timed by its first bytes`() {
        let state = state()
        state.send("a", commands: 2, timeout: .adaptive)
        state.read(at: 0.01)
        #expect(state.reply("1", now: 0.04) == "wait")
        #expect(state.reply("2", now: 0.3) == "a: 1 2")
    }

    @Test func `A reply that a busy process reads too late is not late, and is not a sample`() {
        let state = state()
        state.send("a", timeout: .adaptive)
        #expect(state.reply("1", now: 0.8, isExact: false) == "a: 1")
        state.send("b", timeout: .adaptive, at: 1)
        #expect(state.nextExpiry == 1.05)
    }

    @Test func `Commands in flight are limited, tombstones included`() throws {
        let state = state { $0.commandsInFlight = 3 }
        let first = try #require(state.send("a", commands: 2))
        #expect(state.abandon(first) == "a")
        #expect(state.send("b", commands: 2) == nil)
        #expect(state.send("c") == 2)
        #expect(state.send("d") == nil)
        #expect(state.reply("1") == "wait")
        #expect(state.send("e") == nil, "half of a batch is not answered")
        #expect(state.reply("2") == "wait")
        #expect(state.send("f", commands: 2) == 3)
    }

    @Test func `Bytes in flight are limited, tombstones included`() throws {
        let state = state { $0.bytesInFlight = 100 }
        #expect(state.send("a", bytes: 101) == nil)
        let first = try #require(state.send("a", bytes: 60))
        #expect(state.abandon(first) == "a")
        #expect(state.send("b", bytes: 41) == nil)
        #expect(state.send("c", bytes: 40) == 2)
        #expect(state.reply("1") == "wait")
        #expect(state.send("d", bytes: 60) == 3)
    }

    @Test func `The replies held back for one pipeline are limited`() throws {
        let state = state { $0.pipelineBytes = 100 }
        state.send("a", commands: 3)
        #expect(state.reply("1", bytes: 50) == "wait")
        #expect(state.reply("2", bytes: 50) == "wait")
        #expect(state.reply("3", bytes: 1) == "close: protocolViolation")
    }

    @Test func `Replies that a tombstone discards are not held back`() throws {
        let state = state { $0.pipelineBytes = 100 }
        let first = try #require(state.send("a", commands: 3))
        state.send("b")
        #expect(state.reply("1", bytes: 90) == "wait")
        #expect(state.abandon(first) == "a")
        #expect(state.reply("2", bytes: 90) == "wait")
        #expect(state.reply("3", bytes: 90) == "wait")
        #expect(state.reply("4", bytes: 90) == "b: 4")
    }

    @Test func `A draining connection answers waiting callers and rejects further commands`() throws {
        let state = state()
        let first = try #require(state.send("a"))
        state.send("b")
        #expect(!state.isDrained)
        state.drain()
        #expect(state.send("c") == nil)
        #expect(!state.isDrained)
        #expect(state.abandon(first) == "a")
        #expect(!state.isDrained)
        #expect(state.reply("1") == "wait")
        #expect(state.reply("2") == "b: 2")
        #expect(state.isDrained)
    }

    @Test func `Tombstones do not keep a draining connection open`() throws {
        let state = state()
        let first = try #require(state.send("a"))
        state.drain()
        #expect(state.abandon(first) == "a")
        #expect(state.isDrained)
    }

    @Test func `Closing fails every waiting caller, and none twice`() throws {
        let state = state()
        state.send("a")
        let second = try #require(state.send("b"))
        state.send("c")
        #expect(state.abandon(second) == "b")
        #expect(state.close() == ["a", "c"])
        #expect(state.close() == [])
        #expect(state.send("d") == nil)
        #expect(state.reply("1") == "wait")
        #expect(state.expire(now: 100) == [])
        #expect(state.nextExpiry == nil)
    }

    @Test func `Any order of events serves every caller exactly once`() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed of connection events: \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 { Model(seed: seed).run(using: &generator) }
    }
}

/// A simple model of the same queue: the replies that each caller must get.
private struct Model {
    let seed: UInt64
    let state = ConnectionSubject(
        ConnectionState(
            limits: RESPLimits(),
            silenceLimit: .seconds(1_000_000),
            timeouts: .init(),
            now: .seconds(0)
        )
    )
    var queue: [(name: String, id: Int, missing: Int, replies: [RESPValue], deadline: Int)] = []
    var waiting: Set<String> = []
    var now = 0

    init(seed: UInt64) { self.seed = seed }

    func run(using generator: inout SeededGenerator) {
        var model = self
        for step in 0..<60 { model.step(step, using: &generator) }
        #expect(Set(model.state.close()) == model.waiting, "seed \(seed)")
    }

    mutating func step(_ step: Int, using generator: inout SeededGenerator) {
        now += Int.random(in: 0...2, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4:
            let (name, commands) = ("\(step)", Int.random(in: 1...3, using: &generator))
            let deadline = now + Int.random(in: 1...20, using: &generator)
            let timeout = ReplyTimeout.fixed(.seconds(Int64(deadline - now)))
            guard let id = state.send(name, commands: commands, timeout: timeout, at: Double(now)) else {
                Issue.record("refused, seed \(seed)")
                return
            }
            queue.append((name, id, commands, [], deadline))
            waiting.insert(name)
        case 4..<8:
            guard !queue.isEmpty else { return }
            queue[0].missing -= 1
            queue[0].replies.append(.status("\(step)"))
            let served = state.reply("\(step)", now: Double(now))
            guard queue[0].missing == 0 else { return #expect(served == "wait", "seed \(seed)") }
            let (name, _, _, replies, _) = queue.removeFirst()
            let expected =
                waiting.remove(name) == nil ? "wait" : "\(name): \(replies.map(\.summary).joined(separator: " "))"
            #expect(served == expected, "seed \(seed)")
        case 8:
            guard let (name, id, _, _, _) = queue.randomElement(using: &generator) else { return }
            #expect(state.abandon(id) == waiting.remove(name), "seed \(seed)")
        default:
            let overdue = Set(queue.filter { $0.deadline <= now }.map(\.name)).intersection(waiting)
            #expect(Set(state.expire(now: Double(now))) == overdue, "seed \(seed)")
            waiting.subtract(overdue)
        }
    }
}
