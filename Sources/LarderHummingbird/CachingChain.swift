import Hummingbird

/// A responder in which the cache stands directly in front of the handler, and the middleware that runs on every
/// request in front of the cache.
///
/// Hummingbird's responders with middleware are opaque: a cache in front of such a responder can only skip the
/// middleware together with the handler. Responders of this protocol are assembled around the cache instead.
protocol CachingChain {
    /// The call of `cached` that the chain was made by.
    var lineage: CacheLineage? { get }
}

/// A middleware in front of a chain.
struct MiddlewareInFront<Context: RequestContext>: HTTPResponder, CachingChain {
    let middleware: any MiddlewareProtocol<Request, Response, Context>
    let next: any HTTPResponder<Context>

    var lineage: CacheLineage? { (next as? any CachingChain)?.lineage }

    func respond(to request: Request, context: Context) async throws -> Response {
        try await middleware.handle(request, context: context) { request, context in
            try await next.respond(to: request, context: context)
        }
    }
}

/// A change of the context in front of a chain.
struct ContextChange<Context: RequestContext, Target: RequestContext>: HTTPResponder, CachingChain {
    let next: any HTTPResponder<Target>
    let readers: ContextReaders<Context>
    let change: @Sendable (Context) throws -> Target

    var lineage: CacheLineage? { (next as? any CachingChain)?.lineage }

    func respond(to request: Request, context: Context) async throws -> Response {
        let target = try change(context)
        if readers.isEmpty { return try await next.respond(to: request, context: target) }
        // The functions of this group read what the outer groups have bound.
        let outer = OuterContext.traits
        let read: @Sendable (Request) -> RequestTraits = { request in
            OuterContext.$traits.withValue(outer) { readers.read(request, context) }
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
