import HTTPCaching
import HTTPTypes
import Logging

/// The lines at level debug: one for each request, which says how it was answered and why, and one for each fetched
/// response, which says if it was stored. Without that level a request costs one comparison.
extension ResponseCache {
    /// True if the lines are logged.
    var logsRequests: Bool { logger.logLevel <= .debug }

    /// Answers a request, and logs how it was answered.
    func logging<Response: OriginResponse>(
        _ request: HTTPRequest,
        _ decision: RequestDecision,
        _ answer: () async throws -> Response
    ) async throws -> Response {
        guard logsRequests else { return try await answer() }
        var metadata: Logger.Metadata = [:]
        if let path = request.path {
            metadata["request"] = "\(request.method.rawValue) \(PercentEncoding.printable(path))"
        }
        if case .lookUp(let cacheable) = decision { metadata["key"] = "\(cacheable.location.key)" }
        do {
            let response = try await answer()
            metadata["status"] = "\(response.head.status.code)"
            // The status was added to the head just now. Responses of frameworks have no place for it as a value.
            if let status = CacheStatus(of: serving.name, in: response.head.headerFields) {
                metadata["result"] = "\(RequestResult(status).rawValue)"
                if let reason = status.forwardReason { metadata["reason"] = "\(reason.rawValue)" }
                if let detail = status.detail { metadata["detail"] = "\(detail)" }
            }
            logger.debug("A request was answered", metadata: metadata)
            return response
        } catch {
            metadata["result"] = "\(RequestResult.error.rawValue)"
            metadata["error"] = "\(error)"
            logger.debug("A request failed", metadata: metadata)
            throw error
        }
    }

    /// Logs a hit on a fresh response in the memory of this process.
    func logHit(_ key: CacheKey) {
        logger.debug(
            "A request was answered",
            metadata: ["key": "\(key)", "result": "\(RequestResult.hit.rawValue)"]
        )
    }

    /// Logs a request for a stored value that did not find one.
    func logMiss(_ key: CacheKey) {
        logger.debug(
            "A request was answered",
            metadata: [
                "key": "\(key)", "result": "\(RequestResult.miss.rawValue)",
                "detail": "\(CacheEvent.Miss.onlyIfCached.rawValue)",
            ]
        )
    }

    /// Logs an event of a fetch: what became of the response.
    func log(_ event: CacheEvent) {
        switch event {
        case .stored(let key, let cost):
            logger.debug("A response was stored", metadata: ["key": "\(key)", "bytes": "\(cost)"])
        case .validated(let key): logger.debug("A stored response was validated", metadata: ["key": "\(key)"])
        case .notStored(let key, let reason):
            logger.debug("A response was not stored", metadata: ["key": "\(key)", "reason": "\(reason.detail)"])
        case .refreshFailed(let key): logger.debug("A refresh failed", metadata: ["key": "\(key)"])
        case .hit, .miss, .bypassed, .invalidated, .invalidationPending: break
        }
    }
}
