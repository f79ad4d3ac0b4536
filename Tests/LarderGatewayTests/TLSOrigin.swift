import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import TestHelpers

/// An origin server over TLS that speaks HTTP/2 with clients that negotiate it, and otherwise HTTP/1.1.
struct TLSOrigin: Sendable {
    /// A request as it was received.
    struct Received: Sendable {
        let head: HTTPRequest
        let body: String
        /// The HTTP version, `2` or `1.1`.
        let version: String
    }

    let port: Int
    private let log: NIOLockedValueBox<[Received]>

    var url: String { "https://127.0.0.1:\(port)" }
    /// The requests so far.
    var requests: [Received] { log.withLockedValue { $0 } }

    /// Runs the server while `test` runs.
    static func run<Value: Sendable>(
        with certificate: Certificate,
        _ answer: @escaping @Sendable (Received) async throws -> Response,
        _ test: @Sendable (TLSOrigin) async throws -> Value
    ) async throws -> Value {
        let log = NIOLockedValueBox<[Received]>([])
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let server = try HTTPServerBuilder.http2Upgrade(tlsConfiguration: try .server(certificate)).buildServer(
            configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: 0)),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: .quiet,
            responder: { request, writer, channel in
                let received = Received(
                    head: request.head,
                    body: String(buffer: try await request.body.collect(upTo: .max)),
                    version: "\(type(of: channel))".hasPrefix("HTTP2") ? "2" : "1.1"
                )
                log.withLockedValue { $0.append(received) }
                let response = try await answer(received)
                try await writer.write(response: response.head, body: response.body)
            },
            onServerRunning: { announce.yield($0.localAddress?.port ?? 0) }
        )
        let services = ServiceGroup(services: [server], logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { announce.finish() }
                try await services.run()
            }
            guard let port = await ports.first(where: { _ in true }) else {
                throw Unusable(description: "the origin does not listen")
            }
            let result: Result<Value, any Error>
            do { result = .success(try await test(TLSOrigin(port: port, log: log))) } catch { result = .failure(error) }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return try result.get()
        }
    }
}
