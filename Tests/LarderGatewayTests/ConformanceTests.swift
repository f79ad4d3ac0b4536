import ConformanceTables
import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderGateway

/// The conversations of the tables, held over sockets: a client, the gateway, and an origin whose every byte is written
/// out. The engine alone holds the same ones in its own tests.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ConformanceTests {
    /// Methods that end before the cache: NIO's parser knows no `FROB`, and a gateway refuses TRACE.
    private static let refused = ["FROB", "TRACE"]

    @Test(arguments: Conversation.all.filter { !$0.steps.contains { refused.contains($0.method.rawValue) } })
    func `a gateway answers, asks and keeps as the RFCs say`(
        _ conversation: Conversation
    ) async throws {
        #expect(try await Self.complaints(about: conversation) == [])
    }

    @Test(arguments: Scenario.all.filter(\.travels)) func `a gateway does what the rules alone say`(
        _ scenario: Scenario
    ) async throws {
        #expect(try await Self.complaints(about: scenario.conversation) == [])
    }

    private static func complaints(about conversation: Conversation) async throws -> [String] {
        let clock = ManualClock(now: Scenario.beginning)
        let stage = ConversationStage(clock: clock)
        return try await ScriptedOrigin.run({ connection in
            while let request = try await connection.request() {
                guard try await connection.perform(await stage.perform(request.asked)) else { break }
            }
        }) { origin in
            let address = try #require(OriginAddress(origin.url))
            let route = Route(name: conversation.id, origin: address, policy: conversation.policy)
            return try await RunningGateway.run(
                before: origin.url,
                store: MemoryStore(limit: .mebibytes(1), clock: clock.clock),
                clock: clock.clock,
                routes: RouteTable([], default: route)
            ) { gateway in
                try await conversation.play(on: clock, stage, over: Sockets(gateway: gateway))
            }
        }
    }
}

/// Asks a gateway, each question on a connection of its own.
private struct Sockets: ConversationTransport {
    let gateway: RunningGateway

    func send(_ request: HTTPRequest, content: String?) async throws -> Conversation.Answer {
        try await Wire.open(to: gateway.port) { wire in
            var lines = [
                "\(request.method.rawValue) \(request.path ?? "/") HTTP/1.1", "Host: \(request.authority ?? "")",
            ]
            lines += request.headerFields.map { "\($0.name.rawName): \($0.value)" }
            try await wire.send(bytes: Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (content ?? "")).utf8))
            let (status, fields) = try await wire.head()
            let text = try? await wire.body(after: status, fields, hasBody: request.method != .head)
            return .init(status: status, fields: fields, text: text.map { String(decoding: $0, as: UTF8.self) })
        }
    }

    func idle() async { await gateway.gateway.cache.idle() }

    var waitingCount: Int { gateway.gateway.cache.passengerCount }
}

extension ScriptedOrigin.Received {
    /// The request in HTTP's own types.
    fileprivate var asked: HTTPRequest {
        HTTPRequest(
            method: HTTPRequest.Method(method) ?? .get,
            scheme: "http",
            authority: host,
            path: target,
            headerFields: fields
        )
    }
}

extension ScriptedOrigin.Connection {
    /// Does on the wire what an origin does on its stage.
    /// - Returns: whether the connection goes on.
    fileprivate func perform(_ performance: ConversationStage.Performance) async throws -> Bool {
        switch performance {
        case .answers(var head, let text):
            if !head.headerFields.contains(.contentLength), let length = Self.length(of: text, head.status.code) {
                head.headerFields[.contentLength] = String(length)
            }
            // A connection of its own for each question: what fails on a used one is asked again (RetryTests).
            head.headerFields.append(HTTPField(name: .connection, value: "close"))
            try await send(Self.text(of: head) + (text ?? ""))
            return false
        case .closes: return false
        case .breaksOff(var head, let text, let length):
            head.headerFields[.contentLength] = String(length)
            try await send(Self.text(of: head) + text)
            return false
        }
    }

    /// Statuses that never have content need no word about its length (RFC 9112 §6.3), and answers to HEAD say none.
    private static func length(of text: String?, _ status: Int) -> Int? {
        text.map(\.utf8.count) ?? (status == 205 ? 0 : nil)
    }

    private static func text(of head: HTTPResponse) -> String {
        let lines = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }
        return "HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n" + lines.joined() + "\r\n"
    }
}
