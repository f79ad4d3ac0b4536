import HTTPCaching
import HTTPTypes

/// A reader for the messages of a file, line by line.
struct MessageReader {
    private let bytes: [UInt8]
    /// The position at which the next line starts.
    private var position = 0
    /// The number of the last line that was read.
    private var line = 0
    /// True if the lines have the marks of `curl -v`.
    private var isMarked = false

    /// The request that the response answers.
    private(set) var request: HTTPRequest?
    /// The last final response, or the last informational one if none is final.
    private(set) var response: HTTPResponse?
    /// The length of the response's content in bytes; nil if it is not known.
    private(set) var bodyLength: Int?

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads all messages.
    mutating func read() throws(MessageFileError) {
        isMarked = Self.isMarked(bytes)
        var isFirst = true
        while let text = nextHeadLine() {
            if text.isEmpty { continue }
            if let status = StartLine.status(text) {
                try readResponse(status)
            } else if let start = StartLine.request(text), isFirst || isMarked || response == nil {
                try readRequest(start)
            } else if isMarked, !isFirst {
                // Messages of curl itself and parts of a body are skipped.
                continue
            } else if response == nil {
                throw MessageFileError(
                    .startLine,
                    line: line,
                    "\(quoted(decoded(text))) is not the start of a message: expected a line such as "
                        + "HTTP/1.1 200 OK or GET /path HTTP/1.1"
                )
            } else {
                return
            }
            isFirst = false
        }
    }

    private mutating func readResponse(_ status: Int) throws(MessageFileError) {
        let fields = try readFields()
        let response = HTTPResponse(status: .init(code: status), headerFields: fields.fields)
        let replaces =
            response.status.kind != .informational || self.response.map { $0.status.kind == .informational } ?? true
        let declared = Self.contentLength(fields.fields)
        if replaces {
            self.response = response
            self.bodyLength = declared
        }
        // A 1xx response has no content, and the head of the next response may follow directly.
        guard response.status.kind != .informational, !isMarked, !isAtStatusLine else { return }
        let left = bytes.count - position
        if let declared, declared < left {
            skip(declared)
        } else {
            if replaces, declared == nil, left > 0 { bodyLength = left }
            skip(left)
        }
    }

    private mutating func readRequest(_ start: StartLine.Request) throws(MessageFileError) {
        let fields = try readFields()
        guard let request = start.request(host: fields.host, fields: fields.fields) else {
            throw MessageFileError(
                .startLine,
                line: line,
                "the target of the request is invalid: expected a path or a URL"
            )
        }
        self.request = request
        // A response before this request belongs to an earlier request.
        response = nil
        bodyLength = nil
        if !isMarked, !isAtStatusLine, let length = Self.contentLength(fields.fields) { skip(length) }
    }

    private static func contentLength(_ fields: HTTPFields) -> Int? {
        let values = fields[values: .contentLength]
        guard values.count == 1, let first = values.first, first.utf8.allSatisfy(ASCII.isDigit)
        else { return nil }
        return Int(first)
    }
}

// MARK: - Fields

extension MessageReader {
    /// The fields of a head. `Host` is stored separately, as HTTPTypes does.
    private struct Fields {
        var fields = HTTPFields()
        var host: String?
    }

    /// Reads fields up to an empty line, or to the start of the next message if the empty line is missing.
    private mutating func readFields() throws(MessageFileError) -> Fields {
        var fields = Fields()
        var last: (name: HTTPField.Name, value: [UInt8], line: Int)?
        var count = 0
        while !isAtStatusLine, let text = nextHeadLine(), !text.isEmpty {
            if let first = text.first, isWhitespace(first), last != nil {
                // "Replace each received obs-fold with one or more SP octets prior to interpreting the field value"
                // (RFC 9112 §5.2).
                last?.value.append(0x20)
                last?.value += trimmed(text)
                continue
            }
            if let field = last { try append(field, to: &fields) }
            count += 1
            guard count <= MessageFile.maximumFieldCount else {
                throw MessageFileError(
                    .tooManyFields,
                    line: line,
                    "the head has too many fields: at most \(MessageFile.maximumFieldCount) are allowed"
                )
            }
            // "No whitespace is allowed between the field name and colon" (RFC 9112 §5.1).
            guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
                let name = HTTPField.Name(decoded(text[..<colon]))
            else {
                throw MessageFileError(
                    .field,
                    line: line,
                    "\(quoted(decoded(text))) is not a field: expected one such as Age: 5"
                )
            }
            last = (name, Array(trimmed(text[(colon + 1)...])), line)
        }
        if let field = last { try append(field, to: &fields) }
        return fields
    }

    private func append(
        _ field: (name: HTTPField.Name, value: [UInt8], line: Int),
        to fields: inout Fields
    ) throws(MessageFileError) {
        guard HTTPField.isValidValue(field.value) else {
            throw MessageFileError(.field, line: field.line, "the value of \(field.name) contains a control character")
        }
        if field.name.canonicalName == "host", fields.host == nil {
            fields.host = decoded(field.value)
        } else {
            fields.fields.append(HTTPField(name: field.name, value: field.value))
        }
    }
}

// MARK: - Lines

extension MessageReader {
    /// Returns true if a file starts like the output of `curl -v`.
    private static func isMarked(_ bytes: [UInt8]) -> Bool {
        let start = bytes.drop { $0 == 0x0A || $0 == 0x0D }.prefix(2)
        return ["* ", "> ", "< "].contains { start.elementsEqual($0.utf8) }
    }

    /// Returns the next line of a head without its end and its mark, or nil after the last line. In a marked file,
    /// lines without a mark and messages of curl itself are skipped.
    private mutating func nextHeadLine() -> ArraySlice<UInt8>? {
        while let text = nextLine() {
            guard isMarked else { return text }
            guard let mark = text.first, mark == UInt8(ascii: "<") || mark == UInt8(ascii: ">") else { continue }
            let rest = text.dropFirst()
            if rest.isEmpty { return rest }
            if rest.first == 0x20 { return rest.dropFirst() }
        }
        return nil
    }

    private mutating func nextLine() -> ArraySlice<UInt8>? {
        guard position < bytes.count else { return nil }
        let end = bytes[position...].firstIndex(of: 0x0A) ?? bytes.count
        var text = bytes[position..<end]
        if text.last == 0x0D { text = text.dropLast() }
        position = min(end + 1, bytes.count)
        line += 1
        return text
    }

    /// True if the next line is a status line, which cannot be a field: a name cannot contain a slash.
    private var isAtStatusLine: Bool {
        var ahead = self
        return ahead.nextHeadLine().flatMap(StartLine.status) != nil
    }

    /// Skips content, and counts its lines.
    private mutating func skip(_ count: Int) {
        let end = position + min(count, bytes.count - position)
        line += bytes[position..<end].count { $0 == 0x0A }
        position = end
    }
}

/// The first line of a message (RFC 9112 §3, §4).
enum StartLine {
    /// The start of a request.
    struct Request {
        let method: HTTPRequest.Method
        let target: String
    }

    /// Returns the status of a line such as `HTTP/1.1 200 OK` or `HTTP/2 200`, or nil if it is not a status line.
    static func status(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.starts(with: "HTTP/".utf8), let space = line.firstIndex(of: 0x20), isVersion(line[..<space])
        else { return nil }
        let rest = line[(space + 1)...]
        let digits = rest.prefix { $0 != 0x20 }
        guard digits.count == 3, digits.allSatisfy(ASCII.isDigit) else { return nil }
        let code = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return code >= 100 ? code : nil
    }

    /// Returns the start of a request such as `GET /path HTTP/1.1`, or nil if the line is not a request line.
    static func request(_ line: ArraySlice<UInt8>) -> Request? {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, isVersion(parts[2]), !parts[1].isEmpty,
            parts[1].allSatisfy({ (0x21...0x7E).contains($0) }), let method = HTTPRequest.Method(decoded(parts[0]))
        else { return nil }
        return Request(method: method, target: decoded(parts[1]))
    }

    private static func isVersion(_ text: ArraySlice<UInt8>) -> Bool {
        ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/3.0"].contains { text.elementsEqual($0.utf8) }
    }
}

extension StartLine.Request {
    /// Returns the request, or nil if its target is absolute and has no host.
    func request(host: String?, fields: HTTPFields) -> HTTPRequest? {
        guard let uri = AbsoluteURI(target) else {
            return HTTPRequest(method: method, scheme: "https", authority: host, path: target, headerFields: fields)
        }
        // "When an origin server receives a request with an absolute-form of request-target, the origin server MUST
        // ignore the received Host header field" (RFC 9112 §3.2.2).
        guard !uri.authority.isEmpty else { return nil }
        return HTTPRequest(
            method: method,
            scheme: String(uri.scheme),
            authority: String(uri.authority),
            path: (uri.rest.utf8.first == ASCII.slash ? "" : "/") + uri.rest,
            headerFields: fields
        )
    }
}

private func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes.drop(while: isWhitespace)
    while let last = bytes.last, isWhitespace(last) { bytes.removeLast() }
    return bytes
}

private func decoded(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
