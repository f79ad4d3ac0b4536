import GRDB
import Hummingbird
import Larder
import LarderHummingbird

/// The reviews of a product.
struct Reviews: Sendable {
    let database: any DatabaseWriter
    let cache: ResponseCache

    /// `GET /api/products/42/reviews`: the latest ten.
    func list(_ request: Request, _ context: AppContext) async throws -> [Review] {
        let id = try context.parameters.require("product", as: Int.self)
        return try await database.read { db in
            try Review.fetchAll(
                db,
                sql: """
                    SELECT user.name AS author, stars, text FROM review JOIN user ON user.id = review.userID
                    WHERE productID = ? ORDER BY review.id DESC LIMIT 10
                    """,
                arguments: [id]
            )
        }
    }

    /// `POST /api/products/42/reviews` with `{"stars": 5, "text": "Bright"}`
    ///
    /// The tag is invalidated when the transaction is committed, and not at all if it is rolled back. The closure
    /// returns after the commit, so nothing that is rendered from the old rows is served to a later request.
    func add(_ request: Request, _ context: AppContext) async throws -> HTTPResponse.Status {
        let user = try context.requireUser()
        let id = try context.parameters.require("product", as: Int.self)
        let review = try await request.decode(as: NewReview.self, context: context)
        do {
            try await cache.invalidatingAfter { invalidations in
                try await database.write { db in
                    invalidations.add(.tag(Product.tag(id)))
                    try db.execute(
                        sql: "INSERT INTO review (productID, userID, stars, text) VALUES (?, ?, ?, ?)",
                        arguments: [id, user.id, review.stars, review.text]
                    )
                }
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw HTTPError(.unprocessableContent, message: "A review has 1 to 5 stars, and a product")
        }
        return .created
    }
}
