import HTTPTypes
import Testing

@testable import HTTPCaching

/// The evaluation of a client's conditions by a cache (RFC 9110 §13, RFC 9111 §4.3.2).
@Suite(.timeLimit(.minutes(5))) struct PreconditionsTests {
    /// A row of the table: the conditions, the fields of the stored response, and the result.
    struct Row: CustomTestStringConvertible {
        let request: String
        let stored: String
        let answer: Preconditions
        var testDescription: String { "\(request) on \(stored): \(answer)" }

        init(_ request: String, on stored: String, _ answer: Preconditions) {
            (self.request, self.stored, self.answer) = (request, stored, answer)
        }
    }

    private static let tagged = "ETag: \"a\"\nLast-Modified: {0}\nDate: {10}"

    private func evaluate(
        _ request: String,
        on stored: String,
        method: HTTPRequest.Method = .get,
        status: Int = 200,
        receivedAt: Timestamp = at(20)
    ) -> Preconditions {
        Preconditions.evaluate(
            HTTPRequest(method, lines: request),
            stored: HTTPResponse(status, lines: stored),
            receivedAt: receivedAt
        )
    }

    static let entityTags: [Row] = [
        Row("", on: tagged, .proceed),
        Row("If-None-Match: \"a\"", on: tagged, .notModified),
        Row("If-None-Match: \"b\"", on: tagged, .proceed),
        Row("If-None-Match: \"A\"", on: tagged, .proceed),
        Row("If-None-Match: \"b\", \"a\"", on: tagged, .notModified),
        Row("If-None-Match: \"b\",,\"a\" ,", on: tagged, .notModified),
        Row("If-None-Match: \"b\"\nIf-None-Match: \"a\"", on: tagged, .notModified),
        Row("If-None-Match: \"b, \\\"a\"", on: tagged, .proceed),
        Row("If-None-Match: a", on: tagged, .proceed),
        Row("If-None-Match: \"a", on: tagged, .proceed),
        Row("If-None-Match:", on: tagged, .proceed),
        // "A recipient MUST use the weak comparison function."
        Row("If-None-Match: W/\"a\"", on: tagged, .notModified),
        Row("If-None-Match: \"a\"", on: "ETag: W/\"a\"", .notModified),
        Row("If-None-Match: W/\"a\"", on: "ETag: W/\"a\"", .notModified),
        Row("If-None-Match: w/\"a\"", on: tagged, .proceed),
        // "If the field value is "*"": only if it is the whole value, and for any stored response.
        Row("If-None-Match: *", on: tagged, .notModified),
        Row("If-None-Match: *", on: "", .notModified),
        Row("If-None-Match: \"*\"", on: tagged, .proceed),
        Row("If-None-Match: *, \"b\"", on: tagged, .proceed),
        Row("If-None-Match: *\nIf-None-Match: *", on: tagged, .proceed),
        // If the response has no tag, several or a broken one, no tag matches.
        Row("If-None-Match: \"a\"", on: "Last-Modified: {0}", .proceed),
        Row("If-None-Match: \"a\"", on: "ETag: a", .proceed),
        Row("If-None-Match: \"a\"", on: "ETag: \"a\"\nETag: \"a\"", .proceed),
        // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field."
        Row("If-None-Match: \"b\"\nIf-Modified-Since: {0}", on: tagged, .proceed),
        Row("If-None-Match: \"a\"\nIf-Modified-Since: {-9}", on: tagged, .notModified),
        Row("If-None-Match:\nIf-Modified-Since: {0}", on: tagged, .proceed),
    ]

    static let dates: [Row] = [
        // "1) the selected stored response has a Last-Modified field value that is earlier than or equal".
        Row("If-Modified-Since: {0}", on: tagged, .notModified),
        Row("If-Modified-Since: {1}", on: tagged, .notModified),
        Row("If-Modified-Since: {-1}", on: tagged, .proceed),
        Row("If-Modified-Since: {20}", on: "Last-Modified: {50}\nDate: {10}", .proceed),
        // "2) no Last-Modified header field is present […], but it has a Date field value".
        Row("If-Modified-Since: {10}", on: "Date: {10}", .notModified),
        Row("If-Modified-Since: {9}", on: "Date: {10}", .proceed),
        Row("If-Modified-Since: {15}", on: "Date: {10}", .notModified),
        // "3) neither […] is present […], but the cache recorded it as having been received at a time earlier".
        Row("If-Modified-Since: {20}", on: "", .notModified),
        Row("If-Modified-Since: {19}", on: "", .proceed),
        Row("If-Modified-Since: {20}", on: "Date: yesterday", .notModified),
        Row("If-Modified-Since: {19}", on: "Date: yesterday", .proceed),
        // A date that cannot be read is not earlier than any other.
        Row("If-Modified-Since: {99}", on: "Last-Modified: yesterday\nDate: {10}", .proceed),
        Row("If-Modified-Since: {99}", on: "Last-Modified: {0}\nLast-Modified: {0}\nDate: {10}", .proceed),
        // "MUST ignore […] if the received field value is not a valid HTTP-date, the field value has more than one
        // member".
        Row("If-Modified-Since: yesterday", on: tagged, .proceed),
        Row("If-Modified-Since:", on: tagged, .proceed),
        Row("If-Modified-Since: {0}\nIf-Modified-Since: {0}", on: tagged, .proceed),
    ]

    static let others: [Row] = [
        // "The If-Match and If-Unmodified-Since conditional header fields are not applicable to a cache."
        Row("If-Match: \"a\"", on: tagged, .forward),
        Row("If-Match: *", on: "", .forward),
        Row("If-Unmodified-Since: {0}", on: tagged, .forward),
        Row("If-Unmodified-Since: yesterday", on: tagged, .forward),
        Row("If-Match: \"b\"\nIf-None-Match: \"a\"", on: tagged, .forward),
        Row("If-None-Match: \"a\"\nIf-Unmodified-Since: {0}", on: tagged, .forward),
        Row("If-Range: \"b\"", on: tagged, .proceed),
    ]

    @Test(arguments: entityTags + dates + others)
    func `RFC 9111 4.3.2: conditions are evaluated on a stored 200`(_ row: Row) {
        #expect(evaluate(row.request, on: row.stored) == row.answer)
        #expect(evaluate(row.request, on: row.stored, method: .head) == row.answer)
    }

    @Test(arguments: [201, 204, 206, 301, 304, 404, 410, 500], ["If-None-Match: \"a\"", "If-Modified-Since: {9}"])
    func `A stored response with another status is sent unchanged`(_ status: Int, _ condition: String) {
        #expect(evaluate(condition, on: Self.tagged, status: status) == .proceed)
        #expect(evaluate("If-Match: \"a\"", on: Self.tagged, status: status) == .forward)
    }

    @Test(arguments: [HTTPRequest.Method.post, .put, .delete, .options])
    func `Conditions of methods other than GET and HEAD are not evaluated`(_ method: HTTPRequest.Method) {
        #expect(evaluate("If-None-Match: \"a\"", on: Self.tagged, method: method) == .proceed)
        #expect(evaluate("If-Modified-Since: {9}", on: Self.tagged, method: method) == .proceed)
    }

    @Test(arguments: [
        ("ETag: \"a\"\nLast-Modified: {0}", "ETag: \"a\""),
        ("Last-Modified: {0}", "Last-Modified: {0}"),
        (
            "Content-Type: text/plain\nContent-Encoding: gzip\nContent-Language: en\nContent-Length: 3\nDate: {0}",
            "Date: {0}"
        ),
        ("Content-Range: bytes 0-1/3\nTransfer-Encoding: chunked\nVary: Accept", "Vary: Accept"),
        (
            "Content-Location: /a\nDate: {0}\nETag: \"a\"\nVary: Accept\nCache-Control: max-age=9\nExpires: {9}",
            "Content-Location: /a\nDate: {0}\nETag: \"a\"\nVary: Accept\nCache-Control: max-age=9\nExpires: {9}"
        ),
        ("Set-Cookie: a\nSet-Cookie: b\nX-Any: c", "Set-Cookie: a\nSet-Cookie: b\nX-Any: c"),
    ]) func `RFC 9110 15.4.5: a 304 has only the metadata that guides cache updates`(
        _ stored: String,
        _ expected: String
    ) {
        let fields = Preconditions.notModifiedFields(from: HTTPFields(lines: stored))
        #expect(fields.lines == HTTPFields(lines: expected).lines)
    }

    @Test(
        arguments: [
            ("\"a\"", "a", false), ("W/\"a\"", "a", true), ("\"\"", "", false), ("W/\"\"", "", true),
            ("\"!#~\"", "!#~", false), ("\"W/\"", "W/", false),
        ] as [(String, String, Bool)]
    ) func `RFC 9110 8.8.3: an entity tag is read`(
        _ text: String,
        _ opaque: String,
        _ isWeak: Bool
    ) {
        let tag = EntityTag(text)
        #expect(tag?.opaque == opaque && tag?.isWeak == isWeak && tag?.description == text)
    }

    @Test(arguments: [
        "", "\"", "a", "\"a", "a\"", "w/\"a\"", "W\"a\"", "W/a", "W/", "W/\"", "\"a b\"", "\"a\"b\"", " \"a\"",
        "\"a\" ", "\"\u{7F}\"", "\"\u{E9}\"", "\"\t\"", "'a'",
    ]) func `RFC 9110 8.8.3: a malformed entity tag is rejected`(_ text: String) {
        #expect(EntityTag(text) == nil)
    }

    @Test(arguments: [
        ("W/\"1\"", "W/\"1\"", false, true), ("W/\"1\"", "W/\"2\"", false, false), ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "W/\"1\"", false, true), ("\"1\"", "\"1\"", true, true), ("\"1\"", "\"2\"", false, false),
    ]) func `RFC 9110 8.8.3.2: strong and weak comparison give the RFC's results`(
        _ first: String,
        _ second: String,
        _ isStrong: Bool,
        _ isWeak: Bool
    ) throws {
        let (first, second) = (try #require(EntityTag(first)), try #require(EntityTag(second)))
        #expect(first.stronglyMatches(second) == isStrong)
        #expect(first.weaklyMatches(second) == isWeak)
    }
}
