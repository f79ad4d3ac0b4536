import LarderTestSupport
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL

/// A connection by HTTP/2 over TLS that carries the fields that a test writes.
struct HTTP2Wire: Sendable {
    private typealias Parts = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>

    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.AsyncStreamMultiplexer<Parts>

    /// Connects, and closes the connection after `body`.
    /// - Parameters:
    ///   - validates: True if malformed requests fail before they are sent.
    ///   - connected: What is done before the TLS handshake begins.
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

    /// The answer to one request without content.
    func send(_ method: String = "GET", _ path: String, _ fields: [(String, String)] = []) async throws -> Answer {
        try await stream { stream in
            try await stream.send(method, path, fields, ends: true)
            return try await stream.answer()
        }
    }

    /// What a server answered.
    struct Answer: Sendable {
        /// The fields of the head as they came, `:status` first.
        let fields: HPACKHeaders
        let text: String

        var status: String { fields.first(name: ":status") ?? "" }
    }

    /// One request and its answer.
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

        /// Writes content, as fast as it is taken.
        func send(_ content: ByteBuffer, ends: Bool = false) async throws {
            try await outbound.write(
                .data(HTTP2Frame.FramePayload.Data(data: .byteBuffer(content), endStream: ends))
            )
            // A loop that is behind takes any number of writes before it says that it is full.
            try await loop.submit {}.get()
        }

        /// Breaks the stream off.
        func cancel() async throws { try await outbound.write(.rstStream(.cancel)) }

        /// Reads the head of the answer that is none of those before it (1xx).
        func head() async throws -> HPACKHeaders {
            while let payload = try await inbound.next() {
                guard case .headers(let headers) = payload else { continue }
                if headers.headers.first(name: ":status")?.hasPrefix("1") != true { return headers.headers }
            }
            throw Wire.Failure.ended
        }

        /// Reads some content as it comes; nil where there will be none.
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

        /// Reads an answer.
        func answer() async throws -> Answer {
            let fields = try await head()
            var body = ByteBuffer()
            while let part = try await part() { body.writeImmutableBuffer(part) }
            return Answer(fields: fields, text: String(buffer: body))
        }
    }
}
