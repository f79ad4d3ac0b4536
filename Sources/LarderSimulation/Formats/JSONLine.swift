import HTTPCaching

/// A line of a log in JSON: one object with the common names of fields, such as those of nginx, Caddy and Traefik.
enum JSONLine {
    /// The field that a name in JSON stands for.
    private enum Field {
        case time, method, target, query, request, host, status, size, user, cacheControl
    }

    private static let names: [Field: [String]] = [
        .time: [
            "time", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec", "start_time", "startutc",
            "datetime", "date",
        ],
        .method: ["method", "request_method", "requestmethod", "http_method", "verb"],
        .target: [
            "uri", "request_uri", "requesturi", "url", "target", "path", "request_path", "requestpath", "original",
        ],
        .query: ["query", "query_string", "querystring", "args"],
        .request: ["request", "request_line", "requestline"],
        .host: ["host", "http_host", "requesthost", "request_host", "server_name", "vhost"],
        .status: ["status", "status_code", "statuscode", "response_status", "downstreamstatus", "response_code"],
        .size: [
            "size", "bytes", "body_bytes_sent", "bytes_sent", "response_size", "resp_size", "downstreamcontentsize",
            "response_bytes", "content_length", "length",
        ],
        .user: ["remote_user", "user", "user_id", "clientusername"],
        .cacheControl: [
            "cache-control", "cache_control", "sent_http_cache_control", "upstream_http_cache_control",
            "downstream_cache-control", "origin_cache-control",
        ],
    ]

    private static func hash(_ name: String) -> UInt64 { TextHash(Array(name.utf8)[...]).value }

    private static let fields: [UInt64: Field] = {
        var fields: [UInt64: Field] = [:]
        for (field, names) in names { for name in names { fields[hash(name)] = field } }
        return fields
    }()

    /// Objects of which nothing is read: fields of requests are named like other things.
    private static let skipped = Set(["headers", "req_headers", "request_headers", "tls", "cookies"].map(hash))
    /// Objects of which only `Cache-Control` is read.
    private static let responseHeaders = Set(["resp_headers", "response_headers", "headers_out"].map(hash))

    /// Reads a line.
    static func read(_ line: ArraySlice<UInt8>) throws(LineFault) -> LogFields {
        var reader = Reader(line)
        guard reader.readObject(depth: 0, isOfHeaders: false) else { throw .json }
        reader.scanner.skip(while: isBlank)
        guard reader.scanner.isAtEnd else { throw .json }
        let fields = reader.fields
        guard fields.time != nil else { throw .jsonTime }
        // The target of a request that could not be read is null in the gateway's log.
        guard !fields.target.isEmpty || reader.hasNullTarget else { throw .jsonRequest }
        guard let status = fields.status, (100...999).contains(status) else { throw .jsonStatus }
        return fields
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// A reader of one object. It reads what a parser would accept, and more: numbers are not checked.
    private struct Reader {
        /// The number of objects and arrays in one another that are read.
        private static let depthLimit = 32

        var scanner: ByteScanner
        var fields = LogFields()
        /// True if a member that stands for the target is null.
        var hasNullTarget = false

        init(_ line: ArraySlice<UInt8>) { scanner = ByteScanner(line) }

        /// Reads an object, and sets the fields that its members stand for. Returns false if it is not one.
        mutating func readObject(depth: Int, isOfHeaders: Bool) -> Bool {
            scanner.skip(while: isBlank)
            guard depth < Self.depthLimit, scanner.take(UInt8(ascii: "{")) else { return false }
            scanner.skip(while: isBlank)
            if scanner.take(UInt8(ascii: "}")) { return true }
            while true {
                scanner.skip(while: isBlank)
                guard let name = readString() else { return false }
                scanner.skip(while: isBlank)
                guard scanner.take(UInt8(ascii: ":")) else { return false }
                scanner.skip(while: isBlank)
                var hash = TextHash()
                switch name {
                case .place(let place): hash.add(scanner.bytes[place], lowercased: true)
                case .bytes(let bytes): hash.add(bytes[...], lowercased: true)
                case .absent: break
                }
                guard readValue(named: hash.value, depth: depth, isOfHeaders: isOfHeaders) else { return false }
                scanner.skip(while: isBlank)
                if scanner.take(UInt8(ascii: "}")) { return true }
                guard scanner.take(UInt8(ascii: ",")) else { return false }
            }
        }

        private mutating func readValue(named name: UInt64, depth: Int, isOfHeaders: Bool) -> Bool {
            let field = JSONLine.fields[name]
            switch scanner.next {
            case UInt8(ascii: "\""):
                guard let text = readString() else { return false }
                if let field, !isOfHeaders || field == .cacheControl { set(field, text) }
                return true
            case UInt8(ascii: "{"):
                if isOfHeaders || skipped.contains(name) { return skip(depth: depth + 1) }
                return readObject(depth: depth + 1, isOfHeaders: responseHeaders.contains(name))
            case UInt8(ascii: "["):
                // Caddy has the values of a field as an array: the first one counts.
                if isOfHeaders, field == .cacheControl {
                    let start = scanner.place
                    scanner.place += 1
                    scanner.skip(while: isBlank)
                    if scanner.next == UInt8(ascii: "\""), let text = readString() { set(.cacheControl, text) }
                    scanner.place = start
                }
                return skip(depth: depth + 1)
            default:
                let place = scanner.token { !",}] \t\r".utf8.contains($0) }
                guard let field, !isOfHeaders, !place.isEmpty else { return !place.isEmpty }
                if scanner.bytes[place].elementsEqual("null".utf8) {
                    hasNullTarget = hasNullTarget || field == .target
                } else {
                    set(field, .place(place))
                }
                return true
            }
        }

        /// Skips an object or an array, brackets in texts left out.
        private mutating func skip(depth: Int) -> Bool {
            var open = 0
            while !scanner.isAtEnd {
                switch scanner.next {
                case UInt8(ascii: "\""):
                    guard readString() != nil else { return false }
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
                default: break
                }
                scanner.place += 1
                if open == 0 { return true }
            }
            return false
        }

        /// Reads a text; nil if there is none, or it has no end.
        private mutating func readString() -> LogFields.Text? {
            guard scanner.take(UInt8(ascii: "\"")) else { return nil }
            guard let (place, isEscaped) = scanner.quoted() else { return nil }
            return isEscaped ? .bytes(JSONEscapes.removed(from: scanner.bytes[place])) : .place(place)
        }

        /// Sets a field to a text or a number, unless an earlier member has set it.
        private mutating func set(_ field: Field, _ text: LogFields.Text) {
            switch text {
            case .place(let place): JSONLine.set(field, text, scanner.bytes[place], &fields)
            case .bytes(let bytes): JSONLine.set(field, text, bytes[...], &fields)
            case .absent: break
            }
        }
    }

    private static func set(
        _ field: Field,
        _ text: LogFields.Text,
        _ bytes: ArraySlice<UInt8>,
        _ fields: inout LogFields
    ) {
        switch field {
        case .time: if fields.time == nil { fields.time = TimeReading.time(bytes) }
        case .method: if fields.method.isEmpty { fields.method = text }
        case .target: if fields.target.isEmpty { fields.target = text }
        case .query: if fields.query.isEmpty { fields.query = text }
        case .host: if fields.host.isEmpty { fields.host = text }
        case .cacheControl: if fields.cacheControl.isEmpty { fields.cacheControl = text }
        case .status: if fields.status == nil { fields.status = number(bytes) }
        case .size: if fields.size == nil { fields.size = number(bytes) }
        case .user: fields.hasUser = fields.hasUser || !(bytes.isEmpty || bytes.elementsEqual([UInt8(ascii: "-")]))
        case .request:
            guard fields.target.isEmpty else { return }
            CommonLogLine.setRequest(bytes, &fields)
            // The places are those of another text than the line.
            guard case .bytes = text, case .place(let method) = fields.method, case .place(let target) = fields.target
            else { return }
            (fields.method, fields.target) = (.bytes(Array(bytes[method])), .bytes(Array(bytes[target])))
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        var scanner = ByteScanner(bytes)
        let number = scanner.number()
        if scanner.take(UInt8(ascii: ".")) { scanner.skip { $0 == UInt8(ascii: "0") } }
        return scanner.isAtEnd ? number : nil
    }
}

/// The escapes of texts in JSON (RFC 8259 §7), and `\x22`, which nginx writes without `escape=json`.
enum JSONEscapes {
    /// Returns a text without its escapes. An escape that is not valid stays as it is.
    static func removed(from text: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var place = text.startIndex
        while place < text.endIndex {
            guard text[place] == UInt8(ascii: "\\"), place + 1 < text.endIndex else {
                output.append(text[place])
                place += 1
                continue
            }
            let kind = text[place + 1]
            place += 2
            switch kind {
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "u"), UInt8(ascii: "x"):
                let digits = kind == UInt8(ascii: "u") ? 4 : 2
                guard let code = hexadecimal(text, at: place, digits: digits) else {
                    output += [UInt8(ascii: "\\"), kind]
                    continue
                }
                place += digits
                if digits == 2 {
                    output.append(UInt8(truncatingIfNeeded: code))
                } else {
                    // Half of a surrogate pair becomes the replacement character; targets have none.
                    output += String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8
                }
            default: output.append(kind)
            }
        }
        return output
    }

    private static func hexadecimal(_ text: ArraySlice<UInt8>, at start: Int, digits: Int) -> UInt32? {
        guard start + digits <= text.endIndex else { return nil }
        var value: UInt32 = 0
        for place in start..<(start + digits) {
            guard let digit = Hexadecimal.value(text[place]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
