import HTTPCaching
import HTTPTypes
import Larder
import LarderGateway
import LarderTesting
import NIOCore
import Testing

@testable import LarderRules

/// The conversations of the tables, held over sockets: a client, the gateway, and an origin whose every byte is written
/// out. The engine alone holds the same ones in its own tests.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ConformanceTests {
    @Test(arguments: Exchange.all) func `a gateway answers, asks and keeps as the RFCs say`(
        _ exchange: Exchange
    ) async throws {
        #expect(try await Self.complaints(about: exchange) == [])
    }

    @Test(arguments: Scenario.all.filter(\.travels)) func `a gateway does what the rules alone say`(
        _ scenario: Scenario
    ) async throws {
        #expect(try await Self.complaints(about: scenario.exchange) == [])
    }

    private static func complaints(about exchange: Exchange) async throws -> [String] {
        let clock = ManualClock(now: Scenario.beginning)
        let stage = ExchangeStage(clock: clock)
        return try await ScriptedOrigin.run({ connection in
            while let request = try await connection.request() {
                guard try await connection.perform(await stage.perform(request.asked)) else { break }
            }
        }) { origin in
            let address = try #require(OriginAddress(origin.url))
            let route = Route(name: exchange.id, origin: address, policy: exchange.policy)
            return try await RunningGateway.run(
                before: origin.url,
                store: MemoryStore(limit: .mebibytes(1), clock: clock.clock),
                clock: clock.clock,
                routes: RouteTable([], default: route)
            ) { gateway in
                try await exchange.play(on: clock, stage, over: Sockets(gateway: gateway))
            }
        }
    }
}

/// Asks a gateway, each question on a connection of its own.
private struct Sockets: ExchangeTransport {
    let gateway: RunningGateway

    func send(_ request: HTTPRequest, content: String?) async throws -> Exchange.Answer {
        try await Wire.open(to: gateway.port) { wire in
            var lines = ["\(request.method.rawValue) \(request.path ?? "/") HTTP/1.1", "Host: \(request.authority ?? "")"]
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
    fileprivate func perform(_ performance: ExchangeStage.Performance) async throws -> Bool {
        switch performance {
        case .answers(let head, let text):
            var head = head
            if let text, !head.headerFields.contains(.contentLength) {
                head.headerFields[.contentLength] = String(text.utf8.count)
            }
            try await send(Self.text(of: head) + (text ?? ""))
            return true
        case .closes: return false
        case .breaksOff(var head, let text, let length):
            head.headerFields[.contentLength] = String(length)
            try await send(Self.text(of: head) + text)
            return false
        }
    }

    private static func text(of head: HTTPResponse) -> String {
        let lines = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }
        return "HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n" + lines.joined() + "\r\n"
    }
}
