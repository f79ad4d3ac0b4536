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
                WeightedList.forEachMember(of: bytes) { name, weight in
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
                WeightedList.forEachMember(of: bytes) { name, weight in
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
