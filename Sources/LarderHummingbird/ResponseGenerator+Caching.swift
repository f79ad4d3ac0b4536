import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder

extension ResponseGenerator {
    /// Returns the response of this value with tags by which it can be invalidated. A cached route removes the tags
    /// before clients get the response.
    ///
    /// ```swift
    /// try await posts.find(id).tagged("post-\(id)").fresh(for: .seconds(30))
    /// ```
    public func tagged(_ tags: CacheTag...) -> CachedResult<Self> { CachedResult(self).tagged(tags) }

    /// Returns the response of this value with tags by which it can be invalidated. A cached route removes the tags
    /// before clients get the response.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
    public func tagged(_ tags: [CacheTag]) -> CachedResult<Self> { CachedResult(self).tagged(tags) }

    /// Returns the response of this value with the time for which the cache may store it, instead of the policy's,
    /// unless `Cache-Control` says `private` or `no-store`. `Cache-Control` does not tell it to clients.
    /// - Parameter lifetime: The time, in whole seconds rounded up; zero or less stores nothing.
    public func fresh(for lifetime: Duration) -> CachedResult<Self> { CachedResult(self).fresh(for: lifetime) }

    /// Returns the response of this value, which the cache must not store. `Cache-Control` does not tell it to clients.
    public func notStored() -> CachedResult<Self> { CachedResult(self).notStored() }
}

/// The result of a handler, and what the handler says about it to the cache alone.
public struct CachedResult<Base: ResponseGenerator>: ResponseGenerator {
    private let base: Base
    private var tags: [CacheTag] = []
    private var directive: HandlerDirective?

    init(_ base: Base) { self.base = base }

    /// Adds tags by which the response can be invalidated.
    public func tagged(_ tags: CacheTag...) -> CachedResult { tagged(tags) }

    /// Adds tags by which the response can be invalidated.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
    public func tagged(_ tags: [CacheTag]) -> CachedResult {
        var result = self
        result.tags += tags
        return result
    }

    /// Sets the time for which the cache may store the response, instead of the policy's.
    /// - Parameter lifetime: The time, in whole seconds rounded up; zero or less stores nothing.
    public func fresh(for lifetime: Duration) -> CachedResult { with(.fresh(for: lifetime)) }

    /// Forbids the cache to store the response.
    public func notStored() -> CachedResult { with(.notStored) }

    private func with(_ directive: HandlerDirective) -> CachedResult {
        var result = self
        result.directive = directive
        return result
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = try base.response(from: request, context: context)
        if let directive { response.headers[.larderCacheControl] = directive.fieldValue }
        return tags.isEmpty ? response : response.tagged(tags)
    }
}

extension Response {
    /// Returns the response with the time for which the cache may store it, instead of the policy's and of that in
    /// `Cache-Control`, unless that says `private` or `no-store`. `Cache-Control` does not tell it to clients.
    /// - Parameter lifetime: The time, in whole seconds rounded up; zero or less stores nothing.
    public func fresh(for lifetime: Duration) -> Response { with(.fresh(for: lifetime)) }

    /// Returns the response, which the cache must not store. `Cache-Control` does not tell it to clients.
    public func notStored() -> Response { with(.notStored) }

    private func with(_ directive: HandlerDirective) -> Response {
        var response = self
        response.headers[.larderCacheControl] = directive.fieldValue
        return response
    }
}
