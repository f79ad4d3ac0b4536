import ArgumentParser
import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderGateway
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A gateway and its origin in one process. The store is filled without requests, since a million of them would take
/// minutes.
struct FilledGateway: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-filled",
        abstract: "Serves a gateway for the curves.",
        shouldDisplay: false
    )

    @Option(help: "The port.")
    var port: Int
    @Option(help: "The number of entries that are stored: /e/0, /e/1 and so on.")
    var entries = 1
    @Option(help: "The number of invalidations in a second, of tags that no entry has.")
    var invalidations = 0
    @Option(help: "The number of event loops.")
    var loops = 1

    /// The answer of `/misses` while the store is being filled.
    static let filling = "filling"

    func run() throws {
        NIOSingletons.groupLoopCountSuggestion = loops
        let end = DispatchSemaphore(value: 0)
        Task {
            do { try await serve() } catch { FileHandle.standardError.write(Data("\(error)\n".utf8)) }
            end.signal()
        }
        end.wait()
    }

    private func serve() async throws {
        let origin = CurveOrigin()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var logger = Logger(label: "curves")
        logger.logLevel = .error
        let application = Application(
            router: origin.router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { [self, logger] channel in
                do { try await serveGateway(to: channel.localAddress?.port ?? 0, origin, logger) } catch {
                    FileHandle.standardError.write(Data("\(error)\n".utf8))
                }
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger
        )
        try await application.runService()
    }

    private func serveGateway(to originPort: Int, _ origin: CurveOrigin, _ logger: Logger) async throws {
        let limit = ByteCount.bytes(max(512 << 20, entries * 4_096))
        let store = MemoryStore(limit: limit)
        let options = [
            "origin": "http://127.0.0.1:\(originPort)", "listen": "127.0.0.1:\(port)", "log-level": "error",
            "client-connections": "8192", "drain-delay": "0s",
        ]
        let gateway = try LarderGateway.Gateway(
            GatewayConfiguration(environment: [:], options: options),
            store: store,
            logger: logger,
            onRunning: { [self] _ in
                // The fetch must not wait on this event loop.
                Task {
                    do { try await fill(store) } catch { FileHandle.standardError.write(Data("\(error)\n".utf8)) }
                    origin.isFilled.store(true, ordering: .releasing)
                }
            }
        )
        for service in gateway.services { Task { try await service.run() } }
        if invalidations > 0 { Task { try await invalidate(gateway.cache) } }
    }

    /// Stores copies of one response.
    private func fill(_ store: MemoryStore) async throws {
        try await fetchFirst()
        let now = WallClock.system.now
        guard let key = CacheKey("GET:http://127.0.0.1/e/0"),
            let first = store.find(EntryLocation(key: key, target: "/e/0"), at: now)?.first
        else { throw BenchmarkError(description: "The gateway did not store the first response") }
        for number in 1..<max(1, entries) {
            func renamed(_ text: String) -> String { text.dropLast() + String(number) }
            guard let key = CacheKey(renamed(first.location.key.description)) else { continue }
            var head = first.head
            head.headerFields = HTTPFields()
            for field in first.head.headerFields { head.headerFields.append(field) }
            let entry = CacheEntry(
                head: head,
                body: ByteBuffer(bytes: first.body.readableBytesView),
                lifetimes: first.lifetimes,
                selectingFields: first.selectingFields,
                readVersion: first.readVersion,
                location: EntryLocation(key: key, target: renamed(first.location.target)),
                tags: []
            )
            _ = await store.save(entry, at: now)
            // Saving in memory does not suspend, and the origin needs this thread too.
            if number % 1_000 == 0 { await Task.yield() }
        }
        let count = await store.count(at: now)
        guard count == max(1, entries) else {
            throw BenchmarkError(description: "The store has \(count) of \(entries) entries")
        }
    }

    /// Requests the first entry on a thread of its own: the wait must not occupy a thread that the gateway needs.
    private func fetchFirst() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread { [port] in
                continuation.resume(with: Result { _ = try Connection(port: port).get("/e/0") })
            }
        }
    }

    private func invalidate(_ cache: ResponseCache) async throws {
        let start = ContinuousClock.now
        var done = 0
        while true {
            let due = Int((ContinuousClock.now - start) / .seconds(1) * Double(invalidations))
            while done < due {
                _ = await cache.invalidate(.tag(CacheTag("unused-\(done % 10_000)")))
                done += 1
            }
            try await Task.sleep(for: max(.milliseconds(1), .seconds(1) / invalidations))
        }
    }
}

/// The server behind the gateway, with a path for each curve.
private final class CurveOrigin: Sendable {
    let isFilled = Atomic(false)
    private let requests = Atomic(0)

    var router: Router<BasicRequestContext> {
        let router = Router()
        router.get("e/:entry") { _, _ in self.response(size: 40) }
        router.get("s/:size") { _, context in self.response(size: try context.parameters.require("size", as: Int.self))
        }
        router.get("t/:tags") { _, context in
            let count = try context.parameters.require("tags", as: Int.self)
            var response = self.response(size: 40)
            response.headers[HTTPField.Name("Surrogate-Key")!] = (0..<count).map { "t\($0)" }.joined(separator: " ")
            return response
        }
        router.get("k/:key") { _, _ in self.response(size: 40) }
        router.get("misses") { _, _ in
            let text =
                self.isFilled.load(ordering: .acquiring)
                ? String(self.requests.load(ordering: .relaxed)) : FilledGateway.filling
            return Response(
                status: .ok,
                headers: [.cacheControl: "no-store", .contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text))
            )
        }
        return router
    }

    private func response(size: Int) -> Response {
        requests.add(1, ordering: .relaxed)
        return Response(
            status: .ok,
            headers: [.cacheControl: "max-age=3600", .contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(repeating: UInt8(ascii: "x"), count: size))
        )
    }
}
