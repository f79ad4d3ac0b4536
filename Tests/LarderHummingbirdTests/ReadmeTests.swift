import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import TestHelpers
import Testing

/// A check that the Swift code of the documentation compiles: every line of it is in this file, in
/// `ArticleSnippets.swift` (the articles), in `CommentSnippets.swift` (the doc comments), or in an example or test that
/// is the documentation's code.
@Suite(.timeLimit(.minutes(5))) struct ReadmeTests {
    /// The files that compile the code.
    static let compiled =
        ["ReadmeTests", "ArticleSnippets", "CommentSnippets"].map {
            "Tests/LarderHummingbirdTests/\($0).swift"
        } + [
            "Tests/LarderHummingbirdTests/ApplicationTestingTests.swift",
            "Examples/Store/Sources/DictionaryStore.swift", "Examples/Store/Tests/DictionaryStoreTests.swift",
        ]

    /// Returns the pages and the sources that have code in blocks of Swift.
    static func pages() throws -> [String] {
        let articles = try files(below: "docs", suffix: ".md").filter { $0.contains(".docc/") }
        let modules = ["HTTPCaching", "Larder", "LarderHummingbird", "LarderRedis", "LarderTestSupport", "OpenMetrics"]
        let sources = try modules.flatMap { try files(below: "Sources/\($0)", suffix: ".swift") }
        return try [
            "README.md", "docs/admin.md", "docs/hummingbird.md", "docs/metrics.md", "docs/redis.md", "docs/stores.md",
        ]
            + (articles + sources).filter { try PackageFolder.text(of: $0).contains("```swift\n") }
    }

    @Test(arguments: try pages())
    func `Every line of Swift in the documentation is compiled here`(_ page: String) throws {
        let compiled = Set(try Self.compiled.flatMap { Self.lines(of: try PackageFolder.text(of: $0)) })
        var isSwift = false
        var count = 0
        for line in Self.lines(of: try Self.documentation(in: page)) {
            if line.hasPrefix("```") {
                isSwift = line == "```swift"
            } else if isSwift, !line.isEmpty {
                count += 1
                #expect(compiled.contains(line))
            }
        }
        #expect(count > 0)
    }

    @Test func `There are articles and doc comments with code`() throws {
        let pages = try Self.pages()
        #expect(pages.count { $0.hasSuffix(".md") } > 10)
        #expect(pages.count { $0.hasSuffix(".swift") } > 10)
    }

    @Test func `The README has 900 words at most`() throws {
        let words = try PackageFolder.text(of: "README.md").split { $0 == " " || $0 == "\n" }
        #expect(words.count <= 900)
    }

    /// Returns the text of a page, or the doc comments of a file of sources.
    private static func documentation(in page: String) throws -> String {
        let text = try PackageFolder.text(of: page)
        guard page.hasSuffix(".swift") else { return text }
        return text.split(separator: "\n").compactMap { line in
            let line = line.drop { $0 == " " }
            return line.hasPrefix("///") ? String(line.dropFirst(3)) : nil
        }
        .joined(separator: "\n")
    }

    /// Returns the lines of a text without their indentation and comments.
    private static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map {
            let code = $0.range(of: "  //").map { $0.lowerBound } ?? $0.endIndex
            let line = $0[..<code].trimmingCharacters(in: .whitespaces)
            return line.hasPrefix("//") ? "" : line
        }
    }

    /// Returns the paths of the files below a folder, from the root of the package.
    private static func files(below folder: String, suffix: String) throws -> [String] {
        let base = PackageFolder.root.appending(path: folder)
        let walker = try #require(FileManager.default.enumerator(atPath: base.path))
        return walker.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.sorted().map { "\(folder)/\($0)" }
    }
}

private func program() async throws {
    let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(256)))
    let router = Router(options: .autoGenerateHeadEndpoints)

    router.group("api/posts")
        .cached(by: cache, for: .seconds(90))
        .get { _, _ in ["First post"] }
        .post { _, _ in HTTPResponse.Status.created }

    router.addCacheAdministration(of: cache, access: .token(BearerToken("at-least-16-letters")!))

    var app = Application(router: router, server: .validatedHTTP1())
    app.addServices(cache)
    try await app.runService()
}

private struct Person { let id: String }

private func validatedApplication(_ router: Router<BasicRequestContext>) -> some ApplicationProtocol {
    let application = Application(router: router, server: .validatedHTTP1())
    return application
}

private func cachingApplication(
    _ router: Router<BasicRequestContext>,
    _ cache: ResponseCache,
    _ posts: Posts<BasicRequestContext>
) -> some ApplicationProtocol {
    router.group("api/news").cached(by: cache, for: .seconds(60)).beforeMiddleware().get(use: posts.list)
    let application = Application(router: router, server: .cachingHTTP1(by: cache))
    return application
}

private struct Users {
    @Sendable func show(_ request: Request, _ context: BasicRequestContext) -> String { "" }
    @Sendable func update(_ request: Request, _ context: BasicRequestContext) -> String { "" }
}

private func decorate(_ router: Router<BasicRequestContext>, _ users: Users) {
    let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(256)))

    router.group("api/users/:id")
        .cached(by: cache, for: .seconds(120))
        .get(use: users.show)
        .put(use: users.update)

    var app = Application(router: router)
    app.addServices(cache)
}

private struct APIKeys: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        try await next(request, context)
    }
}

private struct Posts<Context: RequestContext> {
    @Sendable func list(_ request: Request, _ context: Context) -> String { "" }
    @Sendable func search(_ request: Request, _ context: Context) -> String { "" }
    @Sendable func addComment(_ request: Request, _ context: Context) -> String { "" }
    func find(_ context: Context) throws -> String { "" }
}

private func guardPosts(
    _ router: Router<BasicRequestContext>,
    _ cache: ResponseCache,
    _ posts: Posts<BasicRequestContext>
) {
    router.group("api/posts")
        .cached(by: cache, .fresh(for: .seconds(60)).ignoringCredentials())
        .add(middleware: APIKeys())
        .get(use: posts.list)
}

private func share() throws {
    let cache = ResponseCache(store: try RedisStore("redis://127.0.0.1:6379"))
    _ = cache
}

private struct PersonalContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var identity: Person?
    var tenant: String?

    init(source: Source) { coreContext = .init(source: source) }
}

private func choosePolicies(_ router: Router<PersonalContext>, _ cache: ResponseCache) {
    _ =
        router
        .cached(by: cache, .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).endingInSlash())
        .cached(by: cache, .fresh(for: .seconds(60)).stale(ifError: .seconds(600), after: .milliseconds(200)))
        .cached(by: cache, .fresh(for: .seconds(60)).tagged("posts"))
        .cached(by: cache, .fresh(for: .seconds(60)).invalidating(.tag("posts"), .path("/api/feed")))
        .cached(by: cache, .fresh(for: .seconds(60)), perUser: { request, context in context.identity?.id })
        .cached(by: cache, .fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id"]))
}

private func value(_ cache: ResponseCache, _ userID: String, _ city: String) async throws {
    let posts = try await cache.value("recommendations", parts: userID, for: .seconds(60), tagged: ["user-\(userID)"]) {
        try await recommend(for: userID)
    }
    let weather = try await cache.value(
        "weather",
        parts: city,
        under: .fresh(for: .seconds(60)).stale(ifError: .seconds(600), after: .milliseconds(200))
    ) {
        try await fetchWeather(in: city)
    }
    _ = (posts, weather)
}

private func recommend(for user: String) async throws -> [String] { [user] }
private func fetchWeather(in city: String) async throws -> String { city }

private func takePartsFromContexts(
    _ router: Router<PersonalContext>,
    _ cache: ResponseCache,
    _ posts: Posts<PersonalContext>
) {
    router.group("api/news")
        .cached(by: cache, for: .seconds(60), perUser: { _, context in context.identity?.id })
        .varying(by: "language") { request, _ in request.preferredLanguage(among: "en", "de") }
        .varying(by: "tenant") { _, context in context.tenant }
        .get(use: posts.list)

    router.group("api/search")
        .cached(by: cache, .fresh(for: .seconds(30)).caching(.post, contentUpTo: .kibibytes(64)))
        .post(use: posts.search)

    router.group("api/posts/:post/comments")
        .cached(by: cache, for: .seconds(60))
        .invalidating(paths: "/api/posts/:post", "/api/posts")
        .post(use: posts.addComment)

    router.group("api/posts/:id").cached(by: cache, for: .seconds(60)).get { request, context in
        try posts.find(context).tagged("post-42").fresh(for: .seconds(5))
    }
}

private enum WithSortedKeys {
    struct AppContext: RequestContext {
        var coreContext: CoreRequestContextStorage
        init(source: Source) { coreContext = .init(source: source) }
        var responseEncoder: JSONEncoder { .sortingKeys }
    }
}

private struct Database: Sendable {
    struct Transaction { func insert(_ comment: String) throws {} }

    func write(_ change: (Transaction) throws -> Void) async throws { try change(Transaction()) }
}

private func commit(_ database: Database, _ cache: ResponseCache, _ comment: String) async throws {
    try await cache.invalidatingAfter { invalidations in
        try await database.write { transaction in
            try transaction.insert(comment)
            invalidations.add(.tag("post-42"))
        }
    }
}
