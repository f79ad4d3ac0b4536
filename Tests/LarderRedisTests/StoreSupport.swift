import Larder
import LarderRedis
import LarderTesting
import Logging
import RedisClient

/// Runs stores on a server, each as a process of its own would, until `body` is through.
func withStores(
    _ count: Int,
    on redis: RedisProcess,
    _ limits: StoreLimits = StoreLimits(),
    options: RedisStore.Options = .patient,
    _ body: ([RedisStore]) async throws -> Void
) async throws {
    var options = options
    options.entryLimit = limits.entryLimit
    options.stampLimit = limits.stampLimit
    options.variantLimit = limits.variantLimit
    let stores = try (0..<count).map { _ in
        try RedisStore(.patient(redis.port), options: options, logger: .silent)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
        for store in stores {
            group.addTask { try await store.run() }
        }
        for store in stores {
            try await eventually("the store is connected") { store.isAvailable }
        }
        try await body(stores)
        group.cancelAll()
    }
}

extension RedisStore.Options {
    /// Gives a busy machine the time that it takes: for tests of what is kept, and not of when.
    static var patient: RedisStore.Options {
        var options = RedisStore.Options()
        options.timeout = .seconds(30)
        return options
    }
}

extension Logger {
    static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
}
