import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import TestHelpers

/// An HTTP/2 connection over TLS that carries the fields that a test writes.
struct HTTP2Wire: Sendable {
    private typealias Parts = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>

    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.AsyncStreamMultiplexer<Parts>

    /// Opens a connection, and closes it after `body`.
    /// - Parameters:
    ///   - validates: True if malformed requests fail before they are sent.
    ///   - connected: Called before the TLS handshake begins.
    static func open<Value: Sendable>(
        to port: Int,
        validates: Bool = true,
        connected: () async throws -> Void = {},
        _ body: (HTTP2Wire) async throws -> Value
    ) async throws -> Value {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        tls.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: tls)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port).get()
        try await connected()
        let wire = try await channel.eventLoop.submit {
            var http2 = NIOHTTP2Handler.Configuration()
            http2.connection.headerBlockValidation = validates ? .enabled : .disabled
            http2.connection.contentLengthValidation = validates ? .enabled : .disabled
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
            let multiplexer = try pipeline.configureAsyncHTTP2Pipeline(mode: .client, configuration: http2) { stream in
                stream.eventLoop.makeCompletedFuture { try Parts(wrappingChannelSynchronously: stream) }
            }
            return HTTP2Wire(channel: channel, multiplexer: multiplexer)
        }.get()
        do {
            let value = try await body(wire)
            try? await wire.channel.close()
            return value
        } catch {
            try? await wire.channel.close()
            throw error
        }
    }

    /// Opens a stream, and closes it after `body`.
    func stream<Value: Sendable>(_ body: (Stream) async throws -> Value) async throws -> Value {
        let parts = try await multiplexer.openStream { stream in
            stream.eventLoop.makeCompletedFuture { try Parts(wrappingChannelSynchronously: stream) }
        }
        return try await parts.executeThenClose { inbound, outbound in
            try await body(Stream(inbound.makeAsyncIterator(), outbound, channel.eventLoop))
        }
    }

    /// Sends one request without content, and returns the response.
    func send(_ method: String = "GET", _ path: String, _ fields: [(String, String)] = []) async throws -> Answer {
        try await stream { stream in
            try await stream.send(method, path, fields, ends: true)
            return try await stream.answer()
        }
    }

    /// A server's response.
    struct Answer: Sendable {
        /// The fields of the head as they were received, `:status` first.
        let fields: HPACKHeaders
        let text: String

        var status: String { fields.first(name: ":status") ?? "" }
    }

    /// One request and its response.
    final class Stream {
        private var inbound: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>.AsyncIterator
        private let outbound: NIOAsyncChannelOutboundWriter<HTTP2Frame.FramePayload>
        private let loop: any EventLoop

        fileprivate init(
            _ inbound: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>.AsyncIterator,
            _ outbound: NIOAsyncChannelOutboundWriter<HTTP2Frame.FramePayload>,
            _ loop: any EventLoop
        ) {
            self.inbound = inbound
            self.outbound = outbound
            self.loop = loop
        }

        /// Writes the head of a request.
        func send(
            _ method: String = "GET",
            _ path: String,
            _ fields: [(String, String)] = [],
            authority: String = "localhost",
            ends: Bool
        ) async throws {
            let pseudo = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
            let headers = HPACKHeaders(pseudo + fields)
            try await outbound.write(.headers(HTTP2Frame.FramePayload.Headers(headers: headers, endStream: ends)))
        }

        /// Writes content as fast as the server takes it.
        func send(_ content: ByteBuffer, ends: Bool = false) async throws {
            try await outbound.write(
                .data(HTTP2Frame.FramePayload.Data(data: .byteBuffer(content), endStream: ends))
            )
            // An event loop that is behind takes any number of writes before it reports that the connection is full.
            try await loop.submit {}.get()
        }

        /// Resets the stream.
        func cancel() async throws { try await outbound.write(.rstStream(.cancel)) }

        /// Returns the head of the final response, without the informational ones (1xx).
        func head() async throws -> HPACKHeaders {
            while let payload = try await inbound.next() {
                guard case .headers(let headers) = payload else { continue }
                if headers.headers.first(name: ":status")?.hasPrefix("1") != true { return headers.headers }
            }
            throw Wire.Failure.ended
        }

        /// Returns some content as it is received; nil at the end.
        func part() async throws -> ByteBuffer? {
            while let payload = try await inbound.next() {
                switch payload {
                case .data(let data):
                    guard case .byteBuffer(let buffer) = data.data else { continue }
                    return buffer
                case .rstStream: throw Wire.Failure.ended
                default: continue
                }
            }
            return nil
        }

        /// Returns the whole response.
        func answer() async throws -> Answer {
            let fields = try await head()
            var body = ByteBuffer()
            while let part = try await part() { body.writeImmutableBuffer(part) }
            return Answer(fields: fields, text: String(buffer: body))
        }
    }
}
