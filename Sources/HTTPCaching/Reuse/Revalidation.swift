public import HTTPTypes

/// The validation of stored responses with the origin (RFC 9111 §4.3).
public enum Revalidation {
    /// The meaning of a response to HEAD for a stored response to GET (RFC 9111 §4.3.5).
    public enum HeadComparison: Hashable, Sendable {
        /// The stored response has not changed, and its fields are updated.
        case updates
        /// The stored response has changed, and is considered stale.
        case invalidates
        /// The response to HEAD does not show if the stored response has changed.
        case nothing
    }

    /// The largest number of entity tags in a conditional request, the newest first. It limits the length of the field.
    public static let maximumTagCount = 16

    /// Returns true if a stored response has a validator: an entity tag, or a date of last modification.
    public static func hasValidator(_ stored: HTTPFields) -> Bool {
        stored.entityTag != nil || lastModified(stored) != nil
    }

    /// Removes the client's conditions and range from a request that is sent to fill the cache: the response has to be
    /// the whole, not a 304, 412 or 206 that only this client can use.
    public static func stripConditions(_ request: inout HTTPFields) {
        request.removeAll { field in
            switch field.name {
            case .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .range: true
            default: false
            }
        }
    }

    /// Replaces the conditions of `request` so that it asks if one of the stored responses is still current
    /// (RFC 9111 §4.3.1). The client's own conditions are evaluated on the stored response afterwards.
    /// - Parameters:
    ///   - request: The fields of the request.
    ///   - stored: The fields of the responses stored for this URI, newest first.
    /// - Returns: True if at least one of them has a validator to ask with.
    @discardableResult
    public static func makeConditional(_ request: inout HTTPFields, validating stored: [HTTPFields]) -> Bool {
        stripConditions(&request)
        var tags: [String] = []
        for tag in stored.compactMap({ $0.entityTag?.description }) where !tags.contains(tag) {
            tags.append(tag)
        }
        if !tags.isEmpty {
            request[.ifNoneMatch] = tags.prefix(maximumTagCount).joined(separator: ", ")
        }
        // If several responses are stored, a date does not identify one of them.
        if stored.count == 1, lastModified(stored[0]) != nil {
            // The date is sent as the origin wrote it, since some origins compare it byte by byte.
            request[.ifModifiedSince] = stored[0][.lastModified]
        }
        return request.contains(.ifNoneMatch) || request.contains(.ifModifiedSince)
    }

    /// Returns the index of the stored response that a 304 is about (RFC 9111 §4.3.4), or nil if it is about none of
    /// them, so that the request has to be repeated without conditions.
    /// - Parameters:
    ///   - notModified: The fields of the 304.
    ///   - stored: The fields of the responses that ``makeConditional(_:validating:)`` asked about, newest first.
    public static func index(of notModified: HTTPFields, among stored: [HTTPFields]) -> Int? {
        if let tag = notModified.entityTag {
            // "If the new response contains one or more strong validators, then each of those strong validators
            // identifies a selected representation for update. [...] If none of the initial set contains at least one
            // of the same strong validators, then the cache MUST NOT use the new response to update any stored
            // responses." "If the new response contains no strong validators but does contain one or more weak
            // validators, and those validators correspond to one of the initial set's stored responses, then the most
            // recent of those matching stored responses is identified for update."
            return stored.firstIndex { candidate in
                guard let other = candidate.entityTag else { return false }
                return tag.isWeak ? tag.weaklyMatches(other) : tag.stronglyMatches(other)
            }
        }
        if notModified.contains(.eTag) {
            // A tag that cannot be read identifies the response with the same text, unless a library has altered it.
            let tags = notModified[values: .eTag]
            return tags.contains { AlteredBytes.occur(in: $0) } ? nil : stored.firstIndex { $0[values: .eTag] == tags }
        }
        if let modified = lastModified(notModified) {
            return stored.firstIndex { lastModified($0) == modified }
        }
        // "If the new response does not include any form of validator [...], and there is only one stored response in
        // the initial set, and that stored response also lacks a validator, then that stored response is identified for
        // update." Here the stored response has a validator and is the only one that was asked about, so that the 304
        // can only be about it. RFC 9110 §15.4.5 allows servers to omit Last-Modified from a 304.
        return stored.count == 1 ? 0 : nil
    }

    /// Returns the fields of a stored response after a 304, or a response to HEAD, that is about it (RFC 9111 §3.2).
    ///
    /// ``Storability`` decides on the result again, with the times of the update. Its `Age` and `Date` are those of the
    /// update.
    public static func updatedFields(
        of stored: HTTPFields,
        from update: HTTPFields,
        rules: CachingRules,
        receivedAt: Timestamp
    ) -> HTTPFields {
        var update = update
        HopByHop.strip(&update)
        var updated = stored
        updated[.age] = nil
        updated[.date] = HTTPDate.format(receivedAt)
        var done: Set<HTTPField.Name> = []
        for name in update.lazy.map(\.name) where done.insert(name).inserted {
            // "The cache MUST add each header field in the provided response to the stored response, replacing field
            // values that are already present", with exceptions:
            switch name {
            // "The Content-Length header field", and those that say how the stored bytes are to be read.
            case .contentLength, .contentEncoding, .contentRange: continue
            // "Header fields excepted from storage in Section 3.1."
            case _ where HopByHop.isNeverStored(name): continue
            case .setCookie where !rules.allowsSetCookie: continue
            // A weak tag matches a strong one, and must not replace it.
            case .eTag where stored.entityTag != nil: continue
            case .date where update.date(.date, now: receivedAt) == nil: continue
            default: updated[fields: name] = update[fields: name]
            }
        }
        return updated
    }

    /// Returns the meaning of a response to HEAD for a stored response to GET with `storedLength` bytes of content.
    ///
    /// Without a validator, the HEAD response does not show that the content is the same; a `Content-Length` can only
    /// show that it differs.
    ///
    /// "If the stored response and HEAD response have matching values for any received validator fields (ETag and
    /// Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches
    /// that of the stored response, the cache SHOULD update the stored response [...]; otherwise, the cache SHOULD
    /// consider the stored response to be stale." (RFC 9111 §4.3.5)
    public static func comparison(of head: HTTPResponse, on stored: HTTPFields, storedLength: Int) -> HeadComparison {
        guard head.status == .ok else { return .nothing }
        let fields = head.headerFields
        for name in [HTTPField.Name.eTag, .lastModified] where fields.contains(name) {
            guard fields[values: name] == stored[values: name] else { return .invalidates }
            // Two different values that a library has altered can be equal.
            guard !fields[values: name].contains(where: { AlteredBytes.occur(in: $0) }) else { return .invalidates }
        }
        if let length = fields[.contentLength] {
            guard ASCII.integer(length.utf8, limit: .max / 16) == Int64(storedLength) else { return .invalidates }
        }
        return hasValidator(fields) ? .updates : .nothing
    }

    private static func lastModified(_ fields: HTTPFields) -> Timestamp? {
        // Dates are only checked and compared with each other, so the century of a two-digit year does not matter.
        fields.date(.lastModified, now: Timestamp(secondsSinceEpoch: 0))
    }
}
