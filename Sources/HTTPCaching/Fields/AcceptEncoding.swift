import HTTPTypes

/// The `Accept-Encoding` of a request, read by its meaning (RFC 9110 §12.5.3):
///
///     Accept-Encoding  = #( codings [ weight ] )
///     codings          = content-coding / "identity" / "*"
struct AcceptEncoding {
    /// A member of the field.
    fileprivate struct Member {
        /// The coding in lower case, or the whole member in lower case if it does not follow the grammar.
        let name: String
        /// The weight in thousandths; nil if the member does not follow the grammar.
        let weight: Int?

        var text: String {
            guard let weight, weight < 1_000 else { return name }
            var digits = String(1_000 + weight).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            return name + (digits.isEmpty ? ";q=0" : ";q=0.\(digits)")
        }
    }

    /// True if the request has the field at all, even if it is empty.
    let isPresent: Bool
    private let members: [Member]

    /// Creates the value from the fields of a request.
    init(_ request: HTTPFields) {
        var isPresent = false
        var members: [Member] = []
        for field in request where field.name == .acceptEncoding {
            isPresent = true
            field.withUnsafeBytesOfValue { bytes in
                Self.forEachMember(of: bytes) { name, weight in
                    members.append(Member(name: ContentCodings.canonicalName(name), weight: weight))
                }
            }
        }
        self.isPresent = isPresent
        self.members = members
    }

    /// Returns the canonical text of the field: two fields with the same meaning have the same text. Members are sorted
    /// by name and in lower case; weights have their shortest form, and a weight of 1 is left out.
    /// - Parameter ignoringUnknown: True to leave out codings that are not in the registry. A server that answers
    ///   without a coding does not know them either.
    func canonicalText(ignoringUnknown: Bool) -> String {
        // Members with the same name stay in order: if a coding has two weights, some servers use the first, others the
        // last.
        let sorted = members.enumerated().sorted { left, right in
            if left.element.isWellFormed != right.element.isWellFormed { return left.element.isWellFormed }
            guard left.element.isWellFormed, left.element.name != right.element.name else {
                return left.offset < right.offset
            }
            return left.element.name < right.element.name
        }
        var texts: [String] = []
        for (_, member) in sorted {
            if ignoringUnknown, member.isUnknown { continue }
            let text = member.text
            if texts.last != text { texts.append(text) }
        }
        return texts.joined(separator: ",")
    }

    /// Returns true if a response with these codings is acceptable.
    ///
    /// "If the field is absent, any content coding is considered acceptable. [...] If the representation's content
    /// coding is one of the content codings listed in the Accept-Encoding field value, then it is acceptable unless it
    /// is accompanied by a qvalue of 0." "The asterisk "*" symbol matches any available content coding not explicitly
    /// listed in the field."
    func accepts(_ codings: [String]) -> Bool {
        guard isPresent else { return true }
        return codings.allSatisfy { coding in
            let named = members.filter { $0.name == coding }
            let deciding = named.isEmpty ? members.filter { $0.name == "*" } : named
            // If a coding has several weights, the lowest counts: the client may be unable to use the response.
            return !deciding.isEmpty && deciding.allSatisfy { ($0.weight ?? 0) > 0 }
        }
    }

    /// Returns the codings that a request prefers to a response without a coding, with
    /// ``ContentCodings/identityExcluded`` if the request excludes responses without a coding.
    ///
    /// A response without a coding shows that the origin does not send these codings. `*` stands for
    /// ``ContentCodings/any`` and adds no coding by name: a client that accepts any coding also accepts none, and many
    /// servers ignore `*`. A coding whose weight is not above that of `identity` is left out: a server that can encode
    /// would still answer without a coding.
    static func preferredCodings(of request: HTTPFields) -> ContentCodings {
        var preferred: ContentCodings = []
        var weights: [(coding: ContentCodings, weight: Int)] = []
        var identity: (lowest: Int, highest: Int)?
        var any: Int?
        for field in request where field.name == .acceptEncoding {
            field.withUnsafeBytesOfValue { bytes in
                forEachMember(of: bytes) { name, weight in
                    guard let weight else { return }
                    if let coding = ContentCodings(name: name) {
                        if weight == 1_000 { preferred.insert(coding) } else { weights.append((coding, weight)) }
                    } else if name.count == 1, name.first == ASCII.asterisk {
                        any = min(any ?? weight, weight)
                    } else if name.elementsEqual("identity".utf8, by: { ASCII.lowercased($0) == $1 }) {
                        let (lowest, highest) = identity ?? (weight, weight)
                        identity = (min(lowest, weight), max(highest, weight))
                    }
                }
            }
        }
        // The lowest weight of a coding and the highest weight of `identity` count, so that the set is as small as
        // possible.
        let least = identity?.highest ?? 0
        if least == 1_000 { preferred = [] }
        for (coding, weight) in weights where weight > least { preferred.insert(coding) }
        for (coding, weight) in weights where weight <= least { preferred.remove(coding) }
        if let any, any > least { preferred.insert(.any) }
        // "If the representation has no content coding, then it is acceptable by default unless specifically excluded
        // by the Accept-Encoding header field stating either "identity;q=0" or "*;q=0" without a more specific entry
        // for "identity"."
        if (identity?.lowest ?? any) == 0 { preferred.insert(.identityExcluded) }
        return preferred
    }
}

extension AcceptEncoding.Member {
    fileprivate var isWellFormed: Bool { weight != nil }

    /// True if it is a coding that is not in the registry.
    fileprivate var isUnknown: Bool {
        isWellFormed && name != "*" && name != "identity" && ContentCodings(name: name) == nil
    }
}

extension AcceptEncoding {
    private typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    /// Calls `body` with the coding and the weight in thousandths of each member, or with the whole member and nil if
    /// it does not follow the grammar. Does not allocate: it runs for most hits.
    private static func forEachMember(of value: UnsafeBufferPointer<UInt8>, _ body: (Bytes, Int?) -> Void) {
        var rest = value[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: ASCII.comma) ?? rest.endIndex
            let member = trimmed(rest[..<end])
            rest = end == rest.endIndex ? rest[end...] : rest[(end + 1)...]
            guard !member.isEmpty else { continue }
            let endOfName = member.firstIndex(of: ASCII.semicolon) ?? member.endIndex
            let name = trimmed(member[..<endOfName])
            var weight: Int? = 1_000
            if endOfName < member.endIndex {
                weight = self.weight(trimmed(member[(endOfName + 1)...]))
            }
            if !name.isEmpty, name.allSatisfy(ASCII.isToken), let weight {
                body(name, weight)
            } else {
                body(member, nil)
            }
        }
    }

    /// Returns the thousandths of a weight, or nil if the text is not one:
    ///
    ///     weight = OWS ";" OWS "q=" qvalue
    ///     qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
    private static func weight(_ text: Bytes) -> Int? {
        let text = Array(text.prefix(8))
        guard (3...7).contains(text.count), ASCII.lowercased(text[0]) == UInt8(ascii: "q"), text[1] == ASCII.equals,
            text[2] == ASCII.zero || text[2] == ASCII.zero + 1
        else { return nil }
        var thousandths = Int(text[2] - ASCII.zero) * 1_000
        guard text.count > 3 else { return thousandths }
        guard text[3] == UInt8(ascii: ".") else { return nil }
        var place = 100
        for byte in text[4...] {
            guard ASCII.isDigit(byte) else { return nil }
            thousandths += Int(byte - ASCII.zero) * place
            place /= 10
        }
        return thousandths <= 1_000 ? thousandths : nil
    }

    private static func trimmed(_ bytes: Bytes) -> Bytes {
        var bytes = bytes
        while let first = bytes.first, ASCII.isWhitespace(first) { bytes.removeFirst() }
        while let last = bytes.last, ASCII.isWhitespace(last) { bytes.removeLast() }
        return bytes
    }
}
