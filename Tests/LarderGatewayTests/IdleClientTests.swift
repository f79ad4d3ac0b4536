import LarderGateway
import NIOCore
import NIOPosix
import NIOSSL
import TestHelpers
import Testing

/// Clients that connect, and then send too little.
@Suite(.timeLimit(.minutes(5))) struct IdleClientTests {
    private static let idleTimeout = Duration.seconds(2)

    @Test(
        arguments: [
            "", "GET / HTTP/1.1\r\nHost: local", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
        ]
    )
    func `A client that sends nothing more is disconnected`(_ text: String) async throws {
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.clientIdleTimeout = Self.idleTimeout
            } _: { gateway in
                let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                #expect(exchange.isEnded)
            }
        }
    }

    @Test(arguments: ["", "\u{16}\u{3}\u{1}"])
    func `A client that does not complete a TLS handshake is disconnected`(_ text: String) async throws {
        try await Self.withTLS { gateway in
            let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
            #expect(exchange.isEnded)
        }
    }

    @Test(arguments: ["", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"])
    func `An HTTP/2 client that does not answer GOAWAY is disconnected`(_ text: String) async throws {
        try await Self.withTLS { gateway in
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = .none
            tls.applicationProtocols = ["h2"]
            let context = try NIOSSLContext(configuration: tls)
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .connect(host: "127.0.0.1", port: gateway.port).get()
            try? await channel.writeAndFlush(ByteBuffer(string: text))
            // The deadline ensures that a failing test ends.
            let giveUp = channel.eventLoop.scheduleTask(in: .seconds(60)) {
                Issue.record("The gateway keeps the connection")
                channel.close(promise: nil)
            }
            try await channel.closeFuture.get()
            giveUp.cancel()
        }
    }

    @Test func `A client that has not begun TLS does not delay the end of the gateway`() async throws {
        try await Self.withTLS(idleTimeout: .seconds(600)) { gateway in
            async let silent = Exchange.send([], to: gateway.port)
            // Connections are accepted in order, so the silent one is accepted as well, or will be refused.
            _ = try await HTTP2Wire.open(to: gateway.port) { try await $0.send("GET", "/") }
            await gateway.stop()
            let isEnded = (try? await silent)?.isEnded
            #expect(isEnded != false)
        }
    }

    private static func withTLS(
        idleTimeout: Duration = idleTimeout,
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering { _ in
                answer()
            } _: { origin in
                try await RunningGateway.run(before: origin.url) {
                    $0.certificate = .init(certificate)
                    $0.clientIdleTimeout = idleTimeout
                    $0.drainTimeout = .seconds(2)
                } _: { gateway in
                    try await test(gateway)
                }
            }
        }
    }
}
