public import HTTPTypes

/// The members of one line of a list-based field, such as `a, "b, c"` (RFC 9110 §5.6.1), without whitespace around
/// them.
///
/// "A recipient MUST parse and ignore a reasonable number of empty list elements": all of them are. A comma in a quoted
/// string separates nothing. A quote that is never closed is no quote, so that it can hide nothing that follows; and
/// lines are read one by one, so that it ends with its line.
public struct FieldList: Sequence, Sendable {
    private let line: Substring.UTF8View

    /// The members of one field line.
    public init(_ line: some StringProtocol) {
        self.line = Substring(line).utf8
    }

    /// The members of all field lines called `name`, in order.
    public static func members(of name: HTTPField.Name, in fields: HTTPFields) -> [Substring] {
        fields.flatMap { $0.name == name ? Array(FieldList($0.value)) : [] }
    }

    public func makeIterator() -> Iterator {
        Iterator(rest: self.line)
    }

    /// Walks over the members.
    public struct Iterator: IteratorProtocol {
        private var rest: Substring.UTF8View
        private var quotesAreBroken = false

        fileprivate init(rest: Substring.UTF8View) {
            self.rest = rest
        }

        public mutating func next() -> Substring? {
            while !self.rest.isEmpty {
                let end = self.endOfMember()
                let member = self.rest[..<end].trimmingWhitespace
                self.rest = self.rest[end...].dropFirst()
                if !member.isEmpty { return Substring(member) }
            }
            return nil
        }

        private mutating func endOfMember() -> String.Index {
            var index = self.rest.startIndex
            while index < self.rest.endIndex, self.rest[index] != ASCII.comma {
                if self.rest[index] == ASCII.quote, !self.quotesAreBroken {
                    if let end = FieldList.endOfQuotedString(self.rest[index...]) {
                        index = end
                        continue
                    }
                    // Every later quote would be searched to the end again, in quadratic time.
                    self.quotesAreBroken = true
                }
                self.rest.formIndex(after: &index)
            }
            return index
        }
    }

    /// What a quoted string says (RFC 9110 §5.6.4), or nil where `text` is not exactly one.
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

    /// The index after the quoted string that `bytes` starts with, nil where it does not end.
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
        /// Something that is no argument, such as what follows the name in `private; max-age=9`.
        case malformed
    }

    /// The name in lower case: the token that the directive starts with.
    package let name: String
    package let argument: Argument

    package init(_ member: Substring) {
        let bytes = member.utf8
        let endOfName = bytes.firstIndex { !ASCII.isToken($0) } ?? bytes.endIndex
        self.name = member[..<endOfName].lowercasedASCII
        self.argument =
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

    /// The argument as a number of seconds, nil where it is none.
    package var seconds: Duration? {
        guard case .text(let text) = self.argument else { return nil }
        return DeltaSeconds.parse(text)
    }
}

/// A non-negative number of seconds (RFC 9111 §1.2.2).
enum DeltaSeconds {
    /// "If a cache receives a delta-seconds value greater than the greatest integer it can represent, or if any of its
    /// subsequent calculations overflows, the cache MUST consider the value to be 2147483648 (2^31) or the greatest
    /// positive integer it can conveniently represent."
    static let limit: Int64 = 1 << 31

    static func parse(_ text: some StringProtocol) -> Duration? {
        ASCII.integer(text.utf8, limit: self.limit).map { .seconds($0) }
    }
}
