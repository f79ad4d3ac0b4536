import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A proxy between a client and a server on this machine: it counts the bytes that clients send, and delays the bytes
/// that the server sends.
final class SlowProxy: Sendable {
    private struct State {
        var delay = TimeAmount.zero
        var bytesIn = 0
    }

    private let state = NIOLockedValueBox(State())
    private let target: Int
    private let listener = NIOLockedValueBox<(any Channel)?>(nil)

    private init(target: Int) { self.target = target }

    /// Listens on a free port while `body` runs.
    static func run(to target: Int, _ body: (SlowProxy) async throws -> Void) async throws {
        let proxy = SlowProxy(target: target)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { proxy.connect($0) }
            .bind(host: "127.0.0.1", port: 0).get()
        proxy.listener.withLockedValue { $0 = listener }
        do {
            try await body(proxy)
        } catch {
            try await listener.close()
            throw error
        }
        try await listener.close()
    }

    var port: Int { listener.withLockedValue { $0?.localAddress?.port } ?? 0 }

    /// The bytes that clients have sent.
    var bytesIn: Int { state.withLockedValue { $0.bytesIn } }

    /// Delays the bytes that the server sends by this time from now on.
    func delay(by time: TimeAmount) { state.withLockedValue { $0.delay = time } }

    fileprivate var delay: TimeAmount { state.withLockedValue { $0.delay } }
    fileprivate func count(_ bytes: Int) { state.withLockedValue { $0.bytesIn += bytes } }

    private func connect(_ client: any Channel) -> EventLoopFuture<Void> {
        ClientBootstrap(group: client.eventLoop)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(Relay(to: client) { _ in self.delay })
                }
            }
            .connect(host: "127.0.0.1", port: target)
            .flatMap { server in
                client.eventLoop.makeCompletedFuture {
                    let relay = Relay(to: server) { bytes in
                        self.count(bytes)
                        return .zero
                    }
                    try client.pipeline.syncOperations.addHandler(relay)
                }
            }
            .flatMap { client.setOption(.autoRead, value: true) }
    }
}

/// A handler that forwards the bytes that it reads, in order, each piece no sooner than its delay allows.
private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: any Channel
    private let delay: @Sendable (_ bytes: Int) -> TimeAmount
    private var last = NIODeadline.uptimeNanoseconds(0)

    init(to peer: any Channel, _ delay: @escaping @Sendable (_ bytes: Int) -> TimeAmount) {
        (self.peer, self.delay) = (peer, delay)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        last = max(last, context.eventLoop.now + delay(bytes.readableBytes))
        let peer = peer
        if last <= context.eventLoop.now {
            peer.writeAndFlush(bytes, promise: nil)
        } else {
            context.eventLoop.scheduleTask(deadline: last) { peer.writeAndFlush(bytes, promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        peer.close(promise: nil)
    }
}
