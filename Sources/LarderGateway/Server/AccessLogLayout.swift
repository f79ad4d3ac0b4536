import HTTPCaching
import Larder
import NIOCore

/// The format of the access log, with the fields of its lines.
struct AccessLogLayout: Sendable {
    private let format: GatewaySettings.AccessLogFormat
    private let fields: [GatewaySettings.AccessLogField]

    /// Creates a layout.
    /// - Parameter fields: The fields in their order; if empty, those of the format.
    init(_ format: GatewaySettings.AccessLogFormat, _ fields: [GatewaySettings.AccessLogField]) {
        self.format = format
        let isComplete = fields.isEmpty && format != .combined
        self.fields = isComplete ? GatewaySettings.AccessLogField.allCases : fields
    }

    /// Creates the layout that the settings choose.
    init(_ settings: GatewaySettings) { self.init(settings.accessLogFormat, settings.accessLogFields) }

    /// Returns the line of a request whose response ended at a time. It ends with a line feed, and has no other.
    func line(for record: RequestRecord, at now: Timestamp) -> [UInt8] {
        var line = LineWriter()
        switch format {
        case .combined:
            line.combined(record, at: now)
            for field in fields { line.pair(field.rawValue, record.value(of: field, at: now), isFirst: false) }
        case .fields:
            for (place, field) in fields.enumerated() {
                line.pair(field.rawValue, record.value(of: field, at: now), isFirst: place == 0)
            }
        case .json:
            for (place, field) in fields.enumerated() {
                line.member(field.rawValue, record.value(of: field, at: now), isFirst: place == 0)
            }
            line.append("}")
        }
        line.append("\n")
        return line.bytes
    }
}

/// The value of a field in the access log.
private enum FieldValue {
    case absent
    case text(String)
    case number(Int)
    case milliseconds(TimeAmount)

    init(_ text: String?) { self = text.map(FieldValue.text) ?? .absent }
    init(_ time: TimeAmount?) { self = time.map(FieldValue.milliseconds) ?? .absent }
}

extension RequestRecord {
    fileprivate func value(of field: GatewaySettings.AccessLogField, at now: Timestamp) -> FieldValue {
        switch field {
        case .time: .text(HTTPDate.formatISO8601(now))
        case .requestID: FieldValue(id)
        case .client: FieldValue(client.address)
        case .method: FieldValue(method)
        case .host: FieldValue(host)
        case .target: FieldValue(target)
        case .version: FieldValue(version)
        case .route: FieldValue(route?.name)
        case .status: .number(status)
        case .bytes: .number(bytes)
        case .result: .text(result.rawValue)
        case .reason: FieldValue(reason)
        case .detail: FieldValue(detail)
        case .age: age.map(FieldValue.number) ?? .absent
        case .timeToFirstByte: FieldValue(timeToFirstByte)
        case .duration: .milliseconds(duration)
        case .origin: FieldValue(origin?.address.description)
        case .originTime: FieldValue(origin?.time)
        case .traceID: FieldValue(traceID)
        case .referer: FieldValue(referer)
        case .userAgent: FieldValue(userAgent)
        }
    }
}

// MARK: - Bytes

/// The bytes of a line. Clients choose many of its texts: whatever they hold, it stays one line, and one object.
private struct LineWriter {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(512) }

    mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends the Combined Log Format, such as `127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12
    /// "-" "curl/8.5.0"`.
    mutating func combined(_ record: RequestRecord, at now: Timestamp) {
        append(record.client.address ?? "-")
        append(" - - [")
        time(now)
        append("] \"")
        for (place, text) in [record.method, record.target, record.version].enumerated() {
            if place > 0 { append(" ") }
            escaped(text ?? "-")
        }
        append("\" \(record.status) ")
        append(record.bytes == 0 ? "-" : String(record.bytes))
        for text in [record.referer, record.userAgent] {
            append(" \"")
            escaped(text ?? "-")
            append("\"")
        }
    }

    /// Appends `06/Nov/1994:08:49:37 +0000` for `Sun, 06 Nov 1994 08:49:37 GMT`.
    private mutating func time(_ now: Timestamp) {
        let date = Array(HTTPDate.format(now).utf8)
        for (range, separator) in [(5..<7, "/"), (8..<11, "/"), (12..<16, ":"), (17..<25, " +0000")] {
            bytes.append(contentsOf: date[range])
            append(separator)
        }
    }

    /// Appends `name=value`. A value that is not a plain word is in quotes, and `-` stands for none.
    mutating func pair(_ name: String, _ value: FieldValue, isFirst: Bool) {
        if !isFirst { append(" ") }
        append(name)
        append("=")
        switch value {
        case .absent: append("-")
        case .number(let number): append(String(number))
        case .milliseconds(let time): milliseconds(time)
        case .text(let text):
            let isWord = text.utf8.allSatisfy { Self.isPlain($0) && $0 != ASCII.space && $0 != ASCII.equals }
            if isWord, !text.isEmpty, text != "-" { return append(text) }
            append("\"")
            escaped(text)
            append("\"")
        }
    }

    /// Appends a member of an object, and before the first one the beginning of the object.
    mutating func member(_ name: String, _ value: FieldValue, isFirst: Bool) {
        append(isFirst ? "{\"" : ",\"")
        append(name)
        append("\":")
        switch value {
        case .absent: append("null")
        case .number(let number): append(String(number))
        case .milliseconds(let time): milliseconds(time)
        case .text(let text): json(text)
        }
    }

    /// Appends a time in milliseconds, with three digits after the point.
    private mutating func milliseconds(_ time: TimeAmount) {
        let microseconds = max(0, time.nanoseconds / 1_000)
        append(String(microseconds / 1_000))
        append(".")
        for divisor in [Int64(100), 10, 1] { bytes.append(ASCII.zero + UInt8(microseconds / divisor % 10)) }
    }

    /// Appends a text, escaped so that it stays within one line and one pair of quotes.
    private mutating func escaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case ASCII.quote, ASCII.backslash: bytes += [ASCII.backslash, byte]
            case 0x20...0x7E: bytes.append(byte)
            default: bytes += [ASCII.backslash, UInt8(ascii: "x"), Self.digit(byte >> 4), Self.digit(byte & 0xF)]
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != ASCII.quote && byte != ASCII.backslash
    }

    /// Appends a string of JSON (RFC 8259 §7). Beyond what JSON demands, it escapes the control characters of Unicode,
    /// which terminals act on, and its line separators, which some programs take for the end of a line.
    private mutating func json(_ text: String) {
        bytes.append(ASCII.quote)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C: bytes += [ASCII.backslash, UInt8(scalar.value)]
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029:
                append("\\u")
                for shift in [12, 8, 4, 0] as [UInt32] { bytes.append(Self.digit(UInt8(scalar.value >> shift & 0xF))) }
            case 0x20..<0x7F: bytes.append(UInt8(scalar.value))
            default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        bytes.append(ASCII.quote)
    }

    /// Returns the hexadecimal digit of a number below 16, in lower case.
    private static func digit(_ number: UInt8) -> UInt8 { number < 10 ? ASCII.zero + number : number + 0x57 }
}
