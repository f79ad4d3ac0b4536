#if os(Linux)
    import Foundation
    import HTTPTypes
    import Hummingbird
    import HummingbirdTesting
    import TestHelpers
    import NIOConcurrencyHelpers
    import NIOCore
    import Testing

    /// The memory of a gateway's process under requests that are made to exceed its limits.
    ///
    /// docs/threats.md, "Memory": the growth of the process after its start is below 1.25 × `memory-limit` +
    /// `in-flight-limit` + 64 MiB + 32 KiB for each connection. `make attack` runs these tests at full size.
    @Suite(.serialized, .timeLimit(.minutes(30))) struct ProcessMemoryAttackTests {
        private static let isFull = ProcessInfo.processInfo.environment["LARDER_ATTACK"] == "1"
        private static let memoryLimit = 8 << 20
        private static let inFlightLimit = 4 << 20

        /// The memory that a connection may take, in bytes.
        private static let connectionMemory = 32 << 10

        private static func bound(_ connections: Int) -> Int {
            memoryLimit * 5 / 4 + inFlightLimit + 64 << 20 + connections * connectionMemory
        }

        /// Requests that fill the store, sent one after the other on some connections.
        struct Flood: CustomTestStringConvertible {
            let testDescription: String
            let count: Int
            /// Returns the target and the fields of each request.
            let request: @Sendable (Int) -> (target: String, fields: [String])
        }

        private static func filler(_ length: Int, _ place: Int) -> String {
            String(repeating: "abcdefghijklmnop", count: length / 16) + String(place)
        }

        static let floods: [Flood] = [
            // Each request stores little, so that memory outside of the store becomes visible.
            Flood(testDescription: "short targets", count: isFull ? 20_000 : 5_000) { ("/bytes/10?\($0)", []) },
            Flood(testDescription: "targets of 8 KB", count: isFull ? 5_000 : 500) {
                ("/bytes/10?" + filler(8_000, $0), [])
            },
            Flood(testDescription: "targets of 60 KB", count: isFull ? 2_500 : 1_500) {
                ("/bytes/10?" + filler(60_000, $0), [])
            },
            Flood(testDescription: "targets of 70 KB", count: isFull ? 2_500 : 1_200) {
                ("/bytes/10?" + filler(70_000, $0), [])
            },
            Flood(testDescription: "selecting fields of 8 KB", count: isFull ? 4_000 : 500) {
                ("/vary/10?\($0)", ["Accept-Encoding: gzip, x" + filler(8_000, $0)])
            },
            Flood(testDescription: "selecting fields of 60 KB", count: isFull ? 1_000 : 100) {
                ("/vary/10?\($0)", ["Accept-Encoding: gzip, x" + filler(60_000, $0)])
            },
            Flood(testDescription: "bodies of 1 MiB", count: isFull ? 500 : 100) { ("/bytes/1048576?\($0)", []) },
            Flood(testDescription: "deep paths", count: isFull ? 5_000 : 500) {
                ("/bytes/10/" + String(repeating: "a/", count: 900) + "\($0)", [])
            },
        ]

        @Test(arguments: floods) func `Stored responses stay within the memory limit`(_ flood: Flood) async throws {
            try await Self.withGateway(connections: 8) { port, _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for place in 0..<8 {
                        group.addTask {
                            try await Wire.open(to: port) { wire in
                                for number in stride(from: place, to: flood.count, by: 8) {
                                    let (target, fields) = flood.request(number)
                                    try await wire.send("GET", target, fields)
                                    #expect(try await wire.answer().status == 200)
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }

        @Test func `Bodies on their way take no more memory than their budget`() async throws {
            let count = Self.isFull ? 200 : 40
            try await Self.withGateway(connections: count) { port, _ in
                try await Self.hold(count, to: port) {
                    ("/slow/8388607?\($0)", [])
                } until: { wires in
                    for wire in wires { _ = try await wire.head() }
                }
            }
        }

        @Test func `Stored responses that clients do not read are charged after their eviction`() async throws {
            let count = Self.isFull ? 400 : 100
            try await Self.withGateway(connections: count) { port, _ in
                for number in 0..<count {
                    // Each response is stored, and read to its end by a first client.
                    _ = try await Wire.send("GET", "/bytes/2097152?\(number)", to: port)
                }
                try await Self.hold(count, to: port) {
                    ("/bytes/2097152?\($0)", [])
                } until: { wires in
                    for wire in wires { _ = try await wire.head() }
                }
            }
        }

        @Test func `A stored response that many clients over TLS do not read takes its memory once`() async throws {
            let count = Self.isFull ? 200 : 60
            try await Certificate.run { certificate in
                try await Self.withGateway(connections: count, certificate) { port, gateway in
                    let target = "/bytes/7000000"
                    try await HTTP2Wire.open(to: port) { wire async throws in
                        #expect(try await wire.send("GET", target).text.utf8.count == 7_000_000)
                    }
                    var clients: [any Channel] = []
                    for _ in 0..<count { clients.append(try await Self.connectWithoutReading(to: port, target)) }
                    try await Self.growsNoMore(gateway)
                    for client in clients { try? await client.close() }
                }
            }
        }

        @Test func `Waiting requests with large heads take no more memory than their share`() async throws {
            let count = Self.isFull ? 2_000 : 1_000
            try await Self.withGateway(connections: count) { port, gateway in
                try await Self.hold(count, to: port) { _ in
                    ("/gate", (0..<30).map { "X-Field-\($0): " + Self.filler(1_900, $0) })
                } until: { _ in
                    // All heads have been read at this point.
                    try await Self.growsNoMore(gateway)
                }
            }
        }
    }

    extension ProcessMemoryAttackTests {
        /// Waits until a process has not grown for a second.
        private static func growsNoMore(_ gateway: ProgramProcess) async throws {
            var (last, since) = (0, ContinuousClock.now)
            try await eventually("the process grows no more", within: .seconds(60)) {
                let now = (try? gateway.memory("VmRSS")) ?? 0
                if now > last { (last, since) = (now, .now) }
                return ContinuousClock.now - since > .seconds(1)
            }
        }

        /// Sends a request over TLS, and reads only the beginning of the response.
        private static func connectWithoutReading(to port: Int, _ target: String) async throws -> any Channel {
            let channel = try await TLSClient.connect(to: port, setUp: { try $0.addHandler(UnreadingHandler()) })
            let request = "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n"
            try await channel.writeAndFlush(ByteBuffer(string: request))
            return channel
        }

        /// Opens a number of connections with one request each, and holds them open until `condition` returns.
        private static func hold(
            _ count: Int,
            to port: Int,
            _ request: @escaping @Sendable (Int) -> (target: String, fields: [String]),
            until condition: @escaping @Sendable ([Wire]) async throws -> Void
        ) async throws {
            func open(_ wires: [Wire]) async throws {
                guard wires.count < count else { return try await condition(wires) }
                try await Wire.open(to: port) { wire in
                    let (target, fields) = request(wires.count)
                    try await wire.send("GET", target, fields)
                    try await open(wires + [wire])
                }
            }
            try await open([])
        }

        /// Returns an origin whose bodies have the sizes that the paths give.
        private static func origin(_ gate: Gate) -> Application<RouterResponder<BasicRequestContext>> {
            let router = Router()
            let part = ByteBuffer(repeating: 0x61, count: 64 << 10)
            @Sendable func response(_ request: Request, _ vary: Bool, slowly: Bool = false) -> Response {
                let size = request.uri.path.split(separator: "/").dropFirst().first.flatMap { Int($0) } ?? 0
                var fields: HTTPFields = [.cacheControl: "max-age=600"]
                if vary { fields[.vary] = "Accept-Encoding" }
                let body = ResponseBody(contentLength: size) { writer in
                    var rest = size
                    while rest > 0 {
                        // The last part of a slow body is sent after all other requests have arrived.
                        if slowly, rest <= part.readableBytes { await gate.pass() }
                        guard let next = part.getSlice(at: 0, length: min(rest, part.readableBytes)) else { return }
                        try await writer.write(next)
                        rest -= next.readableBytes
                    }
                    try await writer.finish(nil)
                }
                return Response(status: .ok, headers: fields, body: body)
            }
            router.get("bytes/**") { request, _ in response(request, false) }
            router.get("vary/**") { request, _ in response(request, true) }
            router.get("slow/**") { request, _ in response(request, false, slowly: true) }
            router.get("gate") { _, _ in
                await gate.pass()
                return "open"
            }
            return Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)))
        }

        /// Runs a gateway in a separate process, and checks its growth.
        private static func withGateway(
            connections: Int,
            _ certificate: Certificate? = nil,
            _ test: @escaping @Sendable (Int, ProgramProcess) async throws -> Void
        ) async throws {
            let gate = Gate()
            try await origin(gate).test(.live) { client in
                let port = try FreePort.take()
                var arguments = [
                    "serve", "--origin", "http://127.0.0.1:\(try #require(client.port))",
                    "--listen", "127.0.0.1:\(port)", "--memory-limit", "\(memoryLimit)",
                    "--in-flight-limit", "\(inFlightLimit)", "--header-limit", "128KiB",
                    "--connect-timeout", "60s", "--response-timeout", "60s",
                ]
                if let certificate {
                    arguments += ["--certificate", certificate.certificate, "--private-key", certificate.privateKey]
                }
                try await ProgramProcess.run("larder", arguments) { gateway in
                    try await gateway.listens(on: port)
                    let before = try gateway.memory("VmRSS")
                    try await test(port, gateway)
                    let grown = try gateway.memory("VmHWM") - before
                    let bound = bound(connections)
                    #expect(grown < bound, "grew by \(grown >> 20) MiB of \(bound >> 20) MiB")
                    if isFull { print("grew by \(grown >> 20) MiB of \(bound >> 20) MiB") }
                    gate.open()
                }
            }
        }
    }

    /// A channel handler that stops reading at the first bytes.
    private final class UnreadingHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
        }
    }
#endif
