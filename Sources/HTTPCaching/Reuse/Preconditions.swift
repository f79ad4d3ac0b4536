public import HTTPTypes

/// The result of evaluating a client's conditions on a stored response (RFC 9110 §13, RFC 9111 §4.3.2).
public enum Preconditions: Hashable, Sendable {
    /// The request has no conditions, or they do not prevent the stored response from being sent.
    case proceed
    /// The client has the stored response already: send a 304 made from it.
    case notModified
    /// Only the origin can evaluate the conditions: forward the request.
    case forward

    /// Evaluates the conditions of `request` on the stored response that would answer it.
    /// - Parameters:
    ///   - request: The request of the client.
    ///   - stored: The head of the stored response.
    ///   - receivedAt: The time at which the stored response was received.
    public static func evaluate(_ request: HTTPRequest, stored: HTTPResponse, receivedAt: Timestamp) -> Preconditions {
        let conditions = request.headerFields
        // "The If-Match and If-Unmodified-Since conditional header fields are not applicable to a cache." They are
        // about the state at the origin. An answer from the store could be wrong, so the origin is asked.
        if conditions.contains(.ifMatch) || conditions.contains(.ifUnmodifiedSince) { return .forward }
        // "If a cache receives a request that can be satisfied by reusing a stored 200 (OK) or 206 (Partial Content)
        // response", the conditions are evaluated. A stored 404 is sent unchanged.
        guard request.method == .get || request.method == .head, stored.status == .ok else { return .proceed }
        if conditions.contains(.ifNoneMatch) {
            return Self.noneMatch(conditions, stored.headerFields) ? .proceed : .notModified
        }
        // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field."
        return Self.isModified(conditions, stored.headerFields, receivedAt: receivedAt) ? .proceed : .notModified
    }

    /// Returns true if no entity tag in the conditions matches: "If the field value is "*", or if the field value is a
    /// list of entity tags and at least one of them matches the entity tag of the selected stored response, a cache
    /// recipient SHOULD generate a 304 (Not Modified) response."
    private static func noneMatch(_ conditions: HTTPFields, _ stored: HTTPFields) -> Bool {
        let members = FieldList.members(of: .ifNoneMatch, in: conditions)
        if members == ["*"] { return false }
        guard let tag = stored.entityTag else { return true }
        // "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match."
        return !members.contains { EntityTag($0)?.weaklyMatches(tag) ?? false }
    }

    private static func isModified(_ conditions: HTTPFields, _ stored: HTTPFields, receivedAt: Timestamp) -> Bool {
        // "A recipient MUST ignore the If-Modified-Since header field if the received field value is not a valid
        // HTTP-date, the field value has more than one member, or if the request method is neither GET nor HEAD."
        let values = conditions[values: .ifModifiedSince]
        guard values.count == 1, let since = HTTPDate.parse(values[0], now: receivedAt) else { return true }
        // "1) the selected stored response has a Last-Modified field value that is earlier than or equal to the
        // conditional timestamp; 2) no Last-Modified header field is present in the selected stored response, but it
        // has a Date field value that is earlier than or equal to the conditional timestamp; or, 3) neither [...] is
        // present in the selected stored response, but the cache recorded it as having been received at a time earlier
        // than or equal to the conditional timestamp."
        let modified: Timestamp =
            if stored.contains(.lastModified) {
                stored.date(.lastModified, now: receivedAt) ?? .distantFuture
            } else {
                stored.date(.date, now: receivedAt) ?? receivedAt
            }
        return modified > since
    }

    /// Returns the fields of a 304 made from a stored response.
    ///
    /// "The server generating a 304 response MUST generate any of the following header fields that would have been sent
    /// in a 200 (OK) response to the same request: Content-Location, Date, ETag, and Vary; Cache-Control and Expires
    /// [...]. A sender SHOULD NOT generate representation metadata other than the above listed fields unless said
    /// metadata exists for the purpose of guiding cache updates (e.g., Last-Modified might be useful if the response
    /// does not have an ETag field)." (RFC 9110 §15.4.5)
    public static func notModifiedFields(from stored: HTTPFields) -> HTTPFields {
        var fields = stored
        let hasTag = stored.contains(.eTag)
        fields.removeAll { field in
            switch field.name {
            case .contentType, .contentEncoding, .contentLanguage, .contentLength, .contentRange, .transferEncoding:
                true
            case .lastModified: hasTag
            default: false
            }
        }
        return fields
    }
}

extension HTTPFields {
    /// The entity tag of a response, or nil if the response has none, several or a malformed one.
    var entityTag: EntityTag? {
        let values = self[values: .eTag]
        return values.count == 1 ? EntityTag(values[0]) : nil
    }

    /// Returns the date in a field, or nil if the field is absent, malformed or has several values.
    func date(_ name: HTTPField.Name, now: Timestamp) -> Timestamp? {
        let values = self[values: name]
        return values.count == 1 ? HTTPDate.parse(values[0], now: now) : nil
    }
}
