import HTTPCaching
package import HTTPTypes

/// The validation of stored responses by a server (RFC 9111 §4.3).
extension Fetch {
    /// The request for the origin: conditional if the stored response has a validator and the origin is a server.
    ///
    /// Only the variant that the request selects is validated. Entity tags of the others could be sent with it, but
    /// some servers give one tag to several variants, and a 304 would serve the wrong one.
    var question: HTTPRequest {
        var request = cacheable.fillRequest
        if let kept = validatable {
            Revalidation.makeConditional(&request.headerFields, validating: [kept.head.headerFields])
        }
        return request
    }

    /// The stored response, if a server can validate it.
    private var validatable: CacheEntry? {
        kept.flatMap { cacheable.policy.canValidate($0.head) ? $0 : nil }
    }

    /// The meaning of the origin's response to ``question``.
    enum Reading {
        /// The origin sent a whole response.
        case whole
        /// The origin confirmed the stored response.
        case confirms(CacheEntry)
        /// The origin sent a 304 that is not about the stored response.
        case mistaken
    }

    /// Returns the meaning of the response to ``question``.
    func reading(of reception: Reception) -> Reading {
        guard reception.head.status == .notModified, let kept = validatable else { return .whole }
        let index = Revalidation.index(of: reception.head.headerFields, among: [kept.head.headerFields])
        return index == nil ? .mistaken : .confirms(kept)
    }

    /// Stores a response that the origin confirmed, with the fields and times of the 304 (RFC 9111 §3.2) and with the
    /// read version of this fetch. The 304 never updates the response that is in the store by now, since the origin was
    /// not asked about that ("wrong entry re-dated" in docs/invalidation.md).
    func redate(
        _ kept: CacheEntry,
        by reception: Reception,
        releasing release: @Sendable (FlightCompletion) -> Void
    ) async -> FetchResult {
        let rules = cacheable.policy.rules
        let update = reception.head.headerFields
        let fields = Revalidation.updatedFields(
            of: kept.head.headerFields,
            from: update,
            rules: rules,
            receivedAt: reception.at
        )
        let head = HTTPResponse(status: kept.head.status, headerFields: fields)
        let tags = rules.tagFields.contains(where: update.contains) ? tags(in: update) : ResponseTags(kept.tags)
        let directives = directives(of: head)
        func entry(_ lifetimes: Lifetimes) -> CacheEntry {
            self.entry(
                head,
                directives,
                body: kept.body,
                lifetimes: lifetimes,
                tags: tags.tags,
                receivedAt: reception.at,
                confirmed: kept
            )
        }
        switch storability(of: head, directives, at: reception) {
        case .store(let lifetimes):
            if let obstacle = tags.notStoredReason(limit: cacheable.policy.tagLimit) {
                return await withdraw(entry(Lifetimes(expiredAt: reception.at)), obstacle, by: reception, release)
            }
            if !lifetimes.mayAnswerOthers { release(.unsharable) }
            let entry = entry(lifetimes)
            let (validity, notStored) = await keep(entry, isNew: false)
            let source = FlightOutcome.Source.validated(status: reception.head.status.code, notStored)
            return completion(of: entry, source, validity, answeredAt: reception.at, received: update)
        case .notStorable(let refusal):
            let answer = entry(Lifetimes(expiredAt: reception.at))
            return await withdraw(answer, .notStorable(refusal), by: reception, release)
        }
    }

    /// Handles an update that forbids storing a response that could be stored before: this request still gets the
    /// response, and later ones do not.
    private func withdraw(
        _ updated: CacheEntry,
        _ notStored: NotStoredReason,
        by reception: Reception,
        _ release: @Sendable (FlightCompletion) -> Void
    ) async -> FetchResult {
        cache.record(.notStored(cacheable.location.key, notStored))
        let result = noteUncacheable(because: notStored)
        if !notStored.isDueToRequest { await discardKept() }
        release(result)
        let source = FlightOutcome.Source.validated(status: reception.head.status.code, notStored)
        let answer = answer(from: updated, source, received: reception.head.headerFields)
        return landingAlone(.success(answer), result, source.kind)
    }
}

extension CachePolicy {
    /// Returns true if a server can validate a stored response. "A recipient MUST ignore all received preconditions if
    /// its response to the same request without those conditions […] would have been a status code other than a 2xx
    /// (Successful) or 412 (Precondition Failed)" (RFC 9110 §13.2.1).
    package func canValidate(_ stored: HTTPResponse) -> Bool {
        originKind == .server && stored.status.kind == .successful && Revalidation.hasValidator(stored.headerFields)
    }
}

extension Lifetimes {
    /// Creates lifetimes that are over already: the response is for the requests that wait, and for no later one.
    init(expiredAt moment: Timestamp) {
        self.init(
            generatedAt: moment,
            freshUntil: moment,
            staleWhileRevalidateUntil: moment,
            staleIfErrorUntil: moment,
            staleIfUnreachableUntil: moment,
            keepUntil: moment,
            source: .none,
            mustRevalidate: true
        )
    }
}
