import NIOCore
import Testing

@testable import RedisClient

/// A stand-in for a connection that has only a name.
private final class Named: Sendable {
    let name: String
    init(_ name: String) { self.name = name }
}

@Suite(.timeLimit(.minutes(5))) struct ClientStateTests {
    private let lost = RedisError(.connectionLost, "lost")

    private func server(_ runID: String?) -> RedisServer {
        RedisServer(runID: runID, version: "7", role: "master")
    }

    @Test func `Connections are used in turn, and empty slots are skipped`() {
        var state = ClientState<Named>(slots: 3)
        #expect(state.next()?.name == nil)
        _ = state.identify(server("a"))
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server("a"))
        _ = state.join(Named("2"), slot: 2, generation: 2, server: server("a"))
        let names = (0..<4).compactMap { _ in state.next()?.name }
        #expect(names == ["2", "1", "2", "1"])
    }

    @Test func `Large commands share the last connection, and small ones avoid one that awaits many bytes`() {
        var state = ClientState<Named>(slots: 3)
        #expect(state.next(weight: 1_000_000)?.name == nil)
        _ = state.identify(server("a"))
        for slot in 0..<3 {
            _ = state.join(Named("\(slot)"), slot: slot, generation: slot + 1, server: server("a"))
        }
        #expect((0..<3).map { _ in state.next(weight: RedisCommand.largeWeight)?.name } == ["2", "2", "2"])
        let idle = (0..<6).compactMap { _ in state.next(weight: RedisCommand.largeWeight - 1)?.name }
        #expect(Set(idle) == ["0", "1", "2"])
        let busy = (0..<6).compactMap { _ in state.next { $0.name == "2" ? 500_000 : 100 }?.name }
        #expect(Set(busy) == ["0", "1"])
        // If all connections await many bytes, the one that awaits the fewest is used.
        let all = (0..<3).compactMap { _ in state.next { $0.name == "1" ? 70_000 : 500_000 }?.name }
        #expect(all == ["1", "1", "1"])
    }

    @Test(arguments: ["WRONGPASS invalid password", "NOAUTH HELLO must be called", "NOPERM no permissions"])
    func `A refusal of the user is a change once, while there is no connection`(_ message: String) {
        var state = ClientState<Named>(slots: 1)
        let refusal = RedisError.refused(RedisReplyError(message))
        #expect(refusal.accessRefusal?.code == message.split(separator: " ").first.map(String.init))
        let changes = [lost, refusal, refusal, lost].map { state.leave(nil, slot: 0, because: $0) }
        #expect(changes == [.down, .refused, .none, .none])
        _ = state.identify(server("a"))
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server("a"))
        // Another slot is refused while this one has a connection.
        let change = state.leave(nil, slot: 0, because: refusal)
        #expect(change == .none && state.status.phase == .connected)
        #expect(RedisReplyError("LOADING Redis is loading").accessRefusal == nil)
    }

    @Test func `Large commands use another connection if the last slot is empty`() {
        var state = ClientState<Named>(slots: 2)
        _ = state.identify(server("a"))
        _ = state.join(Named("0"), slot: 0, generation: 1, server: server("a"))
        #expect(state.next(weight: 1_000_000)?.name == "0")
    }

    @Test func `The awaited bytes of a connection are those sent and those expected, until they are answered`() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var state = ConnectionState<Int>(
            limits: RESPLimits(),
            silenceLimit: .seconds(1),
            timeouts: .init(),
            now: start
        )
        for (waiter, expected) in [(1, 500), (2, -7), (3, Int.max)] {
            guard
                case .send(let id) = state.enqueue(
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
            // The reply to a caller that has left is still awaited.
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

    @Test func `The phase follows the connections, and each change is reported once`() {
        var state = ClientState<Named>(slots: 2)
        let (one, two) = (Named("1"), Named("2"))
        var told: [ClientState<Named>.Change] = []
        #expect(state.status.phase == .connecting)
        told.append(state.leave(nil, slot: 0, because: lost))
        told.append(state.leave(nil, slot: 1, because: lost))
        #expect(state.status.phase == .down)
        for (connection, slot) in [(one, 0), (two, 1)] {
            _ = state.identify(server("a"))
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

    @Test func `A connection that ends late does not remove its successor`() {
        var state = ClientState<Named>(slots: 1)
        let (old, new) = (Named("old"), Named("new"))
        _ = state.join(old, slot: 0, generation: 1, server: server("a"))
        _ = state.join(new, slot: 0, generation: 2, server: server("a"))
        #expect(state.leave(old, slot: 0, because: lost) == .none)
        #expect(state.next()?.name == "new")
    }

    @Test func `Only connections to the server that was reached last are used`() {
        var state = ClientState<Named>(slots: 2)
        #expect(state.identify(server("a")).isEmpty)
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server("a"))
        #expect(state.identify(server("a")).isEmpty)
        #expect(state.identify(server("b")).map(\.name) == ["1"])
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

    @Test func `A server without a run ID is not considered a different server`() {
        var state = ClientState<Named>(slots: 2)
        #expect(state.identify(server(nil)).isEmpty)
        _ = state.join(Named("1"), slot: 0, generation: 1, server: server(nil))
        #expect(state.identify(server(nil)).isEmpty)
        #expect(state.identify(server("a")).isEmpty)
        guard case .joined = state.join(Named("2"), slot: 1, generation: 2, server: server(nil)) else {
            Issue.record("refused")
            return
        }
    }

    @Test func `A stopped client has no connections and does not report changes`() {
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
