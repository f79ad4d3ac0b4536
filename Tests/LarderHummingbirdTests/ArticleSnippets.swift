import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import LarderTestSupport
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import TestHelpers
import Testing

// The Swift code of the articles in docs/*.docc that no other page has: `ReadmeTests` checks that each line is here.

// MARK: - HTTPCaching

private func decide(
    _ request: HTTPRequest,
    _ response: HTTPResponse,
    _ requestedAt: Timestamp,
    _ respondedAt: Timestamp,
    _ now: Timestamp
) {
    let decision = Storability.decide(
        request: request,
        response: response,
        rules: .gateway,
        requestedAt: requestedAt,
        respondedAt: respondedAt
    )
    if case .store(let lifetimes) = decision {
        let reuse = Reuse.decide(lifetimes: lifetimes, request: RequestDirectives(request.headerFields), now: now)
        print(reuse == .fresh)
    }
}

// MARK: - Getting started

private func serve(_ cache: ResponseCache) async throws {
    let services = ServiceGroup(services: [cache], logger: Logger(label: "app"))
    try await services.run()
}

private func begin(_ cache: ResponseCache, _ city: String) async throws {
    let weather = try await cache.value("weather", parts: city, for: .seconds(60), tagged: ["weather"]) {
        try await fetchWeather(in: city)
    }
    await cache.invalidate(.tag("weather"))

    let posts = try await cache.value("posts", for: .seconds(60), tagged: ["posts"]) {
        try await loadPosts()
    }
    await cache.invalidate(.tag("posts"))
    _ = (weather, posts)
}

private func fetchWeather(in city: String) async throws -> String { city }
private func loadPosts() async throws -> [String] { [] }

// MARK: - Values

private struct Profile: Codable, Sendable { var name = "" }
private struct NoAccount: Error, Codable {}

private func loadProfile(_ id: Int, of tenant: String) async throws -> Profile { Profile() }
private func findUser(_ id: Int) async throws -> Profile? { nil }
private func loadAccount(_ id: Int) async throws -> Profile { throw NoAccount() }

private func cacheValues(_ cache: ResponseCache, _ tenant: String, _ id: Int) async throws {
    let profile = try await cache.value("profile", parts: tenant, id, for: .seconds(60), tagged: ["user-\(id)"]) {
        try await loadProfile(id, of: tenant)
    }
    let policy: CachePolicy = .fresh(for: .seconds(60)).fresh(for: .seconds(5), on: .notFound)
    let user = try await cache.value("user", parts: id, under: policy) {
        try await findUser(id)
    }
    let found = try await cache.value("account", parts: id, under: policy, storing: NoAccount.self, for: .seconds(5)) {
        try await loadAccount(id)
    }
    try await cache.set(profile, "profile", parts: tenant, id, for: .seconds(60))
    let stored = await cache.get("profile", parts: tenant, id, as: Profile.self)
    await cache.remove(value: "profile", parts: tenant, id)
    await cache.invalidate(.values("profile"))
    _ = (user, found, stored)
}

// MARK: - Policies, keys and clients

private func policies() -> [CachePolicy] {
    let articles: CachePolicy = .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).tagged("articles")
    let withMissing: CachePolicy = .fresh(for: .seconds(60)).fresh(for: .seconds(5), on: .notFound, .gone)
    let refreshed: CachePolicy = .fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(300))
    let failsafe: CachePolicy = .fresh(for: .seconds(60)).stale(ifError: .seconds(600), after: .milliseconds(200))
    let notEmpty: CachePolicy = .fresh(for: .seconds(60)).storing { _, response in
        response.headerFields[.contentLength] != "2"
    }
    let bySession: CachePolicy = .fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id"])
    let shared: CachePolicy = .fresh(for: .seconds(60)).ignoringCredentials()
    let noPreviews: CachePolicy = .fresh(for: .seconds(60)).bypassing(BypassRule(parameters: ["preview"]))
    let patient: CachePolicy = .fresh(for: .seconds(60)).coalescing(timeout: .seconds(10))
    let byPage: CachePolicy = .fresh(for: .seconds(60)).varying(byQuery: "page", "sort")
    let withoutTracking: CachePolicy = .fresh(for: .seconds(60)).ignoringQuery("utm_*", "fbclid")
    let byLanguage: CachePolicy = .fresh(for: .seconds(60)).varying(by: .acceptLanguage)
    let searches: CachePolicy = .fresh(for: .seconds(30)).caching(.post, contentUpTo: .kibibytes(64))
    let feed: CachePolicy = .fresh(for: .seconds(60)).invalidating(.tag("posts"), .path("/api/feed"))
    let asked: CachePolicy = .fresh(for: .seconds(300)).clientCaching(.revalidate)
    let copied: CachePolicy = .fresh(for: .seconds(300)).clientCaching(.maxAge(30))
    let notCopied: CachePolicy = .fresh(for: .seconds(300)).clientCaching(.none)
    return [articles, withMissing, refreshed, failsafe, notEmpty, bySession, shared, noPreviews, patient]
        + [byPage, withoutTracking, byLanguage, searches, feed, asked, copied, notCopied]
}

private func policy(for tenant: String) -> CachePolicy {
    var policy: CachePolicy = .fresh(for: .seconds(60))
    policy.keys.parts = [KeyPart("tenant", tenant)]
    return policy
}

// MARK: - Invalidation

private func invalidate(_ cache: ResponseCache, _ name: String, _ id: Int) async {
    await cache.invalidate(.tag("posts"), .path("/api/posts"), .prefix("/api/users"))
    let tags: [CacheTag] = [CacheTag("garden & home"), CacheTag("category", name), "user-\(id)"]
    let drafts: CachePolicy = .fresh(for: .seconds(60)).invalidatedByTagPairs()
    await cache.invalidate(.tags("team-1", and: "drafts"))
    let change = cache.invalidate(.tag("prices"), after: .seconds(3_600))
    cache.invalidate(.tag("views"), atMostEvery: .seconds(5))
    change.cancel()
    if let key = CacheKey("GET:/api/me#user=42") {
        let removal = await cache.remove(key)
        print(removal.wasStored)
    }
    _ = (tags, drafts)
}

// MARK: - Applications and Redis

private func administrate(_ router: Router<BasicRequestContext>, _ cache: ResponseCache) {
    router.addBulkInvalidation(of: cache, access: .token(BearerToken("at-least-16-letters")!), at: "api/invalidate-all")
}

private func wholeApplication(
    _ router: Router<BasicRequestContext>,
    _ cache: ResponseCache
) -> some ApplicationProtocol {
    let application = Application(responder: cache.responding(for: router.buildResponder()))
    return application
}

private func share() throws {
    var options = RedisStore.Options()
    options.namespace = "shop:"
    let cache = ResponseCache(store: try RedisStore("redis://127.0.0.1:6379", options: options))
    _ = cache
}

// MARK: - A store around another store

struct TimedStore<Base: CacheStore>: CacheStore {
    let base: Base
    let report: @Sendable (Duration) -> Void

    var entryLimit: ByteCount { base.entryLimit }
    var isAvailable: Bool { base.isAvailable }

    func run() async throws { try await base.run() }

    func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? { base.find(location, at: now) }

    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        let start = ContinuousClock.now
        defer { report(ContinuousClock.now - start) }
        return await base.load(location, for: query, at: now)
    }

    func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity { await base.save(entry, at: now) }

    func discard(_ entry: CacheEntry) async { await base.discard(entry) }

    func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        await base.validity(of: readVersion, scopes: scopes)
    }

    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult { await base.invalidate(scopes) }

    func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult { await base.remove(key, at: now) }

    func count(at now: Timestamp) async -> Int { await base.count(at: now) }
}

// MARK: - Testing

/// The tests of the article about testing.
@Suite(.timeLimit(.minutes(5))) struct ArticleTests {
    @Test func `A value is made again when it is stale`() async throws {
        let clock = ManualClock()
        let cache = ResponseCache(
            store: MemoryStore(limit: .mebibytes(1), clock: clock.clock),
            clock: clock.clock
        )
        #expect(try await cache.value("name", for: .seconds(60)) { "first" } == "first")
        #expect(try await cache.value("name", for: .seconds(60)) { "second" } == "first")
        clock.advance(by: .seconds(61))
        #expect(try await cache.value("name", for: .seconds(60)) { "third" } == "third")
    }

    @Test func `A stale value is refreshed in the background`() async throws {
        let clock = ManualClock()
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(1), clock: clock.clock), clock: clock.clock)
        let policy: CachePolicy = .fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(60))
        _ = try await cache.value("name", under: policy) { "first" }
        clock.advance(by: .seconds(61))
        #expect(try await cache.value("name", under: policy) { "second" } == "first")
        await cache.idle()
        #expect(try await cache.value("name", under: policy) { "third" } == "second")
    }

    @Test func `A store around another store reports how long look-ups take`() async throws {
        let reports = Reports()
        let store = TimedStore(base: MemoryStore(limit: .mebibytes(1))) { _ in reports.add() }
        let cache = ResponseCache(store: store)
        #expect(try await cache.value("name", for: .seconds(60)) { "first" } == "first")
        #expect(try await cache.value("name", for: .seconds(60)) { "second" } == "first")
        #expect(reports.count > 0)
    }
}

/// A count of reports.
private final class Reports: Sendable {
    private let reports = NIOLockedValueBox(0)

    var count: Int { reports.withLockedValue { $0 } }

    func add() { reports.withLockedValue { $0 += 1 } }
}
