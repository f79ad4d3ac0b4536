import Foundation
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderDemo

/// The OpenAPI document of the example API, and its page.
@Suite(.timeLimit(.minutes(5))) struct DemoDocumentTests {
    /// Returns the method and path of each operation of the document.
    private static func described() throws -> Set<String> {
        let document = JSONReading(APIDocument.text.utf8)
        var operations: Set<String> = []
        for path in document["paths"]?.names ?? [] {
            for method in document["paths"]?[path]?.names ?? [] where method != "parameters" {
                operations.insert("\(method.uppercased()) \(path)")
            }
        }
        return operations
    }

    @Test func `Every route is in the document, and every operation of the document is a route`() throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(1)))
        let router = buildRoutes(cache: cache, repository: Repository(), access: .loopback)
        // The admin API has a document of its own, and the start page is for people.
        let routes = router.routes.filter { !["", "/", "/larder"].contains("\($0.path)") }
            .map { "\($0.method.rawValue) \($0.path)" }.filter { !$0.contains(" /larder/") }
        let names = routes.map { name in
            name.replacing(":id", with: "{id}").replacing("**", with: "{key}")
                .replacing(/\/posts$/, with: "/posts/")
        }
        #expect(try Self.described() == Set(names))
    }

    @Test func `Every reference of the document exists`() throws {
        let document = JSONReading(APIDocument.text.utf8)
        #expect(document["openapi"]?.text == "3.1.0")
        let references = APIDocument.text.matches(of: /"\$ref": "#\/components\/([a-z]+)\/([A-Za-z]+)"/)
        #expect(references.count > 20)
        for reference in references {
            #expect(document["components"]?[String(reference.1)]?[String(reference.2)] != nil, "\(reference.0)")
        }
    }

    @Test func `The document and the page are served`() async throws {
        try await withPort { port in
            let document = try await Wire.send("GET", "/openapi.json", to: port)
            #expect(document.status == 200 && document.text == APIDocument.text)
            #expect(document.fields[.contentType] == "application/json; charset=utf-8")
            let page = try await Wire.send("GET", "/docs", to: port)
            #expect(page.status == 200 && page.fields[.contentType] == "text/html; charset=utf-8")
            for operation in try Self.described() {
                #expect(page.text.contains("<code>\(operation)</code>"), "\(operation)")
            }
            #expect(!page.text.contains("<script") && !page.text.contains("://"))
            let larder = try await Wire.send("GET", "/larder/docs", to: port)
            #expect(larder.status == 200)
        }
    }

    @Test func `The admin API of the example lists what is cached, and fills it again`() async throws {
        try await withPort { port in
            _ = try await Wire.send("GET", "/api/users/1", to: port)
            let page = try await Wire.send("GET", "/larder/v1/entries", to: port)
            #expect(JSONReading(page.body)["entries"]?[0]?["key"]?.text == "GET:/api/users/1", "\(page.text)")
            let purge = try await Wire.send(
                "POST",
                "/larder/v1/purge",
                ["Content-Type: application/json"],
                body: #"{"keys":["GET:/api/users/1"],"paths":["/api/posts/"],"warm":true}"#,
                to: port
            )
            #expect(JSONReading(purge.body)["warm"]?["stored"]?.number == 2, "\(purge.text)")
            for path in ["/api/users/1", "/api/posts/"] {
                let hit = try await Wire.send("GET", path, to: port)
                #expect(hit.isHit)
            }
        }
    }
}
