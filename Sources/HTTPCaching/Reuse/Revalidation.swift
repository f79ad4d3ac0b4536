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

    /// A conditional request names at most this many entity tags, the newest: a field has to stay short.
    public static let maximumTagCount = 16

    /// Whether a stored response has a validator to ask with: an entity tag, or a date of last modification.
    public static func hasValidator(_ stored: HTTPFields) -> Bool {
        stored.entityTag != nil || self.lastModified(stored) != nil
    }

    /// Takes the client's conditions and range out of a request that is sent to fill the cache: its answer is to be the
    /// whole response, not a 304, 412 or 206 that is of use to this client alone.
    public static func stripConditions(_ request: inout HTTPFields) {
        request.removeAll { field in
            switch field.name {
            case .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .range: true
            default: false
            }
        }
    }

    /// Makes `request` ask whether one of the stored responses is still good (RFC 9111 §4.3.1), in place of what the
    /// client asked: it is answered from the store afterwards.
    /// - Parameter stored: the fields of the responses stored for this URI, newest first.
    /// - Returns: whether there was a validator to ask with.
    @discardableResult
    public static func makeConditional(_ request: inout HTTPFields, validating stored: [HTTPFields]) -> Bool {
        self.stripConditions(&request)
        var tags: [String] = []
        for tag in stored.compactMap({ $0.entityTag?.description }) where !tags.contains(tag) {
            tags.append(tag)
        }
        if !tags.isEmpty {
            request[.ifNoneMatch] = tags.prefix(self.maximumTagCount).joined(separator: ", ")
        }
        // With several stored responses a date cannot say which of them it is about.
        if stored.count == 1, self.lastModified(stored[0]) != nil {
            // The text as the origin wrote it: some compare it byte by byte.
            request[.ifModifiedSince] = stored[0][.lastModified]
        }
        return request.contains(.ifNoneMatch) || request.contains(.ifModifiedSince)
    }

    /// Which of the stored responses a 304 is about (RFC 9111 §4.3.4); nil: none, so that the request has to be
    /// repeated without conditions.
    /// - Parameter stored: the fields of the responses that ``makeConditional(_:validating:)`` asked about, newest
    ///   first.
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
            // A tag that cannot be read identifies what has the same text, unless a library has altered it.
            let tags = notModified[values: .eTag]
            return tags.contains { AlteredBytes.stand(in: $0) } ? nil : stored.firstIndex { $0[values: .eTag] == tags }
        }
        if let modified = self.lastModified(notModified) {
            return stored.firstIndex { self.lastModified($0) == modified }
        }
        // "If the new response does not include any form of validator [...], and there is only one stored response in
        // the initial set, and that stored response also lacks a validator, then that stored response is identified for
        // update." Ours has one, and it is the only one that was asked about: a 304 can mean nothing else, and servers
        // that leave Last-Modified out of it are within RFC 9110 §15.4.5.
        return stored.count == 1 ? 0 : nil
    }

    /// The fields of a stored response after a 304, or a response to HEAD, that is about it (RFC 9111 §3.2).
    ///
    /// The result is what ``Storability`` decides on again, with the times of the update: its `Age` is that of the
    /// update, and so is its `Date`.
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
            // A weak tag matches a strong one, and must not take its place.
            case .eTag where stored.entityTag != nil: continue
            case .date where update.date(.date, now: receivedAt) == nil: continue
            default: updated[fields: name] = update[fields: name]
            }
        }
        return updated
    }

    /// What a response to HEAD means for a stored response to GET with `storedLength` bytes of content.
    ///
    /// Without a validator the HEAD response does not say that the content is the same, and a `Content-Length` says at
    /// most that it is not.
    ///
    /// "If the stored response and HEAD response have matching values for any received validator fields (ETag and
    /// Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches
    /// that of the stored response, the cache SHOULD update the stored response [...]; otherwise, the cache SHOULD
    /// consider the stored response to be stale." (RFC 9111 §4.3.5)
    public static func verdict(of head: HTTPResponse, on stored: HTTPFields, storedLength: Int) -> HeadVerdict {
        guard head.status == .ok else { return .nothing }
        let fields = head.headerFields
        for name in [HTTPField.Name.eTag, .lastModified] where fields.contains(name) {
            guard fields[values: name] == stored[values: name] else { return .invalidates }
            // A value that a library has altered may have been another one.
            guard !fields[values: name].contains(where: { AlteredBytes.stand(in: $0) }) else { return .invalidates }
        }
        if let length = fields[.contentLength] {
            guard ASCII.integer(length.utf8, limit: .max / 16) == Int64(storedLength) else { return .invalidates }
        }
        return self.hasValidator(fields) ? .updates : .nothing
    }

    private static func lastModified(_ fields: HTTPFields) -> Timestamp? {
        // Only whether it is a date, and the same date, matters: any century will do.
        fields.date(.lastModified, now: Timestamp(secondsSinceEpoch: 0))
    }
}
