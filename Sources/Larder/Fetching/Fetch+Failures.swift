import HTTPCaching
import HTTPTypes

/// The handling of origins that fail.
extension Fetch {
    /// Handles an error that the origin threw.
    mutating func failed(_ error: any Error) async -> FetchResult<O.Response> {
        // If the fetch was abandoned, the origin has not failed.
        if FetchContext.fetch?.isAbandoned == true {
            return FetchResult(leader: .failure(CancellationError()), completion: .abandoned)
        }
        let moment = now
        let status = origin.status(of: error)
        // An error that stands for a status below 500 is the handler's response, and not a failure. It is only for the
        // request that caused it.
        if let status, status.kind != .serverError {
            await removeStored(replacedBy: status)
            pauseRefreshes(after: status)
            return FetchResult(leader: .failure(error), completion: .leaderOnly)
        }
        noteFailure(status: status?.code)
        if let result = await serveStored(afterFailure: status?.code) { return result }
        let failure = mustAnswerDisconnected(status) ? DisconnectedError(underlying: error) : error
        let tags = valueTags
        let outcome = FlightOutcome(
            content: .failure(failure, tags: tags),
            readVersion: readVersion,
            validity: await store.validity(of: readVersion, scopes: cacheable.location.scopes(with: tags)),
            answeredAt: moment
        )
        return FetchResult(
            leader: .failure(failure),
            completion: origin.mayBeDueToRequest(error) ? .failed(outcome) : .shared(outcome)
        )
    }

    /// Returns true if the origin is a server that did not answer, and the stored response may not be served: the
    /// client gets "an error response rather than […] the stale response" (RFC 9111 §5.2.2.2).
    private func mustAnswerDisconnected(_ status: HTTPResponse.Status?) -> Bool {
        cacheable.policy.originKind == .server && status == nil && stored?.lifetimes.mustRevalidate == true
    }

    /// Serves the stored response after a failure of the origin (RFC 5861 §4); returns nil if it may not be served.
    func serveStored(afterFailure status: Int?) async -> FetchResult<O.Response>? {
        let moment = now
        guard let stored, stored.mayBeServed(to: cacheable, afterFailure: status, at: moment) else { return nil }
        // A response that was invalidated meanwhile is never served stale.
        let validity = await validity(of: stored)
        guard validity.isValid else { return nil }
        return result(of: stored, .staleOnError(status: status), validity, answeredAt: moment)
    }

    /// Notes the failure, so that the origin is not asked again at once while a stored response can be served.
    mutating func noteFailure(status: Int?) {
        record.notes.append(.failed(status: status))
        if leader == nil { record.events.append(.refreshFailed(cacheable.location.key)) }
    }

    /// Notes that the origin has answered, and has sent the whole body if that is captured: its failures are forgotten.
    mutating func noteSuccess(status: HTTPResponse.Status) {
        guard status.kind != .serverError, !status.isDueToRequest else { return }
        record.notes.append(.answered)
    }

    /// Notes that a refresh was refused while the stored response remains, so that not every stale hit starts another
    /// refresh.
    mutating func pauseRefreshes(after status: HTTPResponse.Status) {
        guard leader == nil, status.isDueToRequest else { return }
        record.notes.append(.failed(status: status.code))
        record.events.append(.refreshFailed(cacheable.location.key))
    }
}

extension HTTPResponse.Status {
    /// True if the status is an error that the request itself may have caused: not one that describes the resource, or
    /// says that the server is overloaded, down or slow (408, 425, 429, 503, 504).
    var mayBeFailureDueToRequest: Bool {
        guard kind == .serverError || isDueToRequest else { return false }
        return ![408, 425, 429, 503, 504].contains(code)
    }
}
