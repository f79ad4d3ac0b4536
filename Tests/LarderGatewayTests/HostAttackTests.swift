import Larder
import LarderGateway
import TestHelpers
import Testing

/// Attempts to have the response to one spelling of a host stored for all spellings of it.
@Suite(.timeLimit(.minutes(5))) struct HostAttackTests {
    /// The spellings of one host that a client may write, the one of the key first.
    private static let spellings = [
        ["shop.example", "SHOP.example", "shop.example:80", "shop.example:", "shop.example.", "Shop.Example.:0080"],
        ["shop.example:81", "SHOP.EXAMPLE:81", "shop.example.:81", "shop.example:0081"],
        ["shop.example:443", "shop.example:00443"], ["127.0.0.1", "127.0.0.1:80", "127.0.0.1."],
        ["[::1]", "[::1]:", "[::1]:80"], ["[::a]:81", "[::A]:81"], ["[0:0::1]"], ["[::ffff:7f00:1]"],
        ["shop%2eexample", "shop%2Eexample", "SHOP%2Eexample:80"], ["a_b.example", "A_B.example."],
        ["shop.example..", "SHOP.example.."],
    ]

    /// Runs an origin that repeats every host that it receives.
    private static func serving(
        options: [String: String] = [:],
        certificate: Certificate? = nil,
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            let hosts = [request.host, request["X-Forwarded-Host"], request["Forwarded"]].map { $0 ?? "-" }
            return answer("200 OK", ["Cache-Control: max-age=60"], hosts.joined(separator: " "))
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: options) {
                if let certificate { $0.certificate = .init(certificate) }
            } _: { gateway in
                try await test(gateway, origin)
            }
        }
    }

    private static func get(_ host: String, _ gateway: RunningGateway, _ fields: [String] = []) async throws -> String {
        let lines = ["GET /a HTTP/1.1", "Host: \(host)", "Connection: close"] + fields + ["", ""]
        let exchange = try await Exchange.send(Array(lines.joined(separator: "\r\n").utf8), to: gateway.port)
        return try #require(exchange.answers.first).body
    }

    @Test(arguments: spellings) func `An origin receives the host in the spelling of the key, in any case`(
        _ hosts: [String]
    ) async throws {
        // Each spelling fills the key once.
        for first in hosts {
            try await Self.serving { gateway, origin async throws in
                for host in [first] + hosts {
                    #expect(try await Self.get(host, gateway) == "\(hosts[0]) \(hosts[0]) -", "\(first) \(host)")
                }
                #expect(origin.requests.count == 1, "\(first): \(hosts)")
                #expect(
                    gateway.gateway.cache.statistics.snapshot().topKeys.map(\.key.description) == [
                        "GET:http://\(hosts[0])/a"
                    ]
                )
                // A request that bypasses the cache is sent in the same spelling.
                _ = try await Wire.open(to: gateway.port) { wire in
                    let lines = ["POST /a HTTP/1.1", "Host: \(first)", "Content-Length: 0", "", ""]
                    try await wire.send(bytes: Array(lines.joined(separator: "\r\n").utf8))
                    return try await wire.answer()
                }
                #expect(origin.requests.last?.host == hosts[0])
            }
        }
    }

    @Test func `Hosts of the list are sent to the origin in one spelling`() async throws {
        try await Self.serving(options: ["hosts": "shop.example, shop.example:81"]) { gateway, origin async throws in
            for hosts in Self.spellings.prefix(2) {
                for host in hosts {
                    #expect(try await Self.get(host, gateway) == "\(hosts[0]) \(hosts[0]) -", "\(host)")
                }
            }
            #expect(origin.requests.count == 2)
        }
    }

    @Test func `An origin that receives its own name gets the client's host in one spelling, too`() async throws {
        try await Self.serving(options: ["host-field": "origin"]) { gateway, origin async throws in
            for host in ["SHOP.example:80", "shop.example"] {
                #expect(try await Self.get(host, gateway) == "127.0.0.1:\(origin.port) shop.example -")
            }
            #expect(origin.requests.count == 1)
        }
    }

    @Test func `A host that a trusted proxy names is sent to the origin in one spelling`() async throws {
        try await Self.serving(options: ["trusted-proxies": "127.0.0.1, ::1"]) { gateway, origin async throws in
            for host in Self.spellings[0] {
                let fields = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: \(host)"]
                // The proxy's own Host is not part of any key.
                #expect(try await Self.get("evil.example", gateway, fields) == "shop.example shop.example -", "\(host)")
            }
            #expect(origin.requests.count == 1)
        }
    }

    @Test func `Forwarded has one host, in the spelling of the key`() async throws {
        let options = ["trusted-proxies": "127.0.0.1, ::1, 10.0.0.0/8", "trusted-fields": "forwarded"]
        try await Self.serving(options: options) { gateway, origin async throws in
            for host in Self.spellings[0] {
                let field =
                    "Forwarded: for=203.0.113.9;host=\"\(host)\";proto=HTTP, for=10.0.0.2;host=\"\(host)\";proto=gopher"
                let seen = try await Self.get("evil.example", gateway, [field])
                #expect(
                    seen == "shop.example shop.example for=203.0.113.9;proto=http;host=shop.example, for=10.0.0.2, "
                        + "for=127.0.0.1;proto=http",
                    "\(host)"
                )
            }
            for host in Self.spellings[1] {
                let seen = try await Self.get(host, gateway, ["Forwarded: for=203.0.113.9"])
                #expect(
                    seen == "shop.example:81 shop.example:81 for=203.0.113.9, "
                        + "for=127.0.0.1;proto=http;host=\"shop.example:81\"",
                    "\(host)"
                )
            }
            #expect(origin.requests.count == 2)
        }
    }

    @Test func `An HTTP 2 authority is sent to the origin in one spelling, without the port of https`() async throws {
        try await Certificate.run { certificate in
            try await Self.serving(certificate: certificate) { gateway, origin async throws in
                try await HTTP2Wire.open(to: gateway.port) { wire in
                    for (host, told) in [
                        ("SHOP.example", "shop.example"), ("shop.example:443", "shop.example"),
                        ("shop.example.", "shop.example"), ("shop.example:", "shop.example"),
                        ("shop.example:80", "shop.example:80"),
                    ] {
                        let text = try await wire.stream { stream in
                            try await stream.send("GET", "/a", authority: host, ends: true)
                            return try await stream.answer().text
                        }
                        #expect(text == "\(told) \(told) -", "\(host)")
                    }
                }
                #expect(origin.requests.count == 2)
            }
        }
    }
}
