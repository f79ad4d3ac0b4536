import Larder
import LarderGateway
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The responses to clients when an origin fails. Nothing of a faulty response is stored.
@Suite(.timeLimit(.minutes(5))) struct FaultTests {
    /// The stored response when the origin fails.
    enum Stored: String, CaseIterable {
        case nothing
        case stale
        /// A stale response that must not be served without the origin.
        case mustRevalidate
    }

    /// One fault of an origin.
    struct Fault: Sendable, CustomTestStringConvertible {
        /// The response that a client gets.
        enum Effect {
            /// An error of this type if nothing is stored; otherwise the stale response or a 504.
            case failure(Int, String)
            /// The same if a response is stored. If none is stored, a body that is visibly cut off.
            case cutOffUnlessStored
            /// A body that is visibly cut off, because its beginning was already sent.
            case cutOff
            /// Either a body that is visibly cut off or an error, depending on how the bytes are received.
            case either(Int, String)
            /// A correct response.
            case success(Int, String)
        }

        let name: String
        let effect: Effect
        let script: ScriptedOrigin.Script
        var testDescription: String { name }

        init(_ name: String, _ effect: Effect, _ script: @escaping ScriptedOrigin.Script) {
            self.name = name
            self.effect = effect
            self.script = script
        }

        /// Creates a fault that writes bytes and closes the connection.
        init(_ name: String, _ effect: Effect, writes text: String) {
            self.init(name, effect) { try await $0.send(text) }
        }

        /// Creates a fault that writes a head and a body at once, and closes the connection.
        init(_ name: String, _ effect: Effect, _ fields: [String], _ body: String = "") {
            self.init(
                name,
                effect,
                writes: (["HTTP/1.1 200 OK", "Cache-Control: max-age=60"] + fields)
                    .joined(separator: "\r\n") + "\r\n\r\n" + body
            )
        }

        /// Creates a fault that writes bytes, and nothing more until the gateway closes the connection.
        init(_ name: String, hangsAfter text: String, _ effect: Effect) {
            self.init(name, effect) { connection in
                if !text.isEmpty { try await connection.send(text) }
                while try await connection.part() != nil {}
            }
        }
    }

    static let terminated = Fault.Effect.failure(502, "connection_terminated")
    static let incomplete = Fault.Effect.failure(502, "http_response_incomplete")
    static let nonsense = Fault.Effect.failure(502, "http_protocol_error")
    static let tooMuch = Fault.Effect.failure(502, "http_response_header_section_size")
    static let late = Fault.Effect.failure(504, "http_response_timeout")

    static let heads: [Fault] = [
        Fault("it closes the connection", terminated) { _ in },
        Fault("it resets the connection", terminated) { try await $0.reset() },
        Fault("it breaks off in the status line", incomplete, writes: "HTTP/1.1 20"),
        Fault("it breaks off in a field", incomplete, writes: "HTTP/1.1 200 OK\r\nCache-Control: max-a"),
        Fault(
            "it breaks off before the end of the head",
            incomplete,
            writes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
        ),
        Fault("it breaks off after a 100", terminated, writes: "HTTP/1.1 100 Continue\r\n\r\n"),
        Fault("it switches protocols unasked", nonsense, writes: "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        Fault("it writes garbage", nonsense, writes: "These are not the bytes\r\nyou are looking for\r\n\r\n"),
        Fault("it writes zeros", nonsense, writes: String(repeating: "\0", count: 100)),
        Fault("it speaks TLS", nonsense, writes: "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}"),
        Fault("it speaks HTTP/2", nonsense, writes: "HTTP/2.0 200 OK\r\n\r\n"),
        Fault("it speaks HTTP/0.9", nonsense, writes: "<html>an answer without a head</html>"),
        Fault("it writes two status lines", nonsense, writes: "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r\n"),
        Fault("the status is 000", nonsense, writes: "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n"),
        Fault("the status is 99", nonsense, writes: "HTTP/1.1 99 Little\r\nContent-Length: 0\r\n\r\n"),
        Fault("the status is 2000", nonsense, writes: "HTTP/1.1 2000 Much\r\nContent-Length: 0\r\n\r\n"),
        Fault("the status is a word", nonsense, writes: "HTTP/1.1 two OK\r\nContent-Length: 0\r\n\r\n"),
        Fault("the fields have no end", tooMuch) { connection in
            try await connection.send("HTTP/1.1 200 OK\r\n")
            for _ in 0..<100 { try await connection.send(String(repeating: "X-Field: value\r\n", count: 1_000)) }
            while try await connection.part() != nil {}
        },
        Fault("a field has no end", tooMuch) { connection in
            try await connection.send("HTTP/1.1 200 OK\r\nX-Field: ")
            for _ in 0..<100 { try await connection.send(String(repeating: "x", count: 10_000)) }
            while try await connection.part() != nil {}
        },
        Fault("a value has a NUL", nonsense, ["X-Field: a\0b", "Content-Length: 4"], "body"),
        Fault("a value has a bare CR", nonsense, ["X-Field: a\rSet-Cookie: b", "Content-Length: 4"], "body"),
        Fault("a value has a control character", nonsense, ["X-Field: a\u{1}b", "Content-Length: 4"], "body"),
        Fault("a line ends in a bare LF", nonsense, ["X-Field: a\nX-Other: b", "Content-Length: 4"], "body"),
        Fault("a name has a space", nonsense, ["X Field: a", "Content-Length: 4"], "body"),
        Fault("a name has a space behind it", nonsense, ["X-Field : a", "Content-Length: 4"], "body"),
        Fault("a line has no colon", nonsense, ["X-Field", "Content-Length: 4"], "body"),
        Fault("a line has no name", nonsense, [": a", "Content-Length: 4"], "body"),
        Fault("a line is folded", nonsense, ["X-Field: a", " b", "Content-Length: 4"], "body"),
    ]

    static let bodies: [Fault] = [
        Fault("there is no byte of the body", incomplete, ["Content-Length: 4"]),
        Fault("the body is too short", .cutOff, ["Content-Length: 10"], "body"),
        Fault("the body is too long", nonsense, ["Content-Length: 4"], "body and more"),
        Fault("there is a body where there should be none", nonsense, ["Content-Length: 0"], "body"),
        Fault("there are two lengths", nonsense, ["Content-Length: 4", "Content-Length: 2"], "body"),
        Fault("there is one length twice", nonsense, ["Content-Length: 4", "Content-Length: 4"], "body"),
        Fault("the length is a list", nonsense, ["Content-Length: 4, 4"], "body"),
        Fault("the length has a sign", nonsense, ["Content-Length: +4"], "body"),
        Fault("the length is negative", nonsense, ["Content-Length: -4"], "body"),
        Fault("the length is hexadecimal", nonsense, ["Content-Length: 0x4"], "body"),
        Fault("the length is no number", nonsense, ["Content-Length: four"], "body"),
        Fault("the length is past all numbers", nonsense, ["Content-Length: 99999999999999999999999"], "body"),
        Fault(
            "there are a length and chunks",
            nonsense,
            ["Content-Length: 4", "Transfer-Encoding: chunked"],
            "4\r\nbody\r\n0\r\n\r\n"
        ),
        Fault("the transfer coding is another one", nonsense, ["Transfer-Encoding: gzip"], "body"),
        Fault(
            "there are two transfer codings",
            nonsense,
            ["Transfer-Encoding: gzip, chunked"],
            "4\r\nbody\r\n0\r\n\r\n"
        ),
        Fault("the transfer coding is a lookalike", nonsense, ["Transfer-Encoding: xchunked"], "body"),
        Fault("there is no chunk", .cutOffUnlessStored, ["Transfer-Encoding: chunked"]),
        Fault("the chunks break off", .cutOff, ["Transfer-Encoding: chunked"], "4\r\nbody\r\n"),
        Fault("a chunk breaks off", .cutOff, ["Transfer-Encoding: chunked"], "40\r\nbody"),
        Fault("the last chunk breaks off", .cutOff, ["Transfer-Encoding: chunked"], "4\r\nbody\r\n0\r\n"),
        Fault("a chunk is longer than it says", nonsense, ["Transfer-Encoding: chunked"], "4\r\nbody and\r\n0\r\n\r\n"),
        Fault(
            "the size of a chunk is no number",
            nonsense,
            ["Transfer-Encoding: chunked"],
            "four\r\nbody\r\n0\r\n\r\n"
        ),
        Fault("the size of a chunk is negative", nonsense, ["Transfer-Encoding: chunked"], "-4\r\nbody\r\n0\r\n\r\n"),
        Fault(
            "the size of a chunk is past all numbers",
            nonsense,
            ["Transfer-Encoding: chunked"],
            "fffffffffffffffff\r\nbody\r\n0\r\n\r\n"
        ),
        Fault(
            "something follows the last chunk",
            nonsense,
            ["Transfer-Encoding: chunked"],
            "4\r\nbody\r\n0\r\n\r\nmore"
        ),
        Fault("a second answer follows", nonsense, ["Content-Length: 4"], "body" + answer("200 OK", [], "evil")),
        Fault("half an answer follows", nonsense, ["Content-Length: 4"], "bodyHTTP/1.1 200 OK\r\nX-Evil: "),
        Fault(
            "half an answer follows chunks",
            nonsense,
            ["Transfer-Encoding: chunked"],
            "4\r\nbody\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"
        ),
        Fault("the connection is reset", .either(502, "connection_terminated")) { connection in
            try await connection.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nbody")
            try await connection.reset()
        },
    ]

    static let hanging: [Fault] = [
        Fault("it hangs", hangsAfter: "", late),
        Fault("it hangs in the status line", hangsAfter: "HTTP/1.1 20", late),
        Fault("it hangs in a field", hangsAfter: "HTTP/1.1 200 OK\r\nCache-Control: max-a", late),
        Fault("it hangs after an early hint", hangsAfter: "HTTP/1.1 103 Early Hints\r\n\r\n", late),
        Fault(
            "it gives nothing but hints",
            hangsAfter: String(repeating: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", count: 1_000),
            late
        ),
        Fault("the body hangs", hangsAfter: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbody", .cutOff),
        Fault(
            "the chunks hang",
            hangsAfter: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
            .cutOff
        ),
    ]

    static let good: [Fault] = [
        Fault("the body ends with the connection", .success(200, "body"), [], "body"),
        Fault("nothing ends with the connection", .success(200, ""), []),
        Fault("empty lines follow", .success(200, "body"), ["Content-Length: 4"], "body\r\n\r\n"),
        Fault(
            "hints come first",
            .success(200, "body"),
            writes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                + "HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", [], "body")
        ),
        Fault(
            "chunks have extensions and trailers",
            .success(200, "body"),
            ["Transfer-Encoding: chunked"],
            "4;a=b;c=\"d\"\r\nbody\r\n0;e\r\nX-Trailer: \r\nX-Other: x\r\n\r\n"
        ),
        Fault("it speaks HTTP/1.0", .success(200, "body"), writes: "HTTP/1.0 200 OK\r\n\r\nbody"),
        Fault("the reason is empty", .success(200, "body"), writes: "HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nbody"),
        Fault("the status is 999", .success(999, "body"), writes: answer("999 Odd", [], "body")),
        Fault(
            "a 204 has a body",
            .success(204, ""),
            writes: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody"
        ),
    ]

    @Test(.serialized, arguments: heads + bodies + good, Stored.allCases)
    func `A fault leads to an error or the stale response, and is not stored`(
        _ fault: Fault,
        _ stored: Stored
    ) async throws {
        try await meet(fault, stored) { _ in }
    }

    @Test(arguments: hanging, Stored.allCases)
    func `An origin that stops responding is given up`(_ fault: Fault, _ stored: Stored) async throws {
        try await meet(fault, stored) { settings in
            // This is longer than a slow machine takes for a response that is sent.
            settings.responseTimeout = .seconds(8)
            settings.idleTimeout = fault.testDescription.hasPrefix("it ") ? .seconds(60) : .seconds(8)
        }
    }

    @Test(arguments: Stored.allCases) func `An origin that refuses connections leads to an error or the stale response`(
        _ stored: Stored
    ) async throws {
        let time = ManualClock()
        let fault = Fault("it refuses", .failure(502, "connection_refused")) { _ in }
        try await ScriptedOrigin.answering { _ in
            let control = "Cache-Control: max-age=60" + (stored == .mustRevalidate ? ", must-revalidate" : "")
            return answer("200 OK", ["Connection: close", "ETag: \"stored\"", control], "stored")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, clock: time.clock) { gateway in
                if stored != .nothing { #expect(try await gateway.exchange().body == "stored") }
                time.advance(by: .seconds(120))
                try await origin.refuse()
                expect(try await gateway.exchange(), fault, stored)
                #expect(try await gateway.exchange(method: "HEAD").body.isEmpty)
            }
        }
    }

    @Test func `A host that cannot be resolved is a 502`() async throws {
        // A DNS label has at most 63 bytes (RFC 1035 §2.3.4), so the name is not looked up on the network.
        let host = String(repeating: "x", count: 64) + ".invalid"
        try await RunningGateway.run(before: "http://\(host)") { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 502 && answer["Proxy-Status"] == "Larder; error=dns_error")
            #expect(answer.body == "{\"message\":\"The host name of the origin cannot be resolved\"}")
        }
    }

    @Test(arguments: ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{28}"])
    func `An origin that should use TLS and does not is a 502`(_ words: String) async throws {
        try await ScriptedOrigin.run { connection in
            guard try await connection.part() != nil else { return }
            try await connection.send(words)
        } _: { origin in
            try await RunningGateway.run(before: "https://127.0.0.1:\(origin.port)") { gateway in
                let answer = try await gateway.exchange()
                #expect(answer.status == 502, "\(answer)")
                #expect(answer["Proxy-Status"] == "Larder; error=tls_protocol_error", "\(answer)")
            }
        }
    }

    @Test(arguments: ["/-/larder/nothing", "/", "/#"])
    func `An error response to HEAD does not have a body, and the connection continues`(_ target: String) async throws {
        try await ScriptedOrigin.run { _ in
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let request = "HEAD \(target) HTTP/1.1\r\nHost: localhost\r\n"
                let next = "GET /-/larder/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                for field in ["", "Expect: the-unexpected\r\n", "Via: 1.1 elsewhere\r\n"] {
                    let text = request + field + "\r\n" + next
                    let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port, heads: [0])
                    #expect(exchange.answers.count == 2 && exchange.answers[1].status == 200, "\(exchange)")
                    #expect(exchange.answers[0].status >= 400, "\(exchange)")
                }
            }
        }
    }

    private func meet(
        _ fault: Fault,
        _ stored: Stored,
        _ configure: @Sendable (inout GatewaySettings) -> Void
    ) async throws {
        let time = ManualClock()
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.head() else { return }
            let fields = ["Connection: close", "ETag: \"stored\""]
            switch request["X-Turn"] {
            case "store":
                let control = "Cache-Control: max-age=60" + (stored == .mustRevalidate ? ", must-revalidate" : "")
                try await connection.send(answer("200 OK", fields + [control], "stored"))
            case "fail": try await fault.script(connection)
            default: try await connection.send(answer("200 OK", fields, "fresh"))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, clock: time.clock, configure: configure) { gateway in
                if stored != .nothing {
                    #expect(try await gateway.exchange("X-Turn: store").body == "stored")
                    time.advance(by: .seconds(120))
                }
                expect(try await gateway.exchange("X-Turn: fail"), fault, stored)
                let count = origin.requests.count
                #expect(count == (stored == .nothing ? 1 : 2))
                guard case .success = fault.effect else {
                    // While a stale response can be served, no request is sent to the origin for half a second.
                    time.advance(by: .seconds(1))
                    let next = try await gateway.exchange("X-Turn: ask")
                    #expect(next.status == 200 && next.body == "fresh" && next.isWhole)
                    #expect(origin.requests.count == count + 1)
                    return
                }
            }
        }
    }

    private func expect(_ answer: Exchange.Answer, _ fault: Fault, _ stored: Stored) {
        switch fault.effect {
        case .cutOffUnlessStored where stored == .nothing, .cutOff:
            #expect(answer.status == 200 && !answer.isWhole, "\(fault.name): \(answer)")
        case .either where answer.status == 200 && answer.body != "stored":
            #expect(!answer.isWhole, "\(fault.name): \(answer)")
        case .success(let status, let body):
            #expect(answer.status == status && answer.body == body && answer.isWhole, "\(fault.name): \(answer)")
        case .failure(let status, let type), .either(let status, let type):
            expect(answer, status, type, fault, stored)
        case .cutOffUnlessStored: expect(answer, 502, "http_response_incomplete", fault, stored)
        }
    }

    private func expect(_ answer: Exchange.Answer, _ status: Int, _ type: String, _ fault: Fault, _ stored: Stored) {
        let name: Comment = "\(fault.name): \(answer)"
        #expect(answer.isWhole, name)
        guard stored != .stale else {
            #expect(answer.status == 200 && answer.body == "stored", name)
            #expect(answer["Cache-Status"]?.contains("detail=stale-if-error") == true, name)
            return
        }
        #expect(answer.status == (stored == .nothing ? status : 504), name)
        #expect(answer["Proxy-Status"] == "Larder; error=\(type)", name)
        #expect(answer["Content-Type"]?.hasPrefix("application/json") == true, name)
        #expect(answer.body.hasPrefix("{\"message\":\"") && answer.body.contains("origin"), name)
    }
}

extension RunningGateway {
    /// Returns the response to one request on a separate connection, which the gateway ends.
    func exchange(
        _ fields: String...,
        method: String = "GET",
        target: String = "/",
        body: String = ""
    ) async throws -> Exchange.Answer {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Connection: close"] + fields + ["", body]
        let heads: Set<Int> = method == "HEAD" ? [0] : []
        let exchange = try await Exchange.send(Array(lines.joined(separator: "\r\n").utf8), to: port, heads: heads)
        guard exchange.isEnded else { throw Timeout(description: "The gateway did not end the connection") }
        guard exchange.answers.count == 1 else { throw Wire.Failure.nonsense("\(exchange.answers)") }
        return exchange.answers[0]
    }
}
