import HTTPCaching
import HTTPTypes

/// What a flight brought, and how far it may be trusted.
struct Arrival: Sendable {
    enum Outcome: Sendable {
        /// A whole response that others may have as well.
        case entry(CacheEntry, Source)
        /// The origin failed; so it did for every request that had joined by then.
        case failure(any Error)
    }

    enum Source: Sendable {
        /// Fetched, and stored unless there is a reason.
        case fetched(status: Int, NotStoredReason?)
        /// Kept from before, and confirmed or brought up to date by the origin's answer with this status.
        case validated(status: Int, NotStoredReason?)
        /// Kept from before, because the origin failed: with this status, or without any.
        case staleOnError(status: Int?)
        /// Kept from before, because the origin failed a short while ago and is not asked again so soon.
        case stalePaused
        /// Kept from before, because the origin takes longer than the policy's soft timeout.
        case staleOnSoftTimeout
    }

    let outcome: Outcome
    /// The version of the log when what it brings was begun.
    let readVersion: LogVersion
    /// What the log said of it on landing, its late tags among the scopes.
    let verdict: Verdict
    /// When the origin answered, or was seen to fail.
    let answeredAt: Timestamp

    /// Whether a request that looked up at `lookup` may have it: it looked before anything could have overtaken the
    /// flight, or nothing has, as far as the log had come when it looked (PROTOCOL.md, C06 and C07).
    func mayServe(_ lookup: LogVersion) -> Bool {
        guard lookup.epoch == readVersion.epoch else { return false }
        if lookup.number <= readVersion.number { return true }
        return verdict.isAlive && verdict.said.epoch == lookup.epoch && lookup.number <= verdict.said.number
    }

    /// Returns true if the origin answered after a request joined at `moment`, and so answered it as well.
    func answers(joinedAt moment: Timestamp) -> Bool { moment <= answeredAt }

    /// Returns true if a request that joined at `moment` may have an entry that the flight brought.
    ///
    /// "A cache can use a response that is stored or storable to satisfy multiple requests, provided that it is allowed
    /// to reuse that response for the requests in question" (RFC 9111 §4). A request that joined after the origin had
    /// answered may have the response as from the store. A stale response may be served after a failure for the sake of
    /// one request and not of another.
    func mayAnswer(
        _ cacheable: CacheableRequest,
        joinedAt moment: Timestamp,
        with entry: CacheEntry,
        _ source: Source
    ) -> Bool {
        guard entry.matches(cacheable.request) else { return false }
        switch source {
        case .staleOnError(let status):
            return answers(joinedAt: moment) && entry.mayBeServed(to: cacheable, afterFailure: status, at: answeredAt)
        // A failure is shared with those who waited for it, as a thrown error is, and with nobody after them.
        case .fetched(let status, .some) where status >= 500: return answers(joinedAt: moment)
        default:
            guard cacheable.policy.mayShare(entry) else { return false }
            return answers(joinedAt: moment) || entry.mayBeReused(for: cacheable, at: moment)
        }
    }

    /// Whether the store has something new by it.
    var isStored: Bool {
        switch outcome {
        case .entry(_, .fetched(_, nil)), .entry(_, .validated(_, nil)): true
        case .entry, .failure: false
        }
    }
}

extension Arrival.Source {
    /// True if it is a failure that is not stored, and that the request which was sent may have caused.
    var mayBeDueToRequest: Bool {
        guard case .fetched(let status, .some) = self else { return false }
        return HTTPResponse.Status(code: status).mayBeFailureDueToRequest
    }
}
