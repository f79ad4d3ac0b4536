import HTTPCaching

/// A pattern of the hosts that a route matches: `example.org`, or any name below a domain: `*.example.org`.
///
/// Case, a port, and a dot at the end do not matter.
public struct HostPattern: Hashable, Sendable, CustomStringConvertible {
    /// The expected form of a pattern, for messages.
    static let expectation = "a host such as api.example.org or \"*.example.org\", without a port"

    private let isSuffix: Bool
    /// The host in lower case, or its suffix including the first dot.
    private let bytes: [UInt8]

    /// Creates a pattern from a text. Returns nil if the text is not a pattern.
    public init?(_ text: String) {
        isSuffix = text.hasPrefix("*.")
        let host = isSuffix ? text.dropFirst(2) : text[...]
        guard let parts = Authority(host), parts.isPlain, parts.port == nil, host.utf8.last != ASCII.colon,
            !parts.host.hasSuffix("."), !parts.host.hasPrefix("."), !isSuffix || !parts.isIPLiteral
        else { return nil }
        bytes = Array(((isSuffix ? "." : "") + parts.host.lowercased()).utf8)
    }

    public var description: String {
        (isSuffix ? "*" : "") + Authority.bracketed(String(decoding: bytes, as: UTF8.self))
    }

    /// Returns the part of a `Host` field that patterns compare.
    static func host(in field: String) -> Substring.UTF8View {
        var host = field.utf8[...]
        if host.first == UInt8(ascii: "[") {
            host = host.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        } else {
            host = host.prefix { $0 != UInt8(ascii: ":") }
            if host.last == ASCII.dot { host.removeLast() }
        }
        return host
    }

    func matches(_ host: Substring.UTF8View) -> Bool {
        let surplus = host.count - bytes.count
        guard isSuffix ? surplus > 0 : surplus == 0 else { return false }
        return zip(host.dropFirst(surplus), bytes).allSatisfy { ASCII.lowercased($0) == $1 }
    }

    /// Returns true if this pattern matches every host that `other` matches.
    func covers(_ other: HostPattern) -> Bool {
        if self == other { return true }
        guard isSuffix else { return false }
        return other.bytes.count > bytes.count && other.bytes.suffix(bytes.count).elementsEqual(bytes)
    }
}
