import HTTPCaching
package import HTTPTypes

/// Asking a server whether what is kept is still good (RFC 9111 §4.3).
extension Fetch {
    /// The request for the origin: a condition goes with it where what is kept has a validator, and a server is asked.
    ///
    /// Only the variant that the request selects is asked about. Entity tags of the others could go with it, but some
    /// servers give one tag to several variants, and a 304 would serve the wrong one.
    var question: HTTPRequest {
        var request = cacheable.fillRequest
        if let kept = validatable {
            Revalidation.makeConditional(&request.headerFields, validating: [kept.head.headerFields])
        }
        return request
    }

    /// What is kept, where a server can be asked about it.
    private var validatable: CacheEntry? {
        kept.flatMap { cacheable.policy.canValidate($0.head) ? $0 : nil }
    }

    /// What an answer says about what was asked.
    enum Reading {
        /// It is an answer of its own.
        case whole
        /// What is kept is still good.
        case confirms(CacheEntry)
        /// A 304 that is about something else.
        case mistaken
    }

    /// Reads the answer to ``question``.
    func reading(of reception: Reception) -> Reading {
        guard reception.head.status == .notModified, let kept = validatable else { return .whole }
        let index = Revalidation.index(of: reception.head.headerFields, among: [kept.head.headerFields])
        return index == nil ? .mistaken : .confirms(kept)
    }

    /// The origin confirmed what is kept: it takes the answer's fields and times (RFC 9111 §3.2), and is stored anew
    /// with the birth of this fetch. Never is what the store holds by now dated anew: nobody asked about that (PROTOCOL
    /// A37).
    func redate(
        _ kept: CacheEntry,
        by reception: Reception,
        releasing release: @Sendable (FlightResult) -> Void
    ) async -> Landing {
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
            if let obstacle = tags.obstacle(limit: cacheable.policy.tagLimit) {
                return await withdraw(entry(Lifetimes(expiredAt: reception.at)), obstacle, by: reception, release)
            }
            if !lifetimes.mayAnswerOthers { release(.unsharable) }
            let entry = entry(lifetimes)
            let (verdict, notStored) = await keep(entry, isNew: false)
            let source = Arrival.Source.validated(status: reception.head.status.code, notStored)
            return landing(of: entry, source, verdict, answeredAt: reception.at, received: update)
        case .notStorable(let refusal):
            let answer = entry(Lifetimes(expiredAt: reception.at))
            return await withdraw(answer, .notStorable(refusal), by: reception, release)
        }
    }

    /// The update forbids what the response allowed: this request still has its answer, and nobody after it.
    private func withdraw(
        _ updated: CacheEntry,
        _ notStored: NotStoredReason,
        by reception: Reception,
        _ release: @Sendable (FlightResult) -> Void
    ) async -> Landing {
        cache.record(.notStored(cacheable.location.key, notStored))
        let result = noteUncacheable(because: notStored)
        if !notStored.isDueToRequest { await discardKept() }
        release(result)
        let source = Arrival.Source.validated(status: reception.head.status.code, notStored)
        let answer = answer(from: updated, source, received: reception.head.headerFields)
        return landingAlone(.success(answer), result, source.kind)
    }
}

extension CachePolicy {
    /// Whether a server can be asked about a stored response. "A recipient MUST ignore all received preconditions if
    /// its response to the same request without those conditions […] would have been a status code other than a 2xx
    /// (Successful) or 412 (Precondition Failed)" (RFC 9110 §13.2.1).
    package func canValidate(_ stored: HTTPResponse) -> Bool {
        asking == .server && stored.status.kind == .successful && Revalidation.hasValidator(stored.headerFields)
    }
}

extension Lifetimes {
    /// What is good for one answer, and never again.
    init(expiredAt moment: Timestamp) {
        self.init(
            born: moment,
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
