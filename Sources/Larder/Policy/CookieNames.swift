import HTTPTypes

/// The names of the cookies in the `Cookie` fields of a request.
///
/// HTTP/1.1 sends one field, `a=1; b=2` (RFC 6265 §4.2.1). HTTP/2 and HTTP/3 may send a field for each cookie (RFC 9113
/// §8.2.3).
enum CookieNames {
    /// Returns true if the request has a cookie that one of the patterns names, for any reader of cookies.
    ///
    /// RFC 6265 separates cookies by semicolons. Readers of its predecessors take commas and spaces too (RFC 2109
    /// §4.3.4), while others read a space in a name. Each piece that any of them takes for a cookie counts, in each
    /// spelling of its name (``NameReader``).
    static func contain(_ patterns: [NamePattern], in fields: HTTPFields) -> Bool {
        var reader = NameReader(patterns, endsAtDot: false)
        for field in fields where field.name == .cookie {
            for cookie in field.value.utf8.split(separator: UInt8(ascii: ";")) {
                if reader.reads(cookie) { return true }
                for piece in cookie.split(whereSeparator: isSeparator) where reader.reads(piece) { return true }
            }
        }
        return false
    }

    /// Removes the cookies that no pattern names. The bytes of the others are not changed, and neither are fields
    /// without such a cookie; a field that has no cookie left is removed.
    static func filter(_ patterns: [NamePattern], in fields: inout HTTPFields) {
        fields[fields: .cookie] = fields[fields: .cookie].compactMap { field in
            let all = field.withUnsafeBytesOfValue { Array($0) }
                .split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            let remaining = all.filter { matches(Substring(decoding: $0, as: UTF8.self).utf8, patterns) }
            guard remaining.count < all.count else { return field }
            guard !remaining.isEmpty else { return nil }
            let value = remaining.joined(separator: [UInt8(ascii: ";")]).drop { $0 == space || $0 == tab }
            var rest = HTTPField(name: .cookie, value: Array(value))
            rest.indexingStrategy = field.indexingStrategy
            return rest
        }
    }

    private static func matches(_ pair: Substring.UTF8View, _ patterns: [NamePattern]) -> Bool {
        // Some readers trim Unicode white space: a no-break space before the name must not hide it.
        var name = Substring(pair.prefix { $0 != UInt8(ascii: "=") })
        while name.first?.isWhitespace == true { name.removeFirst() }
        while name.last?.isWhitespace == true { name.removeLast() }
        return patterns.contains { $0.matches(name.utf8) }
    }

    private static let (space, tab) = (UInt8(ascii: " "), UInt8(ascii: "\t"))

    private static func isSeparator(_ byte: UInt8) -> Bool { byte <= space || byte == UInt8(ascii: ",") }
}
