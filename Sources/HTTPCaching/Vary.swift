public import HTTPTypes

/// Which request fields a response was selected by (RFC 9110 §12.5.5).
public enum VaryRule: Hashable, Sendable {
    /// The response is the same for every request.
    case nothing
    /// By something no cache can see: `*`.
    case everything
    /// By these fields, lower-case, sorted, each once.
    case fields([HTTPField.Name])

    /// Reads the `Vary` field of a response.
    public init(_ response: HTTPFields) {
        self = .nothing
    }

    /// The values of a request that this rule compares, in canonical form; nil for ``everything``.
    public func selectingFields(of request: HTTPFields) -> SelectingFields? {
        nil
    }

    /// Whether a response stored for `stored` may answer `request` (RFC 9111 §4.1).
    public func matches(_ request: HTTPFields, stored: SelectingFields) -> Bool {
        false
    }
}

/// The request fields that selected a response, in canonical form: two are equal exactly where the responses match.
public struct SelectingFields: Hashable, Sendable {
    /// One line a field: `name:value`, or `name` where the request had none. It can be a key: two differ where the
    /// fields do.
    public let text: String

    /// What ``text`` was once; for stores that keep it.
    public init(text: String) {
        self.text = text
    }

    /// No fields.
    public static let none = SelectingFields(text: "")
}
