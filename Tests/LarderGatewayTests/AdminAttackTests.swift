import Foundation
import Larder
import LarderGateway
import LarderTestSupport
import NIOCore
import NIOPosix
import TestHelpers
import Testing

/// Attempts to use the admin routes without being an admin.
@Suite(.timeLimit(.minutes(5))) struct AdminAttackTests {
    private static let token = "a-token-that-is-long-enough"
    /// The requests that remove stored responses, or read the cache's state.
    private static let requests = [
        "DELETE /-/larder/everything", "DELETE /-/larder/prefixes/a", "DELETE /-/larder/paths/a",
        "DELETE /-/larder/tags/a", "DELETE /-/larder/urls/http://localhost/a", "GET /-/larder/metrics/cache",
        "DELETE /-/larder/invalidate/GET:http://localhost/a", "GET /-/larder/health/origins", "PURGE /a",
    ]

    private static func serving(
        access: GatewaySettings.AdminAccess? = nil,
        token: String? = nil,
        listen: String? = nil,
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url, adminAccess: access) {
                $0.adminToken = token.flatMap { BearerToken($0) }
                $0.adminListen = listen.flatMap { AdminAddress($0) }
            } _: { gateway in
                try await test(gateway, origin)
            }
        }
    }

    /// Returns the status of a request that has these fields only.
    private static func status(_ request: String, _ fields: [String], of port: Int) async throws -> Int? {
        let lines = ["\(request) HTTP/1.1"] + fields + ["Connection: close", "", ""]
        return try await Exchange.send(Array(lines.joined(separator: "\r\n").utf8), to: port).statuses.first
    }

    /// nginx with `proxy_pass http://127.0.0.1:8000` and no other setting sends these fields, whichever client it
    /// serves.
    @Test func `Behind a proxy with its defaults the admin routes refuse clients without a token`() async throws {
        try await Self.serving { gateway, _ in
            _ = try await gateway.send("GET", "/a")
            for request in Self.requests {
                let text = "\(request) HTTP/1.0\r\nHost: 127.0.0.1:\(gateway.port)\r\nConnection: close\r\n\r\n"
                let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                #expect(exchange.statuses == [403], "\(request)")
                #expect(exchange.answers[0].body.contains("needs an admin token"))
            }
            #expect(try await gateway.send("GET", "/a").isHit)
            #expect(try await gateway.send("GET", "/-/larder/health").status == 200)
            #expect(try await gateway.send("GET", "/-/larder/ready").status == 200)
        }
    }

    @Test(arguments: [
        ["Origin: http://evil.example"], ["Origin: null"], ["Origin: "], ["Origin: http://localhost:1"],
        ["Origin: http://localhost.evil.example"], ["Origin: http://localhost/"], ["Origin: http://x@localhost"],
        ["Origin: ftp://localhost"], ["Origin: file://"], ["Origin: http://localhost", "Origin: http://evil.example"],
        ["Origin: http://localhost, http://evil.example"], ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site"], ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
    ]) func `A request from a page of another site is refused, with and without the token`(
        _ fields: [String]
    ) async throws {
        for token in [nil, Self.token] {
            try await Self.serving(access: .loopback, token: token) { gateway, _ in
                _ = try await gateway.send("GET", "/a")
                let authorization = token.map { ["Authorization: Bearer \($0)"] } ?? []
                for request in Self.requests {
                    let all = ["Host: localhost"] + fields + authorization
                    #expect(try await Self.status(request, all, of: gateway.port) == 403, "\(request) \(fields)")
                }
                #expect(try await gateway.send("GET", "/a").isHit)
            }
        }
    }

    @Test(arguments: [
        ["Origin: http://localhost"], ["Origin: https://localhost"], ["Origin: HTTP://LOCALHOST:80"],
        ["Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: none"],
    ]) func `A request from a page of the same site is answered`(_ fields: [String]) async throws {
        try await Self.serving(access: .loopback) { gateway, _ in
            let status = try await Self.status(Self.requests[0], ["Host: localhost"] + fields, of: gateway.port)
            #expect(status == 200)
        }
    }

    /// The name of an attacker's page resolves to this machine once the page is open ("DNS rebinding").
    @Test func `A page whose name resolves to this machine is refused`() async throws {
        for listen in [nil, "127.0.0.1:0"] {
            try await Self.serving(access: .loopback, listen: listen) { gateway, _ async throws in
                let port = gateway.adminPort ?? gateway.port
                for fields in [
                    [
                        "Host: evil.example:\(port)", "Origin: http://evil.example:\(port)",
                        "Sec-Fetch-Site: same-origin",
                    ],
                    ["Host: evil.example"], ["Host: localhost.evil.example"], ["Host: 127.0.0.1.evil.example"],
                ] {
                    for request in Self.requests {
                        #expect(try await Self.status(request, fields, of: port) == 403, "\(request) \(fields)")
                    }
                }
            }
        }
    }

    @Test func `An admin address answers the admin routes and nothing else, and no other address answers them`()
        async throws
    {
        try await Self.serving(listen: "127.0.0.1:0") { gateway, origin in
            let port = try #require(gateway.adminPort)
            _ = try await gateway.send("GET", "/a")
            for request in Self.requests {
                let status = try await Self.status(request, ["Host: localhost"], of: gateway.port)
                #expect(status == (request.hasPrefix("PURGE") ? 403 : 404), "\(request)")
            }
            #expect(try await gateway.send("GET", "/a").isHit)
            for route in ["health", "ready"] {
                #expect(try await gateway.send("GET", "/-/larder/\(route)").status == 200)
                #expect(try await Wire.send("GET", "/-/larder/\(route)", to: port).status == 200)
            }
            let requests = origin.requests.count
            for request in ["GET /a", "POST /a", "GET /-/larders", "GET /"] {
                #expect(try await Self.status(request, ["Host: localhost"], of: port) == 404, "\(request)")
            }
            #expect(origin.requests.count == requests)
            #expect(try await Wire.send("GET", "/-/larder/metrics/cache", to: port).status == 200)
            #expect(try await Wire.send("PURGE", "/a", to: port).status == 200)
            #expect(try await Wire.send("DELETE", "/-/larder/everything", to: port).status == 200)
            let through = try await Wire.send("DELETE", "/-/larder/everything", ["X-Forwarded-For: ::1"], to: port)
            #expect(through.status == 403)
            #expect(try await !gateway.send("GET", "/a").isHit)
        }
    }

    @Test func `With a token the admin routes need it on the admin address, too`() async throws {
        try await Self.serving(access: .loopback, token: Self.token, listen: "127.0.0.1:0") { gateway, _ in
            let port = try #require(gateway.adminPort)
            for request in Self.requests {
                #expect(try await Self.status(request, ["Host: localhost"], of: port) == 401, "\(request)")
            }
            let right = ["Host: gateway.internal", "Authorization: Bearer \(Self.token)"]
            #expect(try await Self.status(Self.requests[0], right, of: port) == 200)
        }
    }

    @Test func `An admin address that other machines reach refuses every client without a token`() async throws {
        try await Self.serving(access: .loopback, listen: "0.0.0.0:0") { gateway, _ in
            let port = try #require(gateway.adminPort)
            #expect(try await Self.status(Self.requests[0], ["Host: localhost"], of: port) == 403)
            #expect(gateway.gateway.adviceOnAccess != nil)
        }
    }

    @Test func `The admin routes answer on a Unix socket that only the user of the gateway can open`() async throws {
        let path = "/tmp/larder-\(UUID().uuidString.prefix(8)).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        // The second gateway finds the socket file that the first has left.
        for _ in 0..<2 {
            try await Self.serving(listen: "unix://\(path)") { gateway, _ in
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o600 && gateway.adminPort == nil)
                let request = "DELETE /-/larder/everything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                let answer = try await Self.send(request, toSocket: path)
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(answer)")
                let page = try await Self.send(request.replacing("/-/larder/everything", with: "/a"), toSocket: path)
                #expect(page.hasPrefix("HTTP/1.1 404 "), "\(page)")
                #expect(try await gateway.send("DELETE", "/-/larder/everything").status == 404)
            }
        }
    }

    private static func send(_ text: String, toSocket path: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }

    @Test(
        arguments: [
            ([], [:], true), (["--admin-access", "loopback"], [:], false), ([], ["LARDER_ADMIN_TOKEN": token], false),
            ([], ["LARDER_ADMIN_ACCESS": "loopback"], false), (["--admin-listen", "127.0.0.1:0"], [:], false),
        ] as [([String], [String: String], Bool)]
    )
    func `A gateway that is started without a token prints one line about how to get access`(
        _ options: [String],
        _ environment: [String: String],
        _ isSaid: Bool
    ) async throws {
        let port = try FreePort.take()
        let arguments = ["serve", "--origin", "http://127.0.0.1:1", "--listen", "127.0.0.1:\(port)"] + options
        try await ProgramProcess.run("larder", arguments, environment: environment) { gateway in
            try await gateway.listens(on: port)
            let lines = gateway.output.split(separator: "\n").filter { $0.contains("LARDER_ADMIN_TOKEN") }
            #expect(lines.count == (isSaid ? 1 : 0), "\(gateway.output)")
            #expect(lines.allSatisfy { $0.contains("LARDER_ADMIN_ACCESS=loopback") })
            let status = try await Wire.send("GET", "/-/larder/metrics/cache", to: port).status
            #expect(status == (isSaid ? 403 : environment["LARDER_ADMIN_TOKEN"] != nil ? 401 : status))
        }
    }
}
