import Hummingbird
import Logging
import ServiceLifecycle

/// Runs an application on a free port of this machine until `body` returns, and lets it finish the requests under way:
/// Hummingbird's server must not be cancelled while a client connects.
/// - Parameter services: The services that run beside it.
func withApplication<Context: InitializableFromSource & RequestContext>(
    _ router: Router<Context>,
    services: [any Service] = [],
    logger: Logger,
    _ body: (_ port: Int) async throws -> Void
) async throws where Context.Source == ApplicationRequestContextSource {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    var application = Application(
        router: router,
        configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { found.yield($0.localAddress?.port ?? 0) },
        logger: logger
    )
    for service in services { application.addServices(service) }
    let group = ServiceGroup(services: [application], gracefulShutdownSignals: [], logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { found.finish() }
            try await group.run()
        }
        if let port = await ports.first(where: { _ in true }) {
            do { try await body(port) } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
