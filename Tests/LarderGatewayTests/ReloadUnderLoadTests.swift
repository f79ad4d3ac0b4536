import Foundation
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import TestHelpers
import Testing

/// Reloads of everything that can be reloaded, while clients send requests on keep-alive connections.
@Suite(.timeLimit(.minutes(5))) struct ReloadUnderLoadTests {
    private static let rounds = 12

    /// The files of a gateway. Each round has other settings, another access log, and another certificate.
    private struct Files {
        let directory: URL
        let port: Int
        let origin: String
        /// The certificates to alternate between; empty for a gateway without TLS.
        let certificates: [Certificate]

        var configuration: URL { directory.appending(path: "larder.yaml") }

        func write(round: Int) throws {
            let isOdd = round % 2 == 1
            var lines = [
                "listen: 127.0.0.1:\(port)", "origin: \(origin)", "connect-timeout: \(60 + round)s",
                "name: Gateway\(round)", "header-limit: \(16 + round)KiB", "client-idle-timeout: \(60 + round)s",
                "client-connections: \(isOdd ? 1_000 : 100)",
                "client-connections-per-address: \(isOdd ? "off" : "100")",
                "spool-limit: \(isOdd ? "1MiB" : "0")", "spool-space: \(64 + round)MiB",
                "spool-directory: \(directory.path)", "in-flight-limit: \(8 + round)MiB",
                "half-close: \(isOdd ? "allow" : "leave")", "drain-timeout: \(30 + round)s", "drain-delay: 0s",
                "admin-prefix: /admin\(round)", "access-log: \(directory.path)/access-\(round / 2).log",
                "routes: [{path: /hit, ttl: \(60 + round)s, query: {ignore: [n]}}]",
            ]
            if !certificates.isEmpty {
                let pair = certificates[round % certificates.count]
                lines += ["certificate: \(pair.certificate)", "private-key: \(pair.privateKey)"]
            }
            try Data(lines.joined(separator: "\n").utf8).write(to: configuration)
        }

        /// Moves an access log away, as a log rotation does.
        func rotateLog(_ round: Int) throws {
            let name = "access-\(round / 2).log"
            let file = directory.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { return }
            try FileManager.default.moveItem(at: file, to: directory.appending(path: "\(round)-\(name)"))
        }

        /// Returns the targets of all lines of all access logs.
        func loggedTargets() throws -> [String] {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            return try names.filter { $0.hasSuffix(".log") }.flatMap { name in
                let text = try String(contentsOf: directory.appending(path: name), encoding: .utf8)
                return text.split(separator: "\n").map { String($0.split(separator: " ")[6]) }
            }
        }
    }

    private static func target(_ client: Int, _ number: Int) -> String {
        number % 3 == 0 ? "/hit?n=\(client)-\(number)" : "/\(client)-\(number)"
    }

    /// Sends requests on one connection, which must stay open.
    private static func load(
        _ client: Int,
        to port: Int,
        isSecure: Bool,
        until isDone: NIOLockedValueBox<Bool>,
        _ answered: NIOLockedValueBox<[String]>
    ) async throws {
        func send(_ request: (_ method: String, _ target: String) async throws -> String) async throws {
            for number in 0... {
                guard !isDone.withLockedValue({ $0 }) else { return }
                let (method, target) = (number % 3 == 1 && !isSecure ? "POST" : "GET", target(client, number))
                let text = try await request(method, target)
                #expect(text == (target.hasPrefix("/hit") ? "hit" : target))
                answered.withLockedValue { $0.append(target) }
            }
        }
        if isSecure {
            try await HTTP2Wire.open(to: port) { wire in
                try await send { try await wire.send($0, $1).text }
            }
        } else {
            try await Wire.open(to: port) { wire in
                try await send { method, target in
                    try await wire.send(method, target, body: method == "POST" ? "content" : nil)
                    let response = try await wire.answer()
                    #expect(response.fields[.connection] == nil)
                    return response.text
                }
            }
        }
    }

    /// Returns the certificate that a new connection gets.
    private static func certificate(of port: Int) async throws -> NIOSSLCertificate? {
        try await HTTP2Wire.open(to: port) { wire in
            _ = try await wire.send("GET", "/certificate")
            return try await wire.channel.nioSSL_peerCertificate().get()
        }
    }

    @Test(arguments: [false, true])
    func `Reloads close no connection, and lose no request and no line of the access log`(
        _ isSecure: Bool
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let names = isSecure ? ["one", "two"] : []
        let certificates = try names.map { try Certificate(for: "DNS:localhost", in: directory, named: $0) }
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.target == "/hit" ? "hit" : request.target)
        } _: { origin in
            let port = try FreePort.take()
            let files = Files(directory: directory, port: port, origin: origin.url, certificates: certificates)
            try files.write(round: 0)
            let answered = try await Self.reload(files, isSecure)
            let logged = try files.loggedTargets().filter { $0 != "/certificate" }
            #expect(logged.sorted() == answered.sorted())
            let posts = origin.requests.filter { $0.method == "POST" }.map(\.target)
            #expect(posts.count == Set(posts).count)
        }
    }

    /// Reloads a gateway under load.
    /// - Returns: The targets of the requests that were answered.
    private static func reload(_ files: Files, _ isSecure: Bool) async throws -> [String] {
        let (isDone, answered) = (NIOLockedValueBox(false), NIOLockedValueBox([String]()))
        try await ProgramProcess.run("larder", ["serve", "--config", files.configuration.path]) { gateway in
            try await gateway.listens(on: files.port)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<12 {
                    group.addTask {
                        try await load(client, to: files.port, isSecure: isSecure, until: isDone, answered)
                    }
                }
                for round in 1...rounds {
                    let count = answered.withLockedValue { $0.count } + 60
                    try await eventually("there is load") { answered.withLockedValue { $0.count } > count }
                    try files.rotateLog(round - 1)
                    try files.write(round: round)
                    gateway.signal(SIGHUP)
                    try await eventually("it reloads: \(gateway.output)") {
                        gateway.output.components(separatedBy: "Reloaded the configuration").count > round
                    }
                    guard isSecure else { continue }
                    let pair = files.certificates[round % 2]
                    let expected = try NIOSSLCertificate.fromPEMFile(pair.certificate)[0]
                    #expect(try await certificate(of: files.port) == expected)
                }
                isDone.withLockedValue { $0 = true }
                try await group.waitForAll()
            }
            #expect(!gateway.output.contains("restart") && !gateway.output.contains(" error"), "\(gateway.output)")
            gateway.signal(SIGTERM)
            let status = try await gateway.status()
            #expect(status == 0)
        }
        return answered.withLockedValue { $0 }
    }
}
