import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import LarderTestSupport
import Testing

/// A check that the Swift code of the documentation compiles: every line of it is in this file.
@Suite(.timeLimit(.minutes(5))) struct ReadmeTests {
    @Test(arguments: ["README.md", "docs/hummingbird.md", "docs/redis.md"])
    func `Every line of Swift in the documentation is compiled here`(_ page: String) throws {
        let compiled = Set(Self.lines(of: try String(contentsOfFile: #filePath, encoding: .utf8)))
        var isSwift = false
        var count = 0
        for line in Self.lines(of: try PackageFolder.text(of: page)) {
            if line.hasPrefix("```") {
                isSwift = line == "```swift"
            } else if isSwift, !line.isEmpty {
                count += 1
                #expect(compiled.contains(line))
            }
        }
        #expect(count > 0)
    }

    @Test func `The README has 900 words at most`() throws {
        let words = try PackageFolder.text(of: "README.md").split { $0 == " " || $0 == "\n" }
        #expect(words.count <= 900)
    }

    /// Returns the lines of a text without their indentation and comments.
    private static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map {
            let code = $0.range(of: "  //").map { $0.lowerBound } ?? $0.endIndex
            return $0[..<code].trimmingCharacters(in: .whitespaces)
        }
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

private struct Posts {
    @Sendable func list(_ request: Request, _ context: BasicRequestContext) -> String { "" }
}

private func guardPosts(_ router: Router<BasicRequestContext>, _ cache: ResponseCache, _ posts: Posts) {
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
