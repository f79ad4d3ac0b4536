import Foundation
import NIOCore
import NIOPosix

/// A redis-server for one measurement.
final class RedisServer {
    let port = Int.random(in: 10_000..<32_000)
    private let process = Process()

    /// Creates a server with these further settings, and starts it.
    init(_ settings: String...) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", ""] + settings
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<100 where (try? ask("PING")) == nil { Thread.sleep(forTimeInterval: 0.05) }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Runs a command by redis-cli, and returns what it prints.
    @discardableResult
    func ask(_ words: String...) throws -> String {
        let client = Process()
        client.executableURL = URL(filePath: "/usr/bin/env")
        client.arguments = ["redis-cli", "-e", "-p", "\(port)"] + words
        let output = Pipe()
        client.standardOutput = output
        client.standardError = FileHandle.nullDevice
        try client.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        client.waitUntilExit()
        guard client.terminationStatus == 0 else {
            throw BenchmarkError(description: "Redis refuses \(words.joined(separator: " "))")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Returns a number from `INFO`; 0 if it is not there.
    func number(_ name: String, in section: String) throws -> Int {
        let lines = try ask("INFO", section).split(whereSeparator: \.isNewline)
        let value = lines.first { $0.hasPrefix(name) }.map { $0.dropFirst(name.count) }
        return value.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
    }

    func end() {
        if process.isRunning { send(SIGKILL) }
        process.waitUntilExit()
    }
}

/// A proxy that forwards requests at once and delays responses.
final class DelayingProxy: @unchecked Sendable {
    private let lock = NSLock()
    private var held = TimeAmount.zero
    private(set) var port = 0

    /// The delay of the server's responses.
    var delay: TimeAmount {
        get { lock.withLock { held } }
        set { lock.withLock { held = newValue } }
    }

    init(to target: Int) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Relay(to: client) { self.delay })
                        }
                    }
                    .connect(host: "127.0.0.1", port: target)
                    .flatMap { server in
                        client.eventLoop.makeCompletedFuture {
                            try client.pipeline.syncOperations.addHandler(Relay(to: server) { .zero })
                        }
                    }
                    .flatMap { client.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }
}

private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: any Channel
    private let delay: @Sendable () -> TimeAmount
    private var last = NIODeadline.uptimeNanoseconds(0)

    init(to peer: any Channel, _ delay: @escaping @Sendable () -> TimeAmount) {
        (self.peer, self.delay) = (peer, delay)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (bytes, peer) = (unwrapInboundIn(data), peer)
        last = max(last, context.eventLoop.now + delay())
        context.eventLoop.scheduleTask(deadline: last) { peer.writeAndFlush(bytes, promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { peer.close(promise: nil) }
}
