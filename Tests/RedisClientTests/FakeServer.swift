import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import Testing

/// A server on a real socket that answers with the script of a test.
final class FakeServer: Sendable {
    enum Answer: Sendable {
        case send(String)
        case sendAndClose(String)
        /// The same text is sent again and again, for as long as the client takes it.
        case flood(String)
        case nothing
    }

    /// A function that answers a command that arrived on a connection; connections are numbered from zero.
    typealias Script = @Sendable (_ command: [String], _ connection: Int) -> Answer

    let port: Int
    /// All commands that have arrived, as lines.
    let commands = Inbox<String>()
    private let channel: any Channel
    /// A group with one thread for this server alone: a server that floods does not leave time to others.
    private let group: MultiThreadedEventLoopGroup
    private let script: NIOLockedValueBox<Script>
    private let children = NIOLockedValueBox<[any Channel]>([])

    private init(channel: any Channel, group: MultiThreadedEventLoopGroup, script: @escaping Script, port: Int) {
        self.channel = channel
        self.group = group
        self.script = NIOLockedValueBox(script)
        self.port = port
    }

    static func start(_ script: @escaping Script) async throws -> FakeServer {
        let server = NIOLockedValueBox<FakeServer?>(nil)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = server.withLockedValue({ $0 }) else { return }
                    let number = server.children.withLockedValue { children in
                        children.append(channel)
                        return children.count - 1
                    }
                    try channel.pipeline.syncOperations.addHandler(FakeServerHandler(server, number))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let fake = FakeServer(channel: channel, group: group, script: script, port: channel.localAddress?.port ?? 0)
        server.withLockedValue { $0 = fake }
        return fake
    }

    /// The number of connections so far.
    var connections: Int { children.withLockedValue { $0.count } }

    func change(_ script: @escaping Script) {
        self.script.withLockedValue { $0 = script }
    }

    func answer(_ command: [String], _ connection: Int) -> Answer {
        // A test that has seen a command may change the script for the next one.
        let script = script.withLockedValue { $0 }
        commands.add(command.joined(separator: " "))
        return script(command, connection)
    }

    /// Sends text to a client that has not asked for it, before the answers to later commands.
    func say(_ text: String, on connection: Int) async throws {
        let child = children.withLockedValue { $0[connection] }
        try await child.writeAndFlush(ByteBuffer(string: text))
    }

    /// Closes a connection.
    func cut(_ connection: Int) {
        children.withLockedValue { $0[connection] }.close(promise: nil)
    }

    func stop() async {
        try? await channel.close()
        for child in children.withLockedValue({ $0 }) { try? await child.close() }
        try? await group.shutdownGracefully()
    }

    /// Returns the answer of a healthy server, which echoes the keys of GET.
    static func healthy(_ command: [String], runID: String = "run-1") -> Answer {
        switch command.first {
        case "HELLO": .send("%3\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n+role\r\n+master\r\n")
        case "INFO": .send("=\(runID.utf8.count + 13)\r\ntxt:run_id:\(runID)\r\n\r\n")
        case "GET", "PING": .send("$\(command[1].utf8.count)\r\n\(command[1])\r\n")
        default: .send("+OK\r\n")
        }
    }
}

private final class FakeServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: FakeServer
    private let number: Int
    private var decoder = RESPDecoder(limits: RESPLimits())
    private var buffer = ByteBuffer()

    init(_ server: FakeServer, _ number: Int) {
        (self.server, self.number) = (server, number)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        buffer.writeImmutableBuffer(unwrapInboundIn(data))
        while let message = try? decoder.next(from: &buffer) {
            guard case .reply(.array(let words)) = message.content else { return }
            switch server.answer(words.map { (try? $0.text()) ?? "?" }, number) {
            case .nothing: break
            case .send(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .sendAndClose(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                context.close(promise: nil)
            case .flood(let text): flood(ByteBuffer(string: text), context: context)
            }
        }
    }

    private func flood(_ bytes: ByteBuffer, context: ChannelHandlerContext) {
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        context.writeAndFlush(wrapOutboundOut(bytes)).whenSuccess {
            // The next write waits for another turn of the event loop: writes that succeed at once would nest calls.
            loop.execute {
                let (handler, context) = bound.value
                handler.flood(bytes, context: context)
            }
        }
    }
}

extension RedisConfiguration {
    /// Returns the configuration for a local server, with delays that suit a test.
    static func local(_ port: Int) -> RedisConfiguration {
        var configuration = RedisConfiguration(endpoint: .host("127.0.0.1", port: port))
        configuration.reconnecting = ReconnectPlan(first: .milliseconds(2), longest: .milliseconds(20))
        return configuration
    }
}

/// A logger that discards all messages.
let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a client while `body` runs.
func withClient<Result: Sendable>(
    _ configuration: RedisConfiguration,
    hooks: RedisClient.Hooks = .init(),
    logger: Logger = silent,
    clock: any Clock<Duration> = ContinuousClock(),
    _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let client = try RedisClient(configuration, hooks: hooks, logger: logger, clock: clock)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await client.run() }
        defer { group.cancelAll() }
        return try await body(client)
    }
}

/// Waits until a condition becomes true that depends on another process or thread, and records an issue if it does not.
/// The default limit is 240 seconds.
func eventually(
    within limit: Duration = .seconds(240),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(2))
    }
    Issue.record("it did not happen within \(limit)", sourceLocation: sourceLocation)
}

/// Returns the code of the error that `body` throws, or nil if it does not throw one.
func errorCode(_ body: () async throws -> Void) async -> RedisError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? RedisError)?.code
    }
}
