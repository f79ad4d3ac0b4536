import GRDB
import Hummingbird
import Larder

/// A product with the sum of its reviews.
struct Product: ResponseCodable, FetchableRecord, Sendable {
    let id: Int
    let name: String
    let category: String
    let cents: Int
    let reviews: Int
    let stars: Double?

    /// The tag of every response that shows the product.
    var tag: CacheTag { Self.tag(id) }

    static func tag(_ id: Int) -> CacheTag { "product-\(id)" }

    /// Returns the products for which the condition holds.
    static func fetch(
        _ db: Database,
        where condition: String = "TRUE",
        arguments: StatementArguments = [],
        limit: Int = 20,
        offset: Int = 0
    ) throws -> [Product] {
        try fetchAll(
            db,
            sql: """
                SELECT product.*, COUNT(review.id) AS reviews, ROUND(AVG(review.stars), 1) AS stars
                FROM product LEFT JOIN review ON review.productID = product.id
                WHERE \(condition) GROUP BY product.id ORDER BY product.id LIMIT \(limit) OFFSET \(offset)
                """,
            arguments: arguments
        )
    }
}

/// A review of a product by a user.
struct Review: ResponseCodable, FetchableRecord, Sendable {
    let author: String
    let stars: Int
    let text: String
}

/// The body of `POST /api/products/42/reviews`.
struct NewReview: Decodable, Sendable {
    let stars: Int
    let text: String
}

/// The body of `PATCH /api/products/42`.
struct PriceChange: Decodable, Sendable {
    let cents: Int
}

/// The body of `POST /api/search`.
struct Search: Decodable, Sendable {
    let text: String
}

/// The body of `POST /api/session`.
struct SignIn: Decodable, Sendable {
    let name: String
    let password: String
}

/// A person who can sign in.
struct User: ResponseCodable, FetchableRecord, Sendable {
    let id: Int
    let name: String
    let isStaff: Bool
}

/// A product and its place among those with the best reviews.
struct TopProduct: ResponseCodable, FetchableRecord, Sendable {
    let id: Int
    let name: String
    let stars: Double
    let reviews: Int
}
