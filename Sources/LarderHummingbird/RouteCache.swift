import Hummingbird
import Larder

/// The cache of a group of routes, its policy, and what is taken from requests and their context.
struct RouteCache<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let policy: CachePolicy
    var readers: ContextReaders<Context>
    /// The outermost call of `cached` that this comes from.
    var lineage = CacheLineage()
    /// True if hits are answered before middleware runs.
    var isBeforeMiddleware = false
    /// True if the context of a group around the routes may throw an error instead of letting a request through.
    var mayRefuse = false

    /// Returns the same cache and policy for routes whose context is made from this one.
    /// - Parameter mayRefuse: True if making the context may throw.
    func changingContext<Target: RequestContext>(to target: Target.Type, mayRefuse: Bool) -> RouteCache<Target> {
        var inner = ContextReaders<Target>()
        if !readers.isEmpty { inner.outer = OuterReaders(mayInvalidate: readers.mayInvalidate) }
        return RouteCache<Target>(
            cache: cache,
            policy: policy,
            readers: inner,
            lineage: lineage,
            isBeforeMiddleware: isBeforeMiddleware,
            mayRefuse: self.mayRefuse || mayRefuse
        )
    }
}

/// The identity of a call of `cached`, which the groups made from its group share.
final class CacheLineage: Sendable {}

/// The functions by which a group takes from a request, and from the context that the middleware has filled, what the
/// cache has to know.
struct ContextReaders<Context: RequestContext>: Sendable {
    /// A function that takes a value from a request and its context.
    typealias Reader<Value> = @Sendable (Request, Context) -> Value

    /// The function that returns the ID of the user; nil if the policy does not distinguish users.
    var user: Reader<String?>?
    /// The functions that return parts of the key, by the names of the parts.
    var parts: [(name: String, read: Reader<String?>)] = []
    /// The functions that return tags of the response.
    var tags: [Reader<[CacheTag]>] = []
    /// The functions that return scopes that a write invalidates.
    var invalidated: [Reader<[InvalidationScope]>] = []
    /// The functions that return true for requests that bypass the cache.
    var bypass: [Reader<Bool>] = []
    /// The functions of outer groups with another context, whose results are bound to the task; nil if there are none.
    var outer: OuterReaders?

    var isEmpty: Bool {
        user == nil && parts.isEmpty && tags.isEmpty && invalidated.isEmpty && bypass.isEmpty && outer == nil
    }

    /// True if a chain that was made by another call of `cached` does without these functions. If responses depend on a
    /// user whom the chain does not know, or on more than the user, or writes on more than their path, it would mix up
    /// responses.
    func areKnown(to chain: any CachingChain) -> Bool {
        let hasMore = !parts.isEmpty || !tags.isEmpty || !invalidated.isEmpty || !bypass.isEmpty || outer != nil
        return !hasMore && (user == nil || chain.readsUser)
    }

    /// True if clients may get different responses for the same target.
    var distinguishesClients: Bool { user != nil || !parts.isEmpty || outer != nil }

    /// True if a hit depends on these functions, which need the context that middleware has filled.
    var decideHits: Bool { distinguishesClients || !bypass.isEmpty }

    /// True if a function may return scopes that a write invalidates.
    var mayInvalidate: Bool { !invalidated.isEmpty || outer?.mayInvalidate == true }

    /// Returns what the functions take from a request.
    /// - Parameter isWrite: True if the request may invalidate something.
    func read(_ request: Request, _ context: Context, isWrite: Bool) -> RequestTraits {
        var traits = RequestTraits()
        if let outer { traits = OuterContext.traits?(request, isWrite) ?? .unknown(outer) }
        // An empty ID is nobody's: all clients without an ID would share it, whatever their credentials.
        if let user, let id = user(request, context) { traits.user = id.isEmpty ? .none : .id(id) }
        for part in parts {
            if let value = part.read(request, context) { traits.parts.append(KeyPart(part.name, value)) }
        }
        for tags in tags { traits.tags += tags(request, context) }
        if isWrite { for scopes in invalidated { traits.invalidated += scopes(request, context) } }
        traits.bypasses = traits.bypasses || bypass.contains { $0(request, context) }
        return traits
    }
}

/// The functions of outer groups, as far as an inner group knows them.
struct OuterReaders: Sendable {
    /// True if they may return scopes that a write invalidates.
    let mayInvalidate: Bool
}

/// The values that are taken from a request and its context.
struct RequestTraits: Sendable {
    var user = RequestUser.none
    var parts: [KeyPart] = []
    var tags: [CacheTag] = []
    var invalidated: [InvalidationScope] = []
    var bypasses = false

    /// Returns the traits of a request that has left the task which ``OuterContext`` was bound to. What its response
    /// depends on is not known, so that it bypasses the cache; nor is what a write invalidates, so that it is
    /// everything.
    static func unknown(_ outer: OuterReaders) -> RequestTraits {
        var traits = RequestTraits()
        traits.bypasses = true
        if outer.mayInvalidate { traits.invalidated = [.everything] }
        return traits
    }

    /// Returns the policy for the request.
    func apply(to shared: SharedPolicy) -> SharedPolicy {
        if parts.isEmpty, tags.isEmpty, invalidated.isEmpty, !bypasses { return shared }
        var policy = shared.policy
        policy.keys.parts += parts
        policy.tags += tags
        policy.invalidated += invalidated
        return SharedPolicy(bypasses ? policy.bypassing(.everything) : policy, of: shared.route)
    }
}

/// The user of a request.
enum RequestUser: Sendable {
    /// The user with this ID.
    case id(String)
    /// The request has no user, or the policy does not distinguish users.
    case none

    /// The ID of the user; nil if there is no user.
    var id: String? {
        if case .id(let id) = self { id } else { nil }
    }
}

/// Values that a route needs from the context of an outer group, bound to the task that handles a request.
enum OuterContext {
    /// A function that returns what the readers of the outer groups take from a request; nil in a task that no group
    /// has bound it to.
    @TaskLocal static var traits: (@Sendable (_ request: Request, _ isWrite: Bool) -> RequestTraits)?
}
