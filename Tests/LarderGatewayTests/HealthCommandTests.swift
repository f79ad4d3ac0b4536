import Foundation
import TestHelpers
import Testing

/// The command `larder health`, which the health checks of containers run.
@Suite(.timeLimit(.minutes(5))) struct HealthCommandTests {
    private static func health(
        _ arguments: [String] = [],
        _ environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String) {
        try await ProgramProcess.run("larder", ["health"] + arguments, environment: environment) { program in
            (try await program.status(), program.output)
        }
    }

    @Test func `The status says if a gateway with the same environment works, and if it is ready`() async throws {
        let port = try FreePort.take()
        // The gateway listens on all addresses.
        let environment = ["LARDER_LISTEN": "0.0.0.0:\(port)", "LARDER_ADMIN_PREFIX": "/_cache"]
        let url = "http://127.0.0.1:\(port)/_cache"
        let before = try await Self.health([], environment)
        #expect(before.status == 1)
        #expect(before.output.hasPrefix("larder: error: \(url)/health did not answer: the connection was refused"))
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--drain-delay", "10m"]
        try await ProgramProcess.run("larder", arguments, environment: environment) { gateway in
            try await gateway.listens(on: port)
            for (options, route) in [([String](), "health"), (["--ready"], "ready")] {
                let answer = try await Self.health(options, environment)
                #expect(answer.status == 0 && answer.output == "\(url)/\(route) answered with status 200\n")
            }
            gateway.signal(SIGTERM)
            try await eventually("it drains") { gateway.output.contains("Draining") }
            #expect(try await Self.health([], environment).status == 0)
            let ready = try await Self.health(["--ready"], environment)
            #expect(ready.status == 1 && ready.output == "larder: error: \(url)/ready answered with status 503\n")
        }
    }

    @Test func `The address is that of the configuration file, also with TLS`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        // No client would trust this certificate, and it is for another host.
        let certificate = try Certificate(for: "DNS:shop.example", in: directory)
        let (file, port) = (directory.appending(path: "larder.yaml"), try FreePort.take())
        let lines = [
            "listen: 127.0.0.1:\(port)", "certificate: \(certificate.certificate)",
            "private-key: \(certificate.privateKey)", "hosts: [shop.example]",
        ]
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        let arguments = ["serve", "--config", file.path, "--origin", "http://127.0.0.1:9"]
        try await ProgramProcess.run("larder", arguments) { gateway in
            try await gateway.listens(on: port)
            // The file does not have an origin, which health does not need.
            for (arguments, environment) in [
                (["--config", file.path], [:]), ([], ["LARDER_CONFIG": file.path]),
                (["--url", "https://127.0.0.1:\(port)/-/larder/health"], [:]),
            ] {
                let answer = try await Self.health(arguments, environment)
                #expect(answer.status == 0, "\(answer.output)")
            }
        }
    }

    @Test func `A gateway that does not answer in time is not healthy`() async throws {
        try await ScriptedOrigin.run { connection in
            // The origin never responds.
            while try await connection.request() != nil {}
        } _: { origin in
            let answer = try await Self.health(["--url", origin.url, "--timeout", "1"])
            #expect(answer.status == 1 && answer.output.hasPrefix("larder: error: \(origin.url) did not answer: "))
        }
    }

    @Test(arguments: [
        (["--url", "nowhere"], EX_USAGE), (["--url", "ftp://a/"], EX_USAGE), (["--timeout", "0"], EX_USAGE),
        (["--config", "/no/such.yaml"], EX_NOINPUT),
    ]) func `Wrong use is reported`(_ arguments: [String], _ expected: Int32) async throws {
        let answer = try await Self.health(arguments)
        #expect(answer.status == expected && answer.output.lowercased().contains("error: "), "\(answer.output)")
        let automatic = try await Self.health([], ["LARDER_LISTEN": "127.0.0.1:0"])
        #expect(automatic.status == EX_USAGE && automatic.output.contains("give --url"))
    }
}
