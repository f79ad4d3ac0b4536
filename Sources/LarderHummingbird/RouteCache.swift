import Hummingbird
import Larder

/// The cache of a group of routes, its policy, and what is taken from requests and their context.
struct RouteCache<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let policy: CachePolicy
    var readers: ContextReaders<Context>
    /// The outermost call of `cached` that this comes from.
    var lineage = CacheLineage()

    /// Returns the same cache and policy for routes whose context is made from this one.
    func changingContext<Target: RequestContext>(to target: Target.Type) -> RouteCache<Target> {
        var inner = ContextReaders<Target>()
        if !readers.isEmpty { inner.outer = OuterReaders(mayInvalidate: readers.mayInvalidate) }
        return RouteCache<Target>(cache: cache, policy: policy, readers: inner, lineage: lineage)
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

    /// True if responses depend on more than the user, or writes on more than their path: a group inside that does not
    /// have these functions would mix up responses.
    var hasMoreThanUser: Bool {
        !parts.isEmpty || !tags.isEmpty || !invalidated.isEmpty || !bypass.isEmpty || outer != nil
    }

    /// True if a function may return scopes that a write invalidates.
    var mayInvalidate: Bool { !invalidated.isEmpty || outer?.mayInvalidate == true }

    /// Returns what the functions take from a request.
    func read(_ request: Request, _ context: Context) -> RequestTraits {
        var traits = RequestTraits()
        if let outer { traits = OuterContext.traits?(request) ?? .unknown(outer) }
        if let user { traits.user = user(request, context).map(RequestUser.id) ?? .none }
        for part in parts {
            if let value = part.read(request, context) { traits.parts.append(KeyPart(part.name, value)) }
        }
        for tags in tags { traits.tags += tags(request, context) }
        for scopes in invalidated { traits.invalidated += scopes(request, context) }
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
    func apply(to policy: CachePolicy) -> CachePolicy {
        if parts.isEmpty, tags.isEmpty, invalidated.isEmpty, !bypasses { return policy }
        var policy = policy
        policy.keys.parts += parts
        policy.tags += tags
        policy.invalidated += invalidated
        return bypasses ? policy.bypassing(.everything) : policy
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
    @TaskLocal static var traits: (@Sendable (Request) -> RequestTraits)?
}
