import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

/// The basic functions of the proxy: to store, to forward and to invalidate.
@Suite(.timeLimit(.minutes(10))) struct ProxyTests {
    @Test func `A response is stored, and served without the origin`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60", "X-Stored: yes"], "body")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let first = try await gateway.send("GET", "/a?b=1")
                #expect(first.status == 200 && first.text == "body" && first.cacheStatusText.contains("fwd=uri-miss"))
                let second = try await gateway.send("GET", "/a?b=1")
                #expect(second.status == 200 && second.text == "body" && second.isHit && second["X-Stored"] == "yes")
                #expect(second["Age"] != nil)
                #expect(origin.requests.count == 1)
                #expect(try await gateway.send("GET", "/a?b=2").isHit == false)
            }
        }
    }

    @Test func `A write is forwarded with its content, and invalidates`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.method + " " + request.body)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send("GET", "/a")
                #expect(try await gateway.send("POST", "/a", body: "content").text == "POST content")
                #expect(try await gateway.send("GET", "/a").isHit == false)
                #expect(origin.requests.map(\.method) == ["GET", "POST", "GET"])
            }
        }
    }

    @Test func `A client's forwarding fields do not reach the origin`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send(
                    "GET",
                    "/",
                    [
                        "X-Forwarded-Host: evil.example", "X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4",
                        "X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE", "X-Forwarded-Proto: https",
                        "Connection: X-Secret", "X-Secret: 1", "TE: trailers", "Keep-Alive: 5", "X-Plain: unchanged",
                    ]
                )
                let request = try #require(origin.requests.first)
                #expect(request.host == "localhost")
                let fields = Dictionary(
                    request.fields.map { ($0.name.canonicalName, $0.value) },
                    uniquingKeysWith: { $0 + " and " + $1 }
                )
                #expect(fields["x-forwarded-host"] == "localhost" && fields["x-forwarded-proto"] == "http")
                #expect(fields["x-forwarded-for"] == "127.0.0.1" && fields["x-real-ip"] == "127.0.0.1")
                for name in ["forwarded", "x-original-url", "x-http-method-override", "x-secret", "te", "keep-alive"] {
                    #expect(fields[name] == nil, "\(name)")
                }
                #expect(fields["x-plain"] == "unchanged" && fields["via"]?.hasPrefix("1.1 Larder-") == true)
                #expect(!request.head.lowercased().contains("attempt"))
            }
        }
    }
}
