import Hummingbird
import Larder

/// A responder in which the cache stands directly in front of the handler, and the middleware that runs on every
/// request in front of the cache.
///
/// Hummingbird's responders with middleware are opaque: a cache in front of such a responder can only skip the
/// middleware together with the handler. Responders of this protocol are assembled around the cache instead.
protocol CachingChain {
    /// The call of `cached` that the chain was made by.
    var lineage: CacheLineage? { get }

    /// True if the cache finds out the user of a request.
    var readsUser: Bool { get }

    /// Returns the chain with a policy that has the restrictions of an outer group's policy, too.
    func restricted(by outer: CachePolicy) -> Self
}

extension HTTPResponder {
    /// Returns the responder; a chain with the restrictions of an outer group's policy.
    func restricted(ifCachedBy outer: CachePolicy) -> Self {
        guard let chain = self as? any CachingChain else { return self }
        guard let restricted = chain.restricted(by: outer) as? Self else {
            preconditionFailure("A chain must keep its type")
        }
        return restricted
    }
}

/// A part of a chain in front of the rest of it.
protocol ChainLink: CachingChain {
    associatedtype NextContext

    /// The rest of the chain.
    var next: any HTTPResponder<NextContext> { get set }
}

extension ChainLink {
    var lineage: CacheLineage? { (next as? any CachingChain)?.lineage }

    var readsUser: Bool { (next as? any CachingChain)?.readsUser ?? false }

    func restricted(by outer: CachePolicy) -> Self {
        var copy = self
        copy.next = next.restricted(ifCachedBy: outer)
        return copy
    }
}

/// A middleware in front of a chain.
struct MiddlewareInFront<Context: RequestContext>: HTTPResponder, ChainLink {
    let middleware: any MiddlewareProtocol<Request, Response, Context>
    var next: any HTTPResponder<Context>

    func respond(to request: Request, context: Context) async throws -> Response {
        try await middleware.handle(request, context: context) { request, context in
            try await next.respond(to: request, context: context)
        }
    }
}

/// A change of the context in front of a chain.
struct ContextChange<Context: RequestContext, Target: RequestContext>: HTTPResponder, ChainLink {
    var next: any HTTPResponder<Target>
    let readers: ContextReaders<Context>
    let change: @Sendable (Context) throws -> Target

    func respond(to request: Request, context: Context) async throws -> Response {
        let target = try change(context)
        if readers.isEmpty { return try await next.respond(to: request, context: target) }
        // The functions of this group read what the outer groups have bound.
        let outer = OuterContext.traits
        let read: @Sendable (Request, Bool) -> RequestTraits = { request, isWrite in
            OuterContext.$traits.withValue(outer) { readers.read(request, context, isWrite: isWrite) }
        }
        return try await OuterContext.$traits.withValue(read) {
            try await next.respond(to: request, context: target)
        }
    }
}

/// The middleware of a group, in the order of addition, the first in front. Copies of a group share it, as those of
/// Hummingbird's groups do.
final class MiddlewareStack<Context: RequestContext> {
    private var stack: [any MiddlewareProtocol<Request, Response, Context>] = []

    /// Adds a middleware behind those that were added before.
    func add(_ middleware: any MiddlewareProtocol<Request, Response, Context>) {
        stack.append(middleware)
    }

    /// Returns a responder with the middleware added so far in front of another.
    func inFront(of responder: any HTTPResponder<Context>) -> any HTTPResponder<Context> {
        stack.reversed().reduce(responder) { MiddlewareInFront(middleware: $1, next: $0) }
    }
}
