import HTTPCaching

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 or IPv6 address. An IPv4 address is equal to the IPv6 address to which it is mapped (`::ffff:192.0.2.1`),
/// because a socket that listens for both reports IPv4 clients by the latter.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 128 bits of the IPv6 address, or of the one to which an IPv4 address is mapped (RFC 4291 §2.5.5.2).
    let bits: UInt128

    private static let mapped = UInt128(0xFFFF) << 32

    init(bits: UInt128) { self.bits = bits }

    /// Creates an IPv4 address from four bytes, or an IPv6 address from sixteen; nil for another number of bytes.
    public init?(bytes: some Collection<UInt8>) {
        let value = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        switch bytes.count {
        case 4: bits = Self.mapped | value
        case 16: bits = value
        default: return nil
        }
    }

    /// Creates an address from `192.0.2.1` or `2001:db8::1`; nil for other text, such as a name, a zone or brackets.
    public init?(_ text: some StringProtocol) {
        // The longest text has eight groups, or six and a dotted address. A NUL would end the text for inet_pton.
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        let text = String(text)
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes: bytes.prefix(4))
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes: bytes)
        } else {
            return nil
        }
    }

    /// Creates an IPv4 address from the other spellings that resolvers accept: fewer than four parts, octal,
    /// hexadecimal.
    init?(anySpelling text: String) {
        var address = UInt32(0)
        let isRead = withUnsafeMutableBytes(of: &address) { bytes in
            inet_aton(text, bytes.baseAddress?.assumingMemoryBound(to: in_addr.self)) != 0
        }
        guard isRead else { return nil }
        bits = Self.mapped | UInt128(UInt32(bigEndian: address))
    }

    /// True for an IPv4 address, mapped or not.
    public var isIPv4: Bool { bits >> 32 == 0xFFFF }

    /// The address that represents all addresses of one client: an IPv4 address itself, or the first of the IPv6
    /// network of 64 bits, which is the smallest that a site is given (RFC 6177, RFC 7421).
    public var clientNetwork: IPAddress { isIPv4 ? self : IPAddress(bits: bits & ~UInt128(UInt64.max)) }

    /// True for an address of this machine alone: `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool { bits == 1 || isIPv4 && UInt8(truncatingIfNeeded: bits >> 24) == 127 }

    /// True for the address that represents all addresses of a machine, `0.0.0.0` or `::`.
    public var isUnspecified: Bool { bits == 0 || bits == Self.mapped }

    public var description: String {
        if isIPv4 {
            return (0..<4).reversed().map { "\(UInt8(truncatingIfNeeded: bits >> ($0 * 8)))" }.joined(separator: ".")
        }
        let address = (0..<16).map { UInt8(truncatingIfNeeded: bits >> ((15 - $0) * 8)) }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(AF_INET6, address, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    private let address: IPAddress
    /// The number of leading bits that are compared, of 128.
    private let length: Int

    /// Creates a network from an address, or from an address and the length of its prefix; nil for other text. Bits
    /// after the prefix are ignored.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        let isShort = address.isIPv4 && !first.utf8.contains(UInt8(ascii: ":"))
        var length = 128
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy(ASCII.isDigit),
                let given = Int(parts[1]), given <= (isShort ? 32 : 128)
            else { return nil }
            length = isShort ? given + 96 : given
        }
        self.length = length
        self.address = IPAddress(bits: address.bits & Self.mask(length))
    }

    /// Returns true if an address is in the network.
    public func contains(_ other: IPAddress) -> Bool { other.bits & Self.mask(length) == address.bits }

    /// True if every IPv4 or every IPv6 address is in the network.
    var isEverything: Bool { length == 0 || length == 96 && address.isIPv4 }

    private static func mask(_ length: Int) -> UInt128 { length == 0 ? 0 : UInt128.max << (128 - length) }

    public var description: String {
        if length == 128 { return address.description }
        return "\(address)/\(address.isIPv4 && length >= 96 ? length - 96 : length)"
    }
}

/// The proxies that are trusted to name the clients for which they forward requests.
public struct TrustedProxies: Hashable, Sendable, CustomStringConvertible {
    /// The largest number of networks in a list, since each is compared for every request: 256.
    public static let limit = 256

    /// The networks that the proxies are in.
    public let networks: [IPNetwork]

    /// Creates a list.
    public init(_ networks: [IPNetwork] = []) { self.networks = networks }

    /// True if the list is empty.
    public var isEmpty: Bool { networks.isEmpty }

    /// Returns true if an address is one of a trusted proxy.
    public func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    public var description: String { networks.map(\.description).joined(separator: ", ") }
}
