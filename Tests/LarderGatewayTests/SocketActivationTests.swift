import Foundation
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// Sockets that a service manager opens. The test is the manager, and starts real programs.
@Suite(.timeLimit(.minutes(5))) struct SocketActivationTests {
    private static func path() -> String {
        FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString.prefix(8)).sock").path
    }

    @Test func `The gateway accepts connections on the sockets that it gets, by their names`() async throws {
        let path = Self.path()
        defer { unlink(path) }
        let sockets = [
            try ListeningSocket(named: "admin", at: SocketAddress(unixDomainSocketPath: path)),
            try ListeningSocket(named: "listen"), try ListeningSocket(named: "listen"),
        ]
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "page")
        } _: { origin in
            // The setting `listen` is the address of a server that runs, and would fail.
            let arguments = ["serve", "--origin", "http://localhost:\(origin.port)", "--listen", "[::1]:1"]
            try await ProgramProcess.run("larder", arguments, sockets: sockets) { gateway in
                for socket in sockets.dropFirst() {
                    #expect(try await Wire.send("GET", "/", to: socket.port).text == "page")
                    // The routes for administration have their own socket, apart from those about health.
                    #expect(try await Wire.send("GET", "/-/larder/health", to: socket.port).status == 200)
                    #expect(try await Wire.send("GET", "/-/larder/metrics/cache", to: socket.port).status == 404)
                }
                let metrics = try await Self.curl(path, "http://localhost/-/larder/metrics/cache")
                #expect(metrics.contains("\"hits\""), "\(metrics)")
                let port = sockets[1].port
                let warning = "[::1]:1 is not used: the inherited socket listens on 127.0.0.1:\(port)"
                #expect(gateway.output.contains("--listen: warning: " + warning), "\(gateway.output)")
                #expect(gateway.output.contains("Listening for admin requests on an inherited socket"))
                #if os(Linux)
                    // The descriptors are closed in processes that the gateway might start (O_CLOEXEC).
                    for descriptor in 3...5 {
                        let info = try String(
                            contentsOfFile: "/proc/\(gateway.pid)/fdinfo/\(descriptor)",
                            encoding: .utf8
                        )
                        let flags = info.firstMatch(of: /flags:\s*([0-7]+)/).flatMap { Int($0.1, radix: 8) } ?? 0
                        #expect(flags & 0o2_000_000 != 0, "\(info)")
                    }
                #endif
            }
        }
    }

    /// Returns the output of curl for a URL that is requested on a Unix socket.
    private static func curl(_ socket: String, _ url: String) async throws -> String {
        let arguments = ["curl", "-sS", "--unix-socket", socket, url]
        return try await ProgramProcess.run("/usr/bin/env", arguments, environment: ["PATH": "/usr/bin:/bin"]) { curl in
            _ = try await curl.status()
            return curl.output
        }
    }

    @Test(arguments: [nil, "larder.socket", "unknown"] as [String?])
    func `A socket without a name of its own takes the place of listen`(_ name: String?) async throws {
        let socket = try ListeningSocket(named: name)
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(socket.port)"]
        try await ProgramProcess.run("larder", arguments, sockets: [socket]) { gateway async throws in
            #expect(try await Wire.send("GET", "/-/larder/health", to: socket.port).status == 200)
            #expect(!gateway.output.contains("is not used"), "\(gateway.output)")
        }
    }

    @Test func `Sockets that are meant for another process are not used`() async throws {
        let (socket, port) = (try ListeningSocket(), try FreePort.take())
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
        let environment = ["LISTEN_FDS": "1", "LISTEN_PID": "1"]
        try await ProgramProcess.run("larder", arguments, environment: environment) { gateway in
            try await gateway.listens(on: port)
            #expect(!gateway.output.contains("inherited"), "\(gateway.output)")
        }
        _ = socket
    }

    @Test func `Connections wait while no gateway runs, and requests on them are answered by the next one`()
        async throws
    {
        let socket = try ListeningSocket(named: "listen")
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.body)
        } _: { origin in
            let arguments = ["serve", "--origin", origin.url, "--drain-delay", "0s"]
            for round in 0..<2 {
                let waiting = (0..<2).map { client in
                    Task { try await Wire.send("POST", "/", body: "\(client) \(round)", to: socket.port).text }
                }
                try await ProgramProcess.run("larder", arguments, sockets: [socket]) { gateway in
                    for (client, request) in waiting.enumerated() {
                        #expect(try await request.value == "\(client) \(round)")
                    }
                    gateway.signal(SIGTERM)
                    let status = try await gateway.status()
                    #expect(status == 0)
                }
            }
            #expect(origin.requests.count == 4)
        }
    }

    @Test func `The limits of connections apply to inherited sockets`() async throws {
        let (socket, gate) = (try ListeningSocket(named: "listen"), Gate())
        try await ScriptedOrigin.answering { request in
            await gate.pass()
            return answer("200 OK", ["Cache-Control: no-store"], request.target)
        } _: { origin in
            let arguments = ["serve", "--origin", origin.url]
            let total = ["--client-connections", "1"]
            try await ProgramProcess.run("larder", arguments + total, sockets: [socket]) { _ in
                let requests = (0..<8).map { number in
                    Task { try await Wire.send("GET", "/\(number)", to: socket.port).text }
                }
                // The connection of a request under way is not closed for another one, which waits in the socket.
                await gate.reached()
                gate.open()
                for (number, request) in requests.enumerated() {
                    let text = try await request.value
                    #expect(text == "/\(number)")
                }
            }
            let each = ["--client-connections-per-address", "1"]
            try await ProgramProcess.run("larder", arguments + each, sockets: [socket]) { gateway in
                try await eventually("it listens") { gateway.output.contains("Listening on an inherited socket") }
                try await Wire.open(to: socket.port) { wire in
                    try await wire.send("GET", "/a")
                    #expect(try await wire.answer().text == "/a")
                    await #expect(throws: (any Error).self) { try await Wire.send("GET", "/b", to: socket.port) }
                    try await wire.send("GET", "/c")
                    #expect(try await wire.answer().text == "/c")
                }
            }
        }
    }

    @Test func `A descriptor that is not a listening stream socket is one clear error`() async throws {
        let arguments = ["serve", "--origin", "http://127.0.0.1:9"]
        let path = Self.path()
        defer { unlink(path) }
        let file = "the descriptor 3 (\"listen\") "
        let expected = ": expected a listening stream socket (ListenStream= of the socket unit, with Accept=no)"
        let rows: [([ListeningSocket], String)] = [
            (
                [try ListeningSocket(named: "listen", listens: false)],
                file + "is a socket that does not listen" + expected
            ),
            (
                [try ListeningSocket(named: "listen", listens: false, isStream: false)],
                file + "is a socket of another type" + expected
            ),
            (
                [try ListeningSocket(named: "listen", at: SocketAddress(unixDomainSocketPath: path))],
                file + "is a Unix socket: expected a TCP socket, because only `admin` may be a Unix socket"
            ),
            (
                [try ListeningSocket(named: "web")],
                "the name \"web\" is unknown: expected `listen` or `admin` (FileDescriptorName= of the socket unit)"
            ),
            (
                [try ListeningSocket(named: "admin"), try ListeningSocket(named: "admin")],
                "there are two sockets with the name `admin`: expected one"
            ),
        ]
        for (sockets, message) in rows {
            try await ProgramProcess.run("larder", arguments, sockets: sockets) { gateway in
                let status = try await gateway.status()
                #expect(status == EX_CONFIG && gateway.output == "LISTEN_FDS: error: \(message)\n", "\(gateway.output)")
            }
        }
    }

    @Test(arguments: [
        ("0", nil, "\"0\" is invalid: expected a number from 1 to 64"), ("65", nil, "\"65\" is invalid"),
        ("-1", nil, "\"-1\" is invalid"), ("99999999999999999999", nil, "is invalid"), ("", nil, "\"\" is invalid"),
        ("2", "listen", "LISTEN_FDNAMES has 1 names for 2 descriptors: expected one for each"),
        ("1", String(repeating: ":", count: 100_000), "LISTEN_FDNAMES has 65 names for 1 descriptors"),
    ]) func `Variables that do not agree are one clear error`(_ count: String, _ names: String?, _ message: String) {
        var environment = ["LISTEN_FDS": count, "LISTEN_PID": "42"]
        environment["LISTEN_FDNAMES"] = names
        do {
            _ = try InheritedSockets(environment: environment, process: 42)
            Issue.record("the variables were accepted")
        } catch {
            #expect("\(error)".hasPrefix("LISTEN_FDS: error: ") && "\(error)".contains(message), "\(error)")
        }
        #expect((try? InheritedSockets(environment: environment, process: 43)) == InheritedSockets.none)
    }

    @Test func `Rules about addresses apply to the addresses of inherited sockets`() async throws {
        let socket = try ListeningSocket(at: SocketAddress(ipAddress: "0.0.0.0", port: 0))
        let options = ["serve", "--origin", "http://127.0.0.1:9", "--admin-access", "loopback"]
        try await ProgramProcess.run("larder", options, sockets: [socket]) { gateway in
            let status = try await gateway.status()
            let message = "`loopback` needs a gateway that other machines cannot reach, but they can reach 0.0.0.0:"
            #expect(status == EX_CONFIG && gateway.output.hasPrefix("--admin-access: error: " + message))
        }
    }
}
