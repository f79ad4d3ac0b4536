public import Hummingbird
public import Larder
import LarderHummingbird
import LarderRedis
public import Logging
public import NIOCore

/// Builds the example API; the program and the tests call this.
/// - Parameters:
///   - cache: Stores the responses.
///   - repository: The simulated users and posts.
public func buildApplication(
    _ configuration: DemoConfiguration,
    cache: ResponseCache,
    repository: Repository = Repository(),
    logger: Logger,
    onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
) -> some ApplicationProtocol {
    let router = buildRouter(
        cache: cache,
        repository: repository,
        access: configuration.access
    )
    var application = Application(
        router: router,
        server: .cachingHTTP1(by: cache),
        configuration: ApplicationConfiguration(address: .hostname(configuration.host, port: configuration.port)),
        onServerRunning: onServerRunning,
        logger: logger
    )
    application.addServices(cache)
    return application
}

/// Creates the store that the configuration asks for: in Redis, or in the memory of this process.
/// - Throws: `ConfigurationError` if the URL of Redis is not valid. The server is connected to later.
public func makeStore(_ configuration: DemoConfiguration, logger: Logger) throws(ConfigurationError) -> any CacheStore {
    guard let url = configuration.redisURL else { return MemoryStore(limit: configuration.memoryLimit) }
    var options = RedisStore.Options()
    options.namespace = configuration.namespace
    do throws(RedisStoreError) {
        return try RedisStore(url, options: options, logger: logger)
    } catch {
        throw ConfigurationError("REDIS_URL is invalid: \(error)")
    }
}

/// Builds the routes of the example API. Its middleware logs requests and renders errors, so that hits can do without
/// it.
func buildRouter(cache: ResponseCache, repository: Repository, access: AdminAccess) -> Router<DemoRequestContext> {
    let warming = CacheWarming<DemoRequestContext>()
    let router = buildRoutes(cache: cache, repository: repository, access: access, warming: warming)
    router.refuseOtherMethods()
    warming.send(to: router.buildResponder())
    return router
}

/// Builds the routes without those that refuse other methods.
func buildRoutes(
    cache: ResponseCache,
    repository: Repository,
    access: AdminAccess,
    warming: CacheWarming<DemoRequestContext>? = nil
) -> Router<DemoRequestContext> {
    let users = UsersRouter(repository: repository)
    let posts = PostsRouter(repository: repository)
    let router = Router(context: DemoRequestContext.self, options: .autoGenerateHeadEndpoints)
    router.addMiddleware {
        LogRequestsMiddleware(.debug)
        JSONErrors()
    }

    router.group("api/users/:id")
        .cached(by: cache, for: .seconds(120))
        .beforeMiddleware()
        .get(use: users.show)
        .put(use: users.update)

    router.group("api/posts")
        .cached(by: cache, .fresh(for: .seconds(90)).endingInSlash())
        .beforeMiddleware()
        .get(use: posts.list)
        .post(use: posts.create)

    router.get(use: Home().show)
    router.addCacheAdministration(of: cache, access: access)
    let documentation = DocumentationRouter()
    router.get("openapi.json", use: documentation.document)
    router.get("docs", use: documentation.page)
    router.addCacheDashboard(of: cache, access: access, at: "larder", warming: warming, example: "/api/posts/")
    return router
}
