import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderGateway

/// The gateway's treatment of cookies and other credentials.
@Suite(.timeLimit(.minutes(5))) struct GatewayCredentialTests {
    private static let file = """
        routes:
          - path: /ignored
            cookies: ignore
          - path: /dropped
            cookies: drop
          - path: /named
            credentials: {cookies: [session], fields: [X-Tenant]}
          - path: /open
            credentials: {fields: []}
        """

    /// Runs a gateway before an origin that repeats the credentials of a request.
    private static func run(_ test: @escaping @Sendable (RunningGateway) async throws -> Void) async throws {
        try await ScriptedOrigin.answering { request in
            let told = ["Cookie", "X-API-Key", "X-Tenant", "Proxy-Authorization"].compactMap { request[$0] }
            return answer("200 OK", ["Cache-Control: max-age=60"], "told " + told.joined(separator: "|"))
        } _: { origin in
            try await RunningGateway.run(before: origin.url, file: Self.file) { try await test($0) }
        }
    }

    @Test(arguments: ["/ignored", "/dropped", "/named"]) func `Ignored cookies are not sent to the origin`(
        _ path: String
    ) async throws {
        try await Self.run { gateway in
            for value in ["_ga=1", "_ga=2; theme=dark"] {
                let answer = try await gateway.send("GET", path, ["Cookie: \(value)"])
                #expect(answer.text == "told ")
            }
            #expect(try await gateway.send("GET", path).isHit)
        }
    }

    @Test func `A request with a credential cookie bypasses the cache and forwards all its cookies`() async throws {
        try await Self.run { gateway in
            for user in ["1", "2"] {
                let answer = try await gateway.send("GET", "/named", ["Cookie: _ga=1; session=\(user)"])
                #expect(
                    answer.text == "told _ga=1; session=\(user)" && answer.cacheStatusText.contains("detail=cookie")
                )
            }
        }
    }

    @Test func `By default a response to a request with a cookie is stored if the response allows it`() async throws {
        try await Self.run { gateway in
            let first = try await gateway.send("GET", "/other", ["Cookie: a=1"])
            #expect(first.text == "told a=1")
            #expect(try await gateway.send("GET", "/other").isHit)
        }
    }

    @Test(arguments: [
        ("/other", "X-API-Key", false), ("/other", "Proxy-Authorization", false), ("/other", "Authorization", false),
        ("/named", "X-Tenant", false), ("/open", "X-API-Key", true), ("/open", "Authorization", false),
    ]) func `A response to a request with a credential is stored for all only if it or the rule allows that`(
        _ path: String,
        _ name: String,
        _ isStored: Bool
    ) async throws {
        try await Self.run { gateway in
            let first = try await gateway.send("GET", path, ["\(name): secret"])
            #expect(first.cacheStatusText.contains("detail=authorization") == !isStored)
            #expect(try await gateway.send("GET", path).isHit == isStored)
        }
    }
}
