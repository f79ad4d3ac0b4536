public import HTTPTypes

/// Validation of stored responses with the origin (RFC 9111 §4.3).
public enum Revalidation {
    /// What a response to HEAD means for a stored response to GET (RFC 9111 §4.3.5).
    public enum HeadVerdict: Hashable, Sendable {
        /// It is still the same: update its fields.
        case updates
        /// It has changed: consider it stale.
        case invalidates
        /// It says nothing.
        case nothing
    }

    /// Whether a stored response has a validator to ask with.
    public static func hasValidator(_ stored: HTTPFields) -> Bool { false }

    /// Takes the client's conditions and range out of a request, so that the answer is a whole that can be stored.
    public static func stripConditions(_ request: inout HTTPFields) {}

    /// Makes `request` ask whether one of the stored responses is still good. Strips the client's own conditions.
    /// - Returns: whether there was a validator to ask with.
    @discardableResult
    public static func makeConditional(_ request: inout HTTPFields, validating stored: [HTTPFields]) -> Bool { false }

    /// Which of the stored responses (newest first) a 304 is about; nil: none of them (RFC 9111 §4.3.4).
    public static func index(of notModified: HTTPFields, among stored: [HTTPFields]) -> Int? { nil }

    /// The fields of a stored response after a 304, or a response to HEAD, that is about it (RFC 9111 §3.2).
    public static func updatedFields(
        of stored: HTTPFields,
        from update: HTTPFields,
        rules: CachingRules,
        receivedAt: Timestamp
    ) -> HTTPFields {
        stored
    }

    /// What a response to HEAD means for a stored response to GET with `storedLength` bytes of content.
    public static func verdict(of head: HTTPResponse, on stored: HTTPFields, storedLength: Int) -> HeadVerdict {
        .nothing
    }
}
