import LarderGateway
import NIOCore
import NIOPosix
import NIOSSL
import TestHelpers
import Testing

/// The versions of TLS that the gateway accepts (RFC 8996, RFC 9325).
@Suite(.timeLimit(.minutes(5))) struct TLSVersionTests {
    /// Returns true if a TLS handshake with a server succeeds.
    private static func connects(to port: Int, by version: TLSVersion) async throws -> Bool {
        let channel = try await TLSClient.connect(to: port) {
            ($0.minimumTLSVersion, $0.maximumTLSVersion) = (version, version)
        }
        // The write waits for the handshake, and fails with it.
        do {
            try await channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n"))
            try await channel.close()
            return true
        } catch {
            return false
        }
    }

    @Test func `Clients are served over TLS 1_2 and 1_3 alone`() async throws {
        try await Certificate.run { certificate in
            try await RunningGateway.run(before: "http://127.0.0.1:1") {
                $0.certificate = .init(certificate)
            } _: { gateway async throws in
                for version in [TLSVersion.tlsv1, .tlsv11] {
                    #expect(try await !Self.connects(to: gateway.port, by: version), "\(version)")
                }
                for version in [TLSVersion.tlsv12, .tlsv13] {
                    #expect(try await Self.connects(to: gateway.port, by: version), "\(version)")
                }
            }
        }
    }

    @Test(arguments: [TLSVersion.tlsv1, .tlsv11]) func `An origin with older versions of TLS only gets no request`(
        _ version: TLSVersion
    ) async throws {
        try await Certificate.run { certificate in
            var tls = try TLSConfiguration.server(certificate)
            (tls.minimumTLSVersion, tls.maximumTLSVersion) = (version, version)
            let context = try NIOSSLContext(configuration: tls)
            let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(listener.localAddress?.port)
            try await RunningGateway.run(before: "https://127.0.0.1:\(port)") {
                $0.originAuthorities = certificate.certificate
            } _: { gateway in
                let response = try await gateway.send("GET", "/")
                #expect(response.status == 502)
                let detail = response["Proxy-Status"] ?? ""
                #expect(detail.contains("tls"), "\(detail)")
            }
            try await listener.close()
        }
    }
}
