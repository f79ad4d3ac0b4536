#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A page that shows the document to people.
struct DocumentationPage: Sendable {
    let html: String

    /// Creates the page of a document. A text that is not a document makes a page that says so.
    init(_ text: String) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(text.utf8)) else {
            html = "<!DOCTYPE html><title>No document</title><p>The document cannot be read.</p>\n"
            return
        }
        let operations = document.paths.sorted { $0.key < $1.key }.flatMap { path, item in
            item.operations.map { method, operation in
                Self.section("\(method) \(path)", operation, parameters: item.parameters ?? [], document.components)
            }
        }
        html = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Self.escaped(document.info.title))</title>
            <style>
            :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
            main { max-width: 52rem; margin: 0 auto; padding: 1rem; }
            code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
            table { border-collapse: collapse; width: 100%; }
            th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; }
            th, td { border-bottom: 1px solid #8884; }
            </style>
            </head>
            <body>
            <main>
            <h1>\(Self.escaped(document.info.title))</h1>
            <p>\(Self.escaped(document.info.description))</p>
            <p>The same as <a href="openapi.json">OpenAPI 3.1</a>. The admin API of the cache has
            <a href="larder/docs">a page of its own</a>.</p>
            \(operations.joined(separator: "\n"))
            </main>
            </body>
            </html>

            """
    }

    private static func section(
        _ name: String,
        _ operation: Operation,
        parameters shared: [Parameter],
        _ components: Components
    ) -> String {
        var html = "<h2><code>\(escaped(name))</code></h2>\n<p>\(escaped(operation.summary)).</p>\n"
        if operation.security != nil { html += "<p>It needs the admin token.</p>\n" }
        var rows = (shared + (operation.parameters ?? [])).map { parameter in
            let parameter = parameter.resolved(components)
            return [parameter.name ?? "", "\(parameter.in ?? "")", parameter.description ?? ""]
        }
        if let content = operation.requestBody?.content["application/json"] {
            for (name, property) in components.schemas[content.schema.name ?? ""]?.properties ?? [:] {
                rows.append([name, "JSON", property.description ?? ""])
            }
        }
        if !rows.isEmpty { html += table(["Parameter", "In", "Meaning"], rows) }
        let answers = operation.responses.sorted { $0.key < $1.key }.map { status, response in
            [status, response.resolved(components).description ?? ""]
        }
        return html + table(["Status", "Meaning"], answers)
    }

    private static func table(_ heads: [String], _ rows: [[String]]) -> String {
        let head = heads.map { "<th scope=\"col\">\($0)</th>" }.joined()
        let body = rows.map { "<tr>" + $0.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>" }
        return "<table>\n<tr>\(head)</tr>\n\(body.joined(separator: "\n"))\n</table>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}

// MARK: - The document, as far as the page shows it

private struct Document: Decodable {
    struct Info: Decodable {
        let title: String
        let description: String
    }

    let info: Info
    let paths: [String: PathItem]
    let components: Components
}

private struct PathItem: Decodable {
    let parameters: [Parameter]?
    let get, put, post, delete: Operation?

    var operations: [(String, Operation)] {
        [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete)].compactMap { method, operation in
            operation.map { (method, $0) }
        }
    }
}

private struct Operation: Decodable {
    struct Content: Decodable {
        let schema: Reference
    }

    struct RequestBody: Decodable {
        let content: [String: Content]
    }

    let summary: String
    let security: [[String: [String]]]?
    let parameters: [Parameter]?
    let requestBody: RequestBody?
    let responses: [String: Answer]
}

private struct Reference: Decodable {
    let ref: String

    enum CodingKeys: String, CodingKey { case ref = "$ref" }

    var name: String? { ref.split(separator: "/").last.map(String.init) }
}

private struct Parameter: Decodable {
    let name, `in`, description: String?
    let ref: String?

    enum CodingKeys: String, CodingKey {
        case name, description, `in`
        case ref = "$ref"
    }

    func resolved(_ components: Components) -> Parameter {
        ref?.split(separator: "/").last.flatMap { components.parameters[String($0)] } ?? self
    }
}

private struct Answer: Decodable {
    let description: String?
    let ref: String?

    enum CodingKeys: String, CodingKey {
        case description
        case ref = "$ref"
    }

    func resolved(_ components: Components) -> Answer {
        ref?.split(separator: "/").last.flatMap { components.responses[String($0)] } ?? self
    }
}

private struct Components: Decodable {
    struct Schema: Decodable {
        struct Property: Decodable {
            let description: String?
        }

        let properties: [String: Property]?
    }

    let parameters: [String: Parameter]
    let responses: [String: Answer]
    let schemas: [String: Schema]
}
