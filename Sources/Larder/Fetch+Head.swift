import HTTPCaching
import HTTPTypes
import NIOCore

/// Asking a server for a head alone.
extension Fetch {
    /// Asks for the head, and draws from it what it says of the kept response to GET (RFC 9111 §4.3.5). Nothing new is
    /// stored: a body is missing.
    func runForHead() async -> Landing {
        var request = inquiry.fillRequest
        request.method = .head
        let reception: Reception
        do { reception = try await ask(request) } catch { return await failed(error) }
        let status = reception.head.status
        if status.kind == .serverError {
            noteFailure(status: status.code)
            if let landing = await serveKept(after: status.code) { return landing }
        } else {
            cache.memory.succeeded(asking.leveledKey)
        }
        if let kept, kept.head.status == .ok {
            let stored = kept.head.headerFields
            switch Revalidation.verdict(of: reception.head, on: stored, storedLength: kept.body.readableBytes) {
            case .updates: return await redate(kept, by: reception) { _ in }
            // "The cache SHOULD consider the stored response to be stale": it has changed, and what is kept of it could
            // neither be confirmed nor be worth much where the origin fails.
            case .invalidates: await cache.store.discard(kept)
            case .nothing: break
            }
        }
        // The client's conditions were not sent along; they are answered here.
        let head = cache.serving.head(
            inquiry.notModified(received: reception.head, at: reception.at) ?? reception.head,
            .forwarded(reason, status: status.code),
            policy: inquiry.policy,
            at: reception.at
        )
        return landingAlone(.success(O.Response(headOnly: head)), .unsharable)
    }
}
