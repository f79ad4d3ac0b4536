import HTTPCaching
import HTTPTypes
import NIOCore

/// Fetches that ask a server only for a head.
extension Fetch {
    /// Asks for the head, and updates or removes the stored response to GET by it (RFC 9111 §4.3.5). No new response is
    /// stored, since the body is missing.
    func runForHead() async -> FetchResult {
        var request = cacheable.fillRequest
        request.method = .head
        let reception: Reception
        do { reception = try await ask(request) } catch { return await failed(error) }
        let status = reception.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let completion = await serveKept(after: status.code) { return completion }
        }
        noteSuccess(status: status)
        if let kept, kept.head.status == .ok {
            let stored = kept.head.headerFields
            switch Revalidation.comparison(of: reception.head, on: stored, storedLength: kept.body.readableBytes) {
            case .updates: return await redate(kept, by: reception) { _ in }
            // "The cache SHOULD consider the stored response to be stale": it has changed, and the stored one could not
            // be validated, and would be of little use when the origin fails.
            case .invalidates: await cache.store.discard(kept)
            case .nothing: break
            }
        }
        // The client's conditions were not sent to the origin; they are answered here.
        let head = cache.serving.head(
            cacheable.notModified(received: reception.head, at: reception.at) ?? reception.head,
            .forwarded(reason, status: status.code),
            policy: cacheable.policy,
            at: reception.at
        )
        return FetchResult(result: await shared(reception)) { [seat] in seat?.give(.success(O.Response(headOnly: head)))
        }
    }

    /// Returns the result for other HEAD requests that wait: the head, if they could have the response to GET if that
    /// were stored.
    private func shared(_ reception: Reception) async -> FlightCompletion {
        let head = reception.head
        switch storability(of: head, reception.directives, at: reception) {
        case .store(let lifetimes) where lifetimes.mayAnswerOthers: break
        case .notStorable where isSharableFailure(reception): break
        case .notStorable(let refusal) where head.status.kind != .serverError && !head.status.isDueToRequest:
            return noteUncacheable(because: .notStorable(refusal))
        default: return .refusedToLeader
        }
        var fields = HopByHop.storedFields(
            of: head.headerFields,
            directives: reception.directives,
            receivedAt: reception.at
        )
        for name in cacheable.policy.rules.tagFields { fields[name] = nil }
        let entry = CacheEntry(
            request: cacheable.request,
            head: HTTPResponse(status: head.status, headerFields: fields),
            body: ByteBuffer(),
            lifetimes: Lifetimes(expiredAt: reception.at),
            readVersion: readVersion,
            location: cacheable.location,
            tags: reception.tags.tags
        )
        return .shared(
            FlightOutcome(
                outcome: .entry(entry, .fetched(status: head.status.code, .notStorable(.method))),
                readVersion: readVersion,
                validity: await validity(of: entry),
                answeredAt: reception.at
            )
        )
    }
}
