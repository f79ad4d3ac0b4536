public import Hummingbird
public import Larder
import LarderHummingbird
public import Logging
public import NIOCore

/// Builds the example API; the program and the tests call this.
/// - Parameters:
///   - cache: keeps the responses.
///   - repository: the simulated users and posts.
public func buildApplication(
    _ configuration: DemoConfiguration,
    cache: Cache,
    repository: Repository = Repository(),
    logger: Logger,
    onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
) -> some ApplicationProtocol {
    let router = buildRouter(
        cache: cache,
        repository: repository,
        access: configuration.adminToken.map(AdminAccess.token) ?? .loopback
    )
    var application = Application(
        router: router,
        configuration: ApplicationConfiguration(address: .hostname(configuration.host, port: configuration.port)),
        onServerRunning: onServerRunning,
        logger: logger
    )
    application.addServices(cache)
    return application
}

/// The routes of the example API.
func buildRouter(cache: Cache, repository: Repository, access: AdminAccess) -> Router<DemoRequestContext> {
    let users = UsersRouter(repository: repository)
    let posts = PostsRouter(repository: repository)
    let router = Router(context: DemoRequestContext.self, options: .autoGenerateHeadEndpoints)
    router.addMiddleware {
        LogRequestsMiddleware(.debug)
        JSONErrors()
    }

    router.group("api/users/:id")
        .cached(by: cache, for: .seconds(120))
        .get(use: users.show)
        .put(use: users.update)

    router.group("api/posts")
        .cached(by: cache, .fresh(for: .seconds(90)).endingInSlash())
        .get(use: posts.list)
        .post(use: posts.create)

    router.addCacheAdministration(of: cache, access: access)
    router.refuseOtherMethods()
    return router
}
