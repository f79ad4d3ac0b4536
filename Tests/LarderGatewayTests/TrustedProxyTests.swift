import Foundation
import LarderRules
import LarderTesting
import Testing

@testable import LarderGateway

/// A gateway behind a load balancer.
@Suite(.timeLimit(.minutes(5))) struct TrustedProxyTests {
    /// A gateway that trusts these proxies, before an origin that enforces https.
    private static func serving(
        trusting proxies: String?,
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
            if let log { options["access-log"] = log }
            try await RunningGateway.run(before: origin.url, options: options) { gateway in
                try await test(gateway, origin)
            }
        }
    }

    @Test func `what a trusted proxy says is believed, appended to and passed on`() async throws {
        try await Self.serving(trusting: "127.0.0.0/8, ::1, 10.0.0.0/8") { gateway, origin in
            let fields = [
                "X-Forwarded-For: 127.0.0.1, 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https",
                "X-Forwarded-Host: shop.example", "X-Forwarded-Prefix: /evil", "X-Real-IP: 1.2.3.4",
                "Forwarded: for=127.0.0.1, for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2",
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
            let own = peer == "::1" ? "\"[::1]\"" : peer
            #expect(
                request["Forwarded"]
                    == "for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2, for=\(own);proto=http;host=localhost"
            )
            // Scheme and host are in the key.
            #expect(try await gateway.send("GET", "/a", fields).isHit)
            let plain = try await gateway.send("GET", "/a", ["X-Forwarded-For: 203.0.113.9"])
            #expect(plain.status == 301 && plain["Location"] == "https://localhost/a")
            #expect(origin.requests.last?["Forwarded"] == nil)
        }
    }

    @Test(arguments: [nil, "192.0.2.1"]) func `what anyone else says is dropped`(_ proxies: String?) async throws {
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

    @Test func `an admin route is not opened by what a proxy says, trusted or not`() async throws {
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

    @Test func `a host that no request may have is none by a proxy either`() async throws {
        try await Self.serving(trusting: "127.0.0.1, ::1") { gateway, origin in
            for host in ["a/b", "a b", "a@b", "a#b"] {
                let refused = try await gateway.send("GET", "/a", ["X-Forwarded-Host: \(host)"])
                #expect(refused.status == 400, "\(host)")
            }
            #expect(origin.requests.isEmpty)
        }
    }

    @Test func `the access log tells the client's address`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "access-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: file) }
        try await Self.serving(trusting: "127.0.0.1, ::1", log: file.path) { gateway, _ in
            _ = try await gateway.send("GET", "/a", ["X-Forwarded-For: 10.0.0.9, 203.0.113.9"])
            _ = try await gateway.send("GET", "/b")
        }
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(lines.count == 2 && lines[0] == "203.0.113.9" && ["127.0.0.1", "::1"].contains(lines[1]))
    }
}
