import ArgumentParser
import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderGateway
import LarderHummingbird
import LarderRedis
import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The routes that are compared.
enum Route: String, CaseIterable, ExpressibleByArgument {
    /// A route that returns bytes made beforehand, with the fields a hit has: nothing can be cheaper in Hummingbird.
    case bare
    /// The same route behind the cache: every request but the first is a hit in memory.
    case cached
    /// The same route with the responses in Redis.
    case redis
    /// A server's response of the same size behind the gateway: every request but the first is a hit in memory.
    case gateway
    /// The same with an access log in the Combined Log Format.
    case combined
    /// The same with an access log as JSON, with all fields.
    case json

    var path: String { isInGateway ? "/gateway" : "/\(rawValue)" }

    /// True if the gateway answers.
    var isInGateway: Bool {
        switch self {
        case .gateway, .combined, .json: true
        case .bare, .cached, .redis: false
        }
    }

    /// The format of the access log; nil if there is none.
    var logFormat: String? { self == .combined || self == .json ? rawValue : nil }
}

/// The measured server: one event loop, both routes, and its own processor time at `/usage`.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves the routes that are measured.")

    @Option(help: "The port; 0 takes a free one and prints it.")
    var port = 0
    @Option(help: "The bytes of a body.")
    var size = 40
    @Option(help: "The body; by default `size` letters.")
    var text: String?
    @Option(help: "The port of a Redis on 127.0.0.1 for the route that is cached there.")
    var redis: Int?
    @Flag(help: "Serve through the gateway, with the routes as its origin.")
    var gateway = false
    @Option(help: "The format of the gateway's access log, which is discarded; none by default.")
    var accessLogFormat: String?
    @Flag(help: "End where the standard input does: with whoever started this.")
    var whileRead = false

    /// Runs the server and waits. Callgrind 3.19 does not survive the asynchronous `main`, which ends its first thread.
    func run() throws {
        NIOSingletons.groupLoopCountSuggestion = 1
        let end = DispatchSemaphore(value: 0)
        if whileRead {
            Thread.detachNewThread {
                _ = try? FileHandle.standardInput.readToEnd()
                Foundation.exit(0)
            }
        }
        Task {
            do { try await serve() } catch { FileHandle.standardError.write(Data("\(error)\n".utf8)) }
            end.signal()
        }
        end.wait()
    }

    private func serve() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(64)))
        let body = ByteBuffer(string: text ?? String(repeating: "x", count: size))
        let router = Router()
        var services = [cache]
        // The fields of a hit's head: the bare route returns the same number of bytes, with other values.
        let fields: HTTPFields = [
            .contentType: "text/plain; charset=utf-8",
            .contentLength: String(body.readableBytes),
            .eTag: "\"00112233445566778899aabbccddeeff\"",
            .age: "0",
            HTTPField.Name("Cache-Status")!: "Larder; hit; ttl=600",
        ]
        router.get("bare") { _, _ in
            Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: body))
        }
        router.group("cached").cached(by: cache, for: .seconds(600)).get { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody(byteBuffer: body)
            )
        }
        router.get("gateway") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "max-age=600"],
                body: ResponseBody(byteBuffer: body)
            )
        }
        if let redis {
            let store = try RedisStore("redis://127.0.0.1:\(redis)")
            let shared = ResponseCache(store: store)
            services.append(shared)
            router.group("redis").cached(by: shared, for: .seconds(600)).get { _, _ in
                Response(
                    status: .ok,
                    headers: [.contentType: "text/plain; charset=utf-8"],
                    body: ResponseBody(byteBuffer: body)
                )
            }
        }
        router.get("usage") { _, _ in String(Self.processorMicroseconds()) }

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var logger = Logger(label: "benchmarks")
        logger.logLevel = .error
        var application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { [gateway, accessLogFormat] channel in
                let port = channel.localAddress?.port ?? 0
                if gateway {
                    await Self.serveGateway(to: port, logging: accessLogFormat)
                } else {
                    Self.announce(port)
                }
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger
        )
        for service in services { application.addServices(service) }
        try await application.runService()
        try await group.shutdownGracefully()
    }

    /// Runs the gateway in front of a port of this machine, until the process ends.
    private static func serveGateway(to origin: Int, logging format: String?) async {
        do {
            var options = ["origin": "http://127.0.0.1:\(origin)", "listen": "127.0.0.1:0", "log-level": "error"]
            if let format { options.merge(["access-log": "/dev/null", "access-log-format": format]) { $1 } }
            var logger = Logger(label: "gateway")
            logger.logLevel = .error
            let gateway = try LarderGateway.Gateway(
                GatewayConfiguration(environment: [:], options: options),
                store: MemoryStore(limit: .mebibytes(64)),
                logger: logger,
                onRunning: { announce($0.localAddress?.port ?? 0) }
            )
            for service in gateway.services { Task { try await service.run() } }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
        }
    }

    /// Prints the port for the process that started this one.
    private static func announce(_ port: Int) {
        print(port)
        fflush(nil)
    }

    /// Returns the processor time that this process has used so far, in user and system mode, in microseconds.
    private static func processorMicroseconds() -> Int {
        // POSIX: "CLOCKS_PER_SEC is defined to be one million", which does not depend on the resolution of the clock.
        Int(clock())
    }
}
