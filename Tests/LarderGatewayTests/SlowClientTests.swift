import HTTPTypes
import Larder
import LarderGateway
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// Clients that do not read, and clients that disconnect.
@Suite(.timeLimit(.minutes(5))) struct SlowClientTests {
    private static let length = "Content-Length: \(8 << 20)"
    private static let part = ByteBuffer(repeating: UInt8(ascii: "x"), count: 64 << 10)
    private static let chunk = ByteBuffer(string: "10000\r\n\(String(buffer: part))\r\n")

    /// A configuration in which waiters wait for another request's fetch as long as a busy machine may take.
    private static let longTimeouts = "routes:\n  - path: /**\n    coalescing-timeout: 10m\n"

    /// Returns an origin whose response has 8 MiB, and can be stored.
    private static func large(_ framing: String, _ sent: NIOLockedValueBox<Int>) -> ScriptedOrigin.Script {
        { connection in
            while try await connection.head() != nil {
                try await connection.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\(framing)\r\n\r\n")
                for _ in 0..<128 {
                    try await connection.send(framing == Self.length ? Self.part : Self.chunk)
                    sent.withLockedValue { $0 += Self.part.readableBytes }
                }
                if framing != Self.length { try await connection.send("0\r\n\r\n") }
            }
        }
    }

    @Test(arguments: [length, "Transfer-Encoding: chunked"])
    func `A client that does not read does not delay clients of a stored response`(_ framing: String) async throws {
        let sent = NIOLockedValueBox(0)
        let store = MemoryStore(limit: .mebibytes(64), entryLimit: .mebibytes(9))
        try await ScriptedOrigin.run(Self.large(framing, sent)) { origin in
            // No time passes: a body that arrives for more than 30 seconds would not be stored.
            let clock = ManualClock().clock
            try await RunningGateway.run(before: origin.url, store: store, file: Self.longTimeouts, clock: clock) {
                gateway in
                try await Wire.open(to: gateway.port) { slow in
                    try await slow.send("GET", "/a")
                    try await eventually("the origin is asked") { origin.requests.count == 1 }
                    for _ in 0..<3 {
                        let response = try await gateway.send("GET", "/a")
                        #expect(response.status == 200 && response.body.count == 8 << 20)
                    }
                    #expect(origin.requests.count == 1)
                    let late = try await slow.answer()
                    #expect(late.body.count == 8 << 20)
                }
            }
        }
    }

    @Test(arguments: [length, "Transfer-Encoding: chunked"])
    func `A client that does not read does not delay clients of unstored responses`(_ framing: String) async throws {
        let sent = NIOLockedValueBox(0)
        try await ScriptedOrigin.run(Self.large(framing, sent)) { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.bodyLimit = .kibibytes(512)
            } _: { gateway in
                try await Wire.open(to: gateway.port) { slow in
                    try await slow.send("GET", "/a")
                    try await eventually("the origin is asked") { origin.requests.count == 1 }
                    for _ in 0..<3 {
                        let response = try await gateway.send("GET", "/a")
                        #expect(response.status == 200 && response.body.count == 8 << 20 && !response.isHit)
                    }
                    #expect(origin.requests.count == 4)
                    let late = try await slow.answer()
                    #expect(late.body.count == 8 << 20)
                }
            }
        }
    }

    @Test(arguments: [[], ["Cache-Control: no-store"]])
    func `A response that is neither stored nor read ends at the origin`(_ fields: [String]) async throws {
        let ended = Gate()
        try await ScriptedOrigin.run { connection in
            guard try await connection.head() != nil else { return }
            let head = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"] + fields
            try await connection.send(head.joined(separator: "\r\n") + "\r\n\r\n")
            do { while true { try await connection.send(Self.chunk) } } catch {}
            ended.open()
            await ended.pass()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/a")
                    #expect(try await wire.head().status == 200)
                    _ = try await wire.chunk()
                }
                await ended.reached()
            }
        }
    }

    @Test func `A response that is being stored continues when its first reader disconnects`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while try await connection.head() != nil {
                let fields = "Cache-Control: max-age=600\r\nContent-Length: 8"
                try await connection.send("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\nhalf")
                await gate.pass()
                try await connection.send("half")
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, file: Self.longTimeouts) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/a")
                    #expect(try await wire.head().status == 200)
                    _ = try await wire.part()
                }
                await gate.reached()
                gate.open()
                let response = try await gateway.send("GET", "/a")
                #expect(response.text == "halfhalf")
                #expect(try await gateway.send("GET", "/a").isHit)
                #expect(origin.requests.count == 1)
            }
        }
    }

    @Test func `A response that would be stored ends at the limit when no client reads it`() async throws {
        let ended = Gate()
        try await ScriptedOrigin.run { connection in
            guard try await connection.head() != nil else { return }
            try await connection.send(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            do { while true { try await connection.send(Self.chunk) } } catch {}
            ended.open()
            await ended.pass()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.bodyLimit = .kibibytes(64)
            } _: { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/a")
                    _ = try await wire.head()
                }
                await ended.reached()
            }
        }
    }
}
