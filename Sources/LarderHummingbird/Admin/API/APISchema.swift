/// A JSON Schema (2020-12), as far as the admin API needs it.
package indirect enum APISchema: Sendable {
    /// A text.
    case string(StringRule = StringRule())
    /// One of these texts.
    case choice([String], default: String? = nil)
    /// A whole number.
    case integer(ClosedRange<Int>? = nil, default: Int? = nil)
    /// A number.
    case number(ClosedRange<Double>? = nil)
    case boolean(default: Bool? = nil)
    case array(APISchema, count: ClosedRange<Int>)
    /// An object with these members and no others.
    case object([Member], oneOf: [String] = [])
    /// The schema of this name in the document.
    case named(String)
    /// An object with any members, whose values have one schema.
    case map(APISchema)
    /// An object with any members.
    case anyObject

    /// What a text has to be.
    package struct StringRule: Sendable {
        var length: ClosedRange<Int>?
        /// A regular expression that is found in the text.
        var pattern: String?
        /// The format, such as `date-time`.
        var format: String?
        /// What the pattern stands for, for messages.
        var meaning: String?

        package init(
            length: ClosedRange<Int>? = nil,
            pattern: String? = nil,
            format: String? = nil,
            _ meaning: String? = nil
        ) {
            (self.length, self.pattern, self.format, self.meaning) = (length, pattern, format, meaning)
        }
    }

    /// A member of an object.
    package struct Member: Sendable {
        let name: String
        let schema: APISchema
        let isRequired: Bool
        let description: String?

        /// A member that every object has.
        static func required(_ name: String, _ schema: APISchema, _ description: String? = nil) -> Member {
            Member(name: name, schema: schema, isRequired: true, description: description)
        }

        /// A member that may be left out.
        static func optional(_ name: String, _ schema: APISchema, _ description: String? = nil) -> Member {
            Member(name: name, schema: schema, isRequired: false, description: description)
        }
    }

    /// The largest number of elements of an array in a response, for which there is no limit.
    static let unlimited = 0...Int.max
}

extension APISchema {
    /// The schema as it is in the document.
    var json: JSONValue {
        switch self {
        case .string(let rule):
            var members: [String: JSONValue] = ["type": "string"]
            members["minLength"] = rule.length.map { .integer($0.lowerBound) }
            members["maxLength"] = rule.length.map { .integer($0.upperBound) }
            members["pattern"] = rule.pattern.map { .string($0) }
            members["format"] = rule.format.map { .string($0) }
            return .object(members)
        case .choice(let texts, let standard):
            var members: [String: JSONValue] = ["type": "string", "enum": .array(texts.map { .string($0) })]
            members["default"] = standard.map { .string($0) }
            return .object(members)
        case .integer(let range, let standard):
            var members: [String: JSONValue] = ["type": "integer"]
            members["minimum"] = range.map { .integer($0.lowerBound) }
            members["maximum"] = range.map { .integer($0.upperBound) }
            members["default"] = standard.map { .integer($0) }
            return .object(members)
        case .number(let range):
            var members: [String: JSONValue] = ["type": "number"]
            members["minimum"] = range.map { .number($0.lowerBound) }
            members["maximum"] = range.map { .number($0.upperBound) }
            return .object(members)
        case .boolean(let standard):
            var members: [String: JSONValue] = ["type": "boolean"]
            members["default"] = standard.map { .bool($0) }
            return .object(members)
        case .array(let element, let count):
            var members: [String: JSONValue] = ["type": "array", "items": element.json]
            if count.lowerBound > 0 { members["minItems"] = .integer(count.lowerBound) }
            if count.upperBound < .max { members["maxItems"] = .integer(count.upperBound) }
            return .object(members)
        case .object(let members, let alternatives): return Self.object(members, alternatives)
        case .named(let name): return ["$ref": .string("#/components/schemas/" + name)]
        case .map(let value): return ["type": "object", "additionalProperties": value.json]
        case .anyObject: return ["type": "object"]
        }
    }

    private static func object(_ members: [Member], _ alternatives: [String]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for member in members {
            guard case .object(var schema) = member.schema.json else { continue }
            schema["description"] = member.description.map { .string($0) }
            properties[member.name] = .object(schema)
        }
        var object: [String: JSONValue] = [
            "type": "object", "properties": .object(properties), "additionalProperties": false,
        ]
        let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { object["required"] = .array(required) }
        if !alternatives.isEmpty {
            object["anyOf"] = .array(alternatives.map { ["required": .array([.string($0)])] })
        }
        return .object(object)
    }
}
