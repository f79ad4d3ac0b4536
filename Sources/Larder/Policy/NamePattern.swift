import HTTPCaching

/// The name of a cookie or of a query parameter, or the beginning of such names: `session`, `utm_*`.
///
/// If the matching parameters or cookies are left out of a request, case matters, and names are compared after
/// percent-decoding. If they make a request bypass the cache, every spelling counts that some server may read as the
/// name: `Session.ID`, `session_id[]` and `%73ession_id` for `session_id` (`NameReader`).
public struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    /// The length of the longest pattern in bytes.
    public static let maximumLength = 256

    private let name: [UInt8]
    let isPrefix: Bool
    /// The name as ``NameReader`` compares it.
    let folded: [UInt8]

    /// Creates a pattern; nil if the text is empty or too long, has anything but visible ASCII, has a `*` before its
    /// end, or has one of `=`, `&` and `;`, which end a name.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard (1...Self.maximumLength).contains(bytes.count), bytes.dropLast().allSatisfy({ $0 != UInt8(ascii: "*") }),
            bytes.allSatisfy({ (0x21...0x7E).contains($0) && !"=&;".utf8.contains($0) })
        else { return nil }
        self.isPrefix = bytes.last == UInt8(ascii: "*")
        self.name = isPrefix ? bytes.dropLast() : bytes
        let brackets = Array("[]".utf8)
        self.folded = (name.suffix(2) == brackets[...] ? name.dropLast(2) : name[...]).map(Self.folded)
    }

    public var description: String { String(decoding: name, as: UTF8.self) + (isPrefix ? "*" : "") }

    /// Returns true if the pattern matches a name as it is in a query or in `Cookie`.
    func matches(_ encoded: Substring.UTF8View) -> Bool {
        var rest = encoded
        var place = 0
        while let first = rest.popFirst() {
            if place == name.count { return isPrefix }
            var byte = first == UInt8(ascii: "+") ? UInt8(ascii: " ") : first
            if let (decoded, after) = PercentEncoding.decode(first, before: rest) { (byte, rest) = (decoded, after) }
            guard byte == name[place] || first == name[place] && byte == UInt8(ascii: " ") else { return false }
            place += 1
        }
        return place == name.count
    }
}

extension NamePattern: ExpressibleByStringLiteral {
    /// Creates the pattern of a literal, such as `"session"` or `"utm_*"`.
    public init(stringLiteral text: String) {
        guard let pattern = NamePattern(text) else {
            preconditionFailure(
                "\"\(text)\" is not a name pattern: expected visible ASCII without =, & and ;, and * only at the end"
            )
        }
        self = pattern
    }
}
