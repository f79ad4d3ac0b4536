import HTTPTypes
import HummingbirdCore
import Larder
import LarderHummingbird
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import NIOTLS

/// A type that answers the requests on the connections of a listener.
protocol ClientResponder: Sendable {
    /// Answers a request.
    /// - Throws: An error if the response breaks off. The connection or the stream then ends.
    func respond(to request: ClientRequest, _ writer: consuming ResponseWriter) async throws

    /// Answers a request that cannot be read, or is refused before it is read.
    func respond(
        to refusal: RequestRefusal,
        receivedAt: NIODeadline,
        by connection: ClientConnection,
        _ presence: ClientPresence,
        _ writer: consuming ResponseWriter
    )
        async throws

    /// Records a request that is refused without a response.
    func note(_ refusal: RequestRefusal, by connection: ClientConnection)

    /// Returns the response that was sent to an equal request; nil if there was none. Called on the event loop.
    func knownResponse(to head: HTTPRequestHead, on connection: ClientConnection) -> KnownResponse?

    /// Returns the encoding of a known response if it is still the right one. Nil leaves the request to the other
    /// functions. Called on the event loop.
    func `repeat`(
        _ known: KnownResponse,
        to head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>?

    /// Returns the response to a complete request without content, if it can be made without waiting. Nil leaves the
    /// request to the other functions. Called on the event loop.
    /// - Parameter head: The head as the client sent it.
    func respondAtOnce(
        to request: HTTPRequest,
        readFrom head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>?

    /// Returns the response to a complete HTTP/2 request without content, in the same way.
    func respondAtOnce(
        to request: HTTPRequest,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<ServedResponse>?

    /// Completes the record of a request whose response was sent at once.
    func complete(_ record: consuming RequestRecord, at now: NIODeadline)

    /// Returns the value that holds the memory of a response until it is sent, and ends the response if that takes too
    /// long; nil if there is none.
    func holder(of response: EncodedResponse, on connection: ClientConnection) -> (any Sendable)?
}

/// A response that is sent on the event loop, with the record of its request. Whoever sends it completes the record.
struct ImmediateResponse<Response: Sendable>: Sendable {
    let response: Response
    var record: RequestRecord

    /// The size of the largest body that counts as sent when it is written, in bytes. The end of a larger one waits
    /// for the socket.
    static var smallBody: Int { 4_096 }
}

/// The set-up of a new connection to speak HTTP, and the task that answers its requests one by one.
struct HTTPFront: Sendable {
    let connection: ClientConnection
    let options: HTTPOptions
    let responder: any ClientResponder
    let tasks: BackgroundTasks
    let logger: Logger

    /// Sets the connection up to speak TLS, and then the protocol that the client chooses. All functions of this type
    /// must be called on the event loop.
    func speakTLS(with context: NIOSSLContext) throws {
        let pipeline = connection.channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        try pipeline.addHandler(HandshakeLimit(min(options.idleTimeout, HTTPOptions.handshakeTime), options.drain))
        try pipeline.addHandler(
            ApplicationProtocolNegotiationHandler { result, channel in
                channel.eventLoop.makeCompletedFuture {
                    switch result {
                    case .negotiated("h2"): try speakHTTP2()
                    case .negotiated, .fallback: try speakHTTP1()
                    }
                }
            }
        )
    }

    /// Sets the connection up to speak HTTP/1.1.
    func speakHTTP1() throws {
        let pipeline = connection.channel.pipeline.syncOperations
        var limits = NIOHTTPDecoderLimitConfiguration()
        // A head that exceeds the limit by not more than this is read, and then refused.
        limits.maxHeaderFieldSize = 2 * options.headerLimit
        limits.maxHeaderListSize = 2 * options.headerLimit
        limits.maxHeaderFieldCount = HeadLimit.fields
        let recorder = HeadRecorder()
        let presence = ClientPresence()
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(recorder)
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(HTTP1Handler(connection, presence, options, recorder, responder))
        let parts = try ClientParts(
            wrappingChannelSynchronously: connection.channel,
            configuration: ClientParts.Configuration(isOutboundHalfClosureEnabled: true)
        )
        presence.attach(tasks.start { await answer(parts, presence, isStream: false) })
    }

    /// Sets the connection up to speak HTTP/2.
    private func speakHTTP2() throws {
        let loop = connection.channel.eventLoop
        let notice = ShutdownNotice()
        let handler = HTTP2ConnectionHandler(options, notice) { [responder, connection] in
            var refusal = RequestRefusal("The request's header fields are malformed")
            refusal.version = HTTPVersion.http2.text
            responder.note(refusal, by: connection)
        }
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: loop,
            configuration: NIOHTTP2ServerConnectionManagementHandler.Configuration(
                maxIdleTime: options.idleTimeout,
                maxAge: nil,
                maxGraceTime: nil,
                keepalive: nil
            )
        )
        var http2 = NIOHTTP2Handler.ConnectionConfiguration()
        let limit = 2 * options.headerLimit
        http2.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limit),
        ]
        // The limit allows for frames of 16 KiB, the size that every client may send, and some that are not full.
        http2.maximumSequentialContinuationFrames = max(5, limit >> 14 + 2)
        let pipeline = connection.channel.pipeline.syncOperations
        try pipeline.addHandler(SettingsAcknowledger())
        try pipeline.addHandler(notice)
        _ = try pipeline.configureHTTP2Pipeline(
            mode: .server,
            connectionConfiguration: http2,
            streamConfiguration: NIOHTTP2Handler.StreamConfiguration(),
            streamDelegate: HTTP2StreamDelegate(
                connection: NIOLoopBound(handler, eventLoop: loop),
                manager: manager.http2StreamDelegate
            ),
            inboundStreamInitializer: { stream in stream.eventLoop.makeCompletedFuture { try open(stream) } }
        )
        try pipeline.addHandler(handler)
        try pipeline.addHandler(manager)
        handler.begin()
    }

    private func open(_ stream: any Channel) throws {
        let presence = ClientPresence()
        let pipeline = stream.pipeline.syncOperations
        try pipeline.addHandler(ContentMark())
        try pipeline.addHandler(HTTP2FramePayloadToHTTPServerCodec())
        try pipeline.addHandler(
            HTTP2StreamHandler(connection, presence, options, responder) {
                let parts = try ClientParts(wrappingChannelSynchronously: stream)
                presence.attach(tasks.start { await answer(parts, presence, isStream: true) })
            }
        )
    }

    /// Answers one request after the other until the client sends no more.
    private func answer(_ parts: ClientParts, _ presence: ClientPresence, isStream: Bool) async {
        do {
            try await parts.executeThenClose { inbound, outbound in
                var iterator = inbound.makeAsyncIterator()
                while let part = try await iterator.next() {
                    let writer = ResponseWriter(outbound: outbound)
                    switch part {
                    case .head(let head, let version, let receivedAt):
                        let body =
                            head.hasContent
                            ? RequestBody(asyncSequence: ClientBody(iterator)) : RequestBody(buffer: ByteBuffer())
                        let request = ClientRequest(
                            head: head,
                            body: body,
                            version: version,
                            receivedAt: receivedAt,
                            connection: connection,
                            presence: presence,
                            channel: parts.channel
                        )
                        try await responder.respond(to: request, writer)
                    case .refused(let refusal, let receivedAt):
                        try await responder.respond(
                            to: refusal,
                            receivedAt: receivedAt,
                            by: connection,
                            presence,
                            writer
                        )
                    // These parts belong to a request that is already answered.
                    case .body, .end, .broken: continue
                    }
                    presence.noteAnswered()
                }
                // The handlers end the connection once everything is written, so the task waits for them.
                if !isStream { try await parts.channel.closeFuture.get() }
            }
        } catch {
            logger.trace("A connection ended: \(error)")
        }
    }
}
