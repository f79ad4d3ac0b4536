import GRDB
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import Logging

/// The settings that the environment gives.
public struct CatalogueOptions: Sendable {
    public var host = "127.0.0.1"
    public var port = 8080
    /// The SQLite file; nil for a database in memory.
    public var database: String?
    /// The Redis server that stores the responses; nil for the memory of this process.
    public var redisURL: String?
    public var adminToken: BearerToken?
    /// The web site whose scripts may call the API.
    public var allowedOrigin = "http://localhost:3000"
    /// The time between two runs of the background job.
    public var interval = Duration.seconds(30)
    public var passwords = PasswordHashing()
    public var seed = Seed()

    public init() {}
}

/// Builds the application; the program and the tests call this.
public func buildApplication(
    _ options: CatalogueOptions,
    logger: Logger = Logger(label: "catalogue")
) throws -> some ApplicationProtocol {
    let database = try Schema.open(options.database)
    try Schema.prepare(database, seed: options.seed)

    let store: any CacheStore =
        if let url = options.redisURL { try RedisStore(url, logger: logger) } else {
            MemoryStore(limit: .mebibytes(64))
        }
    let cache = ResponseCache(store: store, logger: logger)
    let statistics = Statistics(database: database, cache: cache, interval: options.interval, logger: logger)

    var application = Application(
        router: buildRouter(options, database: database, cache: cache, statistics: statistics),
        server: .validatedHTTP1(),
        configuration: ApplicationConfiguration(address: .hostname(options.host, port: options.port)),
        logger: logger
    )
    application.addServices(cache, statistics)
    return application
}
