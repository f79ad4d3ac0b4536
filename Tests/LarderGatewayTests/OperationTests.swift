import Foundation
import NIOCore
import NIOSSL
import TestHelpers
import Testing

/// The tasks of an operator: to replace certificates, check files, and ask for explanations.
@Suite(.timeLimit(.minutes(5))) struct OperationTests {
    /// Creates a directory that is removed after `body`.
    private static func directory(_ body: (URL) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await body(directory)
    }

    /// Returns the certificate that a new connection gets.
    private static func certificate(of port: Int) async throws -> NIOSSLCertificate? {
        try await HTTP2Wire.open(to: port) { wire in
            #expect(try await wire.send("GET", "/").status == "200")
            return try await wire.channel.nioSSL_peerCertificate().get()
        }
    }

    @Test func `New connections get a replaced certificate, old ones continue, and an unusable one changes nothing`()
        async throws
    {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "page")
        } _: { origin in
            try await Self.directory { try await Self.expectReplacement(in: $0, before: origin.url) }
        }
    }

    private static func expectReplacement(in directory: URL, before origin: String) async throws {
        let names = "DNS:localhost,IP:127.0.0.1"
        let pairs = try ["one", "two"].map { try Certificate(for: names, in: directory, named: $0) }
        let expected = try pairs.map { try NIOSSLCertificate.fromPEMFile($0.certificate)[0] }
        let (file, port) = (directory.appending(path: "larder.yaml"), try FreePort.take())
        let (chain, key) = (directory.appending(path: "server.crt"), directory.appending(path: "server.key"))
        func install(_ certificate: String, _ privateKey: String) throws {
            try Data(contentsOf: URL(filePath: certificate)).write(to: chain)
            try Data(contentsOf: URL(filePath: privateKey)).write(to: key)
        }
        func write(_ lines: String...) throws {
            let all = ["origin: \(origin)", "certificate: \(chain.path)", "private-key: \(key.path)"] + lines
            try Data(all.joined(separator: "\n").utf8).write(to: file)
        }
        try install(pairs[0].certificate, pairs[0].privateKey)
        try write("listen: 127.0.0.1:\(port)")
        try await ProgramProcess.run("larder", ["serve", "--config", file.path]) { gateway in
            try await gateway.listens(on: port)
            try await HTTP2Wire.open(to: port) { old in
                #expect(try await old.send("GET", "/").status == "200")
                #expect(try await certificate(of: port) == expected[0])
                try install(pairs[1].certificate, pairs[1].privateKey)
                try write("listen: 127.0.0.1:1", "memory-limit: 64MiB", "log-level: debug")
                gateway.signal(SIGHUP)
                try await eventually("the settings that need a restart are logged: \(gateway.output)") {
                    gateway.output.contains("Settings that changed need a restart")
                }
                let lines = gateway.output.split(separator: "\n")
                #expect(lines.contains { $0.contains("Reloaded") && $0.contains("log-level, certificate") }, "\(lines)")
                #expect(lines.contains { $0.contains("restart") && $0.contains("listen, memory-limit") }, "\(lines)")
                #expect(try await certificate(of: port) == expected[1])
                // The first row has the key of another certificate, and the second a truncated file.
                for (certificate, privateKey) in [(pairs[1].certificate, pairs[0].privateKey), (file.path, file.path)] {
                    let count = gateway.output.components(separatedBy: "A file cannot be used").count
                    try install(certificate, privateKey)
                    gateway.signal(SIGHUP)
                    try await eventually("the error is logged: \(gateway.output)") {
                        gateway.output.components(separatedBy: "A file cannot be used").count > count
                    }
                    #expect(try await Self.certificate(of: port) == expected[1])
                }
                #expect(try await old.send("GET", "/").status == "200")
            }
        }
    }

    @Test func `A file above the size limit of configurations is not read whole`() async throws {
        try await Self.directory { directory in
            let file = directory.appending(path: "larder.yaml")
            try Data("origin: http://127.0.0.1:9\n".utf8).write(to: file)
            try #require(truncate(file.path, 1 << 40) == 0)
            try await ProgramProcess.run("larder", ["check", file.path]) { program in
                let status = try await program.status()
                #expect(status == EX_CONFIG && program.output.contains("larger than 1 MiB"), "\(program.output)")
            }
        }
    }

    @Test func `A configuration is read from a pipe to its end`() async throws {
        try await Self.directory { directory in
            let pipe = directory.appending(path: "larder.yaml").path
            try #require(mkfifo(pipe, 0o600) == 0)
            // More than a pipe returns at a time, with an error at the end.
            let comments = String(repeating: "# a comment\n", count: 20_000)
            let text = Data("origin: http://127.0.0.1:9\n\(comments)nonsense: 1\n".utf8)
            Thread.detachNewThread {
                let writer = FileHandle(forWritingAtPath: pipe)
                try? writer?.write(contentsOf: text)
                try? writer?.close()
            }
            try await ProgramProcess.run("larder", ["check", pipe]) { program in
                let status = try await program.status()
                #expect(status == EX_CONFIG && program.output.contains("20002:1: error: "), "\(program.output)")
            }
        }
    }

    @Test func `A check finds the faults that prevent a start`() async throws {
        try await Self.directory { directory in
            let pairs = try ["one", "two"].map { try Certificate(for: "DNS:localhost", in: directory, named: $0) }
            let file = directory.appending(path: "larder.yaml")
            let (one, two) = (pairs[0], pairs[1])
            let rows: [([String], [String])] = [
                (
                    [
                        "certificate: \(one.certificate)", "private-key: \(one.privateKey)",
                        "access-log: \(directory.path)/a.log",
                    ], []
                ),
                (
                    ["certificate: \(one.certificate)", "private-key: \(two.privateKey)"],
                    ["3:14: error: `private-key`: "]
                ),
                (
                    ["certificate: /no/such.crt", "private-key: \(one.privateKey)"],
                    ["2:14: error: `certificate`: /no/such.crt "]
                ),
                (
                    ["certificate: \(one.certificate)", "private-key: /no/such.key"],
                    ["3:14: error: `private-key`: /no/such.key "]
                ),
                (["origin-ca: /no/such.ca"], ["2:12: error: `origin-ca`: /no/such.ca "]),
                (["origin-ca: \(one.privateKey)"], ["2:12: error: `origin-ca`: "]),
                (["access-log: /no/such/directory/a.log"], ["2:13: error: `access-log`: /no/such/directory/a.log"]),
                (["access-log: \(directory.path)"], ["2:13: error: `access-log`: "]),
                (
                    ["origin-ca: /no/such.ca", "access-log: /no/such/a.log"],
                    ["2:12: error: `origin-ca`", "3:13: error: `access-log`"]
                ),
                (["store: redis://127.0.0.1:99999"], ["2:8: error: `store`: "]),
            ]
            for (settings, messages) in rows {
                try Data((["origin: http://127.0.0.1:9"] + settings).joined(separator: "\n").utf8).write(to: file)
                try await ProgramProcess.run("larder", ["check", file.path]) { program in
                    let status = try await program.status()
                    #expect(status == (messages.isEmpty ? 0 : EX_CONFIG), "\(settings): \(program.output)")
                    for message in messages { #expect(program.output.contains(message), "\(program.output)") }
                }
            }
            #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/a.log"))
        }
    }

    @Test func `An explanation with a configuration is made with the origin of the route`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "api")
        } _: { api in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", [], "image")
            } _: { images in
                try await Self.directory { directory in
                    let file = directory.appending(path: "larder.yaml")
                    let text = """
                        origins: {api: "\(api.url)", images: "\(images.url)"}
                        origin: api
                        routes: [{path: /img/**, host: shop.example, origin: images, ttl: 5m}]
                        """
                    try Data(text.utf8).write(to: file)
                    for (url, origin, route) in [
                        ("http://shop.example/img/a?b", images, "Route: shop.example/img/**, from \(images.url)"),
                        ("https://other.example:8443/img/a", api, "Route: default, from \(api.url)"),
                    ] {
                        try await ProgramProcess.run("larder", ["explain", "--config", file.path, url]) { program in
                            let status = try await program.status()
                            #expect(status == 0 && program.output.contains(route), "\(program.output)")
                            let request = try #require(origin.requests.last)
                            #expect(url.hasSuffix(request.target) && url.contains("//\(request.host ?? "")/"))
                        }
                    }
                    #expect(api.requests.count == 1 && images.requests.count == 1)
                }
            }
        }
    }

    @Test(arguments: [[String](), ["--json"]])
    func `An explanation of a request for a host that is not served says so, and nothing is fetched`(
        _ options: [String]
    ) async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "page")
        } _: { origin in
            try await Self.directory { directory in
                let file = directory.appending(path: "larder.yaml")
                try Data("origin: \"\(origin.url)\"\nhosts: [shop.example]\n".utf8).write(to: file)
                let arguments = ["explain", "--config", file.path, "http://other.example/a"]
                try await ProgramProcess.run("larder", arguments + options) { program in
                    let status = try await program.status()
                    let headline = "Not served: the gateway does not serve the host other.example"
                    #expect(status == 0 && program.output.contains(headline), "\(program.output)")
                    #expect(program.output.contains("421"), "\(program.output)")
                }
                #expect(origin.requests.isEmpty)
            }
        }
    }

    @Test func `An explanation sends a request that may change something only if that is allowed`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "page")
        } _: { origin in
            for (options, count) in [([String](), 0), (["--send-unsafe"], 1)] {
                let arguments = ["explain", "--method", "POST", origin.url + "/a"]
                try await ProgramProcess.run("larder", arguments + options) { program in
                    let status = try await program.status()
                    #expect(status == (count == 0 ? EX_USAGE : 0), "\(program.output)")
                    let refusal = "larder: error: POST may change something on the server, so it was not sent: add "
                    #expect(program.output.hasPrefix(refusal) == (count == 0), "\(program.output)")
                }
                #expect(origin.requests.count == count)
            }
        }
    }
}
