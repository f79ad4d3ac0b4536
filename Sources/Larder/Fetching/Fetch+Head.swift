import HTTPCaching
import HTTPTypes
import NIOCore

/// Fetches that ask a server only for a head.
extension Fetch {
    /// Asks for the head, and updates or removes the stored response to GET by it (RFC 9111 §4.3.5). No new response is
    /// stored, since the body is missing.
    mutating func runForHead() async -> FetchResult<O.Response> {
        var request = cacheable.fillRequest
        request.method = .head
        let fetched: Fetched
        do { fetched = try await ask(request) } catch { return await failed(error) }
        let status = fetched.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let result = await serveStored(afterFailure: status.code) { return result }
        }
        noteSuccess(status: status)
        if let stored, stored.head.status == .ok {
            let fields = stored.head.headerFields
            switch Revalidation.comparison(of: fetched.head, on: fields, storedLength: stored.body.readableBytes) {
            case .updates: return await freshen(stored, by: fetched)
            // "The cache SHOULD consider the stored response to be stale": it has changed, and the stored one could not
            // be validated, and would be of little use when the origin fails.
            case .invalidates: await store.discard(stored)
            case .nothing: break
            }
        }
        // The client's conditions were not sent to the origin; they are answered here.
        let notModified = cacheable.notModified(received: fetched.head, at: fetched.receivedAt)
        let head = leaderHead(notModified ?? fetched.head, forwarded: status)
        return FetchResult(
            leader: .response(O.Response(headOnly: head), .led),
            completion: await completion(of: fetched)
        )
    }

    /// Returns the end of the flight for other HEAD requests that wait: they get the head if they could have the
    /// response to GET, were that stored.
    private mutating func completion(of fetched: Fetched) async -> FlightCompletion {
        let head = fetched.head
        switch storability(of: head, fetched.directives, in: fetched) {
        case .store(let lifetimes) where lifetimes.mayAnswerOthers: break
        case .notStorable where isSharableFailure(fetched): break
        case .notStorable(let reason) where head.status.kind != .serverError && !head.status.isDueToRequest:
            return noteUncacheable(because: .notStorable(reason))
        default: return .leaderOnly
        }
        var fields = HopByHop.storedFields(
            of: head.headerFields,
            directives: fetched.directives,
            receivedAt: fetched.receivedAt
        )
        for name in cacheable.policy.rules.tagFields { fields[name] = nil }
        let entry = CacheEntry(
            request: cacheable.request,
            head: HTTPResponse(status: head.status, headerFields: fields),
            body: ByteBuffer(),
            lifetimes: Lifetimes(expiredAt: fetched.receivedAt),
            readVersion: readVersion,
            location: cacheable.location,
            tags: fetched.tags.tags
        )
        let outcome = FlightOutcome(
            content: .entry(entry, .fetched(status: head.status.code, .notStorable(.method))),
            readVersion: readVersion,
            validity: await validity(of: entry),
            answeredAt: fetched.receivedAt
        )
        return outcome.completion
    }
}
