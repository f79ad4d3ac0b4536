import Crypto
import HTTPCaching
import HTTPTypes
import Hummingbird
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A page that shows the document of an API to people: HTML without a script, and without anything from elsewhere.
struct APIPage<Context: RequestContext>: Sendable {
    let title: String
    let introduction: String
    let operations: [APIOperation<Context>]
    let schemas: [String: APISchema]

    var response: Response {
        let style = Data(SHA256.hash(data: Data(Self.style.utf8))).base64EncodedString()
        let policy =
            "default-src 'none'; style-src 'sha256-\(style)'; img-src data:; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'"
        var fields: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        fields[.contentSecurityPolicy] = policy
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }

    private var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(Self.escaped(title))</title>
        <link rel="icon" href="data:,">
        <style>\(Self.style)</style>
        </head>
        <body>
        <main>
        <h1>\(Self.escaped(title))</h1>
        <p>\(Self.escaped(introduction))</p>
        <p>The same as <a href="openapi.json">OpenAPI 3.1</a>.</p>
        <h2>Operations</h2>
        <ul>
        \(operations.map { "<li><a href=\"#\($0.id)\"><code>\(Self.name($0))</code></a> \(Self.escaped($0.summary))</li>" }
            .joined(separator: "\n"))
        </ul>
        \(operations.map(section).joined(separator: "\n"))
        <h2>Schemas</h2>
        \(schemas.sorted { $0.key < $1.key }.map(section).joined(separator: "\n"))
        </main>
        </body>
        </html>

        """
    }

    private static func name(_ operation: APIOperation<Context>) -> String {
        escaped("\(operation.method.rawValue) \(operation.path.dropFirst())")
    }

    private func section(_ operation: APIOperation<Context>) -> String {
        var html = "<section id=\"\(operation.id)\">\n<h3><code>\(Self.name(operation))</code></h3>\n"
        html += "<p>\(Self.escaped(operation.summary)).</p>\n"
        if !operation.description.isEmpty { html += "<p>\(Self.escaped(operation.description))</p>\n" }
        if operation.isPublic { html += "<p>It needs no token.</p>\n" }
        let parameters = operation.parameters.map { parameter in
            [
                "<code>\(parameter.name)</code>" + (parameter.isRequired ? " (required)" : ""),
                Self.type(parameter.schema), Self.escaped(parameter.description),
            ]
        }
        if !parameters.isEmpty { html += Self.table(["Parameter", "Type", "Meaning"], parameters) }
        if let content = operation.content { html += "<p>Content: \(Self.type(content)), as JSON.</p>\n" }
        html += Self.table(
            ["Status", "Content", "Meaning"],
            operation.answers.map { ["\($0.status)", Self.type($0.schema), Self.escaped($0.description)] }
        )
        return html + "</section>"
    }

    private func section(_ name: String, _ schema: APISchema) -> String {
        var html = "<section id=\"schema-\(name)\">\n<h3><code>\(name)</code></h3>\n"
        if case .object(let members, let alternatives) = schema {
            html += Self.table(
                ["Member", "Type", "Meaning"],
                members.map { member in
                    [
                        "<code>\(member.name)</code>" + (member.isRequired ? "" : " (optional)"),
                        Self.type(member.schema), Self.escaped(member.description ?? ""),
                    ]
                }
            )
            if !alternatives.isEmpty {
                html += "<p>At least one of \(Self.escaped(APISchema.list(alternatives))) is needed.</p>\n"
            }
        }
        return html + "</section>"
    }

    private static func table(_ heads: [String], _ rows: [[String]]) -> String {
        let head = heads.map { "<th scope=\"col\">\($0)</th>" }.joined()
        let body = rows.map { "<tr>" + $0.map { "<td>\($0)</td>" }.joined() + "</tr>" }.joined(separator: "\n")
        return
            "<div class=\"table\"><table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n\(body)\n</tbody>\n</table></div>\n"
    }

    /// Returns a schema in a few words.
    private static func type(_ schema: APISchema) -> String {
        switch schema {
        case .string(let rule):
            if rule.format != nil { return "time (RFC 3339)" }
            return escaped(rule.meaning ?? "text")
        case .choice(let texts, let standard):
            return texts.map { "<code>\(escaped($0))</code>" }.joined(separator: ", ") + Self.standard(standard)
        case .integer(let range, let standard):
            let limits = range.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? ""
            return "whole number" + limits + Self.standard(standard)
        case .number(let range):
            return "number" + (range.map { " from \(Int($0.lowerBound)) to \(Int($0.upperBound))" } ?? "")
        case .boolean(let standard): return "true or false" + Self.standard(standard)
        case .array(let element, let count):
            return "list" + (count.upperBound < .max ? " of at most \(count.upperBound)" : "") + ": \(type(element))"
        case .object(let members, _):
            return "object with " + members.map { "<code>\($0.name)</code>" }.joined(separator: ", ")
        case .named(let name): return "<a href=\"#schema-\(name)\"><code>\(name)</code></a>"
        case .map(let value): return "object whose members are each: \(type(value))"
        case .anyObject: return "object"
        }
    }

    private static func standard(_ value: (some Any)?) -> String { value.map { "; default \($0)" } ?? "" }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private static var style: String {
        """
        :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
        body { margin: 0; background: light-dark(#fff, #14161a); color: light-dark(#1b1e24, #e4e7ec); }
        main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
        h2 { margin-top: 2.5rem; border-bottom: 1px solid light-dark(#d0d5dd, #3a404a); }
        h3 { margin: 2rem 0 .25rem; }
        code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
        a { color: light-dark(#0b57d0, #8ab4f8); }
        .table { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; margin: .75rem 0; }
        th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
          border-bottom: 1px solid light-dark(#e4e7ec, #2a2f37); }
        """
    }
}

extension HTTPField.Name {
    fileprivate static let contentSecurityPolicy = constant("Content-Security-Policy")
    fileprivate static let referrerPolicy = constant("Referrer-Policy")
}
