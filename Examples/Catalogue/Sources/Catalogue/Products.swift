import GRDB
import Hummingbird
import Larder
import LarderHummingbird

/// Products, by page, by category, by ID and by text.
struct Products: Sendable {
    let database: any DatabaseWriter
    let cache: ResponseCache

    /// `GET /api/products?category=home&page=2`
    func list(_ request: Request, _ context: AppContext) async throws -> [Product] {
        let category = request.uri.queryParameters["category"].map(String.init)
        guard let page = Int(request.uri.queryParameters["page"] ?? "1"), (1...1_000).contains(page) else {
            throw HTTPError(.badRequest, message: "page is a number from 1 to 1000")
        }
        return try await database.read { db in
            try Product.fetch(
                db,
                where: "? IS NULL OR category = ?",
                arguments: [category, category],
                offset: (page - 1) * 20
            )
        }
    }

    /// `GET /api/products/42`: the response has the tag of its row.
    func show(_ request: Request, _ context: AppContext) async throws -> CachedResult<Product> {
        let id = try context.parameters.require("product", as: Int.self)
        let product = try await database.read { db in
            try Product.fetch(db, where: "product.id = ?", arguments: [id]).first
        }
        guard let product else { throw HTTPError(.notFound, message: "There is no product \(id)") }
        return product.tagged(product.tag)
    }

    /// `GET /api/categories/home`: the response has the tags of all of its rows.
    func category(_ request: Request, _ context: AppContext) async throws -> CachedResult<[Product]> {
        let name = try context.parameters.require("category")
        let products = try await database.read { db in
            try Product.fetch(db, where: "category = ?", arguments: [name], limit: 100)
        }
        return products.tagged(products.map(\.tag))
    }

    /// `POST /api/search` with `{"text": "lamp"}`
    func search(_ request: Request, _ context: AppContext) async throws -> CachedResult<[Product]> {
        let search = try await request.decode(as: Search.self, context: context)
        let products = try await database.read { db in
            try Product.fetch(db, where: "instr(lower(name), lower(?)) > 0", arguments: [search.text])
        }
        return products.tagged(products.map(\.tag))
    }

    /// `PATCH /api/products/42` with `{"cents": 950}`
    func update(_ request: Request, _ context: AppContext) async throws -> HTTPResponse.Status {
        guard try context.requireUser().isStaff else { throw HTTPError(.forbidden) }
        let id = try context.parameters.require("product", as: Int.self)
        let change = try await request.decode(as: PriceChange.self, context: context)
        try await cache.invalidatingAfter { invalidations in
            try await database.write { db in
                invalidations.add(.tag(Product.tag(id)), .tag("products"))
                try db.execute(sql: "UPDATE product SET cents = ? WHERE id = ?", arguments: [change.cents, id])
                guard db.changesCount == 1 else { throw HTTPError(.notFound, message: "There is no product \(id)") }
            }
        }
        return .noContent
    }
}
