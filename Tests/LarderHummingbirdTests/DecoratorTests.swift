import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// A context with the user of a request, as an authentication middleware sets it.
struct UserContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var user: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}

struct Authentication: RouterMiddleware {
    typealias Context = UserContext

    func handle(
        _ request: Request,
        context: UserContext,
        next: (Request, UserContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.user = request.headers[.authorization]
        return try await next(request, context)
    }
}

@Suite(.timeLimit(.minutes(5))) struct DecoratorTests {
    private let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16)))

    @Test func `A user never gets the response of another user, whatever the names of the users`() async throws {
        let router = Router(context: UserContext.self)
        router.add(middleware: Authentication())
        router.group("me").cached(by: cache, .fresh(for: .seconds(60)), perUser: { $1.user })
            .get { _, context in "I am \(context.user ?? "anonymous")" }
        try await serve(Application(router: router)) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<10 {
                    for user in ["a", "b", "a&user=b", "a#user=b", "a%26user=b", "user=\(round)"] {
                        group.addTask {
                            let response = try await client.get("/me", [.authorization: user])
                            #expect(response.text == "I am \(user)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await client.get("/me", [.cookie: "a=b"]).status == .ok)
            #expect(try await client.get("/me", [.cookie: "a=b"]).cacheStatusText.contains("detail=cookie"))
            #expect(try await client.get("/me", [.authorization: "a"]).isHit)
        }
    }

    @Test func `A response to a request with credentials and without a user is not shared`() async throws {
        let router = Router(context: UserContext.self)
        var policy = CachePolicy.fresh(for: .seconds(60))
        policy.credentials = .byResponse
        router.cached(by: cache, policy, perUser: { _, context in context.user }).get("me") { request, _ in
            "of \(request.headers[.authorization] ?? "anonymous")"
        }
        try await serve(Application(router: router)) { client in
            for name in ["a", "b"] {
                let value = try await client.get("/me", [.authorization: name]).text
                #expect(value == "of \(name)")
            }
        }
    }

    @Test func `A request with credentials bypasses the cache if the policy does not name users`() async throws {
        let router = Router()
        router.cached(by: cache, for: .seconds(60)).get("a") { _, _ in "a" }
        router.cached(by: cache, .fresh(for: .seconds(60)).ignoringCredentials()).get("b") { _, _ in "b" }
        try await serve(Application(router: router)) { client in
            for path in ["/a", "/b", "/b"] { _ = try await client.get(path) }
            #expect(try await client.get("/a", [.authorization: "x"]).cacheStatusText.contains("detail=authorization"))
            #expect(try await client.get("/b", [.authorization: "x"]).isHit)
        }
    }

    @Test func `A handler's tags invalidate its response and are not sent to clients`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60)).get { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "a"))).tagged("posts", "a-1")
        }
        try await serve(Application(router: router)) { client in
            for _ in 0..<2 {
                let value = try await client.get("/a").headers[HTTPField.Name("Cache-Tag")!]
                #expect(value == nil)
            }
            #expect(try await client.get("/a").isHit)
            await cache.invalidate(.tag("a-1"))
            #expect(try await !client.get("/a").isHit)
        }
    }

    @Test func `A cache around an application stores only responses that are explicitly public`() async throws {
        let router = Router()
        router.get("public") { _, _ in Response(status: .ok, headers: [.cacheControl: "public, max-age=60"]) }
        router.get("silent") { _, _ in Response(status: .ok) }
        let application = Application(responder: cache.responding(for: router.buildResponder()))
        try await serve(application) { client in
            for path in ["/public", "/silent"] { _ = try await client.get(path) }
            #expect(try await client.get("/public").isHit)
            #expect(try await client.get("/silent").cacheStatusText.contains("detail=not-public"))
        }
    }

    @Test func `A streamed body is stored unless it ends with an error`() async throws {
        let router = Router()
        router.group("whole").cached(by: cache, for: .seconds(60)).get { _, _ in
            Response(status: .ok, body: ResponseBody(contentsOf: ["ab", "cd"].map { ByteBuffer(string: $0) }))
        }
        router.group("broken").cached(by: cache, for: .seconds(60)).get { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "ab"))
                    throw HTTPError(.internalServerError)
                }
            )
        }
        try await serve(Application(router: router)) { client in
            for _ in 0..<2 {
                let value = try await client.get("/whole").text
                #expect(value == "abcd")
            }
            #expect(try await client.get("/whole").isHit)
        }
        try await serve(Application(router: router)) { client in
            _ = try? await client.get("/broken")
        }
        #expect(await !cache.remove(CacheKey("GET:/broken")!).wasStored)
    }

    @Test(arguments: [
        (HTTPResponse.Status.ok, false, true), (.internalServerError, false, true), (.internalServerError, true, true),
        (.serviceUnavailable, true, true), (.conflict, false, false), (.conflict, true, false),
        (.notFound, true, false),
    ]) func `A write that fails with 5xx invalidates its path, and a write that is refused with 4xx does not`(
        _ status: HTTPResponse.Status,
        _ isThrown: Bool,
        _ isInvalidated: Bool
    ) async throws {
        let version = Counter()
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60))
            .get { _, _ in "\(version.value)" }
            .put { _, _ -> HTTPResponse.Status in
                version.next()
                if isThrown { throw HTTPError(status) }
                return status
            }
        try await serve(Application(router: router)) { client in
            let before = try await client.get("/a").text
            let written = try await client.execute(uri: "/a", method: .put) { $0.status }
            let after = try await client.get("/a").text
            #expect(before == "0" && written == status)
            #expect(after == (isInvalidated ? "1" : "0"))
        }
    }

    @Test func `An error of the handler is thrown unchanged`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60)).get { _, _ -> String in
            throw HTTPError(.conflict, headers: [.retryAfter: "7"], message: "Not now")
        }
        try await serve(Application(router: router)) { client in
            let response = try await client.get("/a")
            #expect(response.status == .conflict && response.headers[.retryAfter] == "7")
        }
    }
}

/// Serves an application on a free port for the time of one test.
func serve(
    _ application: some ApplicationProtocol,
    _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
) async throws {
    try await application.test(.live) { try await test($0) }
}

extension TestClientProtocol {
    func get(_ uri: String, _ headers: HTTPFields = [:]) async throws -> HummingbirdTesting.TestResponse {
        try await execute(uri: uri, method: .get, headers: headers)
    }
}

extension HummingbirdTesting.TestResponse {
    var text: String { String(buffer: body) }
}
