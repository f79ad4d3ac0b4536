import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// The order of middleware and cache: middleware runs on every request, and the cache replaces only the handler's work.
@Suite(.timeLimit(.minutes(5))) struct MiddlewareOrderTests {
    private let bench = Bench()
    private let calls = Counter()

    private var cache: ResponseCache { bench.cache }

    /// The places where the middleware of a route can be added.
    enum Place: CaseIterable { case router, routerLater, group, cachedGroup, subgroup, deepSubgroup }

    @Test(arguments: Place.allCases) func `A stored response is not served to a request that middleware rejects`(
        _ place: Place
    ) async throws {
        let router = Router()
        let door = Door()
        if place == .router { router.add(middleware: door) }
        let group = router.group("secret")
        if place == .group { group.add(middleware: door) }
        let cached = group.cached(by: cache, for: .seconds(60))
        if place == .routerLater { router.add(middleware: door) }
        if place == .cachedGroup { cached.add(middleware: door) }
        let subgroup = cached.group("a")
        if place == .subgroup { subgroup.add(middleware: door) }
        let deep = subgroup.group().group("b")
        if place == .deepSubgroup { deep.addMiddleware { door } }
        deep.get("c") { _, _ in "secret \(calls.next())" }
        try await Application(router: router).test(.router) { client in
            for _ in 0..<2 {
                let insider = try await client.get("/secret/a/b/c", [Door.field: "open"])
                #expect(insider.text == "secret 1")
                let rejected = try await client.get("/secret/a/b/c")
                #expect(rejected.status == .unauthorized)
                #expect(rejected.text.contains("secret") == false)
            }
            #expect(try await client.get("/secret/a/b/c", [Door.field: "open"]).isHit)
        }
        #expect(calls.value == 1)
    }

    @Test func `On a hit all middleware runs in the same order as on a miss`() async throws {
        let names = Names()
        let router = Router()
        router.add(middleware: Naming(name: "router", names: names))
        let group = router.group("a").add(middleware: Naming(name: "group", names: names))
            .cached(by: cache, for: .seconds(60))
            .add(middleware: Naming(name: "first", names: names))
            .add(middleware: Naming(name: "second", names: names))
        group.group("b").add(middleware: Naming(name: "sub", names: names)).get { _, _ in
            names.add("handler")
            return "b"
        }
        .add(middleware: Naming(name: "late", names: names))
        .get("late") { _, _ in "late" }
        group.get("plain") { _, _ in "plain" }
        let all = ["router", "group", "first", "second", "sub"]
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a/b")
            #expect(names.take() == all + ["handler"])
            #expect(try await client.get("/a/b").isHit)
            #expect(names.take() == all)
            // Middleware applies to the routes that are added after it, and to its own group.
            _ = try await client.get("/a/b/late")
            #expect(names.take() == all + ["late"])
            _ = try await client.get("/a/plain")
            #expect(names.take() == ["router", "group", "first", "second"])
        }
    }

    @Test func `Each origin has its own CORS fields, on hits too`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60))
            .add(middleware: CORSMiddleware(allowOrigin: .originBased, allowCredentials: true))
            .get { _, _ in "a" }
            .on("", method: .options) { _, _ in HTTPResponse.Status.ok }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a")
            for origin in ["https://one.example", "https://two.example"] {
                let response = try await client.get("/a", [.origin: origin])
                #expect(response.headers[.accessControlAllowOrigin] == origin)
                #expect(response.headers[.vary]?.contains("Origin") == true)
                #expect(response.isHit)
                let preflight = try await client.execute(uri: "/a", method: .options, headers: [.origin: origin])
                #expect(preflight.status == .noContent && preflight.headers[.accessControlAllowOrigin] == origin)
            }
            #expect(try await client.get("/a").headers[.accessControlAllowOrigin] == nil)
        }
    }

    @Test func `A write runs the same middleware and invalidates only if it reaches the handler`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60)).add(middleware: Door())
            .get { _, _ in "\(calls.next())" }
            .put { _, _ in "done" }
        try await Application(router: router).test(.router) { client in
            let open: HTTPFields = [Door.field: "open"]
            _ = try await client.get("/a", open)
            #expect(try await client.execute(uri: "/a", method: .put).status == .unauthorized)
            #expect(try await client.get("/a", open).text == "1")
            #expect(try await client.execute(uri: "/a", method: .put, headers: open).status == .ok)
            #expect(try await client.get("/a", open).text == "2")
        }
    }

    @Test func `A response is stored as the handler returns it and changed for each request`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60)).add(middleware: Shouting()).get { _, _ in "text" }
        try await Application(router: router).test(.router) { client in
            for _ in 0..<2 {
                let value = try await client.get("/a", [.acceptEncoding: "shout"]).text
                #expect(value == "TEXT")
                let value2 = try await client.get("/a").text
                #expect(value2 == "text")
            }
            #expect(try await client.get("/a", [.acceptEncoding: "shout"]).isHit)
        }
    }

    @Test func `The key is made of the request as the middleware changed it`() async throws {
        let router = Router()
        router.group("a/:id").cached(by: cache, .fresh(for: .seconds(60)).varying(by: .acceptLanguage))
            .add(middleware: Rewriting())
            .get { request, _ in "\(request.uri.path) \(request.headers[.acceptLanguage] ?? "")" }
        try await Application(router: router).test(.router) { client in
            #expect(try await client.get("/a/1?x=1", [.acceptLanguage: "de-AT"]).text == "/b de")
            let other = try await client.get("/a/2?y=2", [.acceptLanguage: "de-CH"])
            #expect(other.text == "/b de" && other.isHit)
        }
        #expect(cache.statistics.snapshot().topKeys.map(\.key.description) == ["GET:/b#accept-language:de"])
    }

    @Test func `A refresh in the background calls the handler without the middleware`() async throws {
        let names = Names()
        let router = Router()
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(60))
        router.group("a").cached(by: cache, policy).add(middleware: Naming(name: "m", names: names)).get { _, _ in
            names.add("handler")
            return "a"
        }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a")
            bench.clock.advance(by: .seconds(61))
            #expect(try await client.get("/a").cacheStatusText.contains("stale-while-revalidate"))
            await cache.idle()
            #expect(names.take() == ["m", "handler", "m", "handler"])
        }
    }

    @Test func `A hit skips middleware only if it was added to the group of cachingMiddleware`() async throws {
        let names = Names()
        let router = Router()
        let group = router.group("a").cached(by: cache, for: .seconds(60))
            .add(middleware: Naming(name: "1", names: names))
        let inside = group.cachingMiddleware().add(middleware: Naming(name: "2", names: names))
        inside.group("b").add(middleware: Naming(name: "3", names: names)).get { _, _ in "b" }
        inside.group("c", context: Child.self).get { _, _ in "c" }
        group.add(middleware: Naming(name: "4", names: names)).get { _, _ in "a" }
        inside.head("b") { _, _ in "" }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a/b")
            #expect(names.take() == ["1", "2", "3"])
            #expect(try await client.get("/a/b").isHit)
            #expect(names.take() == ["1"])
            for _ in 0..<2 { _ = try await client.get("/a") }
            #expect(names.take() == ["1", "4", "1", "4"])
            for _ in 0..<2 { _ = try await client.get("/a/c") }
            #expect(names.take() == ["1", "2", "1"])
            #expect(try await client.execute(uri: "/a/b", method: .head).cacheStatusText.contains("detail=head"))
        }
    }
}

/// A middleware that rejects requests without a field that the cache does not treat as a credential.
struct Door: RouterMiddleware {
    static let field = HTTPField.Name("X-Door")!

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        guard request.headers[Self.field] == "open" else { throw HTTPError(.unauthorized) }
        return try await next(request, context)
    }
}

/// A list of names in the order in which they were added.
final class Names: Sendable {
    private let names = NIOLockedValueBox<[String]>([])

    func add(_ name: String) { names.withLockedValue { $0.append(name) } }

    /// Returns the names that were added so far, and removes them.
    func take() -> [String] {
        names.withLockedValue { names in
            defer { names = [] }
            return names
        }
    }
}

/// A middleware that adds its name for each request.
struct Naming<Context: RequestContext>: RouterMiddleware {
    let name: String
    let names: Names

    init(name: String, names: Names, context: Context.Type = BasicRequestContext.self) {
        self.name = name
        self.names = names
    }

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        names.add(name)
        return try await next(request, context)
    }
}

/// A middleware that encodes bodies for clients that accept it, as compression does.
private struct Shouting: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard request.headers[.acceptEncoding] == "shout" else { return response }
        response.headers[.contentEncoding] = "shout"
        response.body = response.body.map { ByteBuffer(string: String(buffer: $0).uppercased()) }
        return response
    }
}

/// A middleware that changes the path of each request to `/b` and removes the region from its language.
private struct Rewriting: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var head = request.head
        head.path = "/b"
        head.headerFields[.acceptLanguage] = head.headerFields[.acceptLanguage].map { String($0.prefix(2)) }
        return try await next(Request(head: head, body: request.body), context)
    }
}

/// A context made from a basic context.
struct Child: RequestContext {
    typealias Source = BasicRequestContext
    var coreContext: CoreRequestContextStorage

    init(source: BasicRequestContext) {
        coreContext = CoreRequestContextStorage(source: source)
        coreContext.parameters = source.parameters
    }
}
