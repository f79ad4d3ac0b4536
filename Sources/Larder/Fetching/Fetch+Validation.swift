import HTTPCaching
package import HTTPTypes

/// The validation of stored responses by a server (RFC 9111 §4.3).
extension Fetch {
    /// The request for the origin: conditional if the stored response has a validator and the origin is a server.
    ///
    /// Only the variant that the request selects is validated. Entity tags of the others could be sent with it, but
    /// some servers give one tag to several variants, and a 304 would serve the wrong one.
    var validatingRequest: HTTPRequest {
        var request = cacheable.fillRequest
        if let stored = validatable {
            Revalidation.makeConditional(&request.headerFields, validating: [stored.head.headerFields])
        }
        return request
    }

    /// The stored response, if a server can validate it.
    private var validatable: CacheEntry? {
        stored.flatMap { cacheable.policy.canValidate($0.head) ? $0 : nil }
    }

    /// Returns what the origin's response to ``validatingRequest`` says about the stored response.
    func validation(by fetched: Fetched) -> ValidationResult {
        guard fetched.head.status == .notModified, let stored = validatable else { return .none }
        let index = Revalidation.index(of: fetched.head.headerFields, among: [stored.head.headerFields])
        return index == nil ? .unrelated : .confirmed(stored)
    }

    /// Stores a response that the origin confirmed, with the fields and times of the 304 (RFC 9111 §3.2) and with the
    /// read version of this fetch. The 304 never updates the response that is in the store by now, since the origin was
    /// not asked about that ("wrong entry re-dated" in docs/invalidation.md).
    mutating func freshen(_ stored: CacheEntry, by fetched: Fetched) async -> FetchResult<O.Response> {
        let rules = cacheable.policy.rules
        let update = fetched.head.headerFields
        let fields = Revalidation.updatedFields(
            of: stored.head.headerFields,
            from: update,
            rules: rules,
            receivedAt: fetched.receivedAt
        )
        let head = HTTPResponse(status: stored.head.status, headerFields: fields)
        let named = rules.tagFields.contains(where: update.contains) ? tags(in: update) : nil
        // The tags of the stored response were found acceptable, with their pairs.
        let paired = named.map { cacheable.policy.pairing($0.tags) } ?? stored.tags
        let directives = directives(of: head)
        let storability = storability(of: head, directives, in: fetched)
        var lifetimes = Lifetimes(expiredAt: fetched.receivedAt)
        var notStored = named?.notStoredReason(limit: cacheable.policy.tagLimit)
        if notStored == nil, paired == nil { notStored = .tooManyTags }
        switch storability {
        case .store(let updated): if notStored == nil { lifetimes = updated }
        case .notStorable(let reason): notStored = .notStorable(reason)
        }
        let entry = entry(
            head,
            directives,
            body: stored.body,
            lifetimes: lifetimes,
            tags: paired ?? named?.tags ?? [],
            receivedAt: fetched.receivedAt,
            confirmed: stored
        )
        if let notStored { return await withdraw(entry, because: notStored, by: fetched) }
        if !lifetimes.mayAnswerOthers { flight?.release(.unsharable) }
        let (validity, reason) = await save(entry, isNew: false)
        let source = FlightOutcome.Source.validated(status: fetched.head.status.code, reason)
        return result(of: entry, source, validity, answeredAt: fetched.receivedAt, received: update)
    }

    /// Handles an update that forbids storing a response that could be stored before: this request still gets the
    /// response, and later ones do not.
    private mutating func withdraw(
        _ updated: CacheEntry,
        because notStored: NotStoredReason,
        by fetched: Fetched
    ) async -> FetchResult<O.Response> {
        record.events.append(.notStored(cacheable.location.key, notStored))
        let completion = noteUncacheable(because: notStored)
        if !notStored.isDueToRequest { await removeStored() }
        let source = FlightOutcome.Source.validated(status: fetched.head.status.code, notStored)
        return FetchResult(
            leader: leaderResponse(from: updated, source, received: fetched.head.headerFields),
            completion: completion
        )
    }
}

/// The meaning of the origin's response for the stored response that it was to validate.
enum ValidationResult {
    /// The origin sent a whole response.
    case none
    /// The origin confirmed the stored response.
    case confirmed(CacheEntry)
    /// The origin sent a 304 that is not about the stored response.
    case unrelated
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
            storedUntil: moment,
            source: .none,
            mustRevalidate: true
        )
    }
}
