import NIOCore
import Testing

@testable import RedisClient

/// Connections have names here.
private final class Named: Sendable {
    let name: String
    init(_ name: String) { self.name = name }
}

@Suite(.timeLimit(.minutes(5))) struct ClientStateTests {
    private let lost = RedisError(.connectionLost, "lost")

    private func server(_ runID: String?) -> RedisServer {
        RedisServer(runID: runID, version: "7", role: "master")
    }

    @Test("connections take turns, and empty slots are passed over")
    func takesTurns() {
        var state = ClientState<Named>(slots: 3)
        #expect(state.next()?.name == nil)
        _ = state.meet(server("a"))
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server("a"))
        _ = state.join(Named("2"), slot: 2, generation: 2, server: server("a"))
        let names = (0..<4).compactMap { _ in state.next()?.name }
        #expect(names == ["2", "1", "2", "1"])
    }

    @Test func `large commands share the last connection, and small ones avoid one that awaits much`() {
        var state = ClientState<Named>(slots: 3)
        #expect(state.next(weight: 1_000_000)?.name == nil)
        _ = state.meet(server("a"))
        for slot in 0..<3 {
            _ = state.join(Named("\(slot)"), slot: slot, generation: slot + 1, server: server("a"))
        }
        #expect((0..<3).map { _ in state.next(weight: RedisCommand.largeWeight)?.name } == ["2", "2", "2"])
        let idle = (0..<6).compactMap { _ in state.next(weight: RedisCommand.largeWeight - 1)?.name }
        #expect(Set(idle) == ["0", "1", "2"])
        let busy = (0..<6).compactMap { _ in state.next { $0.name == "2" ? 500_000 : 100 }?.name }
        #expect(Set(busy) == ["0", "1"])
        // If all are busy, the one that awaits the least.
        let all = (0..<3).compactMap { _ in state.next { $0.name == "1" ? 70_000 : 500_000 }?.name }
        #expect(all == ["1", "1", "1"])
    }

    @Test func `large commands go to any connection if the last is away`() {
        var state = ClientState<Named>(slots: 2)
        _ = state.meet(server("a"))
        _ = state.join(Named("0"), slot: 0, generation: 1, server: server("a"))
        #expect(state.next(weight: 1_000_000)?.name == "0")
    }

    @Test func `what a connection awaits is what was sent and what is expected, until it is answered`() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var state = ConnectionState<Int>(limits: RESPLimits(), patience: .seconds(1), timeouts: .init(), now: start)
        for (waiter, expected) in [(1, 500), (2, -7), (3, Int.max)] {
            guard
                case .send(let id) = state.admit(
                    waiter,
                    commands: 1,
                    bytes: 10,
                    expecting: expected,
                    timeout: .fixed(.seconds(1))
                )
            else {
                Issue.record("refused")
                return
            }
            // A caller that leaves does not take its reply along.
            if waiter == 1 { _ = state.abandon(id) }
        }
        let most = RESPLimits().pipelineBytes
        #expect(state.bytesAwaited == 530 + most)
        _ = state.receive(.null, bytes: 1, now: start, isExact: true)
        #expect(state.bytesAwaited == 20 + most)
        _ = state.receive(.null, bytes: 1, now: start, isExact: true)
        #expect(state.bytesAwaited == 10 + most)
        _ = state.close()
        #expect(state.bytesAwaited == 0)
    }

    @Test("the phase follows the connections, and changes are told once")
    func tellsChangesOnce() {
        var state = ClientState<Named>(slots: 2)
        let (one, two) = (Named("1"), Named("2"))
        var told: [ClientState<Named>.Change] = []
        #expect(state.status.phase == .connecting)
        told.append(state.leave(nil, slot: 0, because: lost))
        told.append(state.leave(nil, slot: 1, because: lost))
        #expect(state.status.phase == .down)
        for (connection, slot) in [(one, 0), (two, 1)] {
            _ = state.meet(server("a"))
            guard
                case .joined(let change) = state.join(connection, slot: slot, generation: slot + 1, server: server("a"))
            else {
                Issue.record("refused")
                return
            }
            told.append(change)
        }
        #expect(state.status.phase == .connected)
        #expect(state.status.connections == 2)
        #expect(state.status.generation == 2)
        told.append(state.leave(one, slot: 0, because: lost))
        #expect(state.status.phase == .connected)
        told.append(state.leave(two, slot: 1, because: lost))
        #expect(state.status.phase == .down)
        #expect(told == [.down, .none, .up, .none, .none, .down])
    }

    @Test("a connection that ends late does not take its successor with it")
    func leavesLate() {
        var state = ClientState<Named>(slots: 1)
        let (old, new) = (Named("old"), Named("new"))
        _ = state.join(old, slot: 0, generation: 1, server: server("a"))
        _ = state.join(new, slot: 0, generation: 2, server: server("a"))
        #expect(state.leave(old, slot: 0, because: lost) == .none)
        #expect(state.next()?.name == "new")
    }

    @Test("the server that was met last is the only one that is used")
    func leavesStrangers() {
        var state = ClientState<Named>(slots: 2)
        #expect(state.meet(server("a")).isEmpty)
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server("a"))
        #expect(state.meet(server("a")).isEmpty)
        #expect(state.meet(server("b")).map(\.name) == ["1"])
        #expect(state.next()?.name == nil)
        guard case .refused = state.join(Named("2"), slot: 1, generation: 2, server: server("a")) else {
            Issue.record("a connection to the server before was taken")
            return
        }
        guard case .joined(.up) = state.join(Named("3"), slot: 0, generation: 3, server: server("b")) else {
            Issue.record("a connection to the new server was refused")
            return
        }
        #expect(state.next()?.name == "3")
    }

    @Test("a server without a run id is nobody's stranger")
    func toleratesTheNameless() {
        var state = ClientState<Named>(slots: 2)
        #expect(state.meet(server(nil)).isEmpty)
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server(nil))
        #expect(state.meet(server(nil)).isEmpty)
        #expect(state.meet(server("a")).isEmpty)
        guard case .joined = state.join(Named("2"), slot: 1, generation: 2, server: server(nil)) else {
            Issue.record("refused")
            return
        }
    }

    @Test("a stopped client has no connections and no changes to tell")
    func stops() {
        var state = ClientState<Named>(slots: 1)
        let connection = Named("1")
        _ = state.join(connection, slot: 0, generation: 1, server: server("a"))
        state.stop()
        #expect(state.next()?.name == nil)
        #expect(state.status.phase == .stopped)
        #expect(state.leave(connection, slot: 0, because: lost) == .none)
        #expect(state.status.phase == .stopped)
    }
}
