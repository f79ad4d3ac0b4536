import HTTPTypes
import Larder
import LarderGateway
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// The content of clients' requests on its way to an origin.
@Suite(.timeLimit(.minutes(5))) struct UploadTests {
    @Test func `An origin may respond before it has received all content, and the connection continues`() async throws {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                if request.method == "POST" {
                    return try await connection.send(answer("413 Content Too Large", ["Connection: close"], "no"))
                }
                try await connection.send(answer("200 OK", [], request.method))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: ["spool-limit": "0"]) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    for _ in 0..<20 {
                        try await wire.send("POST", "/a", ["Content-Length: 10"])
                        let refusal = try await wire.answer()
                        #expect(refusal.status == 413 && refusal.text == "no")
                        try await wire.send(bytes: Array("0123456789".utf8))
                        try await wire.send("GET", "/b")
                        let next = try await wire.answer()
                        #expect(next.status == 200 && next.text == "GET")
                    }
                }
            }
        }
    }

    @Test(arguments: [["Content-Length: 10"], ["Transfer-Encoding: chunked"]])
    func `Content that a client breaks off does not look complete to the origin`(_ framing: [String]) async throws {
        let ends = NIOLockedValueBox<[String]>([])
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.head() else { return }
            do {
                var count = 0
                try await connection.content(of: request) { count += $0.readableBytes }
                ends.withLockedValue { $0.append("whole: \(count)") }
            } catch {
                ends.withLockedValue { $0.append("broken off") }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: ["spool-limit": "0"]) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("POST", "/a", framing)
                    try await wire.send(bytes: Array(framing[0].hasPrefix("C") ? "12345".utf8 : "5\r\n12345\r\n".utf8))
                    try await eventually("the origin is asked") { origin.requests.count == 1 }
                }
                try await eventually("the origin has noticed the end") { !ends.withLockedValue { $0.isEmpty } }
                #expect(ends.withLockedValue { $0 } == ["broken off"])
            }
        }
    }

    @Test func `Content may take longer than the response timeout`() async throws {
        let (clock, gate) = (ManualClock(), Gate())
        try await ScriptedOrigin.answering { request in
            if request.target == "/late" { await gate.pass() }
            return answer("200 OK", [], request.body)
        } _: { origin in
            try await RunningGateway.run(before: origin.url, clock: clock.clock) {
                $0.responseTimeout = .seconds(30)
                $0.spoolLimit = .bytes(0)
            } _: { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("POST", "/a", ["Content-Length: 10"])
                    try await eventually("the origin is asked") { origin.requests.count == 1 }
                    #expect(clock.sleeperCount == 0)
                    clock.advance(by: .seconds(60))
                    try await wire.send(bytes: Array("0123456789".utf8))
                    #expect(try await wire.answer().text == "0123456789")
                }
                // The response timeout begins with the end of the content.
                async let late = gateway.send("POST", "/late", body: "0123456789")
                try await eventually("its timeout runs") { clock.sleeperCount == 1 }
                clock.advance(by: .seconds(30))
                let status = try await late.status
                #expect(status == 504)
                gate.open()
            }
        }
    }

    @Test(arguments: ["100-continue", "100-Continue"])
    func `A client that expects a 100 gets it before it sends its content`(_ expectation: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.body + (request.fields[.expect] ?? ""))
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("PUT", "/a", ["Content-Length: 5", "Expect: \(expectation)"])
                    #expect(try await wire.head().status == 100)
                    try await wire.send(bytes: Array("whole".utf8))
                    let response = try await wire.answer()
                    #expect(response.status == 200 && response.text == "whole")
                }
            }
        }
    }
}
