import Foundation
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import LarderTestSupport
import Testing

/// The Swift of the README compiles: every line of it stands in this file.
@Suite(.timeLimit(.minutes(5))) struct ReadmeTests {
    @Test func `every line of Swift in the README is compiled here`() throws {
        let compiled = Set(Self.lines(of: try String(contentsOfFile: #filePath, encoding: .utf8)))
        var isSwift = false
        var count = 0
        for line in Self.lines(of: try PackageFolder.text(of: "README.md")) {
            if line.hasPrefix("```") {
                isSwift = line == "```swift"
            } else if isSwift, !line.isEmpty {
                count += 1
                #expect(compiled.contains(line))
            }
        }
        #expect(count > 10)
    }

    /// The lines of a text without their indentation and comments.
    private static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map {
            let code = $0.range(of: "  //").map { $0.lowerBound } ?? $0.endIndex
            return $0[..<code].trimmingCharacters(in: .whitespaces)
        }
    }
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

private func administer(_ cache: ResponseCache) {
    let router = Router(options: .autoGenerateHeadEndpoints)
    router.addCacheAdministration(of: cache, access: .token(BearerToken("at-least-16-letters")!))
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
