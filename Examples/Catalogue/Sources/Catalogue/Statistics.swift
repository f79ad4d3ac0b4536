import GRDB
import Hummingbird
import Larder
import Logging
import ServiceLifecycle

/// The products with the best reviews: a table that a background job fills, and a cached value that is read from it.
struct Statistics: Service {
    let database: any DatabaseWriter
    let cache: ResponseCache
    let interval: Duration
    let logger: Logger

    /// Returns the cached value. A response that a route makes from it gets its tag.
    func top() async throws -> [TopProduct] {
        try await cache.value("top-products", for: .seconds(600), tagged: ["statistics"]) {
            try await database.read { db in
                try TopProduct.fetchAll(
                    db,
                    sql: """
                        SELECT top.*, product.name FROM top JOIN product ON product.id = top.id
                        ORDER BY top.stars DESC, top.reviews DESC, top.id LIMIT 5
                        """
                )
            }
        }
    }

    /// `GET /api/top`
    func list(_ request: Request, _ context: AppContext) async throws -> [TopProduct] { try await top() }

    /// Computes the table, invalidates the value and the responses that were made from it, and makes the value again.
    func refresh() async throws {
        try await cache.invalidatingAfter { invalidations in
            try await database.write { db in
                try db.execute(
                    sql: """
                        DELETE FROM top;
                        INSERT INTO top SELECT productID, ROUND(AVG(stars), 2), COUNT(*) FROM review GROUP BY productID
                        """
                )
                invalidations.add(.tag("statistics"))
            }
        }
        _ = try await top()
    }

    /// Refreshes the statistics until the server shuts down. A failure is logged, and the next round tries again.
    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await refresh()
                } catch is CancellationError {
                    return
                } catch {
                    logger.error("The statistics were not refreshed", metadata: ["error": "\(error)"])
                }
                try await Task.sleep(for: interval)
            }
        }
    }
}
