import ArgumentParser
import Foundation
import Larder
import LarderGateway
import LarderRedis
import Logging
import Metrics
import NIOCore
import NIOPosix
import OpenMetrics
import ServiceLifecycle
import SystemErrors
import UnixSignals

/// The command `larder serve`, which runs the cache in front of an API.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve an API through the cache.",
        discussion: """
            Every option has a name in the configuration file (--memory-limit is memory-limit) and a variable in the \
            environment (LARDER_MEMORY_LIMIT). Options take precedence over variables, and variables over the file. \
            The admin token has no option, because other users of the machine can see options: set LARDER_ADMIN_TOKEN, \
            or name a file by --admin-token-file.

            A service manager such as systemd may open the sockets (LISTEN_FDS), and is told when the gateway is \
            ready, reloads and stops (NOTIFY_SOCKET).

            SIGHUP reloads the file: its routes, certificates, and the settings that do not need a restart. It also \
            opens the access log again. A configuration from standard input cannot be reloaded. SIGTERM stops the \
            gateway: for drain-delay it serves as before, but reports that it is not ready; then it stops listening, \
            and exits when the requests in progress are answered, or after drain-timeout. SIGINT stops without the \
            delay. Each further signal ends the current step.
            """
    )

    @Option(name: .long, help: .config)
    var config: String?

    @OptionGroup var options: SettingOptions

    func run() async throws {
        MetricsSystem.bootstrap(MetricsRegistry())
        let source = ConfigurationSource(path: config, options: options.values, sockets: try Self.inheritedSockets())
        let configuration = try source.read()
        let level = SharedLogLevel(configuration.settings.logLevel)
        let logger = Logger(label: "larder") { label in
            SharedLevelLogHandler(.standardError(label: label, metadataProvider: .gatewayRequest), level)
        }
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let manager = ServiceManager(logger: logger)
        let gateway: Gateway
        do {
            gateway = try Gateway(
                configuration,
                store: try configuration.makeStore(logger: logger),
                logger: logger,
                onStep: { manager.report($0, servingOn: configuration.settings) }
            )
        } catch let error as GatewayError {
            throw Failure([configuration.diagnostic(for: error)])
        }
        let settings = configuration.settings
        logger.info(
            "Serving",
            metadata: [
                "listen": "\(settings.listen)", "origin": "\(settings.origin)", "store": "\(settings.store)",
                "routes": "\(configuration.routes.routes.count - 1) and the default",
            ]
        )
        if let advice = gateway.adviceOnAccess { logger.notice("\(advice)") }
        takeDescriptors(for: configuration, logger)
        let reloading = Reloading(
            source: source,
            gateway: gateway,
            manager: manager,
            level: level,
            // The process would end by the signal if it was not trapped before the service manager may send it.
            hangups: await UnixSignalsSequence(trapping: .sighup),
            logger: logger
        )
        // The last service is shut down first, so the watchdog runs as long as requests are answered.
        let watchdog: (any Service)? = Watchdog(manager, watching: .singletonMultiThreadedEventLoopGroup)
        let services = [watchdog].compactMap(\.self) + gateway.services + [reloading]
        let group = ServiceGroup(services: services, logger: logger)
        do {
            try await withThrowingTaskGroup { tasks in
                let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
                tasks.addTask { try await group.run() }
                tasks.addTask { [logger] in await stop(group, gateway, when: signals, logger) }
                try await tasks.next()
                tasks.cancelAll()
            }
        } catch let error as IOError {
            throw Self.failure(toListenOn: settings.listen, error)
        } catch let error as SocketAddressError.UnknownHost {
            throw Self.failure(toListenOn: settings.listen, error)
        }
    }
}

extension Serve {
    /// Takes the sockets that a service manager passed to this process, and removes their variables.
    private static func inheritedSockets() throws -> InheritedSockets {
        let environment = ProcessInfo.processInfo.environment
        for name in InheritedSockets.variables { unsetenv(name) }
        do throws(Diagnostic) {
            return try InheritedSockets(environment: environment, process: getpid())
        } catch {
            throw Failure([error])
        }
    }

    private static func failure(toListenOn address: ListenAddress, _ error: any Error) -> Failure {
        Failure("cannot listen on \(address): \(ErrorText.describe(error))", code: EX_UNAVAILABLE)
    }
}

/// Stops the gateway when the process receives a signal, and faster at each further one. Returns when it is cancelled.
private func stop(
    _ group: ServiceGroup,
    _ gateway: Gateway,
    when signals: UnixSignalsSequence,
    _ logger: Logger
) async {
    var isStopping = false
    for await signal in signals {
        logger.info("Signal received", metadata: ["signal": "\(signal)"])
        // A person who presses ^C should not wait for load balancers.
        if isStopping || signal == .sigint { gateway.hurry() }
        if !isStopping { await group.triggerGracefulShutdown() }
        isStopping = true
    }
}

/// Raises the descriptor limit, and logs a warning if it is below the number of possible connections.
private func takeDescriptors(for configuration: GatewayConfiguration, _ logger: Logger) {
    let settings = configuration.settings
    // 64 more are for logs, Redis and libraries.
    let needed =
        settings.clientConnections + settings.connectionsPerOrigin * configuration.routes.origins.count
        + GatewaySettings.spoolFiles + 64
    guard let limit = DescriptorLimit.raise(), limit < needed else { return }
    logger.warning(
        "The limit of open files (ulimit -n) is too low for the settings: raise it, or lower client-connections",
        metadata: ["descriptors": "\(limit)", "needed": "\(needed)"]
    )
}

extension ServiceManager {
    /// Reports a step in the life of a gateway.
    fileprivate func report(_ step: GatewayStep, servingOn settings: GatewaySettings) {
        switch step {
        case .serving:
            reportReady("Serving \(settings.origin) on \(settings.listen)")
        case .draining(let requests, let delay, let timeout):
            // The rest of the time is for closing connections and the store.
            let time = delay + timeout + .seconds(10)
            reportStopping("Draining for \(delay), with \(requests) requests in progress", within: time)
        case .finishing(let requests, let timeout):
            report("Stopped listening; \(requests) requests in progress have \(timeout) to end")
        }
    }
}

/// A service that reads the configuration again on SIGHUP. A file with diagnostics does not change the configuration.
private struct Reloading: Service, CustomStringConvertible {
    /// The name of the service in the log. The default would be all properties, with the options of the command line.
    let description = "LarderCLI.Reloading"
    let source: ConfigurationSource
    let gateway: Gateway
    let manager: ServiceManager
    let level: SharedLogLevel
    let hangups: UnixSignalsSequence
    let logger: Logger

    func run() async throws {
        for await _ in hangups.cancelOnGracefulShutdown() {
            manager.reportReloading("Reloading the configuration")
            gateway.reopenLog()
            do {
                let configuration = try source.readAgain()
                level.value = configuration.settings.logLevel
                for warning in configuration.warnings { logger.warning("\(warning)") }
                gateway.reload(configuration)
                takeDescriptors(for: configuration, logger)
                manager.reportReady("Serving, with the configuration reloaded")
            } catch {
                gateway.noteRefusedConfiguration()
                logger.error("The configuration cannot be reloaded, and is unchanged", metadata: ["error": "\(error)"])
                manager.reportReady("Serving, with the previous configuration: reloading failed: \(error)")
            }
        }
    }
}

extension GatewayConfiguration {
    /// Checks that the address of the store is valid, as far as this is possible without a connection.
    func checkStore() throws {
        var logger = Logger(label: "larder", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .critical
        if case .redis = settings.store { _ = try makeStore(logger: logger) }
    }

    /// Returns the store that the settings name. Does not check if its server can be reached.
    fileprivate func makeStore(logger: Logger) throws -> any CacheStore {
        switch settings.store {
        case .memory:
            let body = max(routes.bodyLimit, .mebibytes(1))
            return MemoryStore(
                limit: settings.memoryLimit,
                entryLimit: CacheEntry.limit(forBodiesOf: body),
                logLimit: settings.invalidationLog,
                variantLimit: settings.variantLimit
            )
        case .redis(let url):
            var options = RedisStore.Options()
            options.namespace = settings.namespace
            options.timeout = settings.redisTimeout
            options.variantLimit = settings.variantLimit
            options.logLimit = settings.invalidationLog
            options.entryLimit = CacheEntry.limit(forBodiesOf: GatewaySettings.redisBodyLimit)
            do { return try RedisStore(url, options: options, logger: logger) } catch {
                throw Failure([Diagnostic(at: locations[.store] ?? .nowhere, "`store`: \(error)")])
            }
        }
    }
}
