import HTTPCaching
import HTTPTypes
import HummingbirdCore
import LarderHummingbird
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP1
import NIOHTTPTypes
import TestHelpers
import Testing

@testable import Larder
@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// HTTP/2 streams whose responses are in memory are answered on the event loop, as all others are answered by tasks.
@Suite(.timeLimit(.minutes(10))) struct FastLaneHTTP2Tests {
    /// The number of requests of each connection; `make fuzz` sends more.
    private static let requests =
        ProcessInfo.processInfo.environment["LARDER_FUZZ"].flatMap { Int($0) }.map { $0 / 10 } ?? 150

    @Test func `Streams that are answered at once get the same responses as all others`() async throws {
        var generator = SeededGenerator(for: "FastLaneHTTP2Tests")
        let requests = (0..<Self.requests).map { _ in StreamRequest(using: &generator) }
        try await Certificate.run { certificate in
            try await comparingGateways {
                $0.certificate = .init(certificate)
            } _: { fast, slow, time in
                try await HTTP2Wire.open(to: fast.port) { own in
                    try await HTTP2Wire.open(to: slow.port) { other async throws in
                        for request in requests {
                            let (sent, expected) = try await (request.send(on: own), request.send(on: other))
                            #expect(sent == expected, "\(request)")
                            await fast.gateway.cache.idle()
                            await slow.gateway.cache.idle()
                            time.advance(by: .milliseconds(request.pause))
                        }
                    }
                }
            }
        }
    }

    @Test func `A response without content has no length, stored or not`() async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering { request in
                let isStored = request.target == "/stored"
                return "HTTP/1.1 204 No Content\r\nCache-Control: \(isStored ? "max-age=60" : "no-store")\r\n\r\n"
            } _: { origin in
                for answersAtOnce in [true, false] {
                    try await RunningGateway.run(before: origin.url) {
                        $0.certificate = .init(certificate)
                        $0.answersAtOnce = answersAtOnce
                    } _: { gateway in
                        try await HTTP2Wire.open(to: gateway.port) { wire async throws in
                            for target in ["/stored", "/stored", "/other"] {
                                let answer = try await wire.send("GET", target)
                                #expect(answer.status == "204" && !answer.fields.contains(name: "content-length"))
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func `Streams that are answered at once may be many at a time`() async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering {
                StreamOfRequests.response(to: $0)
            } _: { origin in
                try await RunningGateway.run(before: origin.url, configure: { $0.certificate = .init(certificate) }) {
                    gateway in
                    try await HTTP2Wire.open(to: gateway.port) { wire async throws in
                        _ = try await wire.send("GET", "/plain")
                        try await withThrowingTaskGroup { group in
                            for _ in 0..<90 { group.addTask { try await wire.send("GET", "/plain").text } }
                            for try await text in group { #expect(text == "plain content of /plain") }
                        }
                    }
                    #expect(gateway.gateway.cache.statistics.snapshot().hits == 90)
                    #expect(origin.requests.count == 1)
                }
            }
        }
    }

    private func withStream(
        answering response: ServedResponse?,
        _ body: (EmbeddedChannel, _ starts: () -> Int) throws -> Void
    ) throws {
        let channel = EmbeddedChannel()
        var starts = 0
        let options = HTTPOptions(
            idleTimeout: .seconds(60),
            rate: nil,
            headerLimit: 4_096,
            allowsHalfClose: true,
            drain: DrainState()
        )
        let responder = FixedResponder(response: response)
        let handler = HTTP2StreamHandler(ClientConnection(channel), ClientPresence(), options, responder) {
            starts += 1
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try body(channel) { starts }
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    private static let response = ServedResponse(
        head: HTTPResponse(status: .ok, headerFields: [.contentLength: "4"]),
        body: ByteBuffer(string: "body"),
        entry: nil,
        status: CacheStatus(cache: "Test", .hit)
    )

    private static let head = HTTPRequestPart.head(
        HTTPRequest(method: .get, scheme: "https", authority: "localhost", path: "/")
    )

    @Test func `A stream that is answered at once starts no task`() throws {
        try withStream(answering: Self.response) { channel, starts in
            // Both parts come from one frame.
            channel.pipeline.fireChannelRead(Self.head)
            channel.pipeline.fireChannelRead(HTTPRequestPart.end(nil))
            channel.pipeline.fireChannelReadComplete()
            var sent: [HTTPResponsePart] = []
            while let part = try channel.readOutbound(as: HTTPResponsePart.self) { sent.append(part) }
            #expect(sent == [.head(Self.response.head), .body(ByteBuffer(string: "body")), .end(nil)])
            #expect(starts() == 0)
            let forwarded = try channel.readInbound(as: ClientPart.self)
            #expect(forwarded.map { _ in true } == nil)
        }
    }

    @Test func `A stream that cannot be answered at once starts one task`() throws {
        try withStream(answering: nil) { channel, starts in
            channel.pipeline.fireChannelRead(Self.head)
            channel.pipeline.fireChannelRead(HTTPRequestPart.end(nil))
            #expect(starts() == 1)
            guard case .head = try channel.readInbound(as: ClientPart.self),
                case .end = try channel.readInbound(as: ClientPart.self)
            else { return #expect(Bool(false), "The request must be forwarded") }
        }
    }

    @Test func `A stream whose end does not follow at once starts a task before its end`() throws {
        try withStream(answering: Self.response) { channel, starts in
            channel.pipeline.fireChannelRead(Self.head)
            #expect(starts() == 0)
            channel.pipeline.fireChannelReadComplete()
            #expect(starts() == 1)
            channel.pipeline.fireChannelRead(HTTPRequestPart.end(nil))
            let sent = try channel.readOutbound(as: HTTPResponsePart.self)
            #expect(sent == nil)
        }
    }
}

/// A responder that has one response, or none, and the records that were completed.
private struct FixedResponder: ClientResponder {
    let response: ServedResponse?
    let records = NIOLockedValueBox<[RequestRecord]>([])

    func respond(to request: ClientRequest, _ writer: consuming ResponseWriter) async throws {}

    func respond(
        to refusal: RequestRefusal,
        receivedAt: NIODeadline,
        by connection: ClientConnection,
        _ presence: ClientPresence,
        _ writer: consuming ResponseWriter
    ) async throws {}

    func note(_ refusal: RequestRefusal, by connection: ClientConnection) {}

    func knownResponse(to head: HTTPRequestHead, on connection: ClientConnection) -> KnownResponse? { nil }

    func `repeat`(
        _ response: KnownResponse,
        to head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? { nil }

    func respondAtOnce(
        to request: HTTPRequest,
        readFrom head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? { nil }

    func respondAtOnce(
        to request: HTTPRequest,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<ServedResponse>? {
        response.map { response in
            var record = RequestRecord(.read(request, .http2), from: .peer(connection), at: receivedAt)
            record.noteHit(status: 200, bytes: response.body?.readableBytes ?? 0, age: nil)
            return ImmediateResponse(response: response, record: record)
        }
    }

    func complete(_ record: consuming RequestRecord, at now: NIODeadline) {
        let record = record
        records.withLockedValue { $0.append(record) }
    }

    func holder(of response: EncodedResponse, on connection: ClientConnection) -> (any Sendable)? { nil }
}

/// A request on a stream of its own.
private struct StreamRequest: Sendable {
    let method: String
    let target: String
    let fields: [(String, String)]
    let content: String?
    /// The time after the request in milliseconds.
    let pause: Int

    init(using generator: inout SeededGenerator) {
        let methods = ["GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "HEAD", "POST", "OPTIONS", "PURGE"]
        method = methods.randomElement(using: &generator) ?? "GET"
        target = StreamOfRequests.targets.filter { $0.hasPrefix("/") }.randomElement(using: &generator) ?? "/"
        let connection = ["connection", "upgrade", "te", "expect", "content-length", "x-hop"]
        fields = (0..<Int.random(in: 0...3, using: &generator)).compactMap { _ in
            let line = StreamOfRequests.fields.randomElement(using: &generator) ?? ""
            let parts = line.split(separator: ": ", maxSplits: 1)
            guard parts.count == 2, !connection.contains(parts[0].lowercased()) else { return nil }
            return (parts[0].lowercased(), String(parts[1]))
        }
        let hasContent = method == "POST" || Int.random(in: 0..<16, using: &generator) == 0
        content = hasContent ? ["", "content"].randomElement(using: &generator) : nil
        pause = [0, 0, 0, 100, 1_000, 2_500, 61_000].randomElement(using: &generator) ?? 0
    }

    /// Returns the response as text; the error's type if there is none.
    func send(on wire: HTTP2Wire) async throws -> String {
        let answer = try await wire.stream { stream in
            try await stream.send(method, target, fields, ends: content == nil)
            if let content { try await stream.send(ByteBuffer(string: content), ends: true) }
            return try await stream.answer()
        }
        // Errors of a gateway have the ID of the request, which differs.
        let lines = answer.fields.filter { $0.name != "x-request-id" }.map { "\($0.name): \($0.value)" }
        return lines.joined(separator: "\n") + "\n\n" + answer.text
    }
}
