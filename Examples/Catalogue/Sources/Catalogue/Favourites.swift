import GRDB
import Hummingbird
import Larder
import LarderHummingbird

/// The products that a user has chosen. Every user has a list, and a stored response, of their own.
struct Favourites: Sendable {
    let database: any DatabaseWriter
    let cache: ResponseCache

    static func tag(_ user: User) -> CacheTag { "favourites-\(user.id)" }

    /// `GET /api/favourites`
    func list(_ request: Request, _ context: AppContext) async throws -> CachedResult<[Product]> {
        let user = try context.requireUser()
        let products = try await database.read { db in
            try Product.fetch(
                db,
                where: "product.id IN (SELECT productID FROM favourite WHERE userID = ?)",
                arguments: [user.id],
                limit: 100
            )
        }
        return products.tagged(products.map(\.tag))
    }

    /// `PUT /api/favourites/42`
    func add(_ request: Request, _ context: AppContext) async throws -> HTTPResponse.Status {
        try await change(context, "INSERT OR IGNORE INTO favourite (userID, productID) VALUES (?, ?)")
    }

    /// `DELETE /api/favourites/42`
    func remove(_ request: Request, _ context: AppContext) async throws -> HTTPResponse.Status {
        try await change(context, "DELETE FROM favourite WHERE userID = ? AND productID = ?")
    }

    private func change(_ context: AppContext, _ sql: String) async throws -> HTTPResponse.Status {
        let user = try context.requireUser()
        let id = try context.parameters.require("product", as: Int.self)
        do {
            try await cache.invalidatingAfter { invalidations in
                try await database.write { db in
                    try db.execute(sql: sql, arguments: [user.id, id])
                    invalidations.add(.tag(Self.tag(user)))
                }
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw HTTPError(.notFound, message: "There is no product \(id)")
        }
        return .noContent
    }
}
