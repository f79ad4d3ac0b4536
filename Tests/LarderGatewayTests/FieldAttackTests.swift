import HTTPTypes
import LarderGateway
import LarderTestSupport
import TestHelpers
import Testing

/// Attempts to have an origin's response to a field that the cache does not know stored for all clients.
@Suite(.timeLimit(.minutes(5))) struct FieldAttackTests {
    /// Runs an origin that turns fields into variables as CGI does, and responds according to two of them.
    private static func serving(
        _ options: [String: String] = [:],
        vary: String? = nil,
        rule: String = "vary: [Accept-Language]",
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            var variables: [String: String] = [:]
            for field in request.fields {
                let name = field.name.canonicalName.map { $0.isLetter || $0.isNumber ? $0 : "_" }
                variables[String(name)] = field.value
            }
            let text = [variables["accept_language"] ?? "-", variables["x_debug"] ?? "-", variables["x_tenant"] ?? "-"]
            let fields = ["Cache-Control: max-age=60"] + (vary.map { ["Vary: \($0)"] } ?? [])
            return answer("200 OK", fields, text.joined(separator: " "))
        } _: { origin in
            try await RunningGateway.run(
                before: origin.url,
                file: "routes: [{path: /**, \(rule)}]",
                options: options
            ) { try await test($0, origin) }
        }
    }

    @Test(arguments: [
        "Accept_Language", "accept_language", "Accept.Language", "Accept!Language", "X_Debug", "X~Debug", "_", "X_",
    ]) func `A field with a separator other than a hyphen does not reach the origin`(_ name: String) async throws {
        try await Self.serving { gateway, origin async throws in
            let first = try await gateway.send("GET", "/a", ["\(name): evil"])
            #expect(first.text == "- - -" && !first.isHit)
            let next = try await gateway.send("GET", "/a")
            #expect(next.isHit && next.text == "- - -")
            _ = try await gateway.send("POST", "/a", ["\(name): evil"], body: "x")
            #expect(origin.requests.allSatisfy { !$0.head.contains("evil") })
        }
    }

    @Test(arguments: [
        ("Accept_Language", "vary: [Accept-Language]"), ("accept.language", "vary: [Accept-Language]"),
        ("X_Debug", "bypass: {fields: [X-Debug]}"), ("x_tenant", "credentials: {fields: [X-Tenant]}"),
        ("If_None_Match", "ttl: 60s"), ("If_Modified_Since", "ttl: 60s"),
    ]) func `A retained field with underscores bypasses the cache if a rule names it with hyphens`(
        _ name: String,
        _ rule: String
    ) async throws {
        try await Self.serving(["underscore-fields": "keep"], rule: rule) { gateway, origin async throws in
            for _ in 0..<2 {
                let evil = try await gateway.send("GET", "/a", ["\(name): evil"])
                #expect(!evil.isHit && evil.cacheStatusText.contains("fwd=bypass"), "\(evil.cacheStatusText)")
            }
            #expect(origin.requests.allSatisfy { $0.head.contains("evil") })
            #expect(try await gateway.send("GET", "/a").text == "- - -")
            let other = try await gateway.send("GET", "/a", ["device_id: 7"])
            #expect(other.isHit)
        }
    }

    @Test func `A response that varies by a field is not stored for a request that has it in another spelling`()
        async throws
    {
        try await Self.serving(["underscore-fields": "keep"], vary: "X-Debug", rule: "ttl: 60s") {
            gateway,
            _ async throws in
            let evil = try await gateway.send("GET", "/a", ["X_Debug: evil"])
            #expect(evil.text == "- evil -" && evil["Vary"] == "*")
            #expect(try await gateway.send("GET", "/a").text == "- - -")
            #expect(try await gateway.send("GET", "/a").isHit)
        }
    }

    @Test(arguments: [("X-Tenant", "evil"), ("x-tenant", "evil"), ("X-Debug", "evil")])
    func `A field that the settings drop has no effect`(_ name: String, _ value: String) async throws {
        let options = ["drop-fields": "X-Tenant, x-deb*"]
        try await Self.serving(options, vary: "X-Tenant, X-Debug", rule: "bypass: {fields: [X-Debug]}") {
            gateway,
            origin in
            let first = try await gateway.send("GET", "/a", ["\(name): \(value)"])
            #expect(first.text == "- - -" && first.cacheStatusText.contains("stored"))
            #expect(try await gateway.send("GET", "/a", ["\(name): other"]).isHit)
            #expect(try await gateway.send("GET", "/a").isHit)
            _ = try await gateway.send("POST", "/a", ["\(name): \(value)"], body: "x")
            #expect(origin.requests.count == 2 && origin.requests.allSatisfy { !$0.head.contains(value) })
        }
    }

    @Test(arguments: ["RSC", "X-Nextjs-Data", "X-Requested-With", "Upgrade-Insecure-Requests", "X-Tenant", "CDN-Loop"])
    func `A field that clients legitimately send reaches the origin`(_ name: String) async throws {
        try await Self.serving { gateway, origin async throws in
            _ = try await gateway.send("GET", "/a", ["\(name): 1"])
            #expect(origin.requests.last?[name] == "1")
        }
    }
}
