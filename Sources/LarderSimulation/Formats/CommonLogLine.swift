/// A line of the Common Log Format, or of one that begins like it: the Combined Log Format, which is nginx's default,
/// and Apache's with the virtual host in front.
///
/// ```
/// 192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8.5.0"
/// ```
enum CommonLogLine {
    private static let blank = UInt8(ascii: " ")
    private static let quote = UInt8(ascii: "\"")

    /// Reads a line. What follows the number of bytes is not examined.
    static func read(_ line: ArraySlice<UInt8>) throws(LineFault) -> LogFields {
        var fields = LogFields()
        var scanner = ByteScanner(line)
        readClient(&scanner, &fields)
        guard scanner.take(UInt8(ascii: "[")) else { throw .time }
        let time = scanner.token { $0 != UInt8(ascii: "]") }
        guard scanner.take(UInt8(ascii: "]")), let read = TimeReading.time(line[time]) else { throw .time }
        fields.time = read
        scanner.skip { $0 == blank }
        try readRequest(&scanner, &fields)
        scanner.skip { $0 == blank }
        guard let status = scanner.digits(3), scanner.take(blank) else { throw .status }
        fields.status = status
        scanner.skip { $0 == blank }
        if scanner.take(UInt8(ascii: "-")) {
            fields.size = 0
        } else {
            guard let size = scanner.number() else { throw .size }
            fields.size = size
        }
        guard scanner.isAtEnd || scanner.next == blank else { throw .size }
        return fields
    }

    /// Reads what stands before the time: perhaps a virtual host, then client, identity and user.
    private static func readClient(_ scanner: inout ByteScanner, _ fields: inout LogFields) {
        var (count, first, last) = (0, 0..<0, 0..<0)
        while !scanner.isAtEnd, scanner.next != UInt8(ascii: "[") {
            last = scanner.token { $0 != blank }
            if count == 0 { first = last }
            count += 1
            scanner.skip { $0 == blank }
        }
        if count >= 3 { fields.hasUser = last.count > 1 || scanner.bytes[last.lowerBound] != UInt8(ascii: "-") }
        if count == 4 { fields.host = .place(first) }
    }

    /// Reads the request in quotes, in which quotes are escaped.
    private static func readRequest(_ scanner: inout ByteScanner, _ fields: inout LogFields) throws(LineFault) {
        guard scanner.take(quote) else { throw .request }
        guard let request = scanner.quoted() else { throw .request }
        setRequest(scanner.bytes[request.place], &fields)
    }

    /// Sets method and target from `GET /a HTTP/1.1`. A text that is no request, such as `-`, has neither.
    static func setRequest(_ request: ArraySlice<UInt8>, _ fields: inout LogFields) {
        var scanner = ByteScanner(request)
        let method = scanner.token { $0 != blank }
        guard scanner.take(blank) else { return }
        let target = scanner.token { $0 != blank }
        guard !method.isEmpty, !target.isEmpty else { return }
        (fields.method, fields.target) = (.place(method), .place(target))
    }
}
