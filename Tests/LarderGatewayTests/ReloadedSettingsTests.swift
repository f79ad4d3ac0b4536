import Foundation
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// Settings that a reload applies to a running gateway, one by one.
@Suite(.timeLimit(.minutes(5))) struct ReloadedSettingsTests {
    /// Runs a gateway, with a function that reloads it with changed settings.
    private static func run(
        _ configure: @escaping @Sendable (inout GatewaySettings) -> Void = { _ in },
        file: String? = nil,
        logger: LogRecord = LogRecord(),
        _ test:
            @Sendable (
                RunningGateway, _ reload: @Sendable ((inout GatewaySettings) -> Void) -> Void, ScriptedOrigin
            ) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url, logger: logger.logger, configure: configure) { gateway in
                let running = gateway.gateway.active.withLockedValue { $0.settings }
                try await test(
                    gateway,
                    { change in
                        var settings = running
                        change(&settings)
                        gateway.gateway.reload(GatewayConfiguration(settings: settings))
                    },
                    origin
                )
            }
        }
        #expect(logger.lines("restart").isEmpty)
    }

    private static func get(_ wire: Wire, _ target: String = "/a", _ fields: [String] = []) async throws -> Wire.Answer
    {
        try await wire.send("GET", target, fields)
        return try await wire.answer()
    }

    @Test func `The name changes in Cache-Status, Via and Proxy-Status, on open connections too`() async throws {
        try await Self.run { gateway, reload, origin in
            try await Wire.open(to: gateway.port) { wire in
                // The third response is sent without decoding the request.
                for _ in 0..<3 { #expect(try await Self.get(wire).cacheStatusField?.hasPrefix("Larder; ") == true) }
                reload { $0.name = "Shop" }
                for _ in 0..<3 {
                    let status = try await Self.get(wire).cacheStatusField
                    #expect(status?.hasPrefix("Shop; hit") == true, "\(status ?? "")")
                }
                _ = try await Self.get(wire, "/b")
                let (old, new) = (try #require(origin.requests[0]["Via"]), try #require(origin.requests[1]["Via"]))
                #expect(old.hasPrefix("1.1 Larder-") && new.hasPrefix("1.1 Shop-"))
                // A request that the gateway has forwarded under its previous name is a loop as well.
                for via in [old, new] {
                    let loop = try await Self.get(wire, "/c", ["Via: \(via)"])
                    #expect(loop.status == 508 && loop["Proxy-Status"]?.hasPrefix("Shop; ") == true)
                }
            }
        }
    }

    @Test func `The limit of heads applies to new connections`() async throws {
        try await Self.run { gateway, reload, _ in
            let field = ["X-Long: " + String(repeating: "a", count: 3_000)]
            try await Wire.open(to: gateway.port) { old async throws in
                #expect(try await Self.get(old, "/a", field).status == 200)
                reload { $0.headerLimit = .kibibytes(2) }
                #expect(try await Self.get(old, "/a", field).status == 200)
                #expect(try await gateway.send("GET", "/a", field).status == 431)
                reload { $0.headerLimit = .kibibytes(4) }
                #expect(try await gateway.send("GET", "/a", field).status == 200)
            }
        }
    }

    @Test func `A higher limit of connections admits those that wait`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { _ in
            await gate.pass()
            return answer("200 OK", ["Cache-Control: no-store"], "page")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: { $0.clientConnections = 1 }) { gateway in
                async let first = gateway.send("GET", "/first")
                await gate.reached()
                async let second = gateway.send("GET", "/second")
                var settings = gateway.gateway.active.withLockedValue { $0.settings }
                settings.clientConnections = 2
                gateway.gateway.reload(GatewayConfiguration(settings: settings))
                // The first connection has a request under way, so the second one could not replace it.
                await gate.reached(by: 2)
                gate.open()
                let texts = [try await first.text, try await second.text]
                #expect(texts == ["page", "page"])
            }
        }
    }

    @Test func `A lower limit of connections closes idle ones when further ones are accepted`() async throws {
        try await Self.run { gateway, reload, _ in
            try await Wire.open(to: gateway.port) { first in
                _ = try await Self.get(first)
                try await Wire.open(to: gateway.port) { second in
                    _ = try await Self.get(second)
                    reload { $0.clientConnections = 1 }
                    // No connection is closed before there is another one.
                    #expect(try await Self.get(first).status == 200)
                    #expect(try await gateway.send("GET", "/a").status == 200)
                    #expect(try await first.part() == nil)
                    #expect(try await second.part() == nil)
                }
            }
        }
    }

    @Test func `The limit of connections of one client counts those that were open before it was set`() async throws {
        let log = LogRecord()
        try await Self.run(logger: log) { gateway, reload, _ in
            try await Wire.open(to: gateway.port) { wire in
                _ = try await Self.get(wire)
                reload { $0.connectionsPerAddress = 1 }
                await #expect(throws: (any Error).self) { try await gateway.send("GET", "/a") }
                #expect(try await Self.get(wire).status == 200)
                #expect(log.lines("A client reached its limit of connections").count == 1)
                reload { $0.connectionsPerAddress = nil }
                #expect(try await gateway.send("GET", "/a").status == 200)
            }
        }
    }

    @Test func `The PROXY protocol can be turned on and off for new connections`() async throws {
        try await Self.run({ $0.trustedProxies = TrustedProxies([IPNetwork("127.0.0.0/8")].compactMap(\.self)) }) {
            gateway,
            reload,
            _ async throws in
            let request = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            let header = "PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n"
            func statuses(_ text: String) async throws -> [Int] {
                try await Exchange.send(Array(text.utf8), to: gateway.port).statuses
            }
            #expect(try await statuses(request) == [200])
            reload { $0.expectsProxyProtocol = true }
            #expect(try await statuses(header + request) == [200])
            #expect(try await statuses(request).isEmpty)
            reload { $0.expectsProxyProtocol = false }
            #expect(try await statuses(request) == [200])
        }
    }

    @Test func `The access log is turned on and off, and no line of a request in between is lost`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "access.log").path
        let log = LogRecord()
        try await Self.run(logger: log) { gateway, reload, _ in
            try await Wire.open(to: gateway.port) { wire in
                for (round, setting) in [GatewaySettings.AccessLog.off, .file(path), .off, .file(path)].enumerated() {
                    reload { $0.accessLog = setting }
                    for _ in 0..<3 { _ = try await Self.get(wire, "/\(round)") }
                }
                // A file that cannot be opened leaves the log as it is.
                reload { $0.accessLog = .file("/nowhere/at/all/access.log") }
                #expect(log.lines("A file cannot be used").count == 1)
                _ = try await Self.get(wire, "/4")
            }
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let targets = lines.map { $0.split(separator: " ")[6] }
        #expect(targets == ["/1", "/1", "/1", "/3", "/3", "/3", "/4"])
    }

    @Test func `The times of stopping are those of the last reload`() async throws {
        let log = LogRecord()
        // Without the reload, the gateway would not end within the time limit of the test.
        try await Self.run(
            {
                $0.drainDelay = .seconds(86_400)
                $0.drainTimeout = .seconds(86_400)
            },
            logger: log
        ) { gateway, reload, _ in
            reload {
                $0.drainDelay = .zero
                $0.drainTimeout = .seconds(7)
            }
            await gateway.stop()
        }
        #expect(log.lines("Draining").first?.contains("drain-delay=0.0 seconds") == true)
        #expect(log.lines("Stopped listening").first?.contains("drain-timeout=7.0 seconds") == true)
    }

    @Test func `A message that waits keeps the limits with which it began`() async throws {
        let budget = InFlightBudget(limit: .mebibytes(64))
        let (small, large) = (SpoolSpace.Limits(message: 1 << 19), SpoolSpace.Limits(message: 4 << 20))
        let space = SpoolSpace(large, memory: budget, logger: .quiet)
        func fill(_ spool: Spool) async -> Int {
            var count = 0
            while await spool.offer(ByteBuffer(repeating: UInt8(truncatingIfNeeded: count), count: 1 << 16)) {
                count += 1
            }
            return count
        }
        func useAcrossChange() async throws {
            let old = Spool(space)
            #expect(await old.offer(ByteBuffer(repeating: 255, count: 1 << 20)))
            space.setLimits(small)
            let (before, after) = (await fill(old), await fill(Spool(space)))
            #expect(before == 3 << 4 && after == 8)
            old.finish()
            var read = 0
            while let part = try await old.next() { read += part.readableBytes }
            #expect(read == 4 << 20)
        }
        try await useAcrossChange()
        // A file takes its room until its spool is released.
        #expect(space.usedDisk == 0 && budget.used == 0)
    }

    @Test func `The room for temporary files and for bodies on their way changes`() async throws {
        try await Self.run { gateway, reload, _ in
            reload {
                $0.inFlightLimit = .mebibytes(3)
                $0.spoolSpace = .kibibytes(1)
            }
            let spools = gateway.gateway.client.spools
            #expect(gateway.gateway.cache.inFlight.limit == 3 << 20)
            #expect(!spools.takeDisk(2_048) && spools.takeDisk(1_024))
            spools.giveDisk(1_024)
            reload { $0.spoolSpace = .gibibytes(1) }
            #expect(spools.takeDisk(2_048))
            spools.giveDisk(2_048)
            #expect(gateway.gateway.cache.inFlight.limit == 64 << 20)
        }
    }
}
