import Larder
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// Clients that are slow on purpose, in greater number than the connections to the origin.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SlowClientAttackTests {
    private static let part = ByteBuffer(repeating: UInt8(ascii: "x"), count: 64 << 10)
    private static let chunk = ByteBuffer(string: "10000\r\n\(String(buffer: part))\r\n")
    static let attackers = 12

    /// Changes the settings so that eight requests take every connection to the origin.
    static func configure(_ settings: inout GatewaySettings) {
        settings.connectionsPerOrigin = 8
        settings.connectTimeout = .seconds(60)
        settings.responseTimeout = .seconds(600)
        settings.idleTimeout = .seconds(600)
        settings.bodyLimit = .kibibytes(64)
    }

    /// Expects that misses are answered.
    static func expectMisses(_ gateway: RunningGateway) async throws {
        for number in 0..<8 {
            let response = try await gateway.send("GET", "/miss/\(number)")
            #expect(response.status == 200 && response.text == "/miss/\(number)")
        }
    }

    /// Opens connections, and holds them open while `body` runs.
    static func attack(
        _ gateway: RunningGateway,
        _ attackers: Int = attackers,
        with attack: @escaping @Sendable (Wire) async throws -> Void,
        _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let begun = Gate()
            for _ in 0..<attackers {
                group.addTask {
                    try? await Wire.open(to: gateway.port) { wire in
                        try await attack(wire)
                        await begun.pass()
                    }
                }
            }
            await begun.reached(by: attackers)
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            begun.open()
            try await group.waitForAll()
            try result.get()
        }
    }

    @Test(arguments: [1_000, 600 << 10]) func `Content that no origin reads is given back`(_ size: Int) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.target)
        } _: { origin in
            try await origin.refuse()
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                let content = String(repeating: "x", count: size)
                for _ in 0..<6 {
                    let response = try await gateway.send("POST", "/refused", body: content)
                    #expect(response.status == 502)
                }
                try await eventually("all memory is given back") { gateway.gateway.cache.inFlight.used == 0 }
                try await eventually("all temporary files are removed") { gateway.gateway.client.spools.usedDisk == 0 }
            }
        }
    }

    @Test func `Content is given back if its client disconnects or is answered early`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                guard request.target == "/early" else { return await gate.pass() }
                try await connection.send(answer("413 Content Too Large", ["Connection: close"], ""))
                return
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                defer { gate.open() }
                let content = String(repeating: "x", count: 600 << 10)
                for _ in 0..<4 { _ = try? await gateway.send("POST", "/early", body: content) }
                for _ in 0..<4 {
                    try await Wire.open(to: gateway.port) { wire in
                        let count = origin.requests.count
                        try await wire.send("POST", "/left", body: content)
                        try await eventually("the origin is asked") { origin.requests.count > count }
                    }
                }
                try await eventually("all memory is given back") { gateway.gateway.cache.inFlight.used == 0 }
                try await eventually("all temporary files are removed") { gateway.gateway.client.spools.usedDisk == 0 }
            }
        }
    }

    @Test(arguments: ["Content-Length: 1000", "Transfer-Encoding: chunked"])
    func `Content that is not received does not hold a connection to the origin`(_ framing: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                try await Self.attack(gateway) { wire in
                    try await wire.send("POST", "/slow", [framing])
                    try await wire.send(bytes: Array((framing.hasPrefix("C") ? "a" : "1\r\na\r\n").utf8))
                } _: {
                    try await Self.expectMisses(gateway)
                    #expect(origin.requests.allSatisfy { $0.method == "GET" })
                }
            }
        }
    }

    @Test func `Complete content is sent to the origin unchanged`() async throws {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                var count = 0
                try await connection.content(of: request) { count += $0.readableBytes }
                try await connection.send(answer("200 OK", [], "\(count)"))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.spoolLimit = .mebibytes(1)
            } _: { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    // The sizes fit into memory, into a file, and exceed the limit of one message.
                    for parts in [0, 1, 3, 12, 15, 16, 17, 100] {
                        try await wire.send("POST", "/", ["Content-Length: \(parts << 16)"])
                        for _ in 0..<parts { try await wire.send(Self.part) }
                        #expect(try await wire.answer().text == "\(parts << 16)")
                        try await wire.send("POST", "/", ["Transfer-Encoding: chunked"])
                        for _ in 0..<parts { try await wire.send(Self.chunk) }
                        try await wire.send(bytes: Array("0\r\n\r\n".utf8))
                        #expect(try await wire.answer().text == "\(parts << 16)")
                    }
                }
            }
        }
    }

    @Test(arguments: [("Cache-Control: max-age=60", "GET"), ("Cache-Control: no-store", "POST")])
    func `An unread body does not hold a connection to the origin`(_ field: String, _ method: String) async throws {
        let sent = NIOLockedValueBox(0)
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                guard request.target == "/large" else {
                    try await connection.send(answer("200 OK", [], request.target))
                    continue
                }
                try await connection.send("HTTP/1.1 200 OK\r\n\(field)\r\nContent-Length: \(128 << 16)\r\n\r\n")
                for _ in 0..<128 { try await connection.send(Self.part) }
                sent.withLockedValue { $0 += 1 }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                try await Self.attack(gateway) { wire in
                    try await wire.send(method, "/large", body: method == "POST" ? "a" : nil)
                } _: {
                    try await eventually("the origin has sent everything") {
                        sent.withLockedValue { $0 } >= Self.attackers
                    }
                    try await Self.expectMisses(gateway)
                }
            }
        }
    }

    @Test func `A body that was spooled to a file is complete`() async throws {
        try await ScriptedOrigin.run { connection in
            while try await connection.head() != nil {
                try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for number in 0..<200 {
                    let part = String(repeating: "\(number % 10)", count: 65_521)
                    try await connection.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
                }
                try await connection.send("0\r\n\r\n")
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/")
                    try await eventually("the request reaches the origin") { origin.requests.count == 1 }
                    try await Self.expectMissesOfOthers(gateway)
                    let body = try await wire.answer().body
                    var place = 0
                    for number in 0..<200 {
                        let digit = UInt8(ascii: "0") + UInt8(number % 10)
                        #expect(body[place..<min(body.count, place + 65_521)].allSatisfy { $0 == digit })
                        place += 65_521
                    }
                    #expect(body.count == place)
                }
            }
        }
    }

    private static func expectMissesOfOthers(_ gateway: RunningGateway) async throws {
        for number in 0..<3 { #expect(try await gateway.send("GET", "/other/\(number)").status == 200) }
    }

    /// The bodies do not fit into a spool.
    @Test func `An endless body that is not read is ended for a waiting request`() async throws {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                guard request.target.hasPrefix("/endless") else {
                    try await connection.send(answer("200 OK", [], request.target))
                    continue
                }
                try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while true { try await connection.send(Self.chunk) }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.spoolLimit = .kibibytes(512)
            } _: { gateway in
                try await Self.attack(gateway) { wire in
                    try await wire.send("GET", "/endless/\(UInt64.random(in: 0 ... .max))")
                    _ = try await wire.head()
                } _: {
                    try await Self.expectMisses(gateway)
                }
            }
        }
    }

    @Test func `Uploads that an origin reads slowly leave connections to other requests`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                if request.method == "POST" {
                    await gate.pass()
                    try await connection.content(of: request) { _ in }
                }
                try await connection.send(answer("200 OK", [], request.target))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.spoolLimit = .kibibytes(512)
                $0.connectTimeout = .seconds(60)
            } _: { gateway in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<Self.attackers {
                        group.addTask {
                            try await Wire.open(to: gateway.port) { wire in
                                try await wire.send("POST", "/large", ["Content-Length: \(160 << 16)"])
                                for _ in 0..<160 { try await wire.send(Self.part) }
                                return try await wire.answer().status
                            }
                        }
                    }
                    await gate.reached(by: 6)
                    try await Self.expectMisses(gateway)
                    #expect(origin.requests.count { $0.method == "POST" } == 6)
                    gate.open()
                    for try await status in group { #expect(status == 200) }
                }
            }
        }
    }

    @Test func `A slow upload that does not fit into a spool is ended for a waiting one`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.spoolLimit = .bytes(0)
            } _: { gateway in
                try await Self.attack(gateway, 6) { wire in
                    try await wire.send("POST", "/slow", ["Content-Length: 1000"])
                    try await wire.send(bytes: Array("abc".utf8))
                } _: {
                    try await eventually("six uploads reach the origin") { origin.requests.count == 6 }
                    for number in 0..<3 {
                        let response = try await gateway.send("POST", "/whole/\(number)", body: "abc")
                        #expect(response.status == 200 && response.text == "/whole/\(number)")
                    }
                }
            }
        }
    }

    @Test func `A request with content above its share of the connections gets 503 in time`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { request in
            if request.method == "POST" { await gate.pass() }
            return answer("200 OK", [], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.connectTimeout = .milliseconds(500)
            } _: { gateway in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<6 { group.addTask { try await gateway.send("POST", "/", body: "a").status } }
                    await gate.reached(by: 6)
                    let late = try await gateway.send("POST", "/", body: "a")
                    #expect(late.status == 503 && late["Retry-After"] == "5")
                    #expect(late["Proxy-Status"] == "Larder; error=connection_limit_reached")
                    try await Self.expectMisses(gateway)
                    gate.open()
                    for try await status in group { #expect(status == 200) }
                    #expect(try await gateway.send("POST", "/", body: "a").status == 200)
                }
            }
        }
    }
}
