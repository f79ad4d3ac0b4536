import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct KeyTests {
    @Test("Only the parameters that the policy names make a response of their own")
    func query() async throws {
        try await withCatalogue { client in
            let home = try await client.get("/api/products?category=home&page=1")
            #expect(!home.isHit)
            let tracked = try await client.get("/api/products?utm_source=mail&category=home&page=1")
            #expect(tracked.isHit)
            #expect(tracked.text == home.text)
            #expect(try await !client.get("/api/products?category=home&page=2").isHit)
            #expect(try await client.get("/api/products?page=no").status == .badRequest)
        }
    }

    @Test("A 404 is stored")
    func notFound() async throws {
        try await withCatalogue { client in
            #expect(try await client.get("/api/products/999").status == .notFound)
            let second = try await client.get("/api/products/999")
            #expect(second.status == .notFound)
            #expect(second.isHit)
        }
    }

    @Test("A search is stored under its content, and a new price invalidates the results that show it")
    func search() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            let lamp = #"{"text":"lamp"}"#
            let first = try await client.send(.post, "/api/search", lamp)
            #expect(try first.decoded(as: [ProductBody].self).contains { $0.id == 4 })
            #expect(!first.isHit)
            #expect(try await client.send(.post, "/api/search", lamp).isHit)
            #expect(try await !client.send(.post, "/api/search", #"{"text":"chair"}"#).isHit)
            try await ada.send(.patch, "/api/products/4", #"{"cents":7}"#)
            let after = try await client.send(.post, "/api/search", lamp)
            #expect(!after.isHit)
            #expect(try after.decoded(as: [ProductBody].self).first { $0.id == 4 }?.cents == 7)
            #expect(try await client.send(.post, "/api/search", #"{"text":"chair"}"#).isHit)
        }
    }

    @Test("A list has a compressed and a plain variant, and both become hits")
    func gzip() async throws {
        try await withCatalogue { client in
            let gzip: HTTPFields = [.acceptEncoding: "gzip, deflate"]
            for isHit in [false, true] {
                let compressed = try await client.get("/api/products", gzip)
                #expect(compressed.headers[.contentEncoding] == "gzip")
                #expect(compressed.isHit == isHit)
                // The middleware does not know the length of what it compresses; of what is stored it is known.
                #expect((compressed.headers[.contentLength] == nil) != isHit)
                let plain = try await client.get("/api/products", [.acceptEncoding: "gzip;q=0"])
                #expect(plain.headers[.contentEncoding] == nil)
                #expect(plain.isHit == isHit)
                #expect(try compressed.unzipped() == plain.text)
                #expect(compressed.body.readableBytes < plain.body.readableBytes)
            }
        }
    }

    @Test("Hits have the CORS fields of the request that they answer")
    func cors() async throws {
        try await withCatalogue { client in
            let origin: HTTPFields = [.origin: "https://shop.example"]
            _ = try await client.get("/api/products/1")
            let hit = try await client.get("/api/products/1", origin)
            #expect(hit.isHit)
            #expect(hit.headers[.accessControlAllowOrigin] == "https://shop.example")
            #expect(hit.headers[.accessControlAllowCredentials] == "true")
            let plain = try await client.get("/api/products/1")
            #expect(plain.isHit)
            #expect(plain.headers[.accessControlAllowOrigin] == nil)
            let preflight = try await client.send(.options, "/api/products/1/reviews", headers: origin)
            #expect(preflight.status == .noContent)
        }
    }

    @Test("The page shows the products of the cached value, and is stored")
    func page() async throws {
        try await withCatalogue { client in
            try await eventually { try await client.get("/").text.contains(" stars, ") }
            let page = try await client.get("/")
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(try await client.get("/").isHit)
        }
    }
}
