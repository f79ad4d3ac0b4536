import Larder
import LarderGateway
import LarderRules
import LarderTesting
import Logging
import NIOConcurrencyHelpers
import Testing

/// Other routes while requests come, and the end.
@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    @Test func `a reload loses no request`() async throws {
        let isDone = NIOLockedValueBox(false)
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: no-store"], "old")
        } _: { old in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", ["Cache-Control: no-store"], "new")
            } _: { new in
                let tables = try [old.url, new.url].map { url in
                    RouteTable(GatewaySettings(origin: try #require(OriginAddress(url))))
                }
                try await RunningGateway.run(before: old.url) { gateway in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<4 {
                            group.addTask {
                                try await Wire.open(to: gateway.port) { wire in
                                    for round in 0..<100 {
                                        try await wire.send(round % 2 == 0 ? "GET" : "POST", "/a", body: "x")
                                        let response = try await wire.answer()
                                        #expect(["old", "new"].contains(response.text), "\(response)")
                                    }
                                }
                            }
                        }
                        group.addTask {
                            var count = 0
                            while !isDone.withLockedValue({ $0 }) {
                                gateway.gateway.reload(tables[count % 2])
                                count += 1
                                await Task.yield()
                            }
                        }
                        for _ in 0..<4 { try await group.next() }
                        isDone.withLockedValue { $0 = true }
                    }
                    #expect(!old.requests.isEmpty && !new.requests.isEmpty)
                    #expect(old.requests.count + new.requests.count == 400)
                    gateway.gateway.reload(tables[1])
                    #expect(try await gateway.send("GET", "/a").text == "new")
                }
            }
        }
    }

    @Test func `a reload says what takes a restart`() async throws {
        let messages = NIOLockedValueBox<[String]>([])
        let logger = Logger(label: "test") { _ in WarningLog(messages) }
        let origin = try #require(OriginAddress("http://127.0.0.1:1"))
        func routes(_ limit: ByteCount) -> RouteTable {
            var settings = GatewaySettings(origin: origin)
            settings.bodyLimit = limit
            return RouteTable(settings)
        }
        let gateway = try Gateway(
            GatewayConfiguration(settings: GatewaySettings(origin: origin)),
            store: MemoryStore(limit: .mebibytes(64)),
            logger: logger
        )
        gateway.reload(routes(.mebibytes(8)))
        #expect(messages.withLockedValue { $0 }.isEmpty)
        gateway.reload(routes(.mebibytes(32)))
        #expect(messages.withLockedValue { $0.count } == 1)
    }

    @Test func `a request goes on by the route it began with`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { _ in
            await gate.pass()
            return answer("200 OK", [], "old")
        } _: { old in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", [], "new")
            } _: { new in
                let table = RouteTable(GatewaySettings(origin: try #require(OriginAddress(new.url))))
                try await RunningGateway.run(before: old.url) { gateway in
                    async let first = gateway.send("GET", "/a")
                    await gate.reached()
                    gateway.gateway.reload(table)
                    let second = try await gateway.send("GET", "/b")
                    #expect(second.text == "new")
                    gate.open()
                    #expect(try await first.text == "old")
                }
            }
        }
    }
}

/// Takes down what the gateway warns of.
private struct WarningLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning
    private let messages: NIOLockedValueBox<[String]>

    init(_ messages: NIOLockedValueBox<[String]>) { self.messages = messages }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { messages.withLockedValue { $0.append("\(event.message)") } }
}
