import Foundation
import NIOCore
import TestHelpers
import Testing

/// The messages that the program sends to a service manager, as systemd receives them.
@Suite(.timeLimit(.minutes(5))) struct ServiceManagerTests {
    private static func serve(
        _ name: String,
        _ environment: [String: String] = [:],
        _ options: [String] = [],
        _ test: (ProgramProcess, NotificationSocket, Int) async throws -> Void
    ) async throws {
        let (socket, port) = (try NotificationSocket(name), try FreePort.take())
        let environment = environment.merging(["NOTIFY_SOCKET": name]) { own, _ in own }
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
        try await ProgramProcess.run("larder", arguments + options, environment: environment) { gateway in
            try await test(gateway, socket, port)
        }
    }

    /// A path in the folder of temporary files, and an abstract name.
    private static var names: [String] {
        let name = "larder-\(UUID().uuidString.prefix(8))"
        return [FileManager.default.temporaryDirectory.appending(path: name).path, "@" + name]
    }

    #if os(Linux)
        @Test func `The service manager is told when the gateway is ready, reloads and stops`() async throws {
            for name in Self.names {
                try await Self.serve(name) { gateway, manager, port in
                    try await manager.receives("READY=1")
                    // It accepts connections by now.
                    #expect(try await Wire.send("GET", "/-/larder/health", to: port).status == 200)
                    #expect(manager.lines.contains("STATUS=Serving http://127.0.0.1:9 on 127.0.0.1:\(port)"))
                    let before = NIODeadline.now().uptimeNanoseconds / 1_000
                    gateway.signal(SIGHUP)
                    try await manager.receives("READY=1", 2)
                    let lines = manager.lines
                    let reload = try #require(lines.firstIndex(of: "RELOADING=1"))
                    let time = try #require(lines[reload + 1].split(separator: "MONOTONIC_USEC=").first)
                    let after = NIODeadline.now().uptimeNanoseconds / 1_000
                    #expect((before...after).contains(UInt64(time) ?? 0))
                    #expect(lines.firstIndex(of: "READY=1") ?? .max < reload)
                    #expect(lines.lastIndex(of: "READY=1") ?? 0 > reload)
                    gateway.signal(SIGTERM)
                    try await manager.receives("STOPPING=1")
                    // drain-delay, drain-timeout and 10 seconds.
                    #expect(manager.lines.contains("EXTEND_TIMEOUT_USEC=45000000"))
                    gateway.signal(SIGTERM)
                    let status = try await gateway.status()
                    #expect(status == 0)
                    #expect(manager.lines.last?.hasPrefix("STATUS=Stopped listening; 0 requests") == true)
                    #expect(!manager.lines.contains("WATCHDOG=1"))
                }
                unlink(name)
            }
        }

        @Test func `A reload that fails ends with READY, and the status has the reason`() async throws {
            let file = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString).yaml")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data("log-level: info\n".utf8).write(to: file)
            try await Self.serve("@larder-\(UUID().uuidString)", [:], ["--config", file.path]) { gateway, manager, _ in
                try await manager.receives("READY=1")
                try Data("log-level: loud\nname: two words\n".utf8).write(to: file)
                gateway.signal(SIGHUP)
                try await manager.receives("READY=1", 2)
                let status = try #require(manager.lines.last)
                #expect(status.hasPrefix("STATUS=Serving, with the previous configuration: reloading failed: "))
                #expect(status.contains("larder.yaml") || status.contains(":1:12: error: "))
            }
        }

        @Test func `Signs of life are sent as long as event loops run, also while the gateway drains`() async throws {
            let name = "@larder-\(UUID().uuidString)"
            try await Self.serve(name, ["WATCHDOG_USEC": "40000"], ["--drain-delay", "10m"]) { gateway, manager, _ in
                try await manager.receives("WATCHDOG=1", 3)
                gateway.signal(SIGTERM)
                try await manager.receives("STOPPING=1")
                let count = manager.lines.count { $0 == "WATCHDOG=1" }
                try await manager.receives("WATCHDOG=1", count + 3)
                gateway.signal(SIGTERM)
                let status = try await gateway.status()
                #expect(status == 0)
            }
        }

        @Test func `Signs of life that another process is to send are not sent`() async throws {
            let name = "@larder-\(UUID().uuidString)"
            let watchdog = ["WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"]
            try await Self.serve(name, watchdog, ["--drain-delay", "100ms"]) { gateway, manager, _ in
                try await manager.receives("READY=1")
                gateway.signal(SIGTERM)
                let status = try await gateway.status()
                #expect(status == 0 && !manager.lines.contains("WATCHDOG=1"))
            }
        }
    #endif

    @Test func `A socket that is invalid, or that does not exist, is logged and does not prevent a start`() async throws
    {
        for (name, message) in [("nowhere", "NOTIFY_SOCKET is invalid"), ("/nowhere", "cannot be notified")] {
            let port = try FreePort.take()
            let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
            try await ProgramProcess.run("larder", arguments, environment: ["NOTIFY_SOCKET": name]) { gateway in
                try await gateway.listens(on: port)
                try await eventually("it is logged: \(gateway.output)") { gateway.output.contains(message) }
            }
        }
    }
}
