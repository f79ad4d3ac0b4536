import HTTPTypes
import Hummingbird
import NIOCore

/// The document of the API (OpenAPI 3.1), and the page that shows it.
extension AdminAPI {
    /// The operation that returns the document.
    var document: APIOperation<Context> {
        APIOperation(
            .get,
            "/openapi.json",
            id: "getDocument",
            "Return this document",
            answers: [.json(200, "The document", .anyObject)],
            isPublic: true
        ) { api, _ throws(APIProblem) in
            AdminAnswer(.json(.ok, api.openAPI))
        }
    }

    /// The operation that returns the page.
    var page: APIOperation<Context> {
        APIOperation(
            .get,
            "/docs",
            id: "getPage",
            "Show this document as a page",
            answers: [.init(200, "The page", .string(), as: "text/html")],
            isPublic: true
        ) { api, _ throws(APIProblem) in
            let page = APIPage(
                title: Self.title,
                introduction: Self.introduction,
                operations: api.operations,
                schemas: Self.schemas(api.site.form)
            )
            return AdminAnswer(page.response)
        }
    }

    private static var title: String { "Larder admin API" }

    private static var introduction: String {
        "Lists, shows, purges and fills what a cache has stored. All operations but this document and its page need "
            + "the admin token, unless the server answers clients of its own machine. An entry is what is stored "
            + "under one key, with all its variants."
    }

    /// The document.
    package var openAPI: JSONValue {
        var paths: [String: JSONValue] = [:]
        for (path, operations) in Dictionary(grouping: operations, by: \.path) {
            let methods = operations.map { ($0.method.rawValue.lowercased(), $0.json) }
            paths[path] = .object(Dictionary(methods) { first, _ in first })
        }
        return [
            "openapi": "3.1.0",
            "info": ["title": .string(Self.title), "version": "1", "description": .string(Self.introduction)],
            // Relative to the document, wherever it is.
            "servers": [["url": "."]],
            "security": .array(needsToken ? [["token": []]] : []),
            "paths": .object(paths),
            "components": [
                "schemas": .object(Self.schemas(site.form).mapValues(\.json)),
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
            ],
        ]
    }

    private var needsToken: Bool {
        if case .loopback = access { false } else { true }
    }
}

extension APIOperation {
    /// The operation as it is in the document.
    var json: JSONValue {
        var operation: [String: JSONValue] = ["operationId": .string(id), "summary": .string(summary)]
        if !description.isEmpty { operation["description"] = .string(description) }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters.map(\.json)) }
        if let content {
            operation["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": content.json]],
            ]
        }
        let answers = answers.map { (String($0.status), $0.json) }
        operation["responses"] = .object(Dictionary(answers) { first, _ in first })
        if isPublic { operation["security"] = [] }
        return .object(operation)
    }
}

extension APIOperation.Parameter {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "in": "query", "required": .bool(isRequired), "description": .string(description),
            "schema": schema.json,
        ]
    }
}

extension APIOperation.Answer {
    fileprivate var json: JSONValue {
        // Readers of the document disagree about what a schema of a stream of events describes.
        let media: JSONValue = contentType == "text/event-stream" ? [:] : ["schema": schema.json]
        return ["description": .string(description), "content": .object([contentType: media])]
    }
}
