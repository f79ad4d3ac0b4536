import Hummingbird
import Larder
import LarderHummingbird

// Mistakes that are easy to make. Below a comment `error:` is a line that must have this error and no other one; the
// comment has the beginning of its text. Correct.swift has the same calls without the mistakes.

typealias Routes = Router<BasicRequestContext>

/// A value that is neither a response nor `Codable`.
struct Post: Sendable {}

// MARK: - Times and sizes

func numberInsteadOfDuration(_ routes: Routes, _ cache: ResponseCache) {
    // error: cannot convert value of type 'Int' to expected argument type 'Duration'
    _ = routes.cached(by: cache, for: 90)
}

func numberInsteadOfDurationInPolicy() -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'Duration'
    .fresh(for: 90)
}

func numberInsteadOfDurationInModifier() -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'Duration'
    .fresh(for: .seconds(60)).stale(whileRevalidating: 300)
}

func minutes(_ routes: Routes, _ cache: ResponseCache) {
    // error: type 'Duration' has no member 'minutes'
    _ = routes.cached(by: cache, for: .minutes(5))
}

func numberInsteadOfByteCount() -> MemoryStore {
    // error: cannot convert value of type 'Int' to expected argument type 'ByteCount'
    MemoryStore(limit: 256)
}

func bodyLimit() -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'ByteCount'
    .fresh(for: .seconds(60)).limitingBodies(to: 1_000_000)
}

// MARK: - Policies

func unknownModifier() -> CachePolicy {
    // error: value of type 'CachePolicy' has no member 'tag'
    .fresh(for: .seconds(60)).tag("posts")
}

func unknownModifierInCall(_ routes: Routes, _ cache: ResponseCache) {
    // error: value of type 'CachePolicy' has no member 'ttl'
    _ = routes.cached(by: cache, .fresh(for: .seconds(60)).ttl(60))
}

func unknownPolicy(_ routes: Routes, _ cache: ResponseCache) {
    // error: type 'CachePolicy' has no member 'public'
    _ = routes.cached(by: cache, .public)
}

func policyInsteadOfDuration(_ routes: Routes, _ cache: ResponseCache, _ policy: CachePolicy) {
    // error: cannot convert value of type 'CachePolicy' to expected argument type 'Duration'
    _ = routes.cached(by: cache, for: policy)
}

func durationInsteadOfPolicy(_ routes: Routes, _ cache: ResponseCache) {
    // error: type 'CachePolicy' has no member 'seconds'
    _ = routes.cached(by: cache, .seconds(60))
}

func unknownLabel(_ routes: Routes, _ cache: ResponseCache) {
    // error: extraneous argument label 'policy:' in call
    _ = routes.cached(by: cache, policy: .fresh(for: .seconds(60)))
}

func missingCache(_ routes: Routes) {
    // error: missing argument for parameter 'by' in call
    _ = routes.cached(for: .seconds(60))
}

func storeInsteadOfCache(_ routes: Routes, _ store: MemoryStore) {
    // error: cannot convert value of type 'MemoryStore' to expected argument type 'ResponseCache'
    _ = routes.cached(by: store, for: .seconds(60))
}

// MARK: - Patterns, fields and tags

func numberInsteadOfPattern(_ page: Int) -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'NamePattern'
    .fresh(for: .seconds(60)).varying(byQuery: page)
}

func textInsteadOfPattern(_ name: String) -> CachePolicy {
    // error: cannot convert value of type 'String' to expected argument type 'NamePattern'
    .fresh(for: .seconds(60)).varying(byQuery: name)
}

func ignoredNumber() -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'NamePattern'
    .fresh(for: .seconds(60)).ignoringQuery(42)
}

func listOfPatterns() -> CachePolicy {
    // error: cannot convert value of type '[String]' to expected argument type 'NamePattern'
    .fresh(for: .seconds(60)).varying(byQuery: ["page", "sort"])
}

func textInsteadOfPathTemplate(_ routes: Routes, _ cache: ResponseCache, _ path: String) {
    // error: cannot convert value of type 'String' to expected argument type 'PathTemplate'
    _ = routes.cached(by: cache, for: .seconds(60)).invalidating(paths: path)
}

func oneCookie() -> CachePolicy {
    // error: cannot convert value of type 'String' to expected argument type '[NamePattern]'
    .fresh(for: .seconds(60)).credentials(cookies: "session")
}

func textInsteadOfField() -> CachePolicy {
    // error: cannot convert value of type 'String' to expected argument type 'HTTPField.Name'
    .fresh(for: .seconds(60)).varying(by: "Accept-Language")
}

func numberInsteadOfTag() -> CachePolicy {
    // error: cannot convert value of type 'Int' to expected argument type 'CacheTag'
    .fresh(for: .seconds(60)).tagged(42)
}

func textInsteadOfTag(_ name: String) -> CachePolicy {
    // error: cannot convert value of type 'String' to expected argument type 'CacheTag'
    .fresh(for: .seconds(60)).tagged(name)
}

func textInsteadOfTagOfResult(_ name: String) -> CachedResult<String> {
    // error: cannot convert value of type 'String' to expected argument type 'CacheTag'
    "First post".tagged(name)
}

func tagInsteadOfScope(_ cache: ResponseCache, _ tag: CacheTag) async {
    // error: cannot convert value of type 'CacheTag' to expected argument type 'InvalidationScope'
    await cache.invalidate(tag)
}

func textInsteadOfScope(_ cache: ResponseCache) async {
    // error: cannot convert value of type 'String' to expected argument type 'InvalidationScope'
    await cache.invalidate("posts")
}

func unknownScope(_ cache: ResponseCache) async {
    // error: type 'InvalidationScope' has no member 'url'
    await cache.invalidate(.url("/api/posts"))
}

// MARK: - Functions of routes

func userOfRequestAlone(_ routes: Routes, _ cache: ResponseCache) {
    // error: contextual closure type '@Sendable (Request, BasicRequestContext) -> String?' expects 2 arguments
    _ = routes.cached(by: cache, for: .seconds(60), perUser: { request in request.headers[.authorization] })
}

func userAsNumber(_ routes: Routes, _ cache: ResponseCache) {
    // error: cannot convert value of type 'Int' to closure result type 'String?'
    _ = routes.cached(by: cache, for: .seconds(60), perUser: { _, _ in 42 })
}

func unknownMemberOfContext(_ routes: Routes, _ cache: ResponseCache) {
    // error: value of type 'BasicRequestContext' has no member 'user'
    _ = routes.cached(by: cache, for: .seconds(60), perUser: { _, context in context.user })
}

func partAsNumber(_ routes: Routes, _ cache: ResponseCache) {
    // error: cannot convert value of type 'Int' to closure result type 'String?'
    _ = routes.cached(by: cache, for: .seconds(60)).varying(by: "tenant") { _, _ in 42 }
}

func oneTag(_ routes: Routes, _ cache: ResponseCache) {
    // error: cannot convert value of type 'String' to closure result type '[CacheTag]'
    _ = routes.cached(by: cache, for: .seconds(60)).tagged { _, _ in "posts" }
}

func handlerOfUnknownResult(_ routes: Routes, _ cache: ResponseCache) {
    // error: instance method 'get(_:use:)' requires that 'Post' conform to 'ResponseGenerator'
    routes.cached(by: cache, for: .seconds(60)).get { _, _ in Post() }
}

// MARK: - Values

// `Codable` is two protocols.
func valueThatIsNotCodable(_ cache: ResponseCache) async throws {
    // error: instance method 'value(_:parts:for:tagged:_:)' requires that 'Post' conform to 'Decodable'
    // error: instance method 'value(_:parts:for:tagged:_:)' requires that 'Post' conform to 'Encodable'
    _ = try await cache.value("post", for: .seconds(60)) { Post() }
}

func partThatIsNotAText(_ cache: ResponseCache, _ post: Post) async throws {
    // error: argument type 'Post' does not conform to expected type 'ValueKeyPart'
    _ = try await cache.value("post", parts: post, for: .seconds(60)) { 1 }
}

func valueForNumber(_ cache: ResponseCache) async throws {
    // error: cannot convert value of type 'Int' to expected argument type 'Duration'
    _ = try await cache.value("post", for: 60) { 1 }
}

func valueUnderDuration(_ cache: ResponseCache) async throws {
    // error: type 'CachePolicy' has no member 'seconds'
    _ = try await cache.value("post", under: .seconds(60)) { 1 }
}
