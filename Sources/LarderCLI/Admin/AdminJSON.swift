import Foundation
import LarderHummingbird

/// JSON as the admin API sends it, and as this program prints it.
enum AdminJSON {
    /// A decoder of the API's answers.
    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    /// An encoder for output: in lines, with sorted names.
    static var printer: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// Returns the text of an answer as it is printed.
    static func pretty(_ text: Data) throws -> String {
        try pretty(JSONDecoder().decode(JSONValue.self, from: text))
    }

    /// Returns the text of a value as it is printed.
    static func pretty(_ value: some Encodable) throws -> String {
        String(decoding: try printer.encode(value), as: UTF8.self)
    }
}

/// An object that is printed while the elements of its array arrive, so that they are not held.
struct JSONArrayPrinter {
    private var isEmpty = true

    /// Prints the beginning.
    /// - Parameter name: The name of the array.
    init(_ name: String) throws { try StandardOutput.print("{\n  \"\(name)\" : [", terminator: "") }

    /// Prints an element.
    mutating func add(_ element: some Encodable) throws {
        let text = try AdminJSON.pretty(element).replacing("\n", with: "\n    ")
        try StandardOutput.print("\(isEmpty ? "" : ",")\n    \(text)", terminator: "")
        isEmpty = false
    }

    /// Prints the end.
    /// - Parameter members: Further members of the object, in order.
    func end(_ members: [(name: String, value: Int)] = []) throws {
        let rest = members.map { ",\n  \"\($0.name)\" : \($0.value)" }.joined()
        try StandardOutput.print("\(isEmpty ? "" : "\n  ")]\(rest)\n}")
    }
}
