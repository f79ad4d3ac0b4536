public import HTTPCaching
public import HTTPTypes

/// A response, and perhaps its request, read from a text file: what `curl -i` or `curl -v` wrote, or raw HTTP/1.1.
///
/// Lines end in LF or CRLF. Of several responses (a chain of redirects, a `100 Continue`) the last final one counts,
/// with the request before it. Whatever the bytes are, they are read or refused with the number of a line; they never
/// trap.
public struct MessageFile: Sendable {
    /// The longest file that is read, in bytes.
    public static let maximumLength = 1 << 20
    /// The most fields that a head may have.
    public static let maximumFieldCount = 1_000

    /// The request; nil where the file holds none.
    public let request: HTTPRequest?
    /// The response.
    public let response: HTTPResponse
    /// The length of the response's content: as `Content-Length` says, else as it stands in the file; nil where neither
    /// is known.
    public let bodyLength: Int?

    /// Reads a file.
    public init(_ bytes: some Collection<UInt8>) throws(MessageFileError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLarge }
        var reader = MessageReader(Array(bytes))
        try reader.read()
        guard let response = reader.response else { throw .noResponse }
        self.request = reader.request
        self.response = response
        self.bodyLength = reader.bodyLength
    }

    /// The exchange that the file tells of: a plain GET is assumed where there is no request, and that the response
    /// came at once, when its `Date` says that it was made.
    /// - Parameter now: when the response came, where it does not say.
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

/// Why a file cannot be read as HTTP.
public struct MessageFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: Hashable, Sendable {
        /// The file is longer than ``MessageFile/maximumLength``.
        case tooLarge
        /// There is no response in it.
        case noResponse
        /// A line that starts a message is neither a request's nor a response's.
        case startLine
        /// A line of a head is no field.
        case field
        /// A head has more than ``MessageFile/maximumFieldCount`` fields.
        case tooManyFields
    }

    /// What is wrong.
    public let code: Code
    /// The number of the line, from 1; nil where it is about the whole file.
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
        "the file is larger than 1 MiB: the heads are enough, as curl -sD - -o /dev/null URL prints them"
    )
    static let noResponse = MessageFileError(
        .noResponse,
        line: nil,
        "there is no response in the file: it starts with a line such as HTTP/1.1 200 OK"
    )

    public var description: String {
        line.map { "line \($0): \(sentence)" } ?? sentence
    }
}
