import Hummingbird
import Larder
import LarderHummingbird

// The calls of Mistakes.swift without their mistakes, which must have no error.

/// A context of an application.
struct AppContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var userID: Int?

    init(source: Source) { coreContext = .init(source: source) }
}

/// A value that is a response, and `Codable`.
struct Article: ResponseCodable {
    var title = ""
}

func policies() -> [CachePolicy] {
    let base: CachePolicy = .fresh(for: .seconds(90))
    return [
        base.stale(whileRevalidating: .seconds(300)),
        base.limitingBodies(to: .kibibytes(64)),
        base.varying(byQuery: "page", "sort"),
        base.ignoringQuery("utm_*"),
        base.credentials(cookies: ["session"]),
        base.varying(by: .acceptLanguage),
        base.tagged("posts", CacheTag("post", 42)),
        .whatIsPublic,
    ]
}

func routes(_ router: Router<AppContext>, _ tag: String) {
    let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(256)))
    router.group("a").cached(by: cache, for: .seconds(90)).get { _, _ in Article() }
    router.group("b")
        .cached(by: cache, .fresh(for: .seconds(60)).tagged("posts"), perUser: { $1.userID.map { String($0) } })
        .varying(by: "tenant") { _, _ in "acme" }
        .tagged { _, _ in [CacheTag(tag)] }
        .invalidating(paths: "/a")
        .get { _, _ in Article() }
}

func values(_ cache: ResponseCache) async throws -> [Article] {
    await cache.invalidate(.tag("posts"), .path("/api/posts"))
    return [
        try await cache.value("article", parts: 42, for: .seconds(60)) { Article() },
        try await cache.value("article", parts: 42, under: .fresh(for: .seconds(60))) { Article() },
    ]
}
