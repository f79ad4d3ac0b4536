import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// The page of the dashboard as a server sends it. `make test-dashboard` tests it in a browser.
@Suite(.timeLimit(.minutes(5))) struct DashboardTests {
    private func withPage(
        example: String = "/",
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router()
        router.addDashboardPage(at: "larder", example: example)
        try await serve(router) { port in try await test(port) }
    }

    /// Returns the content of the only element with a name.
    private func content(of element: String, in page: String) throws -> String {
        let parts = page.components(separatedBy: "<\(element)>")
        #expect(parts.count == 2)
        return try #require(parts.last?.components(separatedBy: "</\(element)>").first)
    }

    @Test(arguments: ["/larder", "/larder/"]) func `The page needs no token, and allows its own script and style alone`(
        _ path: String
    ) async throws {
        try await withPage { port in
            let answer = try await Wire.send("GET", path, to: port)
            #expect(answer.status == 200 && answer.fields[.contentType] == "text/html; charset=utf-8")
            let name = try #require(HTTPField.Name("Content-Security-Policy"))
            let policy = try #require(answer.fields[name])
            for element in ["script", "style"] {
                let content = try content(of: element, in: answer.text)
                let hash = Data(SHA256.hash(data: Data(content.utf8))).base64EncodedString()
                #expect(policy.contains("\(element)-src 'sha256-\(hash)';"))
            }
            for rule in [
                "default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
                "form-action 'none'", "require-trusted-types-for 'script'",
            ] {
                #expect(policy.contains(rule))
            }
            #expect(!policy.contains("unsafe") && !policy.contains("*") && !policy.contains("http:"))
            for (field, value) in [
                ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
                ("Cache-Control", "no-cache"),
            ] {
                #expect(answer.fields[try #require(HTTPField.Name(field))] == value)
            }
        }
    }

    @Test func `The page refers to nothing elsewhere, and never makes HTML of text`() async throws {
        try await withPage { port in
            let page = try await Wire.send("GET", "/larder", to: port).text
            #expect(page.hasPrefix("<!DOCTYPE html>\n") && page.hasSuffix("</html>\n"))
            for text in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                #expect(!page.contains(text))
            }
            for attribute in page.matches(of: /(?:src|href)="([^"]*)"/) {
                #expect(attribute.1.hasPrefix("#") || attribute.1.hasPrefix("data:"), "\(attribute.1)")
            }
            // The names of the namespaces of SVG are no addresses.
            let names = page.replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!names.contains("http://") && !names.contains("https://"))
        }
    }

    @Test func `A client that has the page gets a 304, and HEAD has the same fields`() async throws {
        try await withPage { port in
            let answer = try await Wire.send("GET", "/larder", to: port)
            let tag = try #require(answer.fields[.eTag])
            for list in [tag, "\"other\", W/\(tag)", "*"] {
                let known = try await Wire.send("GET", "/larder", ["If-None-Match: \(list)"], to: port)
                #expect(known.status == 304 && known.body.isEmpty && known.fields[.eTag] == tag)
            }
            #expect(try await Wire.send("GET", "/larder", ["If-None-Match: \"other\""], to: port).status == 200)
            let head = try await Wire.send("HEAD", "/larder", to: port)
            #expect(head.status == 200 && head.fields[.eTag] == tag && head.body.isEmpty)
        }
    }

    @Test func `The path of the example becomes an attribute, whatever it holds`() async throws {
        try await withPage(example: "/a?b=\"><script>&") { port in
            let page = try await Wire.send("GET", "/larder", to: port).text
            #expect(page.contains("<html lang=\"en\" data-example=\"/a?b=&quot;>&lt;script>&amp;\">"))
            #expect(page.components(separatedBy: "<script").count == 2)
        }
    }
}
