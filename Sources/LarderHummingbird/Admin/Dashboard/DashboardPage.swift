import CDashboard
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

/// The page of the dashboard: `dashboard.html` with its fields. It contains no data, and loads nothing from elsewhere.
struct DashboardPage: Sendable {
    private let content: ByteBuffer
    private let entityTag: String

    /// Creates the page.
    /// - Parameter example: The path of a cached route, for the command that the page shows while there are no
    ///   requests.
    init(example: String) {
        let html = Self.template.replacing(Self.example, with: Self.example(example), maxReplacements: 1)
        content = ByteBuffer(string: html)
        let hash = SHA256.hash(data: Data(html.utf8))
        entityTag = "\"" + Data(hash).prefix(12).base64EncodedString() + "\""
    }

    /// Returns the page, or a 304 if the client has it already.
    func response(to request: Request) -> Response {
        var fields: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-cache", .eTag: entityTag,
            .xContentTypeOptions: "nosniff",
        ]
        fields[.contentSecurityPolicy] = Self.policy
        fields[.referrerPolicy] = "no-referrer"
        fields[.crossOriginOpenerPolicy] = "same-origin"
        fields[.xFrameOptions] = "DENY"
        let known = FieldList.members(of: .ifNoneMatch, in: request.headers)
        guard !known.contains(where: { $0 == "*" || $0 == entityTag || $0 == "W/" + entityTag }) else {
            fields[.contentType] = nil
            return Response(status: .notModified, headers: fields)
        }
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: content))
    }

    private static let template = String(
        decoding: UnsafeBufferPointer(start: larder_dashboard_page(), count: larder_dashboard_page_size()),
        as: UTF8.self
    )

    /// The policy of the page: its own script and style by their hashes, and requests to its own server. Strings never
    /// become HTML, so that keys, which clients choose, cannot become elements.
    private static let policy = """
        default-src 'none'; script-src '\(hash(of: "script"))'; style-src '\(hash(of: "style"))'; img-src data:; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'
        """

    /// The attribute with the path of a cached route, in the template.
    private static let example = example("/")

    private static func example(_ path: String) -> String {
        let text = path.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing("<", with: "&lt;")
        return "data-example=\"\(text)\""
    }

    /// Returns the hash of the only element with this name (CSP Level 3 §2.3.1, `hash-source`).
    private static func hash(of element: String) -> String {
        guard let start = template.firstRange(of: "<\(element)>")?.upperBound,
            let end = template.firstRange(of: "</\(element)>")?.lowerBound, start <= end
        else { preconditionFailure("The page must have one \(element) without attributes") }
        return "sha256-" + Data(SHA256.hash(data: Data(template[start..<end].utf8))).base64EncodedString()
    }
}

extension HTTPField.Name {
    fileprivate static let contentSecurityPolicy = constant("Content-Security-Policy")
    fileprivate static let crossOriginOpenerPolicy = constant("Cross-Origin-Opener-Policy")
    fileprivate static let referrerPolicy = constant("Referrer-Policy")
    fileprivate static let xFrameOptions = constant("X-Frame-Options")
}
