extension APISchema {
    /// Returns what is wrong with a value, in a sentence; nil if it is what the schema describes.
    /// - Parameters:
    ///   - name: The name of the value, for the sentence.
    ///   - schemas: The schemas of the document, by name.
    func fault(of value: JSONValue, called name: String, _ schemas: [String: APISchema]) -> String? {
        switch self {
        case .string(let rule):
            guard let text = value.text else { return "\(name) has to be a text" }
            return rule.makeCheck()(text) ? nil : "\(name) has to be \(rule.expectation)"
        case .choice(let texts, _):
            if let text = value.text, texts.contains(text) { return nil }
            return "\(name) has to be " + Self.list(texts.map { "\"\($0)\"" })
        case .integer(let range, _):
            let isInRange = value.integer.map { number in range.map { $0.contains(number) } ?? true } ?? false
            return isInRange
                ? nil
                : "\(name) has to be a whole number"
                    + (range.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? "")
        case .number(let range):
            if let number = value.number, range?.contains(number) ?? true { return nil }
            return "\(name) has to be a number" + (range.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? "")
        case .boolean: return value.bool == nil ? "\(name) has to be true or false" : nil
        case .array(let element, let count):
            guard case .array(let values) = value else { return "\(name) has to be an array" }
            guard count.contains(values.count) else {
                return "\(name) has to be an array of \(count.lowerBound) to \(count.upperBound) elements"
            }
            return Self.fault(of: values, called: name, element, schemas)
        case .object(let members, let alternatives):
            return Self.fault(of: value, called: name, members, alternatives, schemas)
        case .named(let schema): return schemas[schema]?.fault(of: value, called: name, schemas)
        case .map(let element):
            guard case .object(let values) = value else { return "\(name) has to be an object" }
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                let member = "\(name).\(Self.printable(key))"
                if let fault = element.fault(of: value, called: member, schemas) { return fault }
            }
            return nil
        case .anyObject:
            if case .object = value { return nil }
            return "\(name) has to be an object"
        }
    }

    private static func fault(
        of values: [JSONValue],
        called name: String,
        _ element: APISchema,
        _ schemas: [String: APISchema]
    ) -> String? {
        // The pattern of thousands of texts is compiled once.
        if case .string(let rule) = element {
            let check = rule.makeCheck()
            for (place, value) in values.enumerated() {
                guard let text = value.text else { return "\(name)[\(place)] has to be a text" }
                if !check(text) { return "\(name)[\(place)] has to be \(rule.expectation)" }
            }
            return nil
        }
        for (place, value) in values.enumerated() {
            if let fault = element.fault(of: value, called: "\(name)[\(place)]", schemas) { return fault }
        }
        return nil
    }

    private static func fault(
        of value: JSONValue,
        called name: String,
        _ members: [Member],
        _ alternatives: [String],
        _ schemas: [String: APISchema]
    ) -> String? {
        guard case .object(let values) = value else {
            return "\(name) has to be an object with " + list(members.map(\.name))
        }
        for key in values.keys.sorted() where !members.contains(where: { $0.name == key }) {
            return "\"\(printable(key))\" is not a member of \(name), which may have " + list(members.map(\.name))
        }
        for member in members {
            guard let value = values[member.name] else {
                if member.isRequired { return "\(name) needs the member \(member.name)" }
                continue
            }
            if let fault = member.schema.fault(of: value, called: member.name, schemas) { return fault }
        }
        guard alternatives.isEmpty || alternatives.contains(where: { values[$0] != nil }) else {
            return "\(name) needs one of the members " + list(alternatives)
        }
        return nil
    }

    static func list(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "nothing" }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }

    /// Returns the beginning of a name that a client has sent, without control characters.
    static func printable(_ name: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in name.unicodeScalars.prefix(64) {
            text.append(scalar.value < 0x20 || scalar.value == 0x7F ? "\u{FFFD}" : scalar)
        }
        return String(text) + (name.unicodeScalars.count > 64 ? "…" : "")
    }
}

extension APISchema.StringRule {
    /// The rule in words.
    var expectation: String {
        let size = length.map { " of \($0.lowerBound) to \($0.upperBound) characters" } ?? ""
        if let meaning { return meaning + (length.map { ", of at most \($0.upperBound) characters" } ?? "") }
        return "a text" + size + (pattern.map { " that matches \($0)" } ?? "")
    }

    /// Returns a function that checks texts by the rule.
    func makeCheck() -> (String) -> Bool {
        let regex = pattern.flatMap { try? Regex<AnyRegexOutput>($0).matchingSemantics(.unicodeScalar) }
        return { text in
            if let length, !length.contains(text.unicodeScalars.count) { return false }
            guard let pattern else { return true }
            guard let regex else { return false }
            // In a JSON Schema, `$` does not match before a line break at the end.
            if pattern.hasSuffix("$"), text.unicodeScalars.last == "\n" { return false }
            return text.firstMatch(of: regex) != nil
        }
    }
}
