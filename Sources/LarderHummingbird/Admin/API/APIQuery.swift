import HTTPCaching
import Hummingbird

/// The query of a request, read by the table of an operation's parameters.
package struct APIQuery: Sendable {
    private var values: [String: JSONValue] = [:]

    /// A query without parameters.
    init() {}

    /// Reads the query of a request: as a form, with `+` and `%20` for a space.
    /// - Throws: A problem if a parameter is unknown, missing, repeated or not what it has to be.
    init<Context>(_ request: Request, _ parameters: [APIOperation<Context>.Parameter]) throws(APIProblem) {
        let target = request.head.path ?? ""
        let query = target.utf8.firstIndex(of: UInt8(ascii: "?")).map { target[$0...].dropFirst() } ?? ""
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(parts[0])
            let text = try parts.count > 1 ? Self.decoded(parts[1]) : ""
            guard let parameter = parameters.first(where: { $0.name == name }) else {
                throw Self.unknown(name, parameters.map(\.name))
            }
            if case .array = parameter.schema {
                values[name] = .array((values[name]?.elements ?? []) + [.string(text)])
            } else {
                guard values[name] == nil else { throw APIProblem("The parameter \(name) was given twice") }
                values[name] = Self.value(text, parameter.schema)
            }
        }
        for parameter in parameters {
            guard let value = values[parameter.name] else {
                if parameter.isRequired { throw APIProblem("The parameter \(parameter.name) is missing") }
                continue
            }
            let called = "the parameter \(parameter.name)"
            if let fault = parameter.schema.fault(of: value, called: called, [:]) { throw APIProblem(fault) }
        }
    }

    package subscript(_ name: String) -> JSONValue? { values[name] }

    private static func unknown(_ name: String, _ known: [String]) -> APIProblem {
        let expectation = known.isEmpty ? "no parameters" : APISchema.list(known)
        return APIProblem("\"\(APISchema.printable(name))\" is not a parameter of this route, which has \(expectation)")
    }

    private static func value(_ text: String, _ schema: APISchema) -> JSONValue {
        switch schema {
        case .integer:
            let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
            return digits.allSatisfy(ASCII.isDigit) ? Int(text).map { .integer($0) } ?? .string(text) : .string(text)
        default: return .string(text)
        }
    }

    private static func decoded(_ text: Substring) throws(APIProblem) -> String {
        let bytes = PercentEncoding.decoded(Substring(text.replacing("+", with: " ")).utf8)
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw APIProblem("The query has to be percent-encoded UTF-8")
        }
        return decoded
    }
}
