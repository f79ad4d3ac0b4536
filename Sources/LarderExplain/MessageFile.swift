public import HTTPCaching
public import HTTPTypes

/// A response, and optionally its request, read from a text file: the output of `curl -i` or `curl -v`, or raw
/// HTTP/1.1.
///
/// Lines end in LF or CRLF. If the file has several responses (a chain of redirects, a `100 Continue`), the last final
/// one counts, with the request before it. Any bytes are either read or rejected with the number of a line; they never
/// trap.
public struct MessageFile: Sendable {
    /// The longest file that is read, in bytes (1 MiB).
    public static let maximumLength = 1 << 20
    /// The largest number of fields in a head.
    public static let maximumFieldCount = 1_000

    /// The request; nil if the file has none.
    public let request: HTTPRequest?
    /// The response.
    public let response: HTTPResponse
    /// The length of the response's content in bytes: the value of `Content-Length`, or else the length in the file;
    /// nil if neither is known.
    public let bodyLength: Int?

    /// Creates a message file from its bytes.
    /// - Throws: ``MessageFileError`` if the bytes cannot be read as HTTP.
    public init(_ bytes: some Collection<UInt8>) throws(MessageFileError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLarge }
        var reader = MessageReader(Array(bytes))
        try reader.read()
        guard let response = reader.response else { throw .noResponse }
        self.request = reader.request
        self.response = response
        self.bodyLength = reader.bodyLength
    }

    /// Returns the exchange in the file. If the file has no request, a plain GET is assumed. The response counts as
    /// received without delay, at the time in its `Date`.
    /// - Parameter now: The time at which the response was received if it has no valid `Date`.
    public func exchange(now: Timestamp) -> Exchange {
        let date = response.headerFields[.date].flatMap { HTTPDate.parse($0, now: now) } ?? now
        return Exchange(
            request: request ?? HTTPRequest(method: .get, scheme: "https", authority: "origin.invalid", path: "/"),
            response: response,
            bodyLength: bodyLength,
            requestedAt: date,
            respondedAt: date,
            isRequestAssumed: request == nil
        )
    }
}

/// The reason why a file cannot be read as HTTP.
public struct MessageFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of an error.
    public enum Code: Hashable, Sendable {
        /// The file is longer than ``MessageFile/maximumLength``.
        case tooLarge
        /// The file has no response.
        case noResponse
        /// A line that starts a message starts neither a request nor a response.
        case startLine
        /// A line of a head is not a field.
        case field
        /// A head has more than ``MessageFile/maximumFieldCount`` fields.
        case tooManyFields
    }

    /// The kind of the error.
    public let code: Code
    /// The number of the line, from 1; nil if the error is about the whole file.
    public let line: Int?
    private let sentence: String

    init(_ code: Code, line: Int?, _ sentence: String) {
        self.code = code
        self.line = line
        self.sentence = sentence
    }

    static let tooLarge = MessageFileError(
        .tooLarge,
        line: nil,
        "the file is larger than 1 MiB: give only the heads, such as those that curl -sD - -o /dev/null URL prints"
    )
    static let noResponse = MessageFileError(
        .noResponse,
        line: nil,
        "there is no response in the file: expected a line such as HTTP/1.1 200 OK"
    )

    public var description: String {
        line.map { "line \($0): \(sentence)" } ?? sentence
    }
}
