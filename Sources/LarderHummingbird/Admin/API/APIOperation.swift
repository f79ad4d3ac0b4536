package import HTTPTypes
package import Hummingbird

/// An operation of the admin API: its part of the document, and the function that carries it out. The document and the
/// routes are both made from these.
package struct APIOperation<Context: RequestContext>: Sendable {
    /// The function that carries out an operation.
    package typealias Action =
        @Sendable (AdminAPI<Context>, APICall<Context>) async throws(APIProblem) -> AdminAnswer

    /// A parameter in the query.
    package struct Parameter: Sendable {
        let name: String
        let schema: APISchema
        let isRequired: Bool
        let description: String

        package init(_ name: String, _ schema: APISchema, isRequired: Bool = false, _ description: String) {
            (self.name, self.schema, self.isRequired, self.description) = (name, schema, isRequired, description)
        }
    }

    /// A response.
    package struct Answer: Sendable {
        let status: Int
        let description: String
        let schema: APISchema
        let contentType: String

        package init(_ status: Int, _ description: String, _ schema: APISchema, as contentType: String) {
            (self.status, self.description, self.schema) = (status, description, schema)
            self.contentType = contentType
        }

        /// Returns a response with JSON.
        package static func json(_ status: Int, _ description: String, _ schema: APISchema) -> Answer {
            Answer(status, description, schema, as: "application/json")
        }

        /// Returns a response that says what is wrong.
        package static func problem(_ status: Int, _ description: String) -> Answer {
            Answer(status, description, .named("Problem"), as: APIProblem.contentType)
        }
    }

    let method: HTTPRequest.Method
    /// The path below that of the API, such as `/v1/entries`.
    let path: String
    /// The name by which programs know the operation.
    let id: String
    let summary: String
    let description: String
    let parameters: [Parameter]
    /// The content of the request; nil for none.
    let content: APISchema?
    let answers: [Answer]
    /// True if the operation needs no access: it discloses nothing about what is stored.
    let isPublic: Bool
    let action: Action

    package init(
        _ method: HTTPRequest.Method,
        _ path: String,
        id: String,
        _ summary: String,
        description: String = "",
        parameters: [Parameter] = [],
        content: APISchema? = nil,
        answers: [Answer],
        isPublic: Bool = false,
        action: @escaping Action
    ) {
        self.method = method
        self.path = path
        self.id = id
        self.summary = summary
        self.description = description
        self.parameters = parameters
        self.content = content
        self.answers = answers + (isPublic ? [] : Self.refusals) + (content == nil ? [] : Self.contentRefusals)
        self.isPublic = isPublic
        self.action = action
    }

    private static var refusals: [Answer] {
        [
            .problem(400, "The request is malformed; the detail says what was expected"),
            .problem(401, "The admin token is missing or wrong"),
            .problem(403, "The client may not use the admin API"),
        ]
    }

    private static var contentRefusals: [Answer] {
        [
            .problem(413, "The content is larger than 1 MiB"),
            .problem(415, "The content is not declared as application/json"),
        ]
    }
}
