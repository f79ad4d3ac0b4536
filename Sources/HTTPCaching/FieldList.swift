public import HTTPTypes

/// The members of a list-based field (RFC 9110 §5.6.1).
public struct FieldList: Sequence, Sendable {
    private let lines: [String]

    /// The members of one field value.
    public init(_ value: String) {
        self.lines = [value]
    }

    /// The members of all field lines called `name`, in order.
    public init(_ name: HTTPField.Name, in fields: HTTPFields) {
        self.lines = fields[values: name]
    }

    public func makeIterator() -> IndexingIterator<[Substring]> {
        [].makeIterator()
    }

    /// What a quoted string (RFC 9110 §5.6.4) says, or nil where `text` is none.
    public static func unquoted(_ text: some StringProtocol) -> String? {
        nil
    }
}
