package import HTTPCaching
package import HTTPTypes
import NIOCore

/// A hit, in the form in which equal requests can be answered again without a decision.
///
/// The response to a request depends on the request, on the policy, on the entries that the store finds under the key,
/// and on the time, which shows in `Age`, in the ttl of `Cache-Status`, and in the end of freshness. So the response to
/// an equal request is the same as long as the store finds the same entries and none of these numbers changes.
package struct RepeatableHit: Sendable {
    /// A reference that does not hold the memory of the entry.
    private struct Reference: Sendable {
        weak let entry: CacheEntry?
    }

    let location: EntryLocation
    let route: RouteStatistics?
    /// The entries that the store found, in its order.
    private let found: [Reference]
    /// The place of the entry that answers the request.
    private let place: Int
    /// The times between which the response is the same.
    private let validity: Range<Timestamp>
    /// The names of the fields by which the entries vary; nil if some vary by anything.
    package let vary: Set<HTTPField.Name>?

    fileprivate init?(
        _ entry: CacheEntry,
        among found: [CacheEntry],
        for cacheable: CacheableRequest,
        _ now: Timestamp
    ) {
        guard let place = found.firstIndex(where: { $0 === entry }) else { return nil }
        self.location = cacheable.location
        self.route = cacheable.sharedPolicy.route
        self.found = found.map { Reference(entry: $0) }
        self.place = place
        let lifetimes = entry.lifetimes
        let end = min(
            lifetimes.generatedAt.advanced(by: .seconds(lifetimes.age(at: now) + 1)),
            lifetimes.freshUntil.advanced(by: .seconds(1 - lifetimes.ttl(at: now)))
        )
        self.validity = now..<max(now, end)
        var names: Set<HTTPField.Name>? = []
        for entry in found {
            switch entry.vary {
            case .nothing: break
            case .fields(let fields): names?.formUnion(fields)
            case .everything: names = nil
            }
        }
        self.vary = names
    }

    /// Returns the entry that answers the request; nil if the response may be another than before.
    fileprivate func entry(among entries: [CacheEntry], at now: Timestamp) -> CacheEntry? {
        guard validity.contains(now), entries.count == found.count else { return nil }
        for place in entries.indices where entries[place] !== found[place].entry { return nil }
        return entries[place]
    }
}

extension ResponseCache {
    /// Answers a request with a fresh response from the memory of this process, without waiting. Returns nil, and
    /// counts nothing, if there is none.
    /// - Parameter encode: Makes the response in the form in which it is sent; returns nil if it is to be sent in the
    ///   ordinary way.
    /// - Returns: The encoded response, and the hit in a form in which it can be repeated; that is nil if the request
    ///   has directives, which are compared with the exact time.
    package func respondAtOnce<Encoded>(
        to request: HTTPRequest,
        for user: String? = nil,
        under policy: SharedPolicy,
        encodedBy encode: (ServedResponse) -> Encoded?
    ) -> (Encoded, RepeatableHit?)? {
        guard case .lookUp(let cacheable) = RequestDecision.decide(request, user: user, policy: policy) else {
            return nil
        }
        let now = clock.now
        guard let (entry, found) = findFresh(cacheable, at: now),
            let encoded = encode(serving.answer(entry, to: cacheable, at: now, .hit, in: []))
        else { return nil }
        recordHit(entry, cacheable)
        // A hit on an object that the store does not hold cannot be repeated: the next one makes another object.
        guard cacheable.directives == .none, entry.isHeldByStore else { return (encoded, nil) }
        return (encoded, RepeatableHit(entry, among: found, for: cacheable, now))
    }

    /// The time by the clock of the cache.
    package var now: Timestamp { clock.now }

    /// Counts a hit again and returns the entry that answers it; nil, and counts nothing, if the response may be
    /// another than before.
    package func `repeat`(_ hit: RepeatableHit) -> CacheEntry? {
        let (arrival, now) = (NIODeadline.now(), clock.now)
        guard let entries = store.find(hit.location, at: now), let entry = hit.entry(among: entries, at: now),
            entry.take(from: inFlight)
        else { return nil }
        // The least recently used variant of a key is evicted first.
        if entries.count > 1 { entry.markUsed() }
        recordHit(entry, hit.location.key, of: hit.route, since: arrival)
        return entry
    }
}

extension SharedPolicy {
    /// The names of the request fields that decide how a request is answered under this policy, besides `Cookie`,
    /// `Cache-Control`, conditions, ranges and those that describe content.
    package var decidingFields: Set<HTTPField.Name> {
        Set(policy.keys.fields + policy.rules.credentialFields + (policy.bypassRule?.fields ?? []))
    }
}
