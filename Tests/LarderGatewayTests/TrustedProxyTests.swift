import Foundation
import LarderTestSupport
import NIOCore
import NIOPosix
import NIOSSL
import TestHelpers
import Testing

@testable import LarderGateway

/// A gateway behind a load balancer.
@Suite(.timeLimit(.minutes(5))) struct TrustedProxyTests {
    /// Runs a gateway that trusts the given proxies, before an origin that enforces https.
    private static func serving(
        trusting proxies: String?,
        _ kind: String? = nil,
        log: String? = nil,
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            if request["X-Forwarded-Proto"] == "http" {
                return answer("301 Moved", ["Location: https://\(request.host ?? "")\(request.target)"], "moved")
            }
            return answer("200 OK", ["Cache-Control: max-age=60"], request["X-Forwarded-Host"] ?? "")
        } _: { origin in
            var options = proxies.map { ["trusted-proxies": $0] } ?? [:]
            if let kind { options["trusted-fields"] = kind }
            if let log { options["access-log"] = log }
            try await RunningGateway.run(before: origin.url, options: options) { gateway in
                try await test(gateway, origin)
            }
        }
    }

    @Test func `A trusted proxy's fields are used, extended and forwarded`() async throws {
        try await Self.serving(trusting: "127.0.0.0/8, ::1, 10.0.0.0/8") { gateway, origin in
            let fields = [
                "X-Forwarded-For: 127.0.0.1, 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https",
                "X-Forwarded-Host: shop.example", "X-Forwarded-Prefix: /evil", "X-Real-IP: 1.2.3.4",
            ]
            let first = try await gateway.send("GET", "/a", fields)
            #expect(first.status == 200 && first.text == "shop.example")
            let request = try #require(origin.requests.first)
            let peer = try #require(request["X-Forwarded-For"]?.split(separator: " ").last.map(String.init))
            #expect(["127.0.0.1", "::1"].contains(peer))
            #expect(request["X-Forwarded-For"] == "203.0.113.9, 10.0.0.2, \(peer)")
            #expect(request["X-Real-IP"] == "203.0.113.9" && request["X-Forwarded-Proto"] == "https")
            #expect(request["X-Forwarded-Host"] == "shop.example" && request.host == "shop.example")
            #expect(request["X-Forwarded-Port"] == "443" && request["X-Forwarded-Prefix"] == nil)
            #expect(request["Forwarded"] == nil)
            // The scheme and the host are in the key.
            #expect(try await gateway.send("GET", "/a", fields).isHit)
            let plain = try await gateway.send("GET", "/a", ["X-Forwarded-For: 203.0.113.9"])
            #expect(plain.status == 301 && plain["Location"] == "https://localhost/a")
            #expect(origin.requests.last?["Forwarded"] == nil)
        }
    }

    @Test func `A trusted proxy's Forwarded is used, and its clients' X-Forwarded fields are dropped`()
        async throws
    {
        try await Self.serving(trusting: "127.0.0.0/8, ::1, 10.0.0.0/8", "forwarded") { gateway, origin in
            let fields = [
                "Forwarded: for=127.0.0.1, for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2",
                "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example",
            ]
            let first = try await gateway.send("GET", "/a", fields)
            #expect(first.status == 200 && first.text == "shop.example")
            let request = try #require(origin.requests.first)
            let peer = try #require(request["X-Forwarded-For"]?.split(separator: " ").last.map(String.init))
            #expect(request["X-Forwarded-For"] == "203.0.113.9, 10.0.0.2, \(peer)")
            let own = peer == "::1" ? "\"[::1]\"" : peer
            #expect(
                request["Forwarded"]
                    == "for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2, for=\(own);proto=http"
            )
            _ = try await gateway.send("GET", "/b", ["Forwarded: for=\"nonsense", "X-Forwarded-For: 127.0.0.1"])
            let unknown = try #require(origin.requests.last)
            #expect(unknown["X-Forwarded-For"] == "unknown, \(peer)" && unknown["X-Real-IP"] == "unknown")
            #expect(unknown["Forwarded"] == "for=unknown, for=\(own);proto=http;host=localhost")
        }
    }

    @Test(arguments: [
        "for=x", "for=\"", "for=127.0.0.1;proto=http;host=evil.example", ";;=", "for=203.0.113.9;proto=ftp",
    ])
    func `A Forwarded field that a proxy only forwards has no effect`(_ written: String) async throws {
        try await Self.serving(trusting: "127.0.0.1, ::1") { gateway, origin in
            let fields = ["Forwarded: \(written)", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"]
            #expect(try await gateway.send("GET", "/a", fields).status == 200)
            let request = try #require(origin.requests.first)
            #expect(request["X-Real-IP"] == "203.0.113.9" && request["X-Forwarded-Proto"] == "https")
            #expect(request["Forwarded"] == nil && request["X-Forwarded-Host"] == "localhost")
        }
    }

    @Test func `A client that a trusted proxy does not name is unknown, and the scheme is used`() async throws {
        try await Self.serving(trusting: "127.0.0.1, ::1") { gateway, origin in
            for fields in [["X-Forwarded-For: unknown"], ["X-Forwarded-For: 1.2.3.4, x"], []] {
                let answer = try await gateway.send("GET", "/\(fields.count)", fields + ["X-Forwarded-Proto: https"])
                #expect(answer.status == 200)
                let request = try #require(origin.requests.last)
                #expect(request["X-Forwarded-Proto"] == "https" && request["X-Real-IP"] == "unknown")
                #expect(request["X-Forwarded-For"]?.hasPrefix("unknown, ") == true)
            }
        }
    }

    @Test(arguments: [nil, "192.0.2.1"]) func `Fields of untrusted peers are dropped`(_ proxies: String?) async throws {
        try await Self.serving(trusting: proxies) { gateway, origin in
            let fields = [
                "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
                "Forwarded: for=203.0.113.9;proto=https;host=shop.example",
            ]
            #expect(try await gateway.send("GET", "/a", fields).status == 301)
            let request = try #require(origin.requests.first)
            #expect(["127.0.0.1", "::1"].contains(request["X-Forwarded-For"]) && request["Forwarded"] == nil)
            #expect(request["X-Forwarded-Proto"] == "http" && request["X-Forwarded-Host"] == "localhost")
        }
    }

    @Test func `The fields of a proxy, trusted or not, do not give access to an admin route`() async throws {
        for proxies in [nil, "127.0.0.1, ::1"] {
            try await Self.serving(trusting: proxies) { gateway, _ in
                let direct = try await gateway.send("DELETE", "/-/larder/everything")
                #expect(direct.status == 200)
                for field in ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: localhost"] {
                    #expect(try await gateway.send("DELETE", "/-/larder/everything", [field]).status == 403, "\(field)")
                    #expect(try await gateway.send("PURGE", "/a", [field]).status == 403, "\(field)")
                }
            }
        }
    }

    @Test func `An invalid host is refused from a trusted proxy, too`() async throws {
        try await Self.serving(trusting: "127.0.0.1, ::1") { gateway, origin in
            for host in ["a/b", "a b", "a@b", "a#b"] {
                let refused = try await gateway.send("GET", "/a", ["X-Forwarded-Host: \(host)"])
                #expect(refused.status == 400, "\(host)")
            }
            #expect(origin.requests.isEmpty)
        }
    }

    @Test func `The access log has the client's address`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "access-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: file) }
        try await Self.serving(trusting: "127.0.0.1, ::1", log: file.path) { gateway, _ in
            _ = try await gateway.send("GET", "/a", ["X-Forwarded-For: 10.0.0.9, 203.0.113.9"])
            _ = try await gateway.send("GET", "/b")
            _ = try await gateway.send("GET", "/c", ["X-Forwarded-For: ?"])
        }
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(lines.count == 3 && lines[0] == "203.0.113.9" && lines[2] == "-")
        #expect(["127.0.0.1", "::1"].contains(lines[1]), "a proxy that says nothing is the client")
    }
}

/// Connections that begin with a header of the PROXY protocol.
@Suite(.timeLimit(.minutes(5))) struct ProxyHeaderTests {
    private static let header = "PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n"
    private static let request = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    private static func serving(
        trusting proxies: String = "127.0.0.1, ::1",
        certificate: Certificate? = nil,
        log: LogRecord = LogRecord(),
        idle: Duration = .seconds(75),
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: no-store"], request["X-Forwarded-For"] ?? "")
        } _: { origin in
            let options = ["trusted-proxies": proxies, "proxy-protocol": "on"]
            try await RunningGateway.run(before: origin.url, options: options, logger: log.logger) {
                $0.certificate = certificate.map { .init($0) }
                $0.clientIdleTimeout = idle
            } _: { gateway in
                try await test(gateway)
            }
        }
    }

    @Test func `The client is the one that the header names, in one part or in several`() async throws {
        let log = LogRecord()
        try await Self.serving(log: log) { gateway in
            let binary = ProxyProtocolTests.binary(1, 0x11, [203, 0, 113, 9, 198, 51, 100, 1, 1, 1, 1, 1])
            let local = ProxyProtocolTests.binary(0, 0, [])
            for (header, client) in [
                (Array(Self.header.utf8), "203.0.113.9"), (binary, "203.0.113.9"), (local, "127.0.0.1"),
                (Array("PROXY UNKNOWN\r\n".utf8), "unknown"), (ProxyProtocolTests.binary(1, 0, []), "unknown"),
                (ProxyProtocolTests.binary(1, 0x31, [UInt8](repeating: 47, count: 216)), "unknown"),
            ] {
                let whole = try await Exchange.send(header + Array(Self.request.utf8), to: gateway.port)
                #expect(whole.answers.map(\.body) == [client], "\(whole)")
                let parts = try await Exchange.send(
                    Array(header[..<5]),
                    Array(header[5...]) + Array(Self.request.utf8.prefix(7)),
                    Array(Self.request.utf8.dropFirst(7)),
                    to: gateway.port
                )
                #expect(parts.answers.map(\.body) == [client], "\(parts)")
            }
            // The client's own fields are not believed, as it is not a trusted proxy, and no trusted proxy forwards
            // them.
            let forged = Self.request.replacing("\r\n\r\n", with: "\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n")
            for (header, client) in [(Self.header, "203.0.113.9"), ("PROXY UNKNOWN\r\n", "unknown")] {
                let answers = try await Exchange.send(Array((header + forged).utf8), to: gateway.port).answers
                #expect(answers.map(\.body) == [client])
            }
            #expect(log.lines("PROXY").isEmpty)
            // A connection without a header ends without a response, and so does one with a malformed header.
            for text in [Self.request, "PROXY TCP4 nonsense\r\n" + Self.request] {
                let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                #expect(exchange.answers.isEmpty && exchange.isEnded)
            }
            #expect(log.lines("does not begin with a PROXY protocol header").count == 2)
        }
    }

    @Test func `A connection that sends no header is closed in time`() async throws {
        try await Self.serving(idle: .milliseconds(200)) { gateway in
            for start in ["", "PROXY TCP4 203"] {
                let exchange = try await Exchange.send(Array(start.utf8), to: gateway.port)
                #expect(exchange.answers.isEmpty && exchange.isEnded)
            }
        }
    }

    @Test func `A peer that is not trusted is served without a header, and refused with one`() async throws {
        try await Self.serving(trusting: "192.0.2.1") { gateway in
            let plain = try await Exchange.send(Array(Self.request.utf8), to: gateway.port)
            #expect(plain.answers.map(\.body) == ["127.0.0.1"])
            let forged = try await Exchange.send(Array((Self.header + Self.request).utf8), to: gateway.port)
            #expect([[400], [501]].contains(forged.statuses))
        }
    }

    @Test func `A client that a proxy calls local does not get access to an admin route`() async throws {
        try await Self.serving { gateway in
            let request = "DELETE /-/larder/everything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            for (header, status) in [
                (Array("PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n".utf8), 403), (Array(Self.header.utf8), 403),
                (Array("PROXY UNKNOWN\r\n".utf8), 403), (ProxyProtocolTests.binary(0, 0, []), 200),
            ] {
                let exchange = try await Exchange.send(header + Array(request.utf8), to: gateway.port)
                #expect(exchange.statuses == [status], "\(header)")
            }
        }
    }

    @Test func `The header is read before TLS`() async throws {
        try await Certificate.run { certificate in
            try await Self.serving(certificate: certificate) { gateway in
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.certificateVerification = .none
                let context = try NIOSSLContext(configuration: tls)
                let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .connect(host: "127.0.0.1", port: gateway.port).get()
                try await connection.writeAndFlush(ByteBuffer(string: Self.header))
                let parts = try await connection.eventLoop.submit {
                    let pipeline = connection.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: connection)
                }.get()
                var text = ""
                try await parts.executeThenClose { inbound, outbound in
                    try await outbound.write(ByteBuffer(string: Self.request))
                    do {
                        for try await part in inbound { text += String(buffer: part) }
                    } catch is NIOSSLError {}
                }
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("203.0.113.9"), "\(text)")
            }
        }
    }
}
