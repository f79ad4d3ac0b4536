import Synchronization

/// A policy by reference: a copy of a ``CachePolicy`` counts one reference for each of its lists and texts, and each
/// request for a route would make one.
@usableFromInline
package final class SharedPolicy: Sendable {
    package let policy: CachePolicy
    private let knownRoute = AtomicLazyReference<RouteStatistics>()

    @usableFromInline package init(_ policy: CachePolicy) {
        self.policy = policy
    }

    /// Creates a variant of a policy for some requests of its route.
    package convenience init(_ policy: CachePolicy, of route: RouteStatistics?) {
        self.init(policy)
        if let route { setRoute(route) }
    }

    /// The counts of the route that the policy belongs to; nil if it is not known, or if there is none.
    package var route: RouteStatistics? { knownRoute.load() }

    /// Sets the counts of the route that the policy belongs to. Only the first call has an effect.
    package func setRoute(_ route: RouteStatistics) { _ = knownRoute.storeIfNil(route) }
}
