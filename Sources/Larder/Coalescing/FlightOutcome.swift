import HTTPCaching
import HTTPTypes

/// The outcome of a flight, and the conditions on which waiters may have it.
///
/// There are two conditions. ``FlightTable`` calls ``mayServe(lookupAt:)``, which compares versions of the log, and
/// resumes the waiters for which it returns true. The cache then calls ``mayAnswer(_:joinedAt:with:_:)``, which
/// compares the response with the waiter's request. If it returns false, the request looks up again.
struct FlightOutcome: Sendable {
    /// A response, or the failure in its place.
    enum Content: Sendable {
        /// A whole response that other requests may have as well.
        case entry(CacheEntry, Source)
        /// The origin failed for every request that had joined by then.
        /// The tags are those of the values that the origin had used by then.
        case failure(any Error, tags: [CacheTag])
    }

    /// The way in which the response was obtained.
    enum Source: Sendable {
        /// The response was fetched, and stored unless there is a reason.
        case fetched(status: Int, NotStoredReason?)
        /// The stored response was confirmed or updated by the origin's response with this status.
        case validated(status: Int, NotStoredReason?)
        /// The stored response is served because the origin failed, with this status or without any.
        case staleOnError(status: Int?)
        /// The stored response is served because the origin failed a short while ago and is not asked again yet.
        case stalePaused
        /// The stored response is served because the origin takes longer than the policy's soft timeout.
        case staleOnSoftTimeout
    }

    let content: Content
    /// The version of the log that was read before the origin was asked for the response.
    let readVersion: LogVersion
    /// The validity of the response on the flight's completion, compared with all its scopes, late tags included.
    let validity: Validity
    /// The time at which the origin answered, or was seen to fail.
    let answeredAt: Timestamp

    /// Returns true if a request whose look-up read this version of the log may have the response
    /// (docs/invalidation.md, rule 7): if the version is not above the flight's read version, or if the response is
    /// valid and was compared at a version that is not below it.
    func mayServe(lookupAt version: LogVersion) -> Bool {
        guard version.epoch == readVersion.epoch else { return false }
        if version.number <= readVersion.number { return true }
        return validity.isValid && validity.checkedVersion.epoch == version.epoch
            && version.number <= validity.checkedVersion.number
    }

    /// Returns true if the origin answered after a request joined at `moment`, so that the response answers that
    /// request as well.
    func answers(joinedAt moment: Timestamp) -> Bool { moment <= answeredAt }

    /// Returns true if a request that joined at `moment` may have the entry of the flight.
    ///
    /// "A cache can use a response that is stored or storable to satisfy multiple requests, provided that it is allowed
    /// to reuse that response for the requests in question" (RFC 9111 §4). A request that joined after the origin had
    /// answered may have the response as from the store. After a failure, a stale response may be allowed for one
    /// request and not for another.
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
        // A failure is shared, as a thrown error is, with the requests that waited for it, and not with later ones.
        case .fetched(_, .unconfirmedError): return answers(joinedAt: moment)
        case .fetched(let status, .some) where status >= 500: return answers(joinedAt: moment)
        default:
            guard cacheable.policy.mayShare(entry) else { return false }
            return answers(joinedAt: moment) || entry.mayBeReused(for: cacheable, at: moment)
        }
    }

    /// True if the flight stored a response, or updated a stored one.
    var isStored: Bool {
        switch content {
        case .entry(_, .fetched(_, nil)), .entry(_, .validated(_, nil)): true
        case .entry, .failure: false
        }
    }
}

extension FlightOutcome {
    /// The end of the flight. A failure that is not stored, and that the leader's request may have caused, is shared
    /// only if another request gets one as well. Every other result is shared, even one that an invalidation has
    /// overtaken: the table compares the versions for each waiter.
    var completion: FlightCompletion {
        guard case .entry(_, .fetched(let status, .some)) = content,
            HTTPResponse.Status(code: status).mayBeFailureDueToRequest
        else { return .shared(self) }
        return .failed(self)
    }
}

// MARK: - Ends of flights and of waits

/// The end of a flight, as far as it concerns the waiters of its key.
enum FlightCompletion: Sendable {
    /// Every waiter gets the result that may have it by the rules of docs/invalidation.md ("Waiters"), even if an
    /// invalidation has overtaken the result and it was not stored.
    case shared(FlightOutcome)
    /// The flight failed, and the leader's request may be the cause: the failure is shared only if the next flight
    /// fails as well.
    case failed(FlightOutcome)
    /// This response may not be shared, and probably neither may the next ones for the key: each waiter fetches for
    /// itself, all at once.
    case unsharable
    /// This response may not be shared, and the next one may be: the waiters fetch for themselves, a few at a time,
    /// until one of them gets a response for all.
    case leaderOnly
    /// The leader did not fetch, or its fetch was abandoned.
    case abandoned
}

/// The next step of a request that found no usable response, at once or after it has waited.
enum WaitOutcome: Sendable {
    /// The request leads this flight: it fetches now, and the flight is completed with its result.
    case lead(FlightID)
    /// The request looks up again. It leads the flight, if there is one, unless it finds a response then.
    case lookUpAgain(leading: FlightID?)
    /// The request fetches without a flight: its response may not be shared, too many flights are under way, or too
    /// many requests wait.
    case fetchAlone
    /// A flight was completed with this outcome.
    case completed(FlightOutcome)
    /// The request's soft timeout is over: it gets the stale response.
    case softTimeout
    /// The request's task was cancelled.
    case cancelled
}
