package import HTTPTypes

/// A set of the content codings in the IANA registry (RFC 9110 §18.6), except identity.
///
/// It is an option set, so that a hit compares two numbers.
package struct ContentCodings: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The mark in a request's set that the request excludes responses without a coding (`identity;q=0`).
    package static let identityExcluded = ContentCodings(rawValue: 1 << 15)

    /// The mark in a request's set that the request prefers any coding that the server has (`*`).
    package static let any = ContentCodings(rawValue: 1 << 14)

    /// Returns the codings that a request prefers to a response without a coding.
    package static func preferred(by request: HTTPFields) -> ContentCodings {
        AcceptEncoding.preferredCodings(of: request)
    }

    /// The names of the codings, in the order of their bits. Stores hold the bits: append names, and never reorder
    /// them.
    private static let names = [
        "br", "gzip", "deflate", "zstd", "compress", "dcb", "dcz", "exi", "aes128gcm", "pack200-gzip",
    ]

    /// Creates the set of one coding from its name in lower case, or returns nil if the registry does not have it.
    init?(name: String) {
        guard let bit = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: 1 << UInt16(bit))
    }

    /// Creates the set of one coding from its name in any case, or returns nil if the registry does not have it.
    init?(name: some Collection<UInt8>) {
        let count = name.count
        for (bit, known) in Self.names.enumerated() where known.utf8.count == count {
            if zip(name, known.utf8).allSatisfy({ ASCII.lowercased($0) == $1 }) {
                self.init(rawValue: 1 << UInt16(bit))
                return
            }
        }
        // "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"", and "x-compress" to "compress"
        // (RFC 9110 §8.4.1).
        guard count > 2, name.starts(with: "x-".utf8) || name.starts(with: "X-".utf8),
            let coding = Self(name: name.dropFirst(2)),
            coding == .gzip && count == 6 || coding == .compress && count == 10
        else { return nil }
        self = coding
    }

    private static let gzip = ContentCodings(rawValue: 1 << 1)
    private static let compress = ContentCodings(rawValue: 1 << 4)

    /// Returns the name of a coding in lower case, with `x-gzip` and `x-compress` replaced by `gzip` and `compress`.
    static func canonicalName(_ name: some Collection<UInt8>) -> String {
        let name = String(decoding: name.map(ASCII.lowercased), as: UTF8.self)
        return name == "x-gzip" || name == "x-compress" ? String(name.dropFirst(2)) : name
    }

    /// Returns the codings that were applied to a response, without `identity`. A member that is not a token counts as
    /// a coding that no request accepts by name.
    static func names(in response: HTTPFields) -> [String] {
        guard response.contains(.contentEncoding) else { return [] }
        return FieldList.members(of: .contentEncoding, in: response)
            .map { canonicalName($0.utf8) }
            .filter { $0 != "identity" }
    }
}
