/// The host and port of an authority, without user information (RFC 3986 §3.2).
///
/// It accepts what RFC 9110 §7.2 allows in `Host`, except for a comma, at which some servers split the field, and for a
/// host of more than 1,024 bytes.
package struct Authority: Sendable {
    /// The host as it is written, an IP literal (`[::1]`) without its brackets.
    package let host: Substring
    /// True if the host is in brackets.
    package let isIPLiteral: Bool
    /// The port, from 0 to 65535; nil if there is none, or if the text ends with the colon.
    package let port: Int?

    private static let maximumLength = 1_024

    /// Creates the parts of an authority. Returns nil if the text is not one.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard text.utf8.count <= Self.maximumLength else { return nil }
        var rest = text.utf8[...]
        isIPLiteral = rest.first == UInt8(ascii: "[")
        if isIPLiteral {
            let address = rest.dropFirst().prefix { Self.isNameByte($0) || $0 == ASCII.colon }
            rest = rest[address.endIndex...]
            // RFC 3986 §3.2.2: an IP literal is an IPv6 address, or a future one.
            guard rest.popFirst() == UInt8(ascii: "]"), address.contains(ASCII.colon) else { return nil }
            host = text[address.startIndex..<address.endIndex]
        } else {
            let name = rest.prefix(while: Self.isNameByte)
            rest = rest[name.endIndex...]
            host = text[name.startIndex..<name.endIndex]
        }
        guard !host.isEmpty else { return nil }
        guard let colon = rest.popFirst() else {
            port = nil
            return
        }
        guard colon == ASCII.colon, rest.count <= 5 else { return nil }
        guard !rest.isEmpty else {
            port = nil
            return
        }
        guard let number = ASCII.integer(rest, limit: 65_536), number <= 65_535 else { return nil }
        port = Int(number)
    }

    /// True if the host has only letters, digits, `-`, `.` and `_`, or is an IP literal with a colon, as hosts in
    /// configurations do.
    package var isPlain: Bool {
        host.utf8.count <= 255
            && host.utf8.allSatisfy { byte in
                ASCII.isLetter(byte) || ASCII.isDigit(byte) || "-._".utf8.contains(byte)
                    || isIPLiteral && (byte == ASCII.colon || byte == ASCII.percent)
            }
    }

    /// Returns the host in lower case and the port, without the dot at the end of a name, and without the port that the
    /// scheme has by default; nil if no host is left.
    package func normalized(defaultPort: Int) -> String? {
        let name = hostWithoutFinalDot.lowercasedASCII
        guard !name.isEmpty else { return nil }
        return port.flatMap { $0 == defaultPort ? nil : "\(name):\($0)" } ?? name
    }

    /// The host as it is written, an IP literal with its brackets.
    package var bracketedHost: String { isIPLiteral ? "[\(host)]" : String(host) }

    /// The host as it is written, an IP literal with its brackets, and a name without the dot at its end.
    package var hostWithoutFinalDot: String {
        let name = bracketedHost
        return !isIPLiteral && name.hasSuffix(".") && !name.hasSuffix("..") ? String(name.dropLast()) : name
    }

    /// Returns a host with brackets if it is an IPv6 address.
    package static func bracketed(_ host: String) -> String {
        host.utf8.contains(ASCII.colon) ? "[\(host)]" : host
    }

    /// Returns true for a byte of a registered name: unreserved, sub-delims except the comma, or percent-encoded
    /// (RFC 3986 §3.2.2).
    private static func isNameByte(_ byte: UInt8) -> Bool {
        ASCII.isUnreserved(byte) || "%!$&'()*+;=".utf8.contains(byte)
    }
}
