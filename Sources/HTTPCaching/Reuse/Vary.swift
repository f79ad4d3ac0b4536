public import HTTPTypes

/// The request fields by which a response was selected (RFC 9110 §12.5.5, RFC 9111 §4.1).
public enum VaryRule: Hashable, Sendable {
    /// The response is the same for every request.
    case nothing
    /// The response depends on something that a cache cannot see (`Vary: *`): no request matches.
    case everything
    /// The response depends on these fields: sorted, each once.
    case fields([HTTPField.Name])

    /// The largest number of field names; a `Vary` with more counts as ``everything``, since each costs time at every
    /// look-up.
    public static let maximumFieldCount = 32

    /// Creates the rule of a response from its `Vary` field. A member that is not a field name counts as
    /// ``everything``.
    ///
    /// A response with a content coding varies by `Accept-Encoding`, with or without `Vary`. "An origin server SHOULD
    /// generate a Vary header field on a cacheable response when it wishes that response to be selectively reused for
    /// subsequent requests" (RFC 9110 §12.5.5): many do not, and a client that cannot decode the response must not get
    /// it.
    public init(_ response: HTTPFields) {
        var names: Set<HTTPField.Name> = []
        for member in FieldList.members(of: .vary, in: response) {
            // "A Vary header field value containing a member "*" always fails to match." `*` is a token, and has to be
            // excluded before it is read as a field name.
            guard member != "*", let name = HTTPField.Name(String(member)), names.count < Self.maximumFieldCount else {
                self = .everything
                return
            }
            names.insert(name)
        }
        if !ContentCodings.names(in: response).isEmpty { names.insert(.acceptEncoding) }
        self = names.isEmpty ? .nothing : .fields(names.sorted { $0.canonicalName < $1.canonicalName })
    }

    /// Returns the values that a request has in the fields of this rule, or nil if the rule is ``everything`` or a
    /// library has altered one of the values (`AlteredBytes`).
    public func selectingFields(of request: HTTPFields) -> SelectingFields? {
        selectingFields(of: request, ignoringUnknownCodings: false)
    }

    /// Returns the same, with or without codings in `Accept-Encoding` that are not in the registry (``VariantRule``).
    package func selectingFields(of request: HTTPFields, ignoringUnknownCodings: Bool) -> SelectingFields? {
        switch self {
        case .nothing: SelectingFields.none
        case .everything: nil
        case .fields(let names):
            SelectingFields(names, in: request, ignoringUnknownCodings: ignoringUnknownCodings)
        }
    }
}

/// The values of a request in the fields that selected its response, in canonical form: two requests match if these are
/// equal.
///
/// Two values have the same form only if they certainly have the same meaning: "adding or removing whitespace, where
/// allowed in the header field's syntax; combining multiple header field lines with the same field name; normalizing
/// both header field values in a way that is known to have identical semantics" (RFC 9111 §4.1). `Accept-Encoding` is
/// compared by its meaning: the order and case of its members and a weight of 1 do not count. The members of
/// `Accept-Language` and the media types in `Accept` are case-insensitive, so they are compared in lower case. Their
/// order counts, since some recipients prefer the first member.
public struct SelectingFields: Hashable, Sendable {
    /// The values as text, with one line for each field, in printable ASCII: `name:value`, or only `name` if the
    /// request does not have the field. The texts are equal if and only if the fields match, so that the text can be
    /// part of a key.
    ///
    /// A last line that begins with `?` names the codings that the request preferred, in hexadecimal. It is added if
    /// the response has no content coding and does not declare that it varies by `Accept-Encoding`: see
    /// ``VariantRule``.
    public let text: String
    /// The lines of ``text`` without the last one that begins with `?`.
    package let fieldLines: String
    /// The codings of the line that begins with `?`.
    package let preferredCodings: ContentCodings

    /// Creates the fields from a stored ``text``.
    public init(text: String) {
        self.text = text
        let lastLine = text.utf8.lastIndex(of: UInt8(ascii: "\n")).map { text.utf8.index(after: $0) } ?? text.startIndex
        if text.utf8[lastLine...].first == UInt8(ascii: "?"),
            let mask = UInt16(text[lastLine...].dropFirst(), radix: 16)
        {
            self.preferredCodings = ContentCodings(rawValue: mask)
            self.fieldLines = String(text[..<lastLine].dropLast())
        } else {
            self.preferredCodings = []
            self.fieldLines = text
        }
    }

    /// The value of a rule without fields.
    public static let none = SelectingFields(text: "")

    /// A value that no request has, since no field name begins with `=`.
    public static let unmatchable = SelectingFields(text: "=")

    /// Returns the same fields with more preferred codings.
    package func adding(_ codings: ContentCodings) -> SelectingFields {
        let codings = codings.union(preferredCodings)
        if codings == preferredCodings { return self }
        let line = "?" + String(codings.rawValue, radix: 16)
        return SelectingFields(text: fieldLines.isEmpty ? line : fieldLines + "\n" + line)
    }

    /// Creates the fields of a request, or returns nil if a library has altered one of the values.
    fileprivate init?(_ names: [HTTPField.Name], in request: HTTPFields, ignoringUnknownCodings: Bool) {
        var text: [UInt8] = []
        for name in names {
            if !text.isEmpty { text.append(UInt8(ascii: "\n")) }
            text += name.canonicalName.utf8
            let value =
                name == .acceptEncoding
                ? Self.acceptEncoding(of: request, ignoringUnknown: ignoringUnknownCodings)
                : Self.canonicalValue(of: name, in: request)
            if let value {
                guard !AlteredBytes.occur(inBytes: value) else { return nil }
                // "If (after any normalization that might take place) a header field is absent from a request, it can
                // only match another request if it is also absent there": an empty value has its colon.
                text.append(ASCII.colon)
                Self.append(value, to: &text)
            }
        }
        self.text = String(decoding: text, as: UTF8.self)
        self.fieldLines = self.text
        self.preferredCodings = []
    }

    private static func acceptEncoding(of request: HTTPFields, ignoringUnknown: Bool) -> [UInt8]? {
        let field = AcceptEncoding(request)
        return field.isPresent ? Array(field.canonicalText(ignoringUnknown: ignoringUnknown).utf8) : nil
    }

    private static func canonicalValue(of name: HTTPField.Name, in request: HTTPFields) -> [UInt8]? {
        let lines = request.lazy.filter { $0.name == name }
        guard !lines.isEmpty else { return nil }
        switch name {
        case .acceptLanguage:
            let members = lines.flatMap { FieldList($0.value).map { parameters(of: $0).map(\.lowercasedASCII) } }
            return Array(members.map { $0.joined(separator: ";") }.joined(separator: ",").utf8)
        case .accept:
            let members = lines.flatMap { FieldList($0.value).map { mediaRange($0) } }
            return Array(members.joined(separator: ",").utf8)
        default:
            // The value of an unknown field is compared by bytes, except for whitespace around commas: recipients that
            // combine lines may add some, and a list may contain it. Cookies are not a list.
            let values = Array(lines.map { $0.withUnsafeBytesOfValue { Array($0) } })
            return name == .cookie
                ? Array(values.joined(separator: "; ".utf8)) : withoutSpaceAroundCommas(values)
        }
    }

    /// Returns the lines of a field joined by commas, without whitespace around commas outside of quoted strings.
    private static func withoutSpaceAroundCommas(_ lines: [[UInt8]]) -> [UInt8] {
        var text: [UInt8] = []
        for (place, line) in lines.enumerated() {
            if place > 0 { text.append(ASCII.comma) }
            var isQuoted = false
            var isPair = false
            var isAtStart = true
            for byte in line {
                let separates = byte == ASCII.comma && !isQuoted
                if separates { text.dropTrailingWhitespace() }
                if !isAtStart || !ASCII.isWhitespace(byte) { text.append(byte) }
                isAtStart = separates || isAtStart && ASCII.isWhitespace(byte)
                if byte == ASCII.quote, !isPair { isQuoted.toggle() }
                isPair = isQuoted && byte == ASCII.backslash && !isPair
            }
            if !isQuoted { text.dropTrailingWhitespace() }
        }
        return text
    }

    /// Returns the parts of a member between semicolons, without whitespace around them. A member with a quote is one
    /// part.
    private static func parameters(of member: Substring) -> [Substring] {
        guard !member.utf8.contains(ASCII.quote) else { return [member] }
        return member.utf8.split(separator: ASCII.semicolon).map { Substring($0.trimmingWhitespace) }
    }

    /// Returns a media range with type and subtype in lower case: they are case-insensitive, and the values of
    /// parameters need not be (RFC 9110 §8.3.1).
    private static func mediaRange(_ member: Substring) -> String {
        let parts = parameters(of: member)
        guard parts.count > 1 || !member.utf8.contains(ASCII.quote), let type = parts.first else {
            return String(member)
        }
        return ([type.lowercasedASCII] + parts.dropFirst().map(String.init)).joined(separator: ";")
    }

    /// Appends bytes to the text so that lines and values stay unambiguous: `%` and bytes that are not printable ASCII
    /// become `%` and two hexadecimal digits.
    private static func append(_ value: [UInt8], to text: inout [UInt8]) {
        for byte in value {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                text.append(byte)
            } else {
                PercentEncoding.append(byte, to: &text)
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func dropTrailingWhitespace() {
        while let last, ASCII.isWhitespace(last) { removeLast() }
    }
}
