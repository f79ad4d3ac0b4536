public import HTTPTypes

/// What a request for a range gets from a complete stored response (RFC 9110 §14.2).
public enum ByteRange: Hashable, Sendable {
    /// The whole, with its own status.
    case whole
    /// A 206 with these bytes.
    case part(Range<Int>)
    /// A 416.
    case unsatisfiable

    /// Decides for a stored response of `length` bytes.
    public static func evaluate(_ request: HTTPRequest, stored: HTTPResponse, length: Int) -> ByteRange {
        .whole
    }

    /// The `Content-Range` of the answer, nil for the whole (RFC 9110 §14.4).
    public func contentRange(length: Int) -> String? {
        nil
    }
}
