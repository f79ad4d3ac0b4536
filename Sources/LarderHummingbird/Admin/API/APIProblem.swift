package import HTTPTypes
package import Hummingbird

/// A response that says what is wrong with a request: problem details by RFC 9457.
package struct APIProblem: Error, Sendable {
    package let status: HTTPResponse.Status
    /// What was expected, in a sentence.
    package let detail: String
    /// Further fields of the response.
    package var headers: HTTPFields = [:]
    /// The result of an invalidation that is pending.
    var purge: PurgeAnswer?

    package init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    /// Creates the problem of a request with a wrong value.
    package init(_ detail: String) { self.init(.badRequest, detail) }

    /// Creates the problem of a request that may not use the admin API.
    init(_ refusal: AdminRefusal) {
        self.init(refusal.status, refusal.message)
        // RFC 9110 §11.6.1: "A server generating a 401 response MUST send a WWW-Authenticate header field".
        if refusal.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
    }

    /// The problem of a store that has no answer.
    static let unreachable = APIProblem(.serviceUnavailable, "The store cannot be reached now: try again later")
    /// The problem of a store that cannot list its keys.
    static let notListed = APIProblem(.notImplemented, "This store cannot list its entries")

    /// The problem of an invalidation that the store has not confirmed.
    static let pending = APIProblem(
        .serviceUnavailable,
        "The store cannot be reached: the invalidation is queued, and is delivered when the store can be reached again"
    )

    package static let contentType = "application/problem+json"

    /// The members of the content.
    private struct Content: Encodable {
        let title: String
        let status: Int
        let detail: String
        let purge: PurgeAnswer?
    }

    package var response: Response {
        let content = Content(title: status.reasonPhrase, status: status.code, detail: detail, purge: purge)
        var response = Response.json(status, content)
        response.headers[.contentType] = Self.contentType
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}
