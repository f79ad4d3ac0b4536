import HTTPCaching
import HTTPTypes

/// The handling of responses that are not stored.
extension Fetch {
    /// Handles a response that is not stored. An error of the server is nevertheless shared with the requests that wait
    /// for it, as a thrown error is, unless the response forbids it.
    mutating func answerUnstored(
        _ fetched: Fetched,
        because notStored: NotStoredReason
    ) async -> FetchResult<O.Response> {
        guard isSharableFailure(fetched), fetched.response.bodyLength ?? 0 <= cacheable.policy.bodyLimit.bytes else {
            return await answerLeaderAlone(fetched, because: notStored)
        }
        record.events.append(.notStored(cacheable.location.key, notStored))
        return await capture(fetched, Lifetimes(expiredAt: fetched.receivedAt), notStored: notStored)
    }

    /// Returns true if a response is an error of the server that would be stored if it had a lifetime.
    func isSharableFailure(_ fetched: Fetched) -> Bool {
        guard fetched.head.status.kind == .serverError else { return false }
        // "The no-cache response directive, in its unqualified form […], indicates that the response MUST NOT be used
        // to satisfy any other request without forwarding it for validation" (RFC 9111 §5.2.2.4).
        guard fetched.directives.noCache != .response else { return false }
        // A page that was made for one cookie may not be right for requests with another cookie.
        if fetched.request.headerFields.contains(.cookie), !cacheable.isForUser, !fetched.directives.isPublic {
            return false
        }
        var rules = cacheable.policy.rules
        rules.storableStatuses = .everyFinal
        rules.requiresExplicitPermission = false
        switch storability(of: fetched.head, fetched.directives, in: fetched, by: rules) {
        case .store: return true
        case .notStorable(let reason): return reason == .noFreshness
        }
    }

    /// Handles a response that is neither stored nor shared: the leader gets it unchanged, and the waiters fetch for
    /// themselves.
    mutating func answerLeaderAlone(
        _ fetched: Fetched,
        because notStored: NotStoredReason
    ) async -> FetchResult<O.Response> {
        let status = fetched.head.status
        record.events.append(.notStored(cacheable.location.key, notStored))
        if notStored == .notStorable(.authorization) { record.notes.append(.personal) }
        noteSuccess(status: status)
        pauseRefreshes(after: status)
        var completion = FlightCompletion.leaderOnly
        if status.kind != .serverError, !notStored.isDueToRequest {
            await removeStored(replacedBy: status)
            if !status.isDueToRequest { completion = noteUncacheable(because: notStored) }
        }
        return FetchResult(leader: unstored(fetched.response, because: notStored), completion: completion)
    }

    /// Returns the response that the leader would get without the cache: the fetched one, or the origin's response to
    /// the client's range or condition, which the fetch did not send.
    func unstored(
        _ response: O.Response,
        because notStored: NotStoredReason
    ) -> FetchResult<O.Response>.LeaderResponse {
        let mayAnswerOtherwise =
            cacheable.hasRange && response.head.status == .ok
            || cacheable.notModified(received: response.head, at: now) != nil
        if mayAnswerOtherwise { return .forward(because: notStored) }
        let head = leaderHead(response.head, because: notStored)
        if cacheable.isHead { return .response(O.Response(headOnly: head), .led) }
        var response = response
        response.take(head)
        return .response(response, .led)
    }

    /// Returns true if the next responses for the key will probably not be stored either. While the stored response is
    /// fresh, one response does not say so: one client's request would have all other requests ask the origin, each by
    /// itself.
    private func makesUncacheable(_ notStored: NotStoredReason) -> Bool {
        notStored.isLasting && !notStored.isDueToRequest && !isStoredFresh
    }

    /// Notes that responses for the key are not stored, if the reason says so.
    /// - Returns: The end of the flight for the requests that wait.
    mutating func noteUncacheable(because notStored: NotStoredReason) -> FlightCompletion {
        guard makesUncacheable(notStored) else { return .leaderOnly }
        record.notes.append(.uncacheable)
        return .unsharable
    }

    /// Records, while the body is still arriving, that the response will not be stored, and releases the waiters.
    /// - Parameter alreadyNotStored: True if the response was only for the requests that wait.
    func stopStoring(because notStored: NotStoredReason, alreadyNotStored: Bool) {
        guard !alreadyNotStored else {
            flight?.release(.leaderOnly)
            return
        }
        // A lack of memory does not mean that the next response will not be stored.
        let isLasting = makesUncacheable(notStored)
        report(
            FetchRecord(
                events: [.notStored(cacheable.location.key, notStored)],
                notes: isLasting ? [.uncacheable] : []
            )
        )
        flight?.release(isLasting ? .unsharable : .leaderOnly)
    }
}
