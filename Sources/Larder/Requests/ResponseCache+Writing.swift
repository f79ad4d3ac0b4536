import HTTPCaching
package import HTTPTypes

extension ResponseCache {
    /// Forwards a write, invalidates what it may have changed, and returns the origin's response once the invalidation
    /// is acknowledged or its deadline has passed.
    ///
    /// The invalidation is carried out even if the client leaves meanwhile, since the write may be committed
    /// nevertheless. It does not resume requests that wait for a fetch. When the fetch completes, it is compared with
    /// the log (``FlightTable``).
    /// - Throws: The origin's error, unchanged.
    func write<O: Origin>(
        _ request: HTTPRequest,
        under shared: SharedPolicy,
        to origin: O
    ) async throws -> O.Response {
        let policy = shared.policy
        var response: O.Response
        do { response = try await forward(to: origin, as: .write, of: shared.route) } catch {
            var status = origin.status(of: error)
            // The client has left, and the response is lost: a status that stands for this says nothing about the
            // origin.
            if Task.isCancelled, status?.kind == .serverError { status = nil }
            let mayHaveArrived = origin.mayHaveReceivedRequest(failedWith: error)
            let outcome = WriteOutcome.failed(status, mayHaveArrived: mayHaveArrived)
            await invalidate(policy.invalidated(by: request, outcome))
            throw error
        }
        // The write is done even if the invalidation is pending: the client gets the origin's response.
        let result = await invalidate(policy.invalidated(by: request, .answered(response.head)))
        response.take(
            serving.head(
                response.head,
                .forwarded(.method, status: response.head.status.code),
                in: FetchContext.frames,
                detail: result == .pending ? "invalidation-pending" : nil,
                policy: policy,
                at: clock.now
            )
        )
        return response
    }
}

/// The result of a write, as far as its invalidation depends on it.
package enum WriteOutcome: Sendable {
    /// The origin answered with this head.
    case answered(HTTPResponse)
    /// The origin threw an error that stands for this status, or for no status.
    case failed(HTTPResponse.Status?, mayHaveArrived: Bool)
}

extension CachePolicy {
    /// Returns the scopes that a write with this outcome invalidates: its own path and those that the policy names, or
    /// none.
    func invalidated(by request: HTTPRequest, _ outcome: WriteOutcome) -> [InvalidationScope] {
        let targets = targets(changedBy: request, outcome)
        return targets.isEmpty ? [] : targets.flatMap { keys.scopes(of: $0, for: request) } + invalidated
    }

    /// Returns the targets (path and query, on the origin of the request) that a write with this outcome may have
    /// changed.
    ///
    /// "A cache MUST invalidate the target URI when it receives a non-error status code in response to an unsafe
    /// request method (including methods whose safety is unknown)." (RFC 9111 §4.4) After an error a handler or server
    /// may nevertheless have changed something, unless the error says that the request was refused (4xx).
    package func targets(changedBy request: HTTPRequest, _ outcome: WriteOutcome) -> [String] {
        guard Invalidation.isUnsafe(request.method) else { return [] }
        let mayHaveChanged: Bool
        switch outcome {
        case .answered(let response) where Invalidation.succeeded(response.status):
            var request = request
            // Clients of a handler may use another scheme than this server, behind a proxy that ends TLS, and their
            // keys have none.
            if originKind == .handler { request.scheme = nil }
            return Invalidation.targets(request: request, response: response)
        case .answered(let response): mayHaveChanged = invalidates(after: response.status)
        case .failed(_, mayHaveArrived: false): mayHaveChanged = false
        case .failed(let status?, _): mayHaveChanged = invalidates(after: status)
        // A 502 or 504 stands for a server that was sent the request and did not answer.
        case .failed(nil, _): mayHaveChanged = originKind == .server || invalidatesOnError
        }
        return mayHaveChanged ? [Invalidation.target(of: request)] : []
    }

    private func invalidates(after status: HTTPResponse.Status) -> Bool {
        if Invalidation.succeeded(status) { return true }
        switch status.code {
        case 400..<500: return false
        case 502, 504: return true
        default: return invalidatesOnError
        }
    }
}
