import Larder
import LarderGateway
import LarderRedis
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestHelpers
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Clients that disconnect before they have a response, while the origin does not respond.
@Suite(.timeLimit(.minutes(5))) struct LeavingTests {
    /// The way in which a client disconnects.
    enum Leaving: CaseIterable, Sendable {
        case reset
        case end
        /// The client closes its sending side, and continues to read.
        case halfClose
    }

    /// The response for which the client waits.
    enum Wait: CaseIterable, Sendable {
        /// The next event of a stream.
        case events
        /// The response to a POST.
        case write
        /// The response to a GET that is known not to be stored.
        case uncacheable
        /// The rest of a body that was to be stored and has become too large.
        case oversized

        var request: String {
            switch self {
            case .events: "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
            case .write: "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
            case .uncacheable: "GET /uncacheable HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n"
            case .oversized: "GET /oversized HTTP/1.1\r\nHost: localhost\r\n\r\n"
            }
        }

        /// True if the client has received the beginning of a response when it disconnects.
        var hasHead: Bool { self == .events || self == .oversized }
    }

    /// Returns an origin that at most begins a response, and waits for the end of its connection.
    private static func quiet(
        _ held: NIOLockedValueBox<Int>,
        _ released: NIOLockedValueBox<Int>
    ) -> ScriptedOrigin.Script {
        { connection in
            while let request = try await connection.request() {
                switch request.target {
                case "/events":
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                    try await connection.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\n:hi\n\n\r\n")
                case "/oversized":
                    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
                    try await connection.send(head + "800\r\n" + String(repeating: "x", count: 2_048) + "\r\n")
                case "/uncacheable" where held.withLockedValue({ $0 }) < 0:
                    held.withLockedValue { $0 = 0 }
                    try await connection.send(answer("200 OK", ["Cache-Control: no-store"], "not stored"))
                    continue
                default: break
                }
                held.withLockedValue { $0 += 1 }
                defer { released.withLockedValue { $0 += 1 } }
                while try await connection.part() != nil {}
                return
            }
        }
    }

    @Test(arguments: Leaving.allCases, Wait.allCases)
    func `The connection to the origin ends when the client disconnects, if the response cannot be stored`(
        _ leaving: Leaving,
        _ wait: Wait
    ) async throws {
        let held = NIOLockedValueBox(wait == .uncacheable ? -1 : 0)
        let released = NIOLockedValueBox(0)
        try await ScriptedOrigin.run(Self.quiet(held, released)) { origin in
            try await RunningGateway.run(before: origin.url, configure: { $0.bodyLimit = .kibibytes(1) }) { gateway in
                if wait == .uncacheable { #expect(try await gateway.send("GET", "/uncacheable").text == "not stored") }
                var clients: [Client] = []
                for _ in 0..<18 {
                    let client = try await Client(to: gateway.port)
                    try await client.send(wait.request)
                    clients.append(client)
                    if wait.hasHead { try await eventually("there is a head") { client.received > 0 } }
                }
                try await eventually("the origin holds them") { held.withLockedValue { $0 } == 18 }
                for client in clients { try await client.leave(leaving) }
                try await eventually("they are released") { released.withLockedValue { $0 } == 18 }
                for client in clients { try? await client.channel.close() }
            }
        }
    }

    @Test func `An HTTP/2 stream reset ends the connection to the origin`() async throws {
        let (held, released) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        try await Certificate.run { certificate in
            try await ScriptedOrigin.run(Self.quiet(held, released)) { origin in
                try await RunningGateway.run(before: origin.url, configure: { $0.certificate = .init(certificate) }) {
                    gateway in
                    try await HTTP2Wire.open(to: gateway.port) { wire in
                        for count in 1...3 {
                            try await wire.stream { stream in
                                try await stream.send("POST", "/write", ends: true)
                                try await eventually("the origin holds it") { held.withLockedValue { $0 } == count }
                                try await stream.cancel()
                                try await eventually("it is released") { released.withLockedValue { $0 } == count }
                            }
                        }
                        #expect(try await wire.send("GET", "/-/larder/health").status == "200")
                    }
                }
            }
        }
    }

    @Test func `Fetches without waiting clients make room for the next request`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.request() else { return }
            if request.target.hasPrefix("/held") { await gate.pass() }
            try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], request.target))
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: { $0.connectionsPerOrigin = 4 }) { gateway in
                var clients: [Client] = []
                for number in 0..<4 {
                    let client = try await Client(to: gateway.port)
                    try await client.send("GET /held/\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    clients.append(client)
                }
                await gate.reached(by: 4)
                // One request waits already, and one is sent when the other clients have disconnected.
                async let fifth = gateway.send("GET", "/fifth")
                for client in clients { try await client.leave(.reset) }
                #expect(try await fifth.text == "/fifth")
                #expect(try await gateway.send("GET", "/sixth").text == "/sixth")
                gate.open()
            }
        }
    }

    @Test func `Streams with waiting clients count toward the limit, and all other fetches make room`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.request() else { return }
            if request.target == "/events" {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                try await connection.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\n:hi\n\n\r\n")
                while try await connection.part() != nil {}
                return
            }
            if request.target.hasPrefix("/held") { await gate.pass() }
            try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], request.target))
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: { $0.connectionsPerOrigin = 4 }) { gateway in
                let events = try await Client(to: gateway.port)
                try await events.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try await eventually("there is an event") { events.received > 0 }
                for number in 0..<3 {
                    let client = try await Client(to: gateway.port)
                    try await client.send("GET /held/\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    await gate.reached(by: number + 1)
                    try await client.leave(.reset)
                }
                // Three requests are sent at once, which need the connections of all three fetches.
                try await withThrowingTaskGroup(of: String.self) { group in
                    for number in 0..<3 { group.addTask { try await gateway.send("GET", "/next/\(number)").text } }
                    for try await text in group { #expect(text.hasPrefix("/next")) }
                }
                gate.open()
                try await events.leave(.end)
            }
        }
    }

    @Test(arguments: [Leaving.reset, .end])
    func `Bodies that are stored without a waiting client make room for the next request`(
        _ leaving: Leaving
    ) async throws {
        let released = NIOLockedValueBox(0)
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                guard request.target.hasPrefix("/slow") else {
                    try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], request.target))
                    continue
                }
                let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
                try await connection.send(head + "5\r\nbegin\r\n")
                while try await connection.part() != nil {}
                return released.withLockedValue { $0 += 1 }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: { $0.connectionsPerOrigin = 4 }) { gateway in
                for number in 0..<4 {
                    let client = try await Client(to: gateway.port)
                    try await client.send("GET /slow/\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    try await eventually("the body begins") { client.received > 0 }
                    try await client.leave(leaving)
                }
                for number in 0..<2 {
                    #expect(try await gateway.send("GET", "/next/\(number)").text == "/next/\(number)")
                }
                // No more bodies are ended than necessary.
                try await eventually("a body has ended") { released.withLockedValue { $0 } > 0 }
                #expect(released.withLockedValue { $0 } <= 2)
            }
        }
    }

    @Test func `Waiters are served when the client that leads the fetch disconnects`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while try await connection.request() != nil {
                await gate.pass()
                try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], "shared"))
            }
        } _: { origin in
            let file = "routes:\n  - path: /**\n    coalescing-timeout: 10m\n"
            try await RunningGateway.run(before: origin.url, file: file, configure: { $0.connectionsPerOrigin = 1 }) {
                gateway in
                let leader = try await Client(to: gateway.port)
                try await leader.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await gate.reached()
                try await withThrowingTaskGroup(of: String.self) { group in
                    for _ in 0..<3 { group.addTask { try await gateway.send("GET", "/a").text } }
                    try await eventually("they wait") { gateway.gateway.cache.waiterCount == 3 }
                    try await leader.leave(.reset)
                    // This request needs the only connection, and has to wait for it.
                    group.addTask { try await gateway.send("GET", "/b").text }
                    try await eventually("it waits") { gateway.gateway.cache.flightCount == 2 }
                    gate.open()
                    for try await text in group { #expect(text == "shared") }
                }
                #expect(origin.requests.map(\.target) == ["/a", "/b"])
            }
        }
    }

    @Test func `A half-closed client gets a hit from Redis, and a hit after another response`() async throws {
        let gate = Gate()
        try await RedisProcess.run { redis in
            try await ScriptedOrigin.run { connection in
                while let request = try await connection.request() {
                    if request.target == "/slow" { await gate.pass() }
                    try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], request.target))
                }
            } _: { origin in
                let store = try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .quiet)
                try await RunningGateway.run(before: origin.url, store: store) { gateway in
                    try await eventually("the store is connected") { store.isAvailable }
                    try await eventually("it is stored") { (try? await gateway.send("GET", "/stored").isHit) == true }
                    let stored = "GET /stored HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    for _ in 0..<20 {
                        let exchange = try await Exchange.send(Array(stored.utf8), to: gateway.port, closes: true)
                        #expect(exchange.answers.map(\.body) == ["/stored"], "\(exchange)")
                    }
                    // The FIN is received while the first request waits for the origin. The second does not need the
                    // origin.
                    async let exchange = Exchange.send(
                        Array(("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n" + stored).utf8),
                        to: gateway.port,
                        closes: true
                    )
                    await gate.reached()
                    gate.open()
                    let answers = try await exchange.answers
                    #expect(answers.map(\.body) == ["/slow", "/stored"])
                }
            }
        }
    }

    private static let largeBody = String(repeating: "large ", count: 150_000)

    @Test func `A half-closed client gets stored responses, and any response if half-close is allowed`()
        async throws
    {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                if request.target == "/slow" { await gate.pass() }
                let body = request.target == "/large" ? Self.largeBody : request.target
                try await connection.send(answer("200 OK", ["Cache-Control: max-age=60"], body))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                #expect(try await gateway.send("GET", "/stored").text == "/stored")
                let request = Array("GET /stored HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                for bytes in [request, request + request + request] {
                    let exchange = try await Exchange.send(bytes, to: gateway.port, closes: true)
                    #expect(exchange.isEnded && exchange.answers.allSatisfy { $0.body == "/stored" }, "\(exchange)")
                    #expect(exchange.answers.count == bytes.count / request.count)
                }
                // Several of these are more than the buffers of the sockets hold.
                #expect(try await gateway.send("GET", "/large").text == Self.largeBody)
                let large = Array("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                for count in [1, 6] {
                    let bytes = Array(repeatElement(large, count: count).joined())
                    let exchange = try await Exchange.send(bytes, to: gateway.port, closes: true)
                    let sizes = exchange.answers.map(\.body.utf8.count)
                    #expect(exchange.isEnded && sizes == Array(repeating: Self.largeBody.utf8.count, count: count))
                }
            }
            try await RunningGateway.run(before: origin.url, configure: { $0.halfClose = .allow }) { gateway in
                async let exchange = Exchange.send(
                    Array("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8),
                    to: gateway.port,
                    closes: true
                )
                await gate.reached()
                gate.open()
                let answers = try await exchange.answers
                #expect(answers.map(\.body) == ["/slow"])
            }
        }
    }
}

/// A client that disconnects as a test demands.
private final class Client: Sendable {
    let channel: any Channel
    private let count: NIOLockedValueBox<Int>

    /// The number of bytes that were received.
    var received: Int { count.withLockedValue { $0 } }

    init(to port: Int) async throws {
        let count = NIOLockedValueBox(0)
        self.count = count
        channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteCounter(count))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    func leave(_ leaving: LeavingTests.Leaving) async throws {
        switch leaving {
        case .reset:
            try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            try await channel.close()
        case .end: try await channel.close()
        case .halfClose: try await channel.close(mode: .output)
        }
    }
}

/// A channel handler that counts the received bytes.
private final class ByteCounter: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let count: NIOLockedValueBox<Int>

    init(_ count: NIOLockedValueBox<Int>) { self.count = count }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data).readableBytes
        count.withLockedValue { $0 += bytes }
    }
}
