import HTTPTypes
import Hummingbird
import LarderGateway
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The protocols between the gateway and origins, and the responses that it does not change.
@Suite(.timeLimit(.minutes(5))) struct OriginTLSTests {
    @Test func `An origin that speaks HTTP/2 gets HTTP/2 requests`() async throws {
        try await Certificate.run { certificate in
            try await TLSOrigin.run(with: certificate) { request in
                Response(
                    status: .ok,
                    headers: [.cacheControl: "max-age=60"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: request.version + request.body))
                )
            } _: { origin in
                try await RunningGateway.run(before: origin.url) {
                    $0.originAuthorities = certificate.certificate
                } _: { gateway in
                    #expect(try await gateway.send("GET", "/a", ["X-Field: value"]).text == "2")
                    #expect(try await gateway.send("GET", "/a").isHit)
                    #expect(try await gateway.send("POST", "/a", body: "content").text == "2content")
                    #expect(try await gateway.send("GET", "/a").isHit == false)
                    let request = try #require(origin.requests.first)
                    #expect(request.head.authority == "localhost" && request.head.path == "/a")
                    for field in request.head.headerFields { #expect(!field.name.canonicalName.contains("attempt")) }
                    #expect(origin.requests.count == 3)
                }
            }
        }
    }

    @Test func `An origin that speaks HTTP/1.1 over TLS gets HTTP/1.1 requests`() async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering(with: certificate) { request in
                answer("200 OK", ["Cache-Control: max-age=60"], request.method + request.body)
            } _: { origin in
                try await RunningGateway.run(before: origin.secureURL) {
                    $0.originAuthorities = certificate.certificate
                    $0.hostField = .origin
                } _: { gateway in
                    let first = try await gateway.send("GET", "/a")
                    #expect(first.text == "GET")
                    #expect(try await gateway.send("GET", "/a").isHit)
                    #expect(try await gateway.send("PUT", "/a", body: "content").text == "PUTcontent")
                    #expect(origin.requests.map(\.host) == Array(repeating: "127.0.0.1:\(origin.port)", count: 2))
                }
            }
        }
    }

    @Test(arguments: ["DNS:other.example", "IP:127.0.0.2"])
    func `A certificate for another name is refused`(_ name: String) async throws {
        try await Certificate.run(for: name) { certificate in
            try await Self.expectRefusal(of: certificate, trusting: certificate)
        }
    }

    @Test func `A certificate that no trusted authority signed is refused`() async throws {
        try await Certificate.run { certificate in
            try await Certificate.run { other in try await Self.expectRefusal(of: certificate, trusting: other) }
            try await Self.expectRefusal(of: certificate, trusting: nil)
        }
    }

    private static func expectRefusal(of certificate: Certificate, trusting other: Certificate?) async throws {
        try await ScriptedOrigin.answering(with: certificate) { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.secureURL) {
                $0.originAuthorities = other?.certificate
            } _: { gateway in
                let response = try await gateway.send("GET", "/a")
                #expect(response.status == 502)
                #expect(response["Proxy-Status"] == "Larder; error=tls_protocol_error")
                #expect(origin.requests.isEmpty)
            }
        }
    }

    @Test func `A redirect is forwarded to the client`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("302 Found", ["Location: http://127.0.0.1:1/elsewhere"], "moved")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let response = try await gateway.send("GET", "/a")
                #expect(response.status == 302 && response.text == "moved")
                #expect(response["Location"] == "http://127.0.0.1:1/elsewhere")
                #expect(origin.requests.count == 1)
            }
        }
    }

    @Test func `A compressed response is not decompressed`() async throws {
        try await ScriptedOrigin.answering { _ in
            let fields = ["Content-Encoding: gzip", "Vary: Accept-Encoding", "Cache-Control: max-age=60"]
            return answer("200 OK", fields, "\u{1F}8")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for isHit in [false, true] {
                    let response = try await gateway.send("GET", "/a", ["Accept-Encoding: gzip"])
                    #expect(response["Content-Encoding"] == "gzip" && response.text == "\u{1F}8")
                    #expect(response.isHit == isHit)
                }
                _ = try await gateway.send("GET", "/a")
                #expect(origin.requests.map { $0.fields[.acceptEncoding] } == ["gzip", nil])
            }
        }
    }
}
