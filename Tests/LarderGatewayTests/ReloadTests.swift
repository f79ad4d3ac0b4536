import Larder
import LarderGateway
import Logging
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// Reloads of the routes and settings while requests are under way.
@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    @Test func `A reload loses no request`() async throws {
        let isDone = NIOLockedValueBox(false)
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: no-store"], "old")
        } _: { old in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", ["Cache-Control: no-store"], "new")
            } _: { new in
                let tables = try [old.url, new.url].map { url in
                    GatewayConfiguration(settings: GatewaySettings(origin: try #require(OriginAddress(url))))
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

    @Test func `A reload warns of a body limit that needs a restart`() async throws {
        let messages = NIOLockedValueBox<[String]>([])
        let logger = Logger(label: "test") { _ in WarningLog(messages) }
        let origin = try #require(OriginAddress("http://127.0.0.1:1"))
        func configuration(_ limit: ByteCount) -> GatewayConfiguration {
            var settings = GatewaySettings(origin: origin)
            settings.bodyLimit = limit
            return GatewayConfiguration(settings: settings)
        }
        let gateway = try Gateway(
            GatewayConfiguration(settings: GatewaySettings(origin: origin)),
            store: MemoryStore(limit: .mebibytes(64)),
            logger: logger
        )
        gateway.reload(configuration(.mebibytes(8)))
        #expect(messages.withLockedValue { $0 }.isEmpty)
        gateway.reload(configuration(.mebibytes(32)))
        #expect(messages.withLockedValue { $0.count } == 1)
    }

    @Test func `A request continues with the route with which it began`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { _ in
            await gate.pass()
            return answer("200 OK", [], "old")
        } _: { old in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", [], "new")
            } _: { new in
                let table = GatewayConfiguration(
                    settings: GatewaySettings(origin: try #require(OriginAddress(new.url)))
                )
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

    @Test func `Reloadable settings are applied, and settings that need a restart are named`() async throws {
        let log = LogRecord()
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: no-store"], request.host ?? "")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, logger: log.logger) { gateway in
                var settings = GatewaySettings(origin: try #require(OriginAddress(origin.url)))
                settings.listen = ListenAddress(host: "127.0.0.1", port: 0)
                settings.drainDelay = .zero
                settings.adminAccess = .loopback
                settings.adminToken = BearerToken("another-token-altogether")
                settings.adminPrefix = "/cache"
                settings.hosts = ["localhost", "a.example"].compactMap { ServedHost($0) }
                settings.hostField = .origin
                settings.connectTimeout = .seconds(59)
                settings.responseTimeout = .seconds(58)
                settings.connectionsPerOrigin = 3
                gateway.gateway.reload(GatewayConfiguration(settings: settings))
                #expect(try await gateway.send("GET", "/a").text == "127.0.0.1:\(origin.port)")
                #expect(try await gateway.send("DELETE", "/cache/everything").status == 401)
                let token = ["Authorization: Bearer another-token-altogether"]
                #expect(try await gateway.send("DELETE", "/cache/everything", token).status == 200)
                let health = try await gateway.send("GET", "/-/larder/health")
                #expect(health.text == "127.0.0.1:\(origin.port)")
                #expect(
                    log.lines("Reloaded").last
                        == "info Reloaded the configuration changed=hosts, admin-token, admin-prefix, connect-timeout, "
                        + "response-timeout, connections-per-origin, host-field routes=0 and the default"
                )
                #expect(log.lines("need a restart").isEmpty)
                settings.listen = ListenAddress(host: "127.0.0.1", port: 1)
                settings.memoryLimit = .mebibytes(1)
                settings.variantLimit = 3
                settings.certificate = .init(certificate: "/no/such", privateKey: "/no/such")
                for _ in 0..<2 {
                    gateway.gateway.reload(GatewayConfiguration(settings: settings))
                    #expect(
                        log.lines.last
                            == "warning Settings that changed need a restart settings=listen, memory-limit, "
                            + "variant-limit, certificate, private-key"
                    )
                }
                #expect(log.lines("need a restart").count == 2)
                #expect(try await gateway.send("GET", "/a").text == "127.0.0.1:\(origin.port)")
            }
        }
    }

    @Test func `A file that cannot be read does not prevent other settings from being applied`() async throws {
        let log = LogRecord()
        try await ScriptedOrigin.run { connection in
            // The origin never responds.
            while try await connection.request() != nil {}
        } _: { origin in
            try await RunningGateway.run(before: origin.url, logger: log.logger) { gateway in
                var settings = GatewaySettings(origin: try #require(OriginAddress(origin.url)))
                settings.listen = ListenAddress(host: "127.0.0.1", port: 0)
                settings.drainDelay = .zero
                settings.adminAccess = .loopback
                settings.connectTimeout = .seconds(60)
                settings.responseTimeout = .milliseconds(50)
                settings.originAuthorities = "/no/such"
                for round in 1...2 {
                    gateway.gateway.reload(GatewayConfiguration(settings: settings))
                    #expect(log.lines("A file cannot be used").count == round)
                    #expect(log.lines("origin-ca: /no/such").count == round)
                }
                let reloads = log.lines("Reloaded")
                #expect(reloads.first?.contains("changed=response-timeout ") == true, "\(reloads)")
                #expect(reloads.last?.contains("changed=no settings ") == true, "\(reloads)")
                let start = ContinuousClock.now
                #expect(try await gateway.send("GET", "/a").status == 504)
                // The timeout was a minute before.
                #expect(ContinuousClock.now - start < .seconds(30))
            }
        }
    }

    @Test func `A response under way continues on the connections with which it began`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while try await connection.request() != nil {
                try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
                await gate.pass()
                try await connection.send("half")
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/a")
                    let head = try await wire.head()
                    await gate.reached()
                    for seconds in [10, 20] {
                        var settings = GatewaySettings(origin: try #require(OriginAddress(origin.url)))
                        settings.connectTimeout = .seconds(seconds)
                        gateway.gateway.reload(GatewayConfiguration(settings: settings))
                    }
                    gate.open()
                    #expect(String(decoding: try await wire.body(after: 200, head.fields), as: UTF8.self) == "halfhalf")
                }
            }
        }
    }
}

/// A log handler that records warnings.
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
