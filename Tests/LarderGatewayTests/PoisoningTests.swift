import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderGateway

/// Attempts of a client to change the response that is stored for other clients.
@Suite(.timeLimit(.minutes(5))) struct PoisoningTests {
    /// The fields with which attacks were made, in addition to the names that the gateway lists.
    private static let others = [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
        "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-Anything", "X-Forwarded",
        "x_forwarded_host", "X_Forwarded-For", "x_real_ip", "X_HTTP_Method_Override", "X-Forward-For",
        "X-Original-Forwarded-For", "Client_IP", "x-invoke-path", "x-invoke-query", "x-invoke-status",
        "x-middleware-subrequest", "X-Middleware-Prefetch", "x.forwarded.host", "X-Envoy-External-Address",
        "X_Envoy_Original_Path", "WL-Proxy-SSL", "X-React-Router-SPA-Mode", "X-Original-URL", "x-astro-path",
    ]

    @Test func `A field about the client's path is never forwarded with the client's value`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60"], "page")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let names = ProxyFields.names.union(ForwardedFields.methodOverrides)
                for (number, name) in (names.sorted() + Self.others).enumerated() {
                    _ = try await gateway.send("GET", "/\(number)", ["\(name): evil.example"])
                    let request = try #require(origin.requests.last)
                    #expect(request.target == "/\(number)")
                    #expect(!request.head.contains("evil"), "\(name): \(request.head)")
                    #expect(request["X-Forwarded-Host"] == "localhost" && request["X-Forwarded-Proto"] == "http")
                    #expect(request["X-Forwarded-For"] == "127.0.0.1" && request["X-Real-IP"] == "127.0.0.1")
                    #expect(request["X-Forwarded-Port"] == "80")
                }
            }
        }
    }

    @Test func `A client that disconnected before its address was read is reported as unknown`() {
        var request = HTTPRequest(method: .get, scheme: "http", authority: "a.example", path: "/")
        request.headerFields = [.xForwardedFor: "10.0.0.1", .xRealIP: "10.0.0.1"]
        let sender = Sender(request, peer: nil, scheme: "http", trusting: TrustedProxies())
        let forwarded = ForwardedFields(
            sender: sender,
            scheme: "http",
            authority: "a.example",
            via: "1.1 test",
            requestID: "1"
        )
        forwarded.write(to: &request)
        let fields = request.headerFields
        #expect(fields[values: .xForwardedFor] == ["unknown"] && fields[values: .xRealIP] == ["unknown"])
    }

    @Test func `A client's forwarding fields do not reach the next client`() async throws {
        try await ScriptedOrigin.answering { request in
            // Frameworks build links like this.
            let host = request["X-Forwarded-Host"] ?? request.host ?? ""
            let link = (request["X-Forwarded-Proto"] ?? "http") + "://" + host + (request["X-Forwarded-Prefix"] ?? "")
            return answer("200 OK", ["Cache-Control: max-age=60"], link + (request["X-Original-URL"] ?? request.target))
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let attack = [
                    "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher", "X-Forwarded-Prefix: /evil",
                    "X-Original-URL: /admin", "Forwarded: host=evil.example", "X-HTTP-Method-Override: DELETE",
                ]
                #expect(try await gateway.send("GET", "/page", attack).text == "http://localhost/page")
                let next = try await gateway.send("GET", "/page")
                #expect(next.isHit && next.text == "http://localhost/page")
            }
        }
    }

    @Test(arguments: ["/vary", "/key"], ["Connection: Accept-Language", "Connection: close, accept-language"])
    func `A field that Connection names selects no response`(_ target: String, _ connection: String) async throws {
        let routes = "routes: [{path: /key, vary: [Accept-Language]}]"
        try await ScriptedOrigin.answering { request in
            let fields = ["Cache-Control: max-age=60"] + (target == "/vary" ? ["Vary: Accept-Language"] : [])
            return answer("200 OK", fields, request["Accept-Language"] ?? "none")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, file: routes) { gateway in
                #expect(try await gateway.send("GET", target, ["Accept-Language: de", connection]).text == "none")
                #expect(try await gateway.send("GET", target, ["Accept-Language: de"]).text == "de")
                let other = try await gateway.send("GET", target)
                #expect(other.isHit && other.text == "none")
            }
        }
    }

    @Test(arguments: ["X-Forwarded-For", "Accept, x-real-ip"])
    func `A response that varies by the client's address is not stored for other clients`(_ vary: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60", "Vary: \(vary)"], request["X-Forwarded-For"] ?? "")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for _ in 0..<2 {
                    let response = try await gateway.send("GET", "/a")
                    #expect(!response.isHit && response.text == "127.0.0.1" && response["Vary"] == "*")
                }
                #expect(origin.requests.count == 2)
            }
        }
    }

    @Test func `An absolute target selects the stored page, and the Host field does not`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.host ?? "")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                func get(_ target: String, _ host: String) async throws -> Exchange.Answer {
                    let text = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
                    return try #require(try await Exchange.send(Array(text.utf8), to: gateway.port).answers.first)
                }
                #expect(try await get("http://a.example/", "b.example").body == "a.example")
                let hit = try await get("/", "a.example")
                #expect(hit.body == "a.example" && hit["Cache-Status"]?.contains("; hit") == true)
                #expect(try await get("/", "b.example").body == "b.example")
                #expect(origin.requests.count == 2)
            }
        }
    }

    @Test
    func `Each host and port has separate entries, in any case and with the scheme's default port`()
        async throws
    {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.host ?? "")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                func get(_ host: String) async throws -> (body: String, isHit: Bool) {
                    let text = "GET /a HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
                    let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                    let answer = try #require(exchange.answers.first)
                    return (answer.body, answer["Cache-Status"]?.contains("; hit") == true)
                }
                for host in ["a.example", "b.example", "a.example:81", "a.example:443", "[::1]", "[::1]:81"] {
                    let first = try await get(host)
                    #expect(!first.isHit && first.body == host)
                    let second = try await get(host)
                    #expect(second.isHit && second.body == host)
                }
                for host in ["A.EXAMPLE", "a.example:80", "A.example:80", "a.example:"] {
                    let answer = try await get(host)
                    #expect(answer.isHit && answer.body == "a.example", "\(host): \(answer)")
                }
            }
        }
    }

    @Test func `A key has the scheme, host and path, and is listed in the metrics`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60"], "page")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send("GET", "/a?b=1")
                #expect(try await gateway.send("GET", "/a?b=1").isHit)
                let metrics = try await gateway.send("GET", "/-/larder/metrics/cache")
                #expect(metrics.status == 200 && metrics.text.contains("http://localhost/a?b=1"), "\(metrics.text)")
            }
        }
    }
}
