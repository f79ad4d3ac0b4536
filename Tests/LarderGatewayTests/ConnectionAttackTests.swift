import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestHelpers
import Testing

@testable import LarderGateway

/// Connections that could keep other clients out.
@Suite(.timeLimit(.minutes(5))) struct ConnectionAttackTests {
    /// A connection that a test opens and then leaves unused.
    private static func connect(
        _ port: Int,
        from address: String? = nil,
        sending text: String = ""
    )
        async throws -> any Channel
    {
        let source = try SocketAddress(ipAddress: address ?? "127.0.0.1", port: 0)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(to: source)
            .connect(host: "127.0.0.1", port: port).get()
        if !text.isEmpty { try? await channel.writeAndFlush(ByteBuffer(string: text)) }
        return channel
    }

    private static func close(_ channels: [any Channel]) async {
        for channel in channels { try? await channel.close() }
    }

    private static func isClosed(_ channel: any Channel) -> Bool { !channel.isActive }

    /// Runs a gateway that accepts four connections, before an origin that responds when a gate is open.
    private static func withGateway(
        _ limit: Int = 4,
        _ certificate: Certificate? = nil,
        _ test: @Sendable (RunningGateway, Gate, ScriptedOrigin) async throws -> Void
    ) async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { request in
            if request.target.hasPrefix("/held") { await gate.pass() }
            return answer("200 OK", [], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.clientConnections = limit
                $0.clientIdleTimeout = .seconds(600)
                $0.drainTimeout = .milliseconds(100)
                $0.certificate = certificate.map { .init($0) }
            } _: { gateway in
                try await test(gateway, gate, origin)
            }
        }
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: local", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
    func `Idle connections do not keep clients out`(_ text: String) async throws {
        try await Self.withGateway { gateway, _, _ in
            var idle: [any Channel] = []
            for _ in 0..<20 { idle.append(try await Self.connect(gateway.port, sending: text)) }
            for number in 0..<20 { #expect(try await gateway.send("GET", "/\(number)").text == "/\(number)") }
            await Self.close(idle)
        }
    }

    @Test(arguments: ["", "\u{16}\u{3}\u{1}"]) func `Incomplete TLS handshakes do not keep clients out`(
        _ text: String
    ) async throws {
        try await Certificate.run { certificate in
            try await Self.withGateway(4, certificate) { gateway, _, _ in
                var idle: [any Channel] = []
                for _ in 0..<12 { idle.append(try await Self.connect(gateway.port, sending: text)) }
                for number in 0..<6 {
                    try await HTTP2Wire.open(to: gateway.port) { wire async throws in
                        #expect(try await wire.send("GET", "/\(number)").text == "/\(number)")
                    }
                }
                await Self.close(idle)
            }
        }
    }

    @Test func `HTTP/2 connections without streams do not keep clients out`() async throws {
        try await Certificate.run { certificate in
            try await Self.withGateway(2, certificate) { gateway, _, _ in
                try await HTTP2Wire.open(to: gateway.port) { first in
                    #expect(try await first.send("GET", "/first").text == "/first")
                    try await HTTP2Wire.open(to: gateway.port) { second in
                        #expect(try await second.send("GET", "/second").text == "/second")
                        try await HTTP2Wire.open(to: gateway.port) { third async throws in
                            #expect(try await third.send("GET", "/third").text == "/third")
                            #expect(try await second.send("GET", "/again").text == "/again")
                        }
                    }
                    try await first.channel.closeFuture.get()
                }
            }
        }
    }

    /// Opens connections one after the other, each of which gets one response, and keeps them open while `body` runs.
    private static func open(
        _ count: Int,
        _ gateway: RunningGateway,
        _ wires: [Wire] = [],
        _ body: ([Wire]) async throws -> Void
    ) async throws {
        guard count > 0 else { return try await body(wires) }
        try await Wire.open(to: gateway.port) { wire in
            try await wire.send("GET", "/")
            #expect(try await wire.answer().status == 200)
            try await open(count - 1, gateway, wires + [wire], body)
        }
    }

    @Test func `The connection that has been idle for longest is closed`() async throws {
        try await Self.withGateway { gateway, _, _ in
            try await Self.open(4, gateway) { wires in
                // The second connection is used again.
                try await wires[1].send("GET", "/")
                #expect(try await wires[1].answer().status == 200)
                try await Self.open(2, gateway) { _ in
                    #expect(try await wires[0].part() == nil)
                    #expect(try await wires[2].part() == nil)
                    for wire in [wires[1], wires[3]] {
                        try await wire.send("GET", "/")
                        #expect(try await wire.answer().status == 200)
                    }
                }
            }
        }
    }

    @Test func `A connection with a request under way is not closed, and a further one waits`() async throws {
        try await Self.withGateway(2) { gateway, gate, origin in
            try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<2 { group.addTask { try await gateway.send("GET", "/held/\(number)").text } }
                await gate.reached(by: 2)
                group.addTask { try await gateway.send("GET", "/third").text }
                // It is accepted by the system, but not answered.
                let asked = try await Self.connect(gateway.port, sending: "GET /fourth HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(origin.requests.count == 2)
                gate.open()
                var texts: Set<String> = []
                for try await text in group { texts.insert(text) }
                #expect(texts == ["/held/0", "/held/1", "/third"])
                try await eventually("the fourth is answered") { origin.requests.count == 4 }
                try await asked.close()
            }
        }
    }

    @Test func `A connection that becomes idle makes room for a waiting one`() async throws {
        try await Self.withGateway(1) { gateway, gate, _ in
            try await Wire.open(to: gateway.port) { wire in
                try await wire.send("GET", "/held")
                await gate.reached()
                async let second = gateway.send("GET", "/second").text
                gate.open()
                #expect(try await wire.answer().text == "/held")
                #expect(try await second == "/second")
            }
        }
    }

    @Test func `A gateway stops while connections wait`() async throws {
        let waiting = NIOLockedValueBox<[any Channel]>([])
        try await Self.withGateway(1) { gateway, gate, _ in
            async let held = try? gateway.send("GET", "/held")
            await gate.reached()
            for _ in 0..<5 {
                let channel = try await Self.connect(gateway.port)
                waiting.withLockedValue { $0.append(channel) }
            }
            await gateway.stop()
            _ = await held
            gate.open()
        }
        for channel in waiting.withLockedValue({ $0 }) { try await channel.closeFuture.get() }
    }

    // MARK: - Connections of one address

    @Test func `A limit of connections per address does not affect other addresses`() async throws {
        let record = LogRecord()
        try await ScriptedOrigin.answering({ answer("200 OK", [], $0.target) }) { origin in
            try await RunningGateway.run(before: origin.url, logger: record.logger) {
                $0.connectionsPerAddress = 3
                $0.clientIdleTimeout = .seconds(600)
            } _: { gateway in
                var open: [any Channel] = []
                for _ in 0..<3 { open.append(try await Self.connect(gateway.port, from: "127.0.0.2")) }
                for _ in 0..<10 {
                    let refused = try await Self.connect(gateway.port, from: "127.0.0.2")
                    try await refused.closeFuture.get()
                }
                #expect(open.allSatisfy { $0.isActive })
                #expect(try await gateway.send("GET", "/other").status == 200)
                let lines = record.lines("A client reached its limit of connections")
                #expect((1..<10).contains(lines.count) && lines[0].contains("127.0.0.2"), "\(lines)")
                try await open[0].close()
                try await eventually("there is room for another") {
                    guard let channel = try? await Self.connect(gateway.port, from: "127.0.0.2") else { return false }
                    let text = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    try? await channel.writeAndFlush(ByteBuffer(string: text))
                    try? await eventually("an answer, or the end") {
                        origin.requests.contains { $0.target == "/next" } || !channel.isActive
                    }
                    try? await channel.close()
                    return origin.requests.contains { $0.target == "/next" }
                }
                await Self.close(open)
            }
        }
    }

    @Test func `Connections of trusted proxies are not limited, except by the client address of the PROXY protocol`()
        async throws
    {
        for usesProtocol in [false, true] {
            try await ScriptedOrigin.answering({ answer("200 OK", [], $0.target) }) { origin in
                let options = ["trusted-proxies": "127.0.0.2", "proxy-protocol": usesProtocol ? "on" : "off"]
                try await RunningGateway.run(before: origin.url, options: options) {
                    $0.connectionsPerAddress = 2
                } _: { gateway in
                    var open: [any Channel] = []
                    for number in 0..<8 {
                        let header = "PROXY TCP4 203.0.113.\(number / 2) 198.51.100.1 4711 80\r\n"
                        let text = (usesProtocol ? header : "") + "GET /\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n"
                        open.append(try await Self.connect(gateway.port, from: "127.0.0.2", sending: text))
                    }
                    try await eventually("each is answered") { origin.requests.count == 8 }
                    if usesProtocol {
                        let header = "PROXY TCP4 203.0.113.0 198.51.100.1 4711 80\r\n"
                        let third = try await Self.connect(gateway.port, from: "127.0.0.2", sending: header)
                        try await third.closeFuture.get()
                    }
                    #expect(open.allSatisfy { $0.isActive })
                    await Self.close(open)
                }
            }
        }
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1", "fe80::"),
    ])
    func `An IPv6 network of 64 bits counts as one address`(_ address: String, _ network: String) throws {
        #expect(try #require(IPAddress(address)).clientNetwork == IPAddress(network))
    }
}
