import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a `larder` that is stopped under load costs its clients: requests that were sent and never answered.
struct Stopping {
    /// The connections that are kept alive, each with one request after the other.
    private static let connections = 52
    /// The program.
    let program: URL

    /// The program beside this one.
    init() {
        program = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "larder")
    }

    /// Measures SIGTERM, with a delay of a second, and SIGINT.
    /// - Parameters:
    ///   - origin: The port of a server on this machine.
    ///   - path: What it is asked for.
    func measure(origin: Int, path: String) throws {
        print("larder gets | connections | requests | lost")
        for (name, signal) in [("SIGTERM", SIGTERM), ("SIGINT", SIGINT)] {
            let proxy = try RunningProxy(.larder(program, options: ["--drain-delay", "1s"]), origin: origin, core: 0)
            defer { proxy.end() }
            let (answered, lost) = try load(proxy.port, path) { proxy.send(signal) }
            let columns = [
                name.padding(toLength: 11, withPad: " ", startingAt: 0), "\(Self.connections)".padded(to: 11),
            ]
            print((columns + ["\(answered)".padded(to: 8), "\(lost)"]).joined(separator: " | "))
        }
    }

    /// Keeps connections busy until the server ends them.
    /// - Parameter stop: Is called when they have been busy for a second.
    private func load(_ port: Int, _ path: String, _ stop: () -> Void) throws -> (answered: Int, lost: Int) {
        let tally = Tally()
        let group = DispatchGroup()
        for _ in 0..<Self.connections {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                do {
                    let connection = try Connection(port: port)
                    var isLast = false
                    while !isLast {
                        isLast = try connection.get(path).head.lowercased().contains("connection: close")
                        tally.add(true)
                    }
                } catch {
                    tally.add(false)
                }
            }
        }
        Thread.sleep(forTimeInterval: 1)
        stop()
        group.wait()
        let (asked, answered) = try tally.finish()
        return (answered, asked - answered)
    }
}

extension String {
    /// The text at the right of a column.
    fileprivate func padded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
