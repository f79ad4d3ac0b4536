/// A policy by reference: a copy of a ``CachePolicy`` counts one reference for each of its lists and texts, and each
/// request for a route would make one.
@usableFromInline
package final class SharedPolicy: Sendable {
    package let policy: CachePolicy

    @usableFromInline package init(_ policy: CachePolicy) {
        self.policy = policy
    }
}
