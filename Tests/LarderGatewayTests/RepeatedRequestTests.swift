import HTTPCaching
import HTTPTypes
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestHelpers
import Testing

@testable import LarderGateway

/// Requests that follow one another on a connection with the same bytes: they are answered without being decoded.
@Suite(.timeLimit(.minutes(20))) struct RepeatedRequestTests {
    /// A request, as it is sent in one piece.
    private struct Sent {
        let method: String
        let target: String
        let fields: String

        var bytes: [UInt8] { Array("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n".utf8) }
    }

    private static let fields = [
        "", "", "", "User-Agent: a\r\n", "User-Agent: b\r\n", "Accept-Language: de\r\n", "If-None-Match: \"v1\"\r\n",
        "Range: bytes=0-3\r\n", "Cache-Control: no-cache\r\n", "Cookie: a=b\r\n", "Content-Length: 0\r\n",
    ]

    @Test(arguments: 1...6)
    func `Equal requests get the responses that a gateway sends which decodes each of them`(_ seed: Int) async throws {
        try await comparingGateways { fast, slow, time in
            try await Wire.open(to: fast.port) { one in
                try await Wire.open(to: slow.port) { other in
                    var random = SeededGenerator(seed: UInt64(seed))
                    // Few requests, so that most are the same as the one before.
                    let plain = Sent(method: "GET", target: "/plain", fields: "")
                    let others = (0..<3).map { _ in
                        Sent(
                            method: ["GET", "GET", "GET", "HEAD"].randomElement(using: &random) ?? "GET",
                            target: StreamOfRequests.plainTargets.randomElement(using: &random) ?? "/",
                            fields: Self.fields.randomElement(using: &random) ?? ""
                        )
                    }
                    let pool = [plain] + others
                    var request = plain
                    for step in 0..<200 {
                        if Int.random(in: 0..<3, using: &random) == 0 {
                            request = pool.randomElement(using: &random) ?? request
                        }
                        switch Int.random(in: 0..<20, using: &random) {
                        case 0:
                            time.advance(
                                by: .milliseconds([100, 1_000, 2_500, 61_000].randomElement(using: &random) ?? 0)
                            )
                        case 1:
                            for gateway in [fast, slow] {
                                _ = await gateway.gateway.cache.invalidate(.everything)
                            }
                        default: break
                        }
                        let sent = try await Self.ask(request, one)
                        let expected = try await Self.ask(request, other)
                        #expect(sent == expected, "step \(step): \(request)")
                        for gateway in [fast, slow] { await gateway.gateway.cache.idle() }
                    }
                }
            }
        }
    }

    private static func ask(_ request: Sent, _ wire: Wire) async throws -> String {
        try await wire.send(bytes: request.bytes)
        let answer = try await wire.answer(hasBody: request.method != "HEAD")
        return "\(answer.status) \(answer.fields) \(answer.text)"
    }

    @Test func `Equal requests after a reload are answered by the new configuration`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60"], "content")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let request = Sent(method: "GET", target: "/a", fields: "")
                try await Wire.open(to: gateway.port) { wire in
                    for _ in 0..<4 { _ = try await Self.ask(request, wire) }
                    #expect(origin.requests.count == 1)
                    gateway.gateway.reload(
                        try GatewayConfiguration(
                            file: GatewayConfiguration.File(
                                name: "larder.yaml",
                                text: "routes:\n- path: /**\n  cache: off\n"
                            ),
                            environment: [:],
                            options: ["origin": origin.url]
                        )
                    )
                    for _ in 0..<3 { #expect(try await Self.ask(request, wire).contains("bypass")) }
                    #expect(origin.requests.count == 4)
                }
            }
        }
    }

    // MARK: - The bytes

    private static let text = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// A decoder that reads the requests of ``text``, and answers each by a known response.
    private final class Decoder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let recorder: HeadRecorder
        let known: KnownResponse
        /// True if requests are answered by the known response.
        var isKnown = true
        private(set) var decoded = 0
        private var received = ""

        init(_ recorder: HeadRecorder, _ known: KnownResponse) { (self.recorder, self.known) = (recorder, known) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            while let end = received.firstRange(of: "\r\n\r\n") {
                received.removeSubrange(..<end.upperBound)
                recorder.completeHead()
                recorder.completeMessage()
                let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/a")
                if isKnown { recorder.noteRepeated(known, for: head) }
                decoded += 1
            }
        }
    }

    /// Sends pieces, and returns the numbers of requests that were decoded and that were not.
    private func send(_ pieces: String..., isReady: Bool = true) async throws -> [Int] {
        let channel = EmbeddedChannel()
        let recorder = HeadRecorder()
        let decoder = Decoder(recorder, try await Self.known())
        try channel.pipeline.syncOperations.addHandlers([recorder, decoder])
        var repeats = 0
        recorder.answerAgain = { request in
            #expect(request.head.uri == "/a")
            if isReady { repeats += 1 }
            return isReady
        }
        for piece in pieces { try channel.writeInbound(ByteBuffer(string: piece)) }
        recorder.answerAgain = nil
        _ = try channel.finish()
        return [decoder.decoded, repeats]
    }

    /// Returns a hit that can be repeated.
    private static func known() async throws -> KnownResponse {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(4)))
        let policy = CachePolicy.fresh(for: .seconds(600))
        let origin = TestOrigin { _ in TestResponse("content") }
        _ = try await cache.respond(to: .get("/a"), under: policy, from: origin).text
        let hit = cache.respondAtOnce(to: .get("/a"), under: SharedPolicy(policy)) { served in
            EncodedResponse(served, head: served.head)
        }
        let (encoded, repeatable) = try #require(hit)
        let response = try RepeatableResponse(#require(repeatable), encoded)
        return KnownResponse(try #require(response), under: nil)
    }

    @Test func `A request with the bytes of the one before is not decoded`() async throws {
        let (text, other) = (Self.text, Self.text.replacing("/a", with: "/b"))
        #expect(try await send(text, text, text) == [1, 2])
        #expect(try await send(text, other, other, text) == [3, 1])
        #expect(try await send(text, text, isReady: false) == [2, 0])
    }

    @Test func `A response that has changed is asked for once, until another one is known`() async throws {
        let channel = EmbeddedChannel()
        let recorder = HeadRecorder()
        let decoder = Decoder(recorder, try await Self.known())
        try channel.pipeline.syncOperations.addHandlers([recorder, decoder])
        var (asked, isRight) = (0, false)
        recorder.answerAgain = { _ in
            asked += 1
            return isRight
        }
        func send() throws { try channel.writeInbound(ByteBuffer(string: Self.text)) }
        try send()
        decoder.isKnown = false
        for _ in 0..<3 { try send() }
        #expect(asked == 1 && decoder.decoded == 4)
        (decoder.isKnown, isRight) = (true, true)
        for _ in 0..<3 { try send() }
        #expect(asked == 3 && decoder.decoded == 5)
        recorder.answerAgain = nil
        _ = try channel.finish()
    }

    @Test func `A response is forgotten without those that have taken its place`() async throws {
        let (table, head) = (HitTable(), HTTPRequestHead(version: .http1_1, method: .GET, uri: "/a"))
        let (old, new) = (try await Self.known().response, try await Self.known().response)
        let signature = try #require(HeadSignature(head, deciding: [], room: 0))
        table.remember(old, as: signature, for: head)
        table.remember(new, as: signature, for: head)
        table.forget(old, for: head)
        #expect(table.find(head) === new)
        table.forget(new, for: head)
        #expect(table.find(head) == nil && table.count == 0)
    }

    @Test func `Requests that do not begin and end with a read are decoded`() async throws {
        let text = Self.text
        #expect(try await send(text + text, text + text) == [4, 0])
        #expect(try await send(String(text.prefix(9)), String(text.dropFirst(9)), text, text) == [2, 1])
        #expect(try await send(text, String(text.prefix(9)), String(text.dropFirst(9)), text) == [2, 1])
        #expect(try await send(text + "GET", " /a" + text.dropFirst(6), text) == [3, 0])
        #expect(try await send(text, text + text, text) == [3, 1])
        let large = text.dropLast(2) + "X: " + String(repeating: "x", count: RepeatedRequest.limit) + "\r\n\r\n"
        #expect(try await send(String(large), String(large)) == [2, 0])
    }
}

extension StreamOfRequests {
    /// The targets whose responses do not depend on the order of requests.
    fileprivate static let plainTargets = targets.filter { $0.hasPrefix("/") && $0 != "/-/larder/health" }
}
