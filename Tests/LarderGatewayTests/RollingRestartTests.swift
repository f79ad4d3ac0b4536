import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Restarts of gateways that share a listening socket, while clients send requests that must be neither lost nor sent
/// twice.
@Suite(.timeLimit(.minutes(5))) struct RollingRestartTests {
    /// What the clients have done so far.
    private final class Progress: Sendable {
        private let state = NIOLockedValueBox((answered: [String](), connections: 0, finished: 0, isDone: false))

        var answered: [String] { state.withLockedValue { $0.answered } }
        var count: Int { state.withLockedValue { $0.answered.count } }
        var connections: Int { state.withLockedValue { $0.connections } }
        var finished: Int { state.withLockedValue { $0.finished } }
        var isDone: Bool { state.withLockedValue { $0.isDone } }

        func noteAnswer(_ id: String) { state.withLockedValue { $0.answered.append(id) } }
        func noteConnection() { state.withLockedValue { $0.connections += 1 } }
        func noteFinished() { state.withLockedValue { $0.finished += 1 } }
        func finish() { state.withLockedValue { $0.isDone = true } }
    }

    private static let clients = 24

    /// Sends POST requests one after the other on a connection, until the response announces its end, and then on the
    /// next connection.
    /// - Parameter pause: The number of responses that other clients get between two requests.
    private static func post(_ client: Int, pausingFor pause: Int, to port: Int, _ progress: Progress) async throws {
        var number = 0
        while !progress.isDone {
            progress.noteConnection()
            try await Wire.open(to: port) { wire in
                var isOpen = true
                while isOpen, !progress.isDone {
                    let id = "\(client)-\(number)"
                    number += 1
                    // A client that paused may know that the connection was closed. Nothing is sent then.
                    do { try await wire.send("POST", "/", body: id) } catch ChannelError.ioOnClosedChannel { break }
                    let response = try await wire.answer()
                    #expect(response.status == 200 && response.text == id)
                    progress.noteAnswer(id)
                    isOpen = response.fields[.connection] != "close"
                    let next = progress.count + pause
                    if pause > 0 { try await eventually("others go on") { progress.count >= next || progress.isDone } }
                }
            }
        }
        progress.noteFinished()
    }

    /// Starts a gateway, stops the previous one, and continues with the next one.
    private static func roll(
        _ rounds: Int,
        _ arguments: [String],
        _ socket: ListeningSocket,
        _ progress: Progress,
        replacing previous: ProgramProcess? = nil
    ) async throws {
        try await ProgramProcess.run("larder", arguments, sockets: [socket]) { gateway in
            try await eventually("it listens: \(gateway.output)") { gateway.output.contains("Listening on an") }
            if let previous {
                previous.signal(SIGTERM)
                let status = try await previous.status()
                let isClean = previous.output.contains("Stopped: all requests were answered")
                #expect(status == 0 && isClean, "\(previous.output)")
            }
            let count = progress.count + 20 * clients
            try await eventually("there is load: \(gateway.output)") { progress.count >= count }
            if rounds > 1 {
                return try await roll(rounds - 1, arguments, socket, progress, replacing: gateway)
            }
            progress.finish()
            try await eventually("the clients end") { progress.finished == clients }
        }
    }

    @Test(arguments: ["1s", "0s"])
    func `Clients with keep-alive connections lose no POST, and no POST is sent twice`(_ delay: String) async throws {
        let (socket, progress) = (try ListeningSocket(named: "listen"), Progress())
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.body)
        } _: { origin in
            let arguments = ["serve", "--origin", origin.url, "--drain-delay", delay, "--connect-timeout", "60s"]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<Self.clients {
                    group.addTask {
                        try await Self.post(client, pausingFor: client % 6 == 0 ? 100 : 0, to: socket.port, progress)
                    }
                }
                group.addTask { try await Self.roll(5, arguments, socket, progress) }
                // The first error cancels the others.
                while try await group.next() != nil {}
            }
            let sent = origin.requests.compactMap(\.content)
            #expect(sent.count == Set(sent).count)
            #expect(sent.sorted() == progress.answered.sorted())
            // Every client had to change to the next gateway, four times.
            #expect(progress.connections >= 4 * Self.clients)
        }
    }
}
