import HTTPCaching
import HTTPTypes

extension ResponseCache {
    /// Forwards a request to the origin, and stores nothing.
    func bypass<O: Origin>(
        because reason: BypassReason,
        under shared: SharedPolicy,
        to origin: O
    ) async throws -> O.Response {
        record(.bypassed(reason), of: shared.route)
        var response = try await forward(to: origin, as: .bypass, of: shared.route)
        let outcome = CacheStatus.Outcome.forwarded(
            reason == .method ? .method : .bypass,
            status: response.head.status.code
        )
        response.take(
            serving.head(
                response.head,
                outcome,
                in: FetchContext.frames,
                detail: reason.rawValue,
                policy: shared.policy,
                at: clock.now
            )
        )
        return response
    }

    /// Returns the response to a request that only a stored response may answer, if there is none.
    func unavailable<Response: OriginResponse>(
        _ cacheable: CacheableRequest,
        because reason: CacheStatus.ForwardReason
    ) -> Response {
        // RFC 9111 §5.2.1.7: "a cache SHOULD […] respond with a 504 (Gateway Timeout) status code".
        record(.miss(cacheable.location.key, .onlyIfCached), for: cacheable)
        let head = serving.head(
            HTTPResponse(status: .gatewayTimeout, headerFields: [.contentLength: "0"]),
            .forwarded(reason),
            in: FetchContext.frames,
            detail: CacheEvent.Miss.onlyIfCached.rawValue,
            policy: cacheable.policy,
            at: clock.now
        )
        return Response(headOnly: head)
    }
}
