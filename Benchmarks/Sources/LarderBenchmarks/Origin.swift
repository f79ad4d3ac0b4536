import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The server behind the proxies: `/40` answers with forty bytes that may be stored for an hour.
final class Origin: Sendable {
    let port: Int
    private let counter: Counter

    /// The number of requests that reached the server.
    var requests: Int { counter.count.load(ordering: .relaxed) }

    private final class Counter: Sendable {
        let count = Atomic(0)
    }

    init() throws {
        let counter = Counter()
        let router = Router()
        router.get(":size") { _, context in
            let size = try context.parameters.require("size", as: Int.self)
            counter.count.add(1, ordering: .relaxed)
            return Response(
                status: .ok,
                headers: [.cacheControl: "max-age=3600", .contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(repeating: UInt8(ascii: "x"), count: size))
            )
        }
        var logger = Logger(label: "origin")
        logger.logLevel = .error
        let ports = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { ports.continuation.yield($0.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup(numberOfThreads: 1)),
            logger: logger
        )
        // The server ends with the process.
        Task { try await application.runService(gracefulShutdownSignals: []) }
        let (semaphore, found) = (DispatchSemaphore(value: 0), Counter())
        Task {
            for await port in ports.stream.prefix(1) { found.count.store(port, ordering: .relaxed) }
            semaphore.signal()
        }
        guard semaphore.wait(timeout: .now() + 10) == .success else {
            throw BenchmarkError(description: "The origin did not start")
        }
        port = found.count.load(ordering: .relaxed)
        self.counter = counter
    }
}
