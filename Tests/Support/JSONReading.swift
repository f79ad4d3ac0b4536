import Foundation

/// JSON that a test reads member by member.
public struct JSONReading: Sendable, Equatable {
    private let data: Data

    /// Creates the reading of a text, which may be anything.
    public init(_ bytes: some Sequence<UInt8>) { data = Data(bytes) }

    private init(_ value: Any) {
        data =
            (try? JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])) ?? Data()
    }

    private var value: Any? { try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) }

    /// The member of an object; nil if the value is not an object, or has no such member.
    public subscript(_ name: String) -> JSONReading? { (value as? [String: Any])?[name].map { JSONReading($0) } }

    /// The element of an array; nil if the value is not an array, or has no such element.
    public subscript(_ place: Int) -> JSONReading? {
        guard let array = value as? [Any], array.indices.contains(place) else { return nil }
        return JSONReading(array[place])
    }

    /// The elements of an array; empty if the value is not one.
    public var elements: [JSONReading] { (value as? [Any] ?? []).map { JSONReading($0) } }
    /// The names of the members of an object, sorted; empty if the value is not one.
    public var names: [String] { (value as? [String: Any] ?? [:]).keys.sorted() }
    /// The text; nil if the value is not one.
    public var text: String? { value as? String }
    /// The whole number; nil if the value is not a number.
    public var number: Int? { (value as? NSNumber)?.intValue }
    /// The truth value; nil if the value is not one.
    public var bool: Bool? { value as? Bool }
    /// The texts among the elements.
    public var texts: [String] { elements.compactMap(\.text) }
}
