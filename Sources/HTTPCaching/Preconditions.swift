public import HTTPTypes

/// A client's conditions, as a cache answers them from a stored response (RFC 9110 §13.2.2, RFC 9111 §4.3.2).
public enum Preconditions: Hashable, Sendable {
    /// Send the stored response.
    case proceed
    /// Send a 304 made from it.
    case notModified
    /// Only the origin can judge these conditions: forward the request.
    case forward

    /// Judges the conditions of `request` against the stored response.
    public static func evaluate(_ request: HTTPRequest, stored: HTTPResponse, receivedAt: Timestamp) -> Preconditions {
        .proceed
    }

    /// The fields of the 304 that stands for the stored response (RFC 9110 §15.4.5).
    public static func notModifiedFields(from stored: HTTPFields) -> HTTPFields {
        stored
    }
}
