import HTTPCaching
import HTTPTypes
import Larder
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// The hits of a server that are answered before middleware runs.
///
/// The response is the one that the cache makes for the request, with the fields that Hummingbird adds to every
/// response.
final class FastLane: Sendable {
    private let cache: ResponseCache
    private let serverName: String?
    /// The hits that were answered lately.
    private let hits = HitTable()

    init(_ cache: ResponseCache, serverName: String?) {
        self.cache = cache
        self.serverName = serverName
    }

    /// Returns the response to a request without content; nil if the application is to answer it.
    func response(to head: HTTPRequestHead) -> EncodedResponse? {
        let now = cache.now
        if let known = hits.find(head) {
            if known.dateSecond == now.secondsSinceEpoch, let entry = cache.repeat(known.hit) {
                return known.response(from: entry)
            }
            hits.forget(known, for: head)
        }
        guard let request = try? HTTPRequest(head, secure: false, splitCookie: false),
            let policy = cache.earlyTargets.policy(for: request),
            let (response, hit) = cache.respondAtOnce(to: request, under: policy, encodedBy: { encode($0, at: now) })
        else { return nil }
        if let hit,
            let repeatable = RepeatableResponse(hit, response, dateSecond: now.secondsSinceEpoch),
            let signature = HeadSignature(head, deciding: hit.vary?.union(policy.decidingFields), room: 0)
        {
            hits.remember(repeatable, as: signature, for: head)
        }
        return response
    }

    private func encode(_ served: ServedResponse, at now: Timestamp) -> EncodedResponse? {
        var head = served.head
        head.headerFields[.date] = HTTPDate.format(now)
        if let serverName { head.headerFields[.server] = serverName }
        return EncodedResponse(served, head: head)
    }
}
