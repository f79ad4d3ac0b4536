/// The name of a cookie or of a query parameter, or what such names begin with: `session`, `utm_*`.
///
/// If the parameters or cookies that a pattern means are left out of a request, case matters, and names are compared
/// with their percent-encoding undone. If they make a request bypass the cache, every spelling counts that some server
/// may read as the name: `Session.ID`, `session_id[]` and `%73ession_id` for `session_id` (`NameReader`).
public struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    /// The longest pattern in bytes.
    public static let maximumLength = 256

    private let name: [UInt8]
    let isPrefix: Bool
    /// The name as ``NameReader`` compares it.
    let folded: [UInt8]

    /// A pattern; nil where the text is empty, too long, or has anything but visible ASCII, or a `*` but at its end, or
    /// one of `=`, `&`, `;`, which end a name.
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

    /// Whether a name as it stands in a query or in `Cookie` is meant.
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
    /// Creates the pattern that a literal in the program spells, such as `"session"` or `"utm_*"`.
    public init(stringLiteral text: String) {
        guard let pattern = NamePattern(text) else {
            preconditionFailure("\"\(text)\" is not a name pattern: expected visible ASCII without =, & and ;")
        }
        self = pattern
    }
}
