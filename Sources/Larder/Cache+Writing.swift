import HTTPCaching
import HTTPTypes

extension Cache {
    /// Passes a write on, and invalidates what it changed.
    func write<O: Origin>(
        _ request: HTTPRequest,
        under policy: CachePolicy,
        to origin: O
    ) async throws -> O.Response {
        var response = try await origin.forward()
        let targets = Invalidation.targets(request: request, response: response.head)
        if !targets.isEmpty {
            // The write is done, whatever becomes of the invalidation: its answer is the handler's.
            try? await invalidate(targets.map { policy.keys.cover(of: $0, for: request) } + policy.invalidated)
        }
        let outcome = CacheStatus.Outcome.forwarded(.method, status: response.head.status.code)
        response.head = serving.head(response.head, outcome, policy: policy, at: clock.now)
        return response
    }
}
