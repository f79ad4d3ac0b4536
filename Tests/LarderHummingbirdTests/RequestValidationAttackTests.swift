import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import NIOCore
import TestHelpers
import Testing

/// Requests that servers read in more than one way, sent to an application whose server rejects them.
@Suite(.timeLimit(.minutes(5))) struct RequestValidationAttackTests {
    private let bench = Bench()

    /// Heads that are rejected, without the empty line at their end.
    static let ambiguous: [[String]] = [
        ["GET /a HTTP/1.1"],
        ["GET /a HTTP/1.1", "Host: a.example", "Host: b.example"],
        ["GET /a HTTP/1.1", "Host: a.example", "host: a.example"],
        ["GET /a HTTP/1.1", "Host: a.example, b.example"],
        ["GET /a HTTP/1.1", "Host: a.example/b"],
        ["GET /a HTTP/1.1", "Host: user@a.example"],
        ["GET /a HTTP/1.1", "Host: "],
        ["GET a HTTP/1.1", "Host: a.example"],
        ["GET http:///a HTTP/1.1", "Host: a.example"],
        ["GET ftp://a.example/a HTTP/1.1", "Host: a.example"],
        ["POST /a HTTP/1.1", "Host: a.example", "Transfer-Encoding: xchunked"],
        ["POST /a HTTP/1.1", "Host: a.example", "Transfer-Encoding: gzip, chunked"],
        ["POST /a HTTP/1.1", "Host: a.example", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["POST /a HTTP/1.1", "Host: a.example", "Transfer-Encoding: identity"],
        ["POST /a HTTP/1.0", "Host: a.example", "Transfer-Encoding: chunked"],
        ["POST /a HTTP/1.1", "Host: a.example", "Content-Length: 3", "Content-Length: 5"],
        ["POST /a HTTP/1.1", "Host: a.example", "Content-Length: 3", "Content-Length: 3"],
        ["POST /a HTTP/1.1", "Host: a.example", "Content-Length: 3", "Transfer-Encoding: chunked"],
        ["POST /a HTTP/1.1", "Host: a.example", "Content-Length: +3"],
        ["POST /a HTTP/1.1", "Host: a.example", "Content-Length: 9999999999999999999"],
    ]

    private func serve(
        validates: Bool = true,
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in "fine" }.post { request, _ in
            String(buffer: try await request.body.collect(upTo: 100))
        }
        let application = Application(router: router, server: validates ? .validatedHTTP1() : .http1())
        try await LarderHummingbirdTests.serve(application) { client in
            try await test(try #require(client.port))
        }
    }

    private static func bytes(_ lines: [String], _ content: String = "") -> [UInt8] {
        Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + content).utf8)
    }

    @Test(arguments: ambiguous) func `An ambiguous request is rejected and its connection closed`(
        _ lines: [String]
    ) async throws {
        try await serve { port in
            try await Wire.open(to: port) { wire in
                // The second request must not be answered, because the end of the first one is ambiguous.
                try await wire.send(bytes: Self.bytes(lines, "0\r\n\r\n") + Self.bytes(["GET /a HTTP/1.1", "Host: a"]))
                let answer = try await wire.answer()
                #expect(answer.status == 400, "\(lines)")
                #expect(answer.fields[.connection] == "close")
                var rest = 0
                while let part = try await wire.part() { rest += part.readableBytes }
                #expect(rest == 0, "\(lines)")
            }
        }
    }

    @Test func `A rejection follows the responses to earlier requests`() async throws {
        try await serve { port in
            try await Wire.open(to: port) { wire in
                let good = Self.bytes(["GET /a HTTP/1.1", "Host: a.example"])
                try await wire.send(bytes: good + good + Self.bytes(["GET /a HTTP/1.1"]) + good)
                for status in [200, 200, 400] { #expect(try await wire.answer().status == status) }
                #expect(try await wire.part() == nil)
            }
        }
    }

    @Test func `A HEAD request is rejected without a body`() async throws {
        try await serve { port in
            try await Wire.open(to: port) { wire in
                try await wire.send(bytes: Self.bytes(["HEAD /a HTTP/1.1"]))
                #expect(try await wire.answer(hasBody: false).status == 400)
                #expect(try await wire.part() == nil)
            }
        }
    }

    @Test func `Ordinary requests are answered as by Hummingbird's own server`() async throws {
        for validates in [true, false] {
            try await serve(validates: validates) { port in
                try await Wire.open(to: port) { wire in
                    try await wire.send("GET", "/a")
                    #expect(try await wire.answer().text == "fine")
                    try await wire.send("POST", "/a", body: "hello")
                    #expect(try await wire.answer().text == "hello")
                    try await wire.send(
                        bytes: Self.bytes(
                            ["POST /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"],
                            "3\r\nabc\r\n0\r\n\r\n"
                        )
                    )
                    #expect(try await wire.answer().text == "abc")
                    try await wire.send(bytes: Self.bytes(["GET http://b.example/a HTTP/1.1", "Host: b.example"]))
                    #expect(try await wire.answer().text == "fine")
                }
            }
        }
    }

    @Test func `Ambiguous requests are accepted without the validation`() async throws {
        try await serve(validates: false) { port in
            try await Wire.open(to: port) { wire in
                try await wire.send(bytes: Self.bytes(Self.ambiguous[1]))
                #expect(try await wire.answer().status == 200)
            }
        }
    }
}
