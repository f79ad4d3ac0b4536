import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The number of requests that are sent and not answered when `larder` is stopped under load.
struct Stopping {
    /// The number of persistent connections, each with one request after the other.
    private static let connections = 52
    /// The program.
    let program: URL

    /// Creates a measurement of the program in the same directory as this one.
    init() {
        program = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "larder")
    }

    /// The load: the requests that clients send until a response ends their connection, or until no connection is
    /// accepted any more.
    private enum Load: String, CaseIterable {
        case get = "GET, keep-alive"
        case post = "POST, keep-alive"
        case newConnections = "GET, new connections"
    }

    /// Measures SIGTERM, with a delay of a second, and SIGINT.
    /// - Parameters:
    ///   - origin: The port of a server on this machine.
    ///   - path: The path that is requested.
    func measure(origin: Int, path: String) throws {
        print("\nlarder gets | clients of \(Self.connections) connections | requests | lost")
        for (name, signal) in [("SIGTERM", SIGTERM), ("SIGINT", SIGINT)] {
            for load in Load.allCases {
                let proxy = try RunningProxy(
                    .larder(program, options: ["--drain-delay", "1s"]),
                    origin: origin,
                    cores: 0..<1
                )
                defer { proxy.end() }
                let (answered, lost) = try put(load, on: proxy.port, path) { proxy.send(signal) }
                let columns = [
                    name.padding(toLength: 11, withPad: " ", startingAt: 0),
                    load.rawValue.padding(toLength: 25, withPad: " ", startingAt: 0),
                    "\(answered)".padded(to: 8), "\(lost)",
                ]
                print(columns.joined(separator: " | "))
            }
        }
    }

    /// Keeps connections busy until the server ends them.
    /// - Parameter stop: Called when the connections have been busy for a second.
    private func put(
        _ load: Load,
        on port: Int,
        _ path: String,
        _ stop: () -> Void
    ) throws -> (answered: Int, lost: Int) {
        let tally = Tally()
        let group = DispatchGroup()
        for _ in 0..<Self.connections {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                // A refused connection has no request to lose.
                while let connection = try? Connection(port: port) {
                    do {
                        try Self.use(connection, load, path, tally)
                    } catch {
                        return tally.add(false)
                    }
                    if load != .newConnections { return }
                }
            }
        }
        Thread.sleep(forTimeInterval: 1)
        stop()
        group.wait()
        let (asked, answered) = try tally.finish()
        return (answered, asked - answered)
    }

    /// Sends one request, or as many as the connection takes.
    private static func use(_ connection: Connection, _ load: Load, _ path: String, _ tally: Tally) throws {
        while true {
            let head = try (load == .post ? connection.post(path) : connection.get(path)).head
            tally.add(true)
            if load == .newConnections || head.lowercased().contains("connection: close") { return }
        }
    }
}

extension String {
    /// Returns the text, aligned to the right of a column.
    fileprivate func padded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
