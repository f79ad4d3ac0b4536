import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import TestHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server whose bytes a test determines: each connection is handled by a script, which reads requests and writes any
/// bytes.
final class ScriptedOrigin: Sendable {
    /// A request as it was received.
    struct Received: Sendable {
        /// The request line and the field lines, as they were received.
        let head: String
        let method: String
        let target: String
        let fields: HTTPFields
        /// The value of `Host`.
        let host: String?
        /// The content without its framing; nil if the script has not read it to its end.
        var content: String?
        /// The content, or an empty string.
        var body: String { content ?? "" }
        /// The value of a field.
        subscript(_ name: String) -> String? { HTTPField.Name(name).flatMap { fields[$0] } }

        /// The number of the request's connection, counted from 0.
        let connection: Int
    }

    /// The reason why a script cannot continue.
    typealias Failure = ByteReader.Failure

    typealias Script = @Sendable (Connection) async throws -> Void

    let port: Int
    private let log: NIOLockedValueBox<[Received]>
    private let accepted: NIOLockedValueBox<Int>

    /// The requests so far, in the order in which their heads were received.
    var requests: [Received] { log.withLockedValue { $0 } }
    /// The number of connections so far.
    var connections: Int { accepted.withLockedValue { $0 } }
    var url: String { "http://127.0.0.1:\(port)" }
    /// The URL of a server with a certificate.
    var secureURL: String { "https://127.0.0.1:\(port)" }

    private let server: any Channel

    private init(_ server: any Channel, log: NIOLockedValueBox<[Received]>, accepted: NIOLockedValueBox<Int>) {
        self.server = server
        self.port = server.localAddress?.port ?? 0
        self.log = log
        self.accepted = accepted
    }

    private let placeholder = NIOLockedValueBox<Placeholder?>(nil)

    /// Refuses connections from now on.
    func refuse() async throws {
        try await server.close()
        // Otherwise the origin of another test could get the port.
        placeholder.withLockedValue { $0 = Placeholder(port: port) }
    }

    /// A socket that holds a port without listening, so that connections are refused.
    private final class Placeholder: Sendable {
        #if canImport(Glibc)
            private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            private let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif

        init?(port: Int) {
            var reuse: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
            guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: port) else { return nil }
            guard address.withSockAddr({ bind(descriptor, $0, socklen_t($1)) }) == 0 else { return nil }
        }

        deinit { close(descriptor) }
    }

    /// Runs a script for each connection while `test` runs. An error that a script throws ends its connection.
    /// - Parameter certificate: The certificate for TLS; nil for a server without TLS.
    static func run<Value: Sendable>(
        with certificate: Certificate? = nil,
        _ script: @escaping Script,
        _ test: @Sendable (ScriptedOrigin) async throws -> Value
    ) async throws -> Value {
        let context = try certificate.map { try NIOSSLContext(configuration: .server($0)) }
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let log = NIOLockedValueBox<[Received]>([])
        let accepted = NIOLockedValueBox(0)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { clients in
                    await withDiscardingTaskGroup { connections in
                        do {
                            for try await client in clients {
                                let number = accepted.withLockedValue { count in
                                    defer { count += 1 }
                                    return count
                                }
                                connections.addTask {
                                    try? await client.executeThenClose { inbound, outbound in
                                        try await script(
                                            Connection(
                                                number,
                                                client.channel,
                                                ByteReader(inbound),
                                                outbound,
                                                log
                                            )
                                        )
                                    }
                                }
                            }
                        } catch {}
                        connections.cancelAll()
                    }
                }
            }
            let value = try await test(ScriptedOrigin(server.channel, log: log, accepted: accepted))
            group.cancelAll()
            server.channel.close(promise: nil)
            return value
        }
    }

    /// Runs a server that responds once to each request, as long as the gateway holds the connection open.
    static func answering<Value: Sendable>(
        with certificate: Certificate? = nil,
        _ answer: @escaping @Sendable (Received) async throws -> String,
        _ test: @Sendable (ScriptedOrigin) async throws -> Value
    ) async throws -> Value {
        try await run(with: certificate, answers(answer), test)
    }

    /// Returns a script that responds once to each request.
    static func answers(_ answer: @escaping @Sendable (Received) async throws -> String) -> Script {
        { connection in
            while let request = try await connection.request() { try await connection.send(try await answer(request)) }
        }
    }
}

extension ScriptedOrigin {
    /// One connection of the gateway.
    final class Connection {
        let number: Int
        private let channel: any Channel
        private var reader: ByteReader
        private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        private let log: NIOLockedValueBox<[Received]>
        /// The index in the log of the last request on this connection.
        private var index = 0

        fileprivate init(
            _ number: Int,
            _ channel: any Channel,
            _ reader: ByteReader,
            _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
            _ log: NIOLockedValueBox<[Received]>
        ) {
            self.number = number
            self.channel = channel
            self.reader = reader
            self.outbound = outbound
            self.log = log
        }

        /// Returns the next request with its content; nil if the gateway has closed the connection.
        func request() async throws -> Received? {
            guard var request = try await head() else { return nil }
            var content = ""
            if let length = request.fields[.contentLength].flatMap({ Int($0) }) {
                content = String(decoding: try await reader.bytes(length), as: UTF8.self)
            } else if request.fields[.transferEncoding] == "chunked" {
                while let chunk = try await reader.chunk() { content += String(decoding: chunk, as: UTF8.self) }
            }
            request.content = content
            log.withLockedValue { [index] in $0[index].content = content }
            return request
        }

        /// Reads the content of a request as it is received.
        func content(of request: Received, _ body: (ByteBuffer) throws -> Void) async throws {
            try await reader.content(request.fields, body)
        }

        /// Returns the head of the next request; nil if the gateway has closed the connection.
        func head() async throws -> Received? {
            var text = ""
            repeat {
                let line: String
                do { line = try await reader.line() } catch Failure.ended where text.isEmpty { return nil }
                text += line + "\r\n"
            } while !text.hasSuffix("\r\n\r\n")
            let lines = text.split(separator: "\r\n").map(String.init)
            let words = lines[0].split(separator: " ").map(String.init)
            guard words.count == 3 else { throw Failure.nonsense(lines[0]) }
            var fields = HTTPFields()
            var host: String?
            for line in lines.dropFirst() {
                let field = try HTTPField(line: line)
                if field.name.canonicalName == "host" { host = field.value }
                fields.append(field)
            }
            let request = Received(
                head: text,
                method: words[0],
                target: words[1],
                fields: fields,
                host: host,
                connection: number
            )
            index = log.withLockedValue { log in
                log.append(request)
                return log.count - 1
            }
            return request
        }

        /// Returns some bytes as they are received; nil at the end.
        func part() async throws -> ByteBuffer? { try await reader.part() }

        /// Writes bytes as fast as the gateway takes them.
        func send(_ text: String) async throws { try await send(ByteBuffer(string: text)) }

        /// Writes bytes as fast as the gateway takes them.
        func send(_ buffer: ByteBuffer) async throws {
            try await outbound.write(buffer)
            // An event loop that is behind takes any number of writes before it reports that the connection is full.
            try await channel.eventLoop.submit {}.get()
        }

        /// Closes the connection without a further message.
        func close() async throws { try await channel.close() }

        /// Resets the connection, so that the gateway learns that it was broken, and not that it ended.
        func reset() async throws {
            try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            try await channel.close()
        }
    }
}

/// Returns an HTTP/1.1 response as text, with its length.
func answer(_ status: String = "200 OK", _ fields: [String] = [], _ body: String = "") -> String {
    (["HTTP/1.1 \(status)"] + fields + ["Content-Length: \(body.utf8.count)"]).joined(separator: "\r\n") + "\r\n\r\n"
        + body
}

extension TLSConfiguration {
    /// Returns the TLS configuration of a server with the given certificate.
    static func server(_ files: Certificate) throws -> TLSConfiguration {
        .makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.privateKey, format: .pem))
        )
    }
}
