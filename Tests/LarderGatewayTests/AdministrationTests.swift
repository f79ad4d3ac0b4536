import Larder
import LarderGateway
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// The gateway's own routes, and the clients that may use them.
@Suite(.timeLimit(.minutes(5))) struct AdministrationTests {
    private static func serving(
        token: String? = nil,
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.adminToken = token.flatMap { BearerToken($0) }
            } _: { gateway in
                try await test(gateway, origin)
            }
        }
    }

    @Test func `The health of the gateway is public`() async throws {
        try await Self.serving(token: "a-token-that-is-long-enough") { gateway, origin in
            let health = try await gateway.send("GET", "/-/larder/health", ["Host-Of: a", "X-Forwarded-For: 1.2.3.4"])
            #expect(health.status == 200 && health.text == "{\"status\":\"ok\"}")
            #expect(try await gateway.exchange(method: "HEAD", target: "/-/larder/health").status == 200)
            #expect(origin.requests.isEmpty)
        }
    }

    @Test func `The dashboard is at the admin prefix, and needs no token`() async throws {
        try await Self.serving(token: "a-token-that-is-long-enough") { gateway, origin in
            for path in ["/-/larder", "/-/larder/", "/-/larder?a=b"] {
                let page = try await gateway.send("GET", path)
                #expect(page.status == 200 && page["Content-Type"] == "text/html; charset=utf-8")
                #expect(page.text.hasPrefix("<!DOCTYPE html>"))
            }
            #expect(origin.requests.isEmpty)
        }
    }

    @Test func `The health of the origins needs the token`() async throws {
        try await Self.serving(token: "a-token-that-is-long-enough") { gateway, origin in
            let path = "/-/larder/health/origins"
            let denied = try await gateway.send("GET", path)
            #expect(denied.status == 401 && denied["WWW-Authenticate"] == "Bearer")
            let token = ["Authorization: Bearer a-token-that-is-long-enough"]
            try await eventually("the origin is healthy, which has two seconds to answer") {
                let well = try? await gateway.send("GET", path, token)
                return well?.status == 200 && well?.text.contains("\(origin.port)\",\"reachable\":true") == true
            }
            #expect(origin.requests.allSatisfy { $0.target == "/" && !$0.head.lowercased().contains("attempt") })
        }
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("::1", true), ("localhost", true), ("0.0.0.0", false), ("::", false),
        ("192.0.2.1", false), ("example.org", false),
    ]) func `Without a token only trusted loopback clients have access, if other machines cannot connect`(
        _ host: String,
        _ mayLoopback: Bool
    ) {
        switch AdminAccess.standard(token: nil, trustsLoopback: true, host: host) {
        case .loopback: #expect(mayLoopback)
        case .closed: #expect(!mayLoopback)
        case .token: Issue.record("there is no token")
        }
        guard case .closed = AdminAccess.standard(token: nil, trustsLoopback: false, host: host) else {
            Issue.record("access by default")
            return
        }
        let token = BearerToken("a-token-that-is-long-enough")
        guard case .token = AdminAccess.standard(token: token, trustsLoopback: true, host: host) else {
            Issue.record("the token counts")
            return
        }
    }

    @Test func `An origin that refuses connections is not healthy`() async throws {
        try await ScriptedOrigin.run { _ in
        } _: { origin in
            try await origin.refuse()
            try await RunningGateway.run(before: origin.url) { gateway in
                let health = try await gateway.send("GET", "/-/larder/health/origins")
                #expect(health.status == 503 && health.text.contains("\"reachable\":false"))
                #expect(health.text.contains("connection_refused"))
            }
        }
    }

    @Test func `A purge of a URL needs the token`() async throws {
        try await Self.serving(token: "a-token-that-is-long-enough") { gateway, origin in
            _ = try await gateway.send("GET", "/a")
            #expect(try await gateway.send("PURGE", "/a").status == 401)
            #expect(try await gateway.send("PURGE", "/a", ["Authorization: Bearer another"]).status == 401)
            #expect(try await gateway.send("GET", "/a").isHit)
            let token = ["Authorization: Bearer a-token-that-is-long-enough"]
            #expect(try await gateway.send("PURGE", "/b", token).status == 404)
            #expect(try await gateway.send("PURGE", "/a", token).status == 200)
            #expect(try await gateway.send("GET", "/a").isHit == false)
            #expect(origin.requests.map(\.method) == ["GET", "GET"])
        }
    }

    @Test func `Without a token a purge must come from this machine, for its name, without a proxy`() async throws {
        try await Self.serving { gateway, origin in
            _ = try await gateway.send("GET", "/a")
            for field in ["X-Forwarded-For: 1.2.3.4", "Via: 1.1 proxy", "Forwarded: for=1.2.3.4"] {
                #expect(try await gateway.send("PURGE", "/a", [field]).status == 403, "\(field)")
                // Naming the field in Connection does not remove it from the check.
                let alone = [field, "Connection: \(field.prefix { $0 != ":" }), close"]
                #expect(try await gateway.send("PURGE", "/a", alone).status == 403, "\(alone)")
            }
            let text = "PURGE /a HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
            #expect(try await Exchange.send(Array(text.utf8), to: gateway.port).statuses == [403])
            #expect(try await gateway.send("GET", "/a").isHit)
            #expect(try await gateway.send("PURGE", "/a").status == 200)
            #expect(origin.requests.count == 1)
        }
    }

    @Test func `A purge applies the route's key, without the ignored query parameters`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            let routes = "routes: [{path: /**, query: {ignore: [utm_*]}}]"
            try await RunningGateway.run(before: origin.url, file: routes) { gateway in
                #expect(try await gateway.send("GET", "/a?utm_source=x&b=1").text == "/a?b=1")
                #expect(try await gateway.send("PURGE", "/a?utm_source=y&b=1").status == 200)
                let next = try await gateway.send("GET", "/a?b=1")
                #expect(!next.isHit)
            }
        }
    }

    @Test func `A path below the gateway's own routes does not reach an origin`() async throws {
        try await Self.serving { gateway, origin in
            for target in [
                "/-/larder", "/-/larder/", "/-/larder?a", "/-/larder/nothing", "/-/larder/..", "/-/larder/../../a",
                "/-/larder//", "/-/larder/%2e%2e/a", "/-/larder/health?a", "/-/larder/|",
            ] {
                for method in ["GET", "POST", "DELETE", "PUT"] {
                    let status = try await gateway.send(method, target, method == "GET" ? [] : ["Content-Length: 0"])
                        .status
                    #expect(status != 502, "\(method) \(target)")
                }
                #expect(try await gateway.exchange(method: "HEAD", target: target).body.isEmpty)
            }
            #expect(origin.requests.isEmpty)
            for target in ["/-/larders", "/-/larde", "/-/", "//-/larder", "/-/Larder", "/-/larder%2F"] {
                #expect(try await gateway.send("GET", target).text == target)
            }
        }
    }

    @Test func `The prefix of the gateway's own routes can be changed`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "origin")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.adminPrefix = "/cache"
            } _: { gateway in
                let health = try await gateway.send("GET", "/cache/health")
                #expect(health.text == "{\"status\":\"ok\"}")
                let other = try await gateway.send("GET", "/-/larder/health")
                #expect(other.text == "origin")
            }
        }
    }
}
