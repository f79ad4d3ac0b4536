import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct InvalidationTests {
    /// Product 4 and 8 are in the category home, product 2 is in the category garden. The path `04` is another spelling
    /// of product 4, which only the tag of the row invalidates.
    private let uris = [
        "/api/products/4", "/api/products/04", "/api/products/8", "/api/products", "/api/products?page=2",
        "/api/categories/home", "/api/categories/garden", "/api/products/4/reviews",
    ]

    private func hits(_ client: Client) async throws -> [String] {
        var hits: [String] = []
        for uri in uris where try await client.get(uri).isHit { hits.append(uri) }
        return hits
    }

    @Test("A review invalidates its product, the lists with this product, and nothing else")
    func review() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            #expect(try await hits(client) == [])
            #expect(try await hits(client) == uris)
            let before = try await client.get("/api/products/4").decoded(as: ProductBody.self)
            let response = try await ada.send(.post, "/api/products/4/reviews", #"{"stars":5,"text":"Bright"}"#)
            #expect(response.status == .created)
            #expect(try await hits(client) == ["/api/products/8", "/api/categories/garden"])
            let after = try await client.get("/api/products/4").decoded(as: ProductBody.self)
            #expect(after.reviews == before.reviews + 1)
            #expect(try await client.get("/api/products/4/reviews").text.contains("Bright"))
        }
    }

    @Test("A transaction that is rolled back invalidates nothing")
    func rollback() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            _ = try await hits(client)
            let response = try await ada.send(.post, "/api/products/4/reviews", #"{"stars":6,"text":"Too many"}"#)
            #expect(response.status == .unprocessableContent)
            #expect(try await hits(client) == uris)
        }
    }

    @Test("A review without a user invalidates nothing")
    func withoutUser() async throws {
        try await withCatalogue { client in
            _ = try await hits(client)
            let response = try await client.send(.post, "/api/products/4/reviews", #"{"stars":5,"text":"Bright"}"#)
            #expect(response.status == .unauthorized)
            #expect(try await hits(client) == uris)
        }
    }

    @Test("A new price is seen in all responses that show it, and by conditional requests")
    func price() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            let bob = try await client.signedIn("Bob")
            let first = try await client.get("/api/products/4")
            let condition: HTTPFields = [.ifNoneMatch: try #require(first.headers[.eTag])]
            #expect(first.headers[.cacheControl] == "no-cache")
            #expect(try await client.get("/api/products/4", condition).status == .notModified)
            #expect(try await bob.send(.patch, "/api/products/4", #"{"cents":1}"#).status == .forbidden)
            #expect(try await ada.send(.patch, "/api/products/4", #"{"cents":1}"#).status == .noContent)
            #expect(try await client.get("/api/products/4", condition).status == .ok)
            for uri in ["/api/products", "/api/categories/home"] {
                let products = try await client.get(uri).decoded(as: [ProductBody].self)
                #expect(products.first { $0.id == 4 }?.cents == 1)
            }
        }
    }

    @Test("The background job refreshes the cached value and the responses that were made from it")
    func backgroundJob() async throws {
        struct Top: Decodable {
            let id: Int
            let reviews: Int
        }
        try await withCatalogue(testOptions(interval: .milliseconds(5))) { client in
            let ada = try await client.signedIn("Ada")
            try await eventually { try await !client.get("/api/top").decoded(as: [Top].self).isEmpty }
            let top = try #require(try await client.get("/api/top").decoded(as: [Top].self).first)
            _ = try await client.get("/")
            try await ada.send(.post, "/api/products/\(top.id)/reviews", #"{"stars":5,"text":"Still good"}"#)
            try await eventually {
                try await client.get("/api/top").decoded(as: [Top].self)
                    .contains { $0.id == top.id && $0.reviews == top.reviews + 1 }
            }
            try await eventually { try await client.get("/").text.contains("\(top.reviews + 1) reviews") }
        }
    }

    @Test("Clearing invalidates everything, and needs a member of staff")
    func clear() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            let bob = try await client.signedIn("Bob")
            _ = try await hits(client)
            #expect(try await bob.send(.post, "/api/clear").status == .forbidden)
            #expect(try await hits(client) == uris)
            #expect(try await ada.send(.post, "/api/clear").status == .noContent)
            #expect(try await hits(client) == [])
        }
    }
}
