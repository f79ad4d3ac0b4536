import ConformanceTables
import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// The conversations of the conformance tables over sockets, with a client, the gateway, and an origin whose bytes are
/// given exactly. The engine's own tests run the same conversations without sockets.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ConformanceTests {
    /// The methods that do not reach the cache: NIO's parser does not know `FROB`, and a gateway refuses TRACE.
    private static let refused = ["FROB", "TRACE"]

    @Test(arguments: Conversation.all.filter { !$0.steps.contains { refused.contains($0.method.rawValue) } })
    func `A gateway responds, forwards and stores as the RFCs say`(
        _ conversation: Conversation
    ) async throws {
        #expect(try await Self.deviations(of: conversation) == [])
    }

    @Test(arguments: Scenario.all.filter(\.travels)) func `A gateway agrees with the rules alone`(
        _ scenario: Scenario
    ) async throws {
        #expect(try await Self.deviations(of: scenario.conversation) == [])
    }

    private static func deviations(of conversation: Conversation) async throws -> [String] {
        let clock = ManualClock(now: Scenario.beginning)
        let origin = ConversationOrigin(clock: clock)
        return try await ScriptedOrigin.run({ connection in
            while let request = try await connection.request() {
                guard try await connection.carryOut(await origin.react(to: request.asked)) else { break }
            }
        }) { server in
            let address = try #require(OriginAddress(server.url))
            let route = Route(name: conversation.id, origin: address, policy: conversation.policy)
            return try await RunningGateway.run(
                before: server.url,
                store: MemoryStore(limit: .mebibytes(1), clock: clock.clock),
                clock: clock.clock,
                routes: RouteTable([], default: route)
            ) { gateway in
                try await conversation.run(on: clock, origin, over: Sockets(gateway: gateway))
            }
        }
    }
}

/// A client that sends each request to a gateway on a separate connection.
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

    var waitingCount: Int { gateway.gateway.cache.waiterCount }
}

extension ScriptedOrigin.Received {
    /// The request as an `HTTPRequest`.
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
    /// Carries out the reaction of the origin.
    /// - Returns: True if the connection continues.
    fileprivate func carryOut(_ reaction: ConversationOrigin.Reaction) async throws -> Bool {
        switch reaction {
        case .answers(var head, let text):
            if !head.headerFields.contains(.contentLength), let length = Self.length(of: text, head.status.code) {
                head.headerFields[.contentLength] = String(length)
            }
            // Each request gets a separate connection, because a request that fails on a reused one is sent again
            // (RetryTests).
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

    /// Returns the length to declare. Statuses that never have content need none (RFC 9112 §6.3), and responses to HEAD
    /// do not have one here.
    private static func length(of text: String?, _ status: Int) -> Int? {
        text.map(\.utf8.count) ?? (status == 205 ? 0 : nil)
    }

    private static func text(of head: HTTPResponse) -> String {
        let lines = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }
        return "HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n" + lines.joined() + "\r\n"
    }
}
