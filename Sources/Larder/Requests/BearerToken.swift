import HTTPCaching
public import HTTPTypes

/// A secret that a client sends as `Authorization: Bearer …` (RFC 6750 §2.1). It never shows in a description or a log.
public struct BearerToken: Hashable, Sendable, CustomStringConvertible {
    /// The length of the shortest token that is accepted, in bytes.
    public static let minimumLength = 16

    private let secret: [UInt8]

    /// Creates a token; returns nil if it is shorter than 16 bytes or has a character that no token may have (RFC 6750
    /// §2.1, `b64token`).
    public init?(_ secret: String) {
        let bytes = Array(secret.utf8)
        let body = bytes.reversed().drop { $0 == UInt8(ascii: "=") }
        guard bytes.count >= Self.minimumLength, body.allSatisfy(Self.isTokenByte), !body.isEmpty else { return nil }
        self.secret = bytes
    }

    /// Returns true if a request carries the token. Takes as long for a wrong token as for the right one of the same
    /// length.
    public func isSent(in fields: HTTPFields) -> Bool {
        let values = fields[values: .authorization]
        guard values.count == 1, let value = values.first else { return false }
        let scheme = value.prefix { $0 != " " }
        guard scheme.lowercased() == "bearer" else { return false }
        return isEqual(to: Array(value.dropFirst(scheme.count).drop { $0 == " " }.utf8))
    }

    private func isEqual(to other: [UInt8]) -> Bool {
        guard !other.isEmpty else { return false }
        // Every byte of the secret is compared, even after a difference: the duration reveals only the length of what
        // was sent.
        var difference: UInt8 = other.count == secret.count ? 0 : 1
        for (place, byte) in secret.enumerated() {
            difference |= byte ^ other[place % other.count]
        }
        return difference == 0
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        ASCII.isUnreserved(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/")
    }

    public var description: String { "a token of \(secret.count) bytes" }
}
