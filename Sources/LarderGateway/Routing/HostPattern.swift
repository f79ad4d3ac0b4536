/// Which hosts a route takes: `example.org`, or any name below one: `*.example.org`.
///
/// Case, a port, and a dot at the end do not count.
public struct HostPattern: Hashable, Sendable, CustomStringConvertible {
    /// What a pattern looks like, for messages.
    static let expectation = "a host as api.example.org or \"*.example.org\", without a port"

    private let isSuffix: Bool
    /// The host in lower case, or what it ends in, from the dot on.
    private let bytes: [UInt8]

    /// Reads a pattern; nil where it is none.
    public init?(_ text: String) {
        isSuffix = text.hasPrefix("*.")
        let host = isSuffix ? text.dropFirst(2) : text[...]
        guard let parts = HostAndPort(host), parts.port == nil, !parts.host.hasSuffix("."), !parts.host.hasPrefix("."),
            !isSuffix || !parts.host.contains(":")
        else { return nil }
        bytes = Array((isSuffix ? "." + parts.host : parts.host).utf8)
    }

    public var description: String {
        (isSuffix ? "*" : "") + HostAndPort.bracketed(String(decoding: bytes, as: UTF8.self))
    }

    /// The part of `Host` that patterns compare.
    static func host(in field: String) -> Substring.UTF8View {
        var host = field.utf8[...]
        if host.first == UInt8(ascii: "[") {
            host = host.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        } else {
            host = host.prefix { $0 != UInt8(ascii: ":") }
            if host.last == Byte.dot { host.removeLast() }
        }
        return host
    }

    func matches(_ host: Substring.UTF8View) -> Bool {
        let surplus = host.count - bytes.count
        guard isSuffix ? surplus > 0 : surplus == 0 else { return false }
        return zip(host.dropFirst(surplus), bytes).allSatisfy { Byte.lowercased($0) == $1 }
    }

    /// Whether every host that `other` takes is taken by this one as well.
    func covers(_ other: HostPattern) -> Bool {
        if self == other { return true }
        guard isSuffix else { return false }
        return other.bytes.count > bytes.count && other.bytes.suffix(bytes.count).elementsEqual(bytes)
    }
}
