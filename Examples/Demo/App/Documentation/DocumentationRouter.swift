import HTTPTypes
import Hummingbird
import NIOCore

/// The routes of the documentation: the document, and the same as a page.
struct DocumentationRouter: Sendable {
    private let page = DocumentationPage(APIDocument.text)

    @Sendable func document(_ request: Request, context: DemoRequestContext) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: APIDocument.text))
        )
    }

    @Sendable func page(_ request: Request, context: DemoRequestContext) -> Response {
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .xContentTypeOptions: "nosniff"]
        if let name = HTTPField.Name("Content-Security-Policy") {
            // The page has no script, and nothing from elsewhere.
            headers[name] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        }
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: page.html))
        )
    }
}
