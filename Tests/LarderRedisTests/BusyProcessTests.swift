import HTTPTypes
import Larder
import Logging
import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The difference that a store makes between a slow Redis and a busy process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BusyProcessTests {
    /// Runs a store with the default timeouts.
    private func withStore(
        on redis: RedisProcess,
        port: Int? = nil,
        _ body: (RedisStore, TestMetrics) async throws -> Void
    ) async throws {
        let metrics = TestMetrics()
        try await withStores(1, on: redis, options: RedisStore.Options(), metrics: metrics, port: port) { stores in
            try await body(stores[0], metrics)
        }
    }

    private func failures(_ metrics: TestMetrics, _ reason: String) -> Int64 {
        metrics.counterTotal(label: "larder_redis_failures", dimensions: [("reason", reason)])
    }

    /// Keeps event loops busy for most of the time while `body` runs.
    private func withBusy(_ loops: some EventLoopGroup, _ body: () async throws -> Void) async throws {
        let isOver = NIOLockedValueBox(false)
        for loop in loops.makeIterator() {
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { task in
                if isOver.withLockedValue({ $0 }) { return task.cancel() }
                // The loop is busy for longer than the timeout.
                let end = ContinuousClock.now + .milliseconds(55)
                while ContinuousClock.now < end {}
            }
        }
        defer { isOver.withLockedValue { $0 = true } }
        try await body()
    }

    @Test func `A thousand concurrent look-ups in a busy process count no failure of a healthy Redis`() async throws {
        // The store gets its own event loop, because other tests run on the shared ones.
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await RedisProcess.run { redis in
            let metrics = TestMetrics()
            let store = try RedisStore(
                RedisConfiguration(endpoint: .host("127.0.0.1", port: redis.port)),
                options: RedisStore.Options(),
                metrics: metrics,
                logger: .silent,
                eventLoopGroup: loops
            )
            try await withRunning([store]) {
                for number in 0..<10 { await store.put("v\(number)", at: "/\(number)") }
                try await withBusy(loops) {
                    for _ in 0..<2 {
                        await withDiscardingTaskGroup { group in
                            for number in 0..<1_000 {
                                group.addTask { _ = await store.texts(at: "/\(number % 10)") }
                            }
                        }
                        #expect(store.isAvailable)
                    }
                }
                #expect(failures(metrics, "breaker") == 0)
            }
        }
        try await loops.shutdownGracefully()
    }

    @Test func `A hung Redis is soon no longer asked, and is asked again when it continues`() async throws {
        try await RedisProcess.run { redis in
            try await withStore(on: redis) { store, metrics in
                #expect(await store.put("v", at: "/a"))
                redis.signal(SIGSTOP)
                var waits: [Duration] = []
                while store.isAvailable {
                    waits.append(await ContinuousClock().measure { _ = await store.texts(at: "/a") })
                }
                // Each request waited for a timeout, and all of them together for no longer than the row of failures
                // takes.
                #expect((4...30).contains(waits.count), "\(waits)")
                #expect(waits.reduce(.zero, +) < .seconds(3), "\(waits)")
                let again = await ContinuousClock().measure { #expect(await store.texts(at: "/a").isEmpty) }
                #expect(again < .seconds(1))
                redis.signal(SIGCONT)
                try await eventually("it is found again") { await store.texts(at: "/a") == ["v"] }
            }
        }
    }

    @Test func `A Redis that suddenly becomes slow is no longer asked, though every reply arrives`() async throws {
        try await RedisProcess.run { redis in
            try await LaggingProxy.run(to: redis.port) { proxy in
                try await withStore(on: redis, port: proxy.port) { store, metrics in
                    #expect(await store.put("v", at: "/a"))
                    for _ in 0..<200 { _ = await store.texts(at: "/a") }
                    // The lag is longer than a probe waits: a server that answers a probe is used.
                    proxy.lag = .milliseconds(1_500)
                    await withDiscardingTaskGroup { group in
                        // Requests are sent one after the other, and many at a time: there is always a reply under way.
                        for worker in 0..<20 {
                            group.addTask {
                                for _ in 0..<100 * worker { await Task.yield() }
                                while store.isAvailable { _ = await store.texts(at: "/a") }
                            }
                        }
                    }
                    #expect(failures(metrics, "late") + failures(metrics, "deadlineExceeded") >= 5)
                    proxy.lag = .zero
                    try await eventually("it is found again") { await store.texts(at: "/a") == ["v"] }
                }
            }
        }
    }

    @Test func `A Redis that always takes longer than the timeout is used after it has been probed`() async throws {
        try await RedisProcess.run { redis in
            try await LaggingProxy.run(to: redis.port) { proxy in
                try await withStore(on: redis, port: proxy.port) { store, metrics in
                    #expect(await store.put("v", at: "/a"))
                    proxy.lag = .milliseconds(120)
                    var trips = 0
                    var long = 0
                    let end = ContinuousClock.now + .seconds(30)
                    var hits = 0
                    while hits < 20, ContinuousClock.now < end {
                        let wasThere = store.isAvailable
                        let wait = await ContinuousClock().measure {
                            hits = await store.texts(at: "/a") == ["v"] ? hits + 1 : 0
                        }
                        if wasThere, !store.isAvailable { trips += 1 }
                        if !wasThere, wait > .milliseconds(100) { long += 1 }
                        await Task.yield()
                    }
                    #expect(hits >= 20 && (1...2).contains(trips), "\(trips) times, \(hits) hits in a row")
                    // No request waits for a probe. Only the request that arrives when the probe is answered may find
                    // Redis back.
                    #expect(long <= trips, "\(long) waits")
                    #expect(failures(metrics, "late") + failures(metrics, "deadlineExceeded") < 40)
                }
            }
        }
    }

    @Test func `A Redis that is a little slower than before is used`() async throws {
        try await RedisProcess.run { redis in
            try await LaggingProxy.run(to: redis.port) { proxy in
                try await withStore(on: redis, port: proxy.port) { store, _ in
                    #expect(await store.put("v", at: "/a"))
                    for _ in 0..<200 { #expect(await store.texts(at: "/a") == ["v"]) }
                    for lag in [10, 30, 100, 250] as [Int64] {
                        proxy.lag = .milliseconds(lag)
                        for _ in 0..<3 { _ = await store.texts(at: "/a") }
                        #expect(await store.texts(at: "/a") == ["v"])
                    }
                    #expect(store.isAvailable)
                }
            }
        }
    }
}

/// A proxy between a store and its server that delays what the server sends.
private final class LaggingProxy: Sendable {
    private let held = NIOLockedValueBox(TimeAmount.zero)
    private let channel = NIOLockedValueBox<(any Channel)?>(nil)

    /// The time for which data from the server is delayed.
    var lag: TimeAmount {
        get { held.withLockedValue { $0 } }
        set { held.withLockedValue { $0 = newValue } }
    }

    var port: Int { channel.withLockedValue { $0?.localAddress?.port } ?? 0 }

    /// Listens while `body` runs.
    static func run(to target: Int, _ body: (LaggingProxy) async throws -> Void) async throws {
        let proxy = LaggingProxy()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Relay(to: client) { proxy.lag })
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
        proxy.channel.withLockedValue { $0 = channel }
        do { try await body(proxy) } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let peer: any Channel
        private let lag: @Sendable () -> TimeAmount
        private var last = NIODeadline.uptimeNanoseconds(0)

        init(to peer: any Channel, _ lag: @escaping @Sendable () -> TimeAmount) {
            (self.peer, self.lag) = (peer, lag)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let (bytes, peer) = (unwrapInboundIn(data), peer)
            last = max(last, context.eventLoop.now + lag())
            context.eventLoop.scheduleTask(deadline: last) { peer.writeAndFlush(bytes, promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) { peer.close(promise: nil) }
    }
}
