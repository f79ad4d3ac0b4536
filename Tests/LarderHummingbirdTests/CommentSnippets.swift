import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import Metrics
import OpenMetrics
import Testing

// The Swift code of doc comments that no page has: `ReadmeTests` checks that each line is here.

// MARK: - Policies

private var withMissing: CachePolicy {
    .fresh(for: .seconds(60)).fresh(for: .seconds(5), on: .notFound, .gone)
}

private var byPage: CachePolicy {
    .fresh(for: .seconds(60)).varying(byQuery: "page", "sort")
}

private var bySession: CachePolicy {
    .fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id"])
}

private var asked: CachePolicy {
    .fresh(for: .seconds(300)).clientCaching(.revalidate)
}

private var english: CachePolicy {
    .fresh(for: .seconds(60)).storing { _, response in response.headerFields[.contentLanguage] == "en" }
}

private var refreshed: CachePolicy {
    .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).tagged("posts")
}

private var failsafe: CachePolicy {
    .fresh(for: .seconds(60)).stale(ifError: .seconds(600), after: .milliseconds(200)).tagged("posts")
}

// MARK: - Tags and paths

private enum TagsAndPaths {
    static var path: CachePath {
        CachePath("/api/posts")
    }

    static func path(_ id: Int) -> CachePath {
        CachePath("products", id)
    }

    static var tag: CacheTag {
        CacheTag("garden & home")
    }

    static func tag(_ name: String) -> CacheTag {
        CacheTag("category", name)
    }

    static func tag(_ id: Int) -> CacheTag {
        "user-\(id)" as CacheTag
    }
}

// MARK: - Values

private func recommend(for user: String) async throws -> [String] { [user] }

private func value(_ cache: ResponseCache, _ userID: String) async throws {
    let posts = try await cache.value("recommendations", parts: userID, for: .seconds(60), tagged: ["posts"]) {
        try await recommend(for: userID)
    }
    _ = posts
}

private struct NoAccount: Error, Codable {}

private func loadAccount(_ id: Int) async throws -> String { throw NoAccount() }

private func account(_ cache: ResponseCache, _ id: Int, _ policy: CachePolicy) async throws -> String {
    try await cache.value("account", parts: id, under: policy, storing: NoAccount.self, for: .seconds(5)) {
        try await loadAccount(id)
    }
}

// MARK: - Routes

private struct Posts {
    @Sendable func search(_ request: Request, _ context: TeamContext) -> String { "" }
    func find(_ id: Int) async throws -> String { "" }
}

private struct TeamContext: RequestContext {
    struct Team { let id: Int }
    struct Editor { let isEditor: Bool }

    var coreContext: CoreRequestContextStorage
    var team = Team(id: 1)
    var identity: Editor?

    init(source: Source) { coreContext = .init(source: source) }
}

private func decorate(_ router: Router<TeamContext>, _ cache: ResponseCache, _ posts: Posts) {
    router.group("api/search").cached(by: cache, .fresh(for: .seconds(30)).caching(.post)).post(use: posts.search)
    _ =
        router.group("api/teams").cached(by: cache, for: .seconds(60))
        .invalidating { _, context in [.tag("team-\(context.team.id)")] }
        .bypassing { _, context in context.identity?.isEditor == true }
}

private func tag(_ response: Response, _ id: Int) -> Response {
    response.tagged("posts", "user-\(id)")
}

private func find(_ id: Int, in posts: Posts) async throws -> some ResponseGenerator {
    try await posts.find(id).tagged("post-\(id)").fresh(for: .seconds(30))
}

private func store(_ entry: CacheEntry) {
    var variants: [CacheKey: StoredVariants] = [:]
    variants[entry.location.key, default: StoredVariants()].save(entry)
}

// MARK: - Tests

private func advance() {
    let clock = ManualClock()
    let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16), clock: clock.clock), clock: clock.clock)
    clock.advance(by: .seconds(60))
    _ = cache
}

private func fail() {
    let store = UnreliableStore(MemoryStore(limit: .mebibytes(16)))
    let cache = ResponseCache(store: store)
    store.condition = .unavailable
    _ = cache
}

private func expectHit(_ response: HTTPResponse) {
    #expect(response.isHit)
}

private func expectBypass(_ response: HTTPResponse) {
    #expect(response.cacheStatus?.detail == "nocache")
}

// MARK: - Administration

private func administrate(_ cache: ResponseCache, _ token: BearerToken) {
    typealias AppContext = BasicRequestContext
    let router = Router(context: AppContext.self)
    let warming = CacheWarming<AppContext>()
    router.addCacheAPI(of: cache, access: .token(token), at: "larder", warming: warming)
    // …
    warming.send(to: router.buildResponder())  // after the last route
    router.addCacheDashboard(of: cache, access: .token(token), at: "larder")
}

private var filter: EntryFilter {
    EntryFilter([.init(scopes: [[.tag("posts")], [.prefix("/api")]])])  // the tag, and a path below /api
}

// MARK: - Metrics

private func bootstrap() {
    let metrics = MetricsRegistry()
    MetricsSystem.bootstrap(metrics)
}

private func bootstrapAtOnce() {
    MetricsSystem.bootstrap(MetricsRegistry())
}
