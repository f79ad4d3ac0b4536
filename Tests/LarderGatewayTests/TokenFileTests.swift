import Foundation
import HTTPTypes
import Larder
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// The token of the admin routes in a file.
@Suite(.timeLimit(.minutes(5))) struct TokenFileTests {
    private static func file(_ text: String = "", mode: mode_t = 0o600) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)").path
        try Data(text.utf8).write(to: URL(filePath: path))
        try #require(chmod(path, mode) == 0)
        return path
    }

    private static func status(_ port: Int, _ token: String) async throws -> Int {
        try await Wire.send("GET", "/-/larder/metrics/cache", ["Authorization: Bearer \(token)"], to: port).status
    }

    @Test(arguments: [
        ("0123456789abcdef", 0o600), ("\n 0123456789abcdef \r\n\n", 0o640), ("0123456789abcdef\n", 0o400),
    ])
    func `A token is read without the space around it`(_ text: String, _ mode: Int) throws {
        let path = try Self.file(text, mode: mode_t(mode))
        defer { unlink(path) }
        let token = try GatewayFiles.token(path)
        #expect(token.isSent(in: [.authorization: "Bearer 0123456789abcdef"]))
    }

    @Test func `A file that cannot be used is one clear error, without its content`() throws {
        let secret = "0123456789abcdef"
        let rows: [(String, Int, String)] = [
            ("", 0o600, "PATH is empty: expected at least 16 letters, digits, or -._~+/"),
            ("\n \n", 0o600, "PATH is empty"),
            ("short", 0o600, "the content of PATH is not a token: expected at least 16 letters"),
            (secret + " " + secret, 0o600, "the content of PATH is not a token"),
            (secret + "\u{FF}", 0o600, "the content of PATH is not a token"),
            (secret, 0o644, "PATH may be read by every user (0644): run chmod 600 or chmod 640 on it"),
            (secret, 0o604, "PATH may be read by every user (0604)"),
            (secret, 0o660, "PATH may be changed by other users than its owner (0660): run chmod 600"),
            (secret, 0o602, "PATH may be changed by other users than its owner (0602)"),
            (String(repeating: "a", count: 4_097), 0o600, "PATH is larger than 4 KiB"),
        ]
        for (text, mode, expected) in rows {
            let path = try Self.file(text, mode: mode_t(mode))
            defer { unlink(path) }
            let message = "admin-token-file: " + expected.replacing("PATH", with: path)
            do throws(GatewayError) {
                _ = try GatewayFiles.token(path)
                Issue.record("\(expected): the file was accepted")
            } catch {
                #expect("\(error)".hasPrefix(message), "\(error)")
                #expect(!"\(error)".contains(secret) && !"\(error)".contains("short"))
            }
        }
        let folder = FileManager.default.temporaryDirectory.path
        for (path, expected) in [("/no/such", "/no/such cannot be read: "), (folder, "\(folder) is not a file")] {
            do throws(GatewayError) {
                _ = try GatewayFiles.token(path)
                Issue.record("\(path) was accepted")
            } catch {
                #expect("\(error)".hasPrefix("admin-token-file: \(expected)"), "\(error)")
            }
        }
    }

    @Test func `The file is read again at each reload, and one that cannot be used changes nothing`() async throws {
        let (path, port) = (try Self.file("the-first-token-of-all\n"), try FreePort.take())
        defer { unlink(path) }
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
        try await ProgramProcess.run("larder", arguments, environment: ["LARDER_ADMIN_TOKEN_FILE": path]) { gateway in
            func reload(_ text: String, mode: mode_t = 0o600, _ message: String) async throws {
                let count = gateway.output.components(separatedBy: message).count
                try Data(text.utf8).write(to: URL(filePath: path))
                try #require(chmod(path, mode) == 0)
                gateway.signal(SIGHUP)
                try await eventually("\(message) is logged: \(gateway.output)") {
                    gateway.output.components(separatedBy: message).count > count
                }
            }
            try await gateway.listens(on: port)
            #expect(try await Self.status(port, "the-first-token-of-all") == 200)
            try await reload("the-second-token-of-all\n", "changed=admin-token-file")
            #expect(try await Self.status(port, "the-first-token-of-all") == 401)
            #expect(try await Self.status(port, "the-second-token-of-all") == 200)
            for (text, mode) in [("", mode_t(0o600)), ("the-third-token-of-all", 0o644), ("short", 0o600)] {
                try await reload(text, mode: mode, "A file cannot be used: its previous content stays in use")
                #expect(try await Self.status(port, "the-second-token-of-all") == 200)
            }
            try await reload("the-third-token-of-all", "changed=admin-token-file")
            #expect(try await Self.status(port, "the-third-token-of-all") == 200)
            #expect(!gateway.output.contains("token-of-all"), "\(gateway.output)")
        }
    }

    @Test func `A start and a check fail if the file cannot be used`() async throws {
        let path = try Self.file("0123456789abcdef", mode: 0o644)
        defer { unlink(path) }
        let configuration = try Self.file("origin: http://127.0.0.1:9\nadmin-token-file: \(path)\n")
        defer { unlink(configuration) }
        for arguments in [["serve", "--config", configuration], ["check", configuration]] {
            try await ProgramProcess.run("larder", arguments) { program in
                let status = try await program.status()
                let line = "\(configuration):2:19: error: `admin-token-file`: \(path) may be read by every user (0644)"
                #expect(status == EX_CONFIG && program.output.hasPrefix(line), "\(program.output)")
            }
        }
    }

    @Test func `A token that is given precedes one in a file, with a warning`() throws {
        let check = GatewayCheck.run("origin: http://o\nadmin-token: 0123456789abcdef\nadmin-token-file: /no/such\n")
        #expect(check.diagnostics.isEmpty)
        #expect(
            check.hints == ["3:19: `admin-token-file` has no effect, because `admin-token` is given: leave out one"]
        )
        let configuration = try GatewayConfiguration(
            environment: [
                "LARDER_ORIGIN": "http://o", "LARDER_ADMIN_TOKEN": "0123456789abcdef",
                "LARDER_ADMIN_TOKEN_FILE": "/no/such",
            ]
        )
        #expect(GatewayFiles.check(configuration).isEmpty)
    }

    @Test func `A file counts as a token for the rules about addresses`() throws {
        let environment = [
            "LARDER_ORIGIN": "http://o", "LARDER_ADMIN_LISTEN": "0.0.0.0:8001", "LARDER_ADMIN_TOKEN_FILE": "/a",
        ]
        #expect(try SettingsTests.read(environment).adminTokenFile == "/a")
    }
}
