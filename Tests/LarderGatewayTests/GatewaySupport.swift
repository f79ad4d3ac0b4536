import HTTPTypes
import Larder
import LarderGateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import TestHelpers
import Testing
import Tracing

/// A gateway that runs for the time of one test.
struct RunningGateway: Sendable {
    let gateway: Gateway
    let port: Int
    /// The port of `admin-listen`; nil if there is none, or a Unix socket.
    let adminPort: Int?
    private let group: ServiceGroup

    /// Runs a gateway on a free port while `test` runs, and waits until it has ended.
    /// - Parameters:
    ///   - file: The text of a configuration file, in YAML.
    ///   - adminAccess: The clients that may use the admin routes without a token; nil for the setting of the file and
    ///     the options.
    ///   - configure: Changes settings after the file and the options were read.
    static func run<Value: Sendable>(
        before origin: String,
        store: any CacheStore = MemoryStore(limit: .mebibytes(64)),
        file: String? = nil,
        options: [String: String] = [:],
        clock: WallClock = .system,
        routes: RouteTable? = nil,
        tracer: (any Tracer)? = nil,
        logger: Logger = .quiet,
        adminAccess: GatewaySettings.AdminAccess? = .loopback,
        configure: (inout GatewaySettings) -> Void = { _ in },
        _ test: @Sendable (RunningGateway) async throws -> Value
    ) async throws -> Value {
        var options = options
        options["origin"] = origin
        options["listen"] = options["listen"] ?? "127.0.0.1:0"
        var configuration = try GatewayConfiguration(
            file: file.map { GatewayConfiguration.File(name: "larder.yaml", text: $0) },
            environment: [:],
            options: options
        )
        // The timeouts are long enough for a busy machine.
        configuration.settings.connectTimeout = .seconds(60)
        configuration.settings.responseTimeout = .seconds(60)
        configuration.settings.clientRateTime = .seconds(120)
        configuration.settings.drainDelay = .zero
        if let adminAccess { configuration.settings.adminAccess = adminAccess }
        configure(&configuration.settings)
        if file == nil { configuration.routes = routes ?? RouteTable(configuration.settings) }
        let (ports, announce) = AsyncStream.makeStream(of: (Int, Int?).self)
        let listening = NIOLockedValueBox<[any Channel]>([])
        let count = configuration.settings.adminListen == nil ? 1 : 2
        let gateway = try Gateway(configuration, store: store, tracer: tracer, logger: logger, clock: clock) {
            channel in
            let all = listening.withLockedValue { channels in
                channels.append(channel)
                return channels
            }
            guard all.count == count else { return }
            announce.yield((all[0].localAddress?.port ?? 0, count == 1 ? nil : all[1].localAddress?.port))
            announce.finish()
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: gateway.services.map { .init(service: $0) },
                logger: .quiet
            )
        )
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { announce.finish() }
                try await group.run()
            }
            guard let (port, adminPort) = await ports.first(where: { _ in true }) else {
                try await tasks.waitForAll()
                throw Timeout(description: "The gateway ended before it listened")
            }
            let value: Value
            do {
                value = try await test(RunningGateway(gateway: gateway, port: port, adminPort: adminPort, group: group))
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return value
        }
    }

    /// Tells the gateway to stop, as SIGTERM does.
    func stop() async { await group.triggerGracefulShutdown() }

    /// Returns the response to one request on a separate connection.
    func send(
        _ method: String = "GET",
        _ target: String = "/",
        _ fields: [String] = [],
        body: String? = nil
    ) async throws -> Wire.Answer {
        try await Wire.send(method, target, fields, body: body, to: port)
    }
}

extension Logger {
    /// A logger that discards all messages.
    static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
}

extension Wire.Answer {
    /// The value of a field.
    subscript(_ name: String) -> String? { HTTPField.Name(name).flatMap { fields[$0] } }
}
