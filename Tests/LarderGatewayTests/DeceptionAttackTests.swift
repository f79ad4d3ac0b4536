import TestHelpers
import Testing

/// Attempts to have the page of a logged-in victim stored for all clients.
@Suite(.timeLimit(.minutes(5))) struct DeceptionAttackTests {
    private static let routes = """
        routes:
          - {path: /account/**, cache: off}
          - {path: /static/**, ttl: 60s}
        """

    @Test(arguments: [
        "/static/x%3f/..%2f..%2faccount%2fme", "/static/x%23/..%2f..%2faccount%2fme",
        "/static/a%5cb/..%2f..%2faccount%2fme", "//static/account/me", "/static/a%2fb/../../account/me",
        "/static/%00/../../account/me", "/static/%252e%252e%252faccount", "/account;x/../static/me", "/account.css",
        "/account%0a.css",
    ]) func `An origin's page for a victim's path is not stored`(_ path: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request["Cookie"] ?? "anonymous")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, file: Self.routes) { gateway async throws in
                let victim = try await gateway.send("GET", path, ["Cookie: session=victim"])
                #expect(victim.text == "session=victim")
                #expect(try await gateway.send("GET", path).text == "anonymous")
                // A response that a rule allows to be stored is stored.
                for _ in 0..<2 { _ = try await gateway.send("GET", "/static/group%2Fname") }
                #expect(origin.requests.map(\.target) == [path, path, "/static/group%2Fname"])
            }
        }
    }

    @Test(arguments: ["GET", "HEAD", "POST"]) func `An ambiguous path is rejected with 400 if the setting demands it`(
        _ method: String
    ) async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "page")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: ["paths": "reject"]) { gateway async throws in
                for path in ["/static/..%2faccount", "//account", "/a;b", "/a/./b", "/a%00", "/a\\b"] {
                    #expect(try await gateway.exchange(method: method, target: path).status == 400, "\(path)")
                }
                #expect(origin.requests.isEmpty)
                let status = try await gateway.exchange(method: method, target: "/a/b.css?c=%2F..").status
                #expect(status == 200)
            }
        }
    }
}
