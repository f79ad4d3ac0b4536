public import HTTPTypes

/// The members of one line of a list-based field, such as `a, "b, c"` (RFC 9110 §5.6.1), without whitespace around
/// them.
///
/// "A recipient MUST parse and ignore a reasonable number of empty list elements": all of them are ignored. A comma in
/// a quoted string does not separate members. A quote that is never closed does not start a quoted string, so that it
/// does not hide later members. Lines are read one by one, so that a quoted string does not extend beyond its line.
public struct FieldList: Sequence, Sendable {
    private let line: Substring.UTF8View

    /// Creates the list of one field line.
    public init(_ line: some StringProtocol) {
        self.line = Substring(line).utf8
    }

    /// Returns the members of all field lines called `name`, in order.
    public static func members(of name: HTTPField.Name, in fields: HTTPFields) -> [Substring] {
        fields.flatMap { $0.name == name ? Array(FieldList($0.value)) : [] }
    }

    public func makeIterator() -> Iterator {
        Iterator(rest: line)
    }

    /// An iterator over the members.
    public struct Iterator: IteratorProtocol {
        private var rest: Substring.UTF8View
        private var quotesAreBroken = false

        fileprivate init(rest: Substring.UTF8View) {
            self.rest = rest
        }

        public mutating func next() -> Substring? {
            while !rest.isEmpty {
                let end = endOfMember()
                let member = rest[..<end].trimmingWhitespace
                rest = rest[end...].dropFirst()
                if !member.isEmpty { return Substring(member) }
            }
            return nil
        }

        private mutating func endOfMember() -> String.Index {
            var index = rest.startIndex
            while index < rest.endIndex, rest[index] != ASCII.comma {
                if rest[index] == ASCII.quote, !quotesAreBroken {
                    if let end = FieldList.endOfQuotedString(rest[index...]) {
                        index = end
                        continue
                    }
                    // Searching for the end of every later quote as well would take quadratic time.
                    quotesAreBroken = true
                }
                rest.formIndex(after: &index)
            }
            return index
        }
    }

    /// Returns the content of a quoted string (RFC 9110 §5.6.4), or nil if `text` is not exactly one.
    public static func unquoted(_ text: some StringProtocol) -> String? {
        let bytes = Substring(text).utf8
        guard bytes.first == ASCII.quote, Self.endOfQuotedString(bytes) == bytes.endIndex else { return nil }
        var content: [UInt8] = []
        var isPair = false
        for byte in bytes.dropFirst().dropLast() {
            // "Recipients that process the value of a quoted-string MUST handle a quoted-pair as if it were replaced by
            // the octet following the backslash."
            isPair = byte == ASCII.backslash && !isPair
            if !isPair { content.append(byte) }
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Returns the index after the quoted string that `bytes` starts with, or nil if the string is not closed.
    private static func endOfQuotedString(_ bytes: Substring.UTF8View) -> Substring.Index? {
        var index = bytes.index(after: bytes.startIndex)
        while index < bytes.endIndex {
            let byte = bytes[index]
            bytes.formIndex(after: &index)
            if byte == ASCII.quote { return index }
            if byte == ASCII.backslash, index < bytes.endIndex { bytes.formIndex(after: &index) }
        }
        return nil
    }
}

/// A directive of `Cache-Control`: "Cache directives are identified by a token, to be compared case-insensitively, and
/// have an optional argument that can use both token and quoted-string syntax" (RFC 9111 §5.2).
package struct Directive {
    package enum Argument: Equatable, Sendable {
        case none
        /// The argument, without its quotes.
        case text(String)
        /// The text after the name is not an argument, as in `private; max-age=9`.
        case malformed
    }

    /// The name in lower case: the token that the directive starts with.
    package let name: String
    package let argument: Argument

    package init(_ member: Substring) {
        let bytes = member.utf8
        let endOfName = bytes.firstIndex { !ASCII.isToken($0) } ?? bytes.endIndex
        self.name = member[..<endOfName].lowercasedASCII
        argument =
            switch bytes[endOfName...].first {
            case nil: .none
            case ASCII.equals: Self.argument(bytes[endOfName...].dropFirst())
            default: .malformed
            }
    }

    private static func argument(_ bytes: Substring.UTF8View) -> Argument {
        if let unquoted = FieldList.unquoted(Substring(bytes)) { return .text(unquoted) }
        return !bytes.isEmpty && bytes.allSatisfy(ASCII.isToken) ? .text(String(Substring(bytes))) : .malformed
    }

    /// The argument as a number of seconds, or nil if it is not one.
    package var seconds: Duration? {
        guard case .text(let text) = argument else { return nil }
        return DeltaSeconds.parse(text)
    }
}

/// A non-negative number of seconds (RFC 9111 §1.2.2).
enum DeltaSeconds {
    /// The greatest number: "If a cache receives a delta-seconds value greater than the greatest integer it can
    /// represent, or if any of its subsequent calculations overflows, the cache MUST consider the value to be
    /// 2147483648 (2^31) or the greatest positive integer it can conveniently represent."
    static let limit: Int64 = 1 << 31

    static func parse(_ text: some StringProtocol) -> Duration? {
        ASCII.integer(text.utf8, limit: limit).map { .seconds($0) }
    }
}
