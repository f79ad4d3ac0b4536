import ArgumentParser
import Foundation
import Larder
import LarderGateway
import LarderRedis
import Logging
import Metrics
import NIOCore
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
            The admin token has no option, because other users of the machine can see options: set LARDER_ADMIN_TOKEN.

            SIGHUP reloads the file: its routes, certificates, and the settings that do not need a restart. It also \
            opens the access log again. SIGTERM stops the gateway: for drain-delay it serves as before, but reports \
            that it is not ready; then it stops listening, and exits when the requests in progress are answered, or \
            after drain-timeout. SIGINT stops without the delay. Each further signal ends the current step.
            """
    )

    @Option(name: .long, help: ArgumentHelp("A configuration file, in YAML.", valueName: "file"))
    var config: String?

    @OptionGroup var options: SettingOptions

    func run() async throws {
        MetricsSystem.bootstrap(MetricsRegistry())
        let source = ConfigurationSource(path: config, options: options.values)
        let configuration = try source.read()
        let level = SharedLogLevel(configuration.settings.logLevel)
        let logger = Logger(label: "larder") { label in
            SharedLevelLogHandler(.standardError(label: label, metadataProvider: .gatewayRequest), level)
        }
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let gateway: Gateway
        do {
            gateway = try Gateway(
                configuration,
                store: try configuration.makeStore(logger: logger),
                logger: logger
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
        let reloading = Reloading(source: source, gateway: gateway, level: level, logger: logger)
        let group = ServiceGroup(
            services: gateway.services + [reloading],
            logger: logger
        )
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

/// The source of a configuration, which can be read again.
struct ConfigurationSource: Sendable {
    var path: String?
    var options: [String: String] = [:]

    /// Reads the configuration.
    /// - Throws: `Failure`, with a line for each diagnostic.
    func read() throws -> GatewayConfiguration {
        do {
            return try GatewayConfiguration(
                file: try path.map(Self.file),
                environment: ProcessInfo.processInfo.environment,
                options: options
            )
        } catch let diagnostics as ConfigurationDiagnostics {
            throw Failure(diagnostics.diagnostics)
        }
    }

    /// Returns a file as text.
    static func file(_ path: String) throws -> GatewayConfiguration.File {
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            // One byte more than the limit shows that the file is too large.
            let bytes = try file.readAll(upTo: GatewayConfiguration.File.lengthLimit + 1)
            let isWhole = bytes.count <= GatewayConfiguration.File.lengthLimit
            guard let text = isWhole ? String(validating: bytes, as: UTF8.self) : String(decoding: bytes, as: UTF8.self)
            else { throw Failure("\(path) cannot be read: it is not UTF-8; save it as UTF-8", code: EX_NOINPUT) }
            return GatewayConfiguration.File(name: path, text: text)
        } catch let failure as Failure {
            throw failure
        } catch {
            let reason = ErrorText.unreadableReason(of: path) ?? "reading it failed"
            throw Failure("\(path) cannot be read: \(reason)", code: EX_NOINPUT)
        }
    }
}

/// A service that reads the configuration again on SIGHUP. A file with diagnostics does not change the configuration.
private struct Reloading: Service, CustomStringConvertible {
    /// The name of the service in the log. The default would be all properties, with the options of the command line.
    let description = "LarderCLI.Reloading"
    let source: ConfigurationSource
    let gateway: Gateway
    let level: SharedLogLevel
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        for await _ in signals.cancelOnGracefulShutdown() {
            gateway.reopenLog()
            do {
                let configuration = try source.read()
                level.value = configuration.settings.logLevel
                for warning in configuration.warnings { logger.warning("\(warning)") }
                gateway.reload(configuration)
            } catch {
                gateway.noteRefusedConfiguration()
                logger.error("The configuration cannot be reloaded, and is unchanged", metadata: ["error": "\(error)"])
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
