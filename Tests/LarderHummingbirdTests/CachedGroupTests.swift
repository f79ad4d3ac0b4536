import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderHummingbird

/// The ways to add routes to a cached group: subgroups, contexts, collections and controllers.
@Suite(.timeLimit(.minutes(5))) struct CachedGroupTests {
    private let bench = Bench()
    private var cache: ResponseCache { bench.cache }

    @Test func `The perUser function gets the context that all middleware changed`() async throws {
        for place in 0..<4 {
            let bench = Bench()
            let router = Router(context: UserContext.self)
            if place == 0 { router.add(middleware: Authentication()) }
            let group = router.group("me")
            if place == 1 { group.add(middleware: Authentication()) }
            let cached = group.cached(by: bench.cache, .fresh(for: .seconds(60)), perUser: { $1.user })
            if place == 2 { cached.add(middleware: Authentication()) }
            let subgroup = cached.group()
            if place == 3 { subgroup.add(middleware: Authentication()) }
            subgroup.get { _, context in "I am \(context.user ?? "anonymous")" }
            try await Application(router: router).test(.router) { client in
                for user in ["ada", "bob", "ada"] {
                    let value = try await client.get("/me", [.authorization: user]).text
                    #expect(value == "I am \(user)")
                }
                let value2 = try await client.get("/me", [.authorization: "bob"]).cacheStatusText
                #expect(value2.contains("; hit"))
            }
        }
    }

    @Test func `A subgroup with another context distinguishes users by the context of its parent`() async throws {
        let router = Router(context: UserContext.self)
        let names = Names()
        router.group("me").add(middleware: Authentication())
            .cached(by: cache, .fresh(for: .seconds(60)), perUser: { $1.user })
            .group("x", context: SignedIn.self)
            .add(middleware: Naming(name: "signed in", names: names, context: SignedIn.self))
            .group(context: Renamed.self)
            .get { _, context in "I am \(context.name)" }
            .put { _, _ in "done" }
        try await Application(router: router).test(.router) { client in
            for user in ["ada", "bob", "ada", "bob"] {
                let value = try await client.get("/me/x", [.authorization: user]).text
                #expect(value == "I am \(user)")
            }
            #expect(try await client.get("/me/x", [.authorization: "bob"]).isHit)
            #expect(names.take().count == 5)
            // The new context is created on hits too, and throws if there is no user.
            #expect(try await client.get("/me/x").status == .unauthorized)
            _ = try await client.execute(uri: "/me/x", method: .put, headers: [.authorization: "ada"])
            #expect(try await client.get("/me/x", [.authorization: "bob"]).cacheStatusText.contains("fwd="))
        }
    }

    @Test func `A subgroup with its own cache distinguishes users by its own context`() async throws {
        let router = Router(context: UserContext.self)
        router.group("me").add(middleware: Authentication())
            .cached(by: cache, .fresh(for: .seconds(60)), perUser: { _, _ in "all" })
            .group(context: SignedIn.self)
            .cached(by: cache, .fresh(for: .seconds(60)), perUser: { $1.name })
            .group(context: Renamed.self)
            .get { _, context in "I am \(context.name)" }
        try await Application(router: router).test(.router) { client in
            for user in ["ada", "bob", "ada"] {
                let value = try await client.get("/me", [.authorization: user]).text
                #expect(value == "I am \(user)")
            }
        }
        #expect(cache.statistics.snapshot().topKeys.map(\.key.description).sorted().first == "GET:/me#user=ada")
    }

    @Test func `A request whose user cannot be determined bypasses the cache`() async throws {
        let handler = CallbackResponder<BasicRequestContext> { _, _ in Response(status: .ok) }
        var readers = ContextReaders<BasicRequestContext>()
        readers.outer = OuterReaders(mayInvalidate: false)
        let route = RouteCache(cache: cache, policy: .fresh(for: .seconds(60)), readers: readers)
        let responder = CachingResponder(caching: handler, of: .get, route)
        try await Application(responder: responder).test(.router) { client in
            for _ in 0..<2 {
                let status = try await client.get("/me").cacheStatusText
                #expect(status.contains("fwd=bypass"))
            }
        }
    }

    @Test func `The inner of two caches around a route is used, and all middleware runs in front of it`() async throws {
        let names = Names()
        let router = Router()
        router.cached(by: cache, for: .seconds(60)).add(middleware: Naming(name: "outer", names: names)).group("a")
            .cached(by: cache, .fresh(for: .seconds(60)).bypassable(by: .noClients))
            .add(middleware: Naming(name: "inner", names: names))
            .get { _, _ in "a" }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a?nocache=true")
            #expect(try await client.get("/a?nocache=true").isHit)
        }
        #expect(names.take() == ["outer", "inner", "outer", "inner"])
    }

    @Test func `Middleware keeps its order in a cached group of a collection`() async throws {
        let names = Names()
        let collection = RouteCollection()
        collection.add(middleware: Naming(name: "collection", names: names))
        collection.group("c").cached(by: cache, for: .seconds(60)).add(middleware: Naming(name: "cached", names: names))
            .get { _, _ in "c" }
        let router = Router()
        router.add(middleware: Naming(name: "router", names: names))
        router.addRoutes(collection, atPath: "x")
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/x/c")
            #expect(try await client.get("/x/c").isHit)
        }
        let all = ["router", "collection", "cached"]
        #expect(names.take() == all + all)
    }

    @Test func `A collection without middleware is cached by the group that it is added to`() async throws {
        let collection = RouteCollection()
        _ = collection.on("c", method: .get) { _, _ in "c" }
        collection.group("own").cached(by: cache, .fresh(for: .seconds(60)).bypassable(by: .noClients)).get { _, _ in
            "own"
        }
        let router = Router()
        router.group("x").cached(by: cache, for: .seconds(60)).add(middleware: Door())
            .addRoutes(collection, atPath: "y")
        try await Application(router: router).test(.router) { client in
            #expect(try await client.get("/x/y/c").status == .unauthorized)
            for path in ["/x/y/c", "/x/y/own?nocache=true"] {
                _ = try await client.get(path, [Door.field: "open"])
                let value = try await client.get(path, [Door.field: "open"]).cacheStatusText
                #expect(value.contains("; hit"))
            }
        }
    }

    /// A controller that adds middleware to a subgroup, and so takes a cached group.
    struct Posts {
        func addRoutes(to group: CachedRouterGroup<BasicRequestContext>) {
            group.group("drafts").add(middleware: Door()).get { _, _ in "drafts" }
            group.get { _, _ in "posts" }
        }
    }

    /// A controller that takes any group, and adds middleware to that group alone.
    struct Users {
        func addRoutes(to group: some RouterMethods<BasicRequestContext>) {
            group.add(middleware: Door()).group("all").get { _, _ in "users" }
        }
    }

    /// A controller that calls `cached` on the group to which it adds middleware.
    struct Tags {
        let cache: ResponseCache

        func addRoutes(to group: RouterGroup<BasicRequestContext>) {
            group.add(middleware: Door()).cached(by: cache, for: .seconds(60)).get { _, _ in "tags" }
        }
    }

    /// A controller that takes Hummingbird's own group.
    struct Pages {
        func addRoutes(to group: RouterGroup<BasicRequestContext>) {
            group.group("home").get { _, _ in "home" }
        }
    }

    @Test func `Controllers can add their routes to a cached group`() async throws {
        let router = Router()
        let cached = router.group("api").cached(by: cache, for: .seconds(60))
        Posts().addRoutes(to: cached.group("posts"))
        Users().addRoutes(to: cached.group("users"))
        Tags(cache: cache).addRoutes(to: router.group("tags"))
        Pages().addRoutes(to: cached.group("pages"))
        Pages().addRoutes(to: cached.group("more").cachingMiddleware())
        try await Application(router: router).test(.router) { client in
            let closed = ["/api/posts/drafts", "/api/users/all", "/tags"]
            for path in closed + ["/api/posts", "/api/pages/home", "/api/more/home"] {
                _ = try await client.get(path, [Door.field: "open"])
                let value = try await client.get(path, [Door.field: "open"]).cacheStatusText
                #expect(value.contains("; hit"))
                let value2 = try await client.get(path).status
                #expect(value2 == (closed.contains(path) ? .unauthorized : .ok))
            }
        }
    }

    @Test func `Middleware that would not run on hits stops the program while its routes are built`() async throws {
        func check(_ result: ExitTest.Result?) throws {
            let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
            #expect(text.contains("call `cached` there") && text.contains("cachingMiddleware()"))
        }
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let cached = Router().group("a").cached(by: Bench().cache, for: .seconds(60))
                let hidden: RouterGroup<BasicRequestContext> = cached.group("b")
                hidden.add(middleware: Door()).get { _, _ in "secret" }
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let collection = RouteCollection()
                collection.add(middleware: Door())
                _ = collection.on("c", method: .get) { _, _ in "secret" }
                Router().cached(by: Bench().cache, for: .seconds(60)).addRoutes(collection)
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                Router().cached(by: Bench().cache, for: .seconds(60)).on("d", method: .put, responder: Opaque())
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addGenericRoutes(to: Router().cached(by: Bench().cache, for: .seconds(60)))
            }
        )
    }

    /// `cached` on a group of an unknown type begins with nothing, so that the responses of all tenants would be one.
    @Test func `A nested call of cached without what the outer group reads stops the program`()
        async throws
    {
        func check(_ result: ExitTest.Result?) throws {
            let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
            #expect(text.contains("GET /nested cannot be cached"))
            #expect(text.contains("does not know its user, key parts, tags and scopes"))
            #expect(text.contains("Take a CachedRouterGroup instead of `some RouterMethods`"))
        }
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer().varying(by: "tenant") { _, _ in "acme" })
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer().tagged { _, _ in ["acme"] })
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer().invalidating { _, _ in [.tag("acme")] })
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer().bypassing { _, _ in true })
            }
        )
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer(perUser: { request, _ in request.headers[.from] }))
            }
        )
        // The readers of a group with another context.
        try check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                addCachedRoutes(to: outer().varying(by: "tenant") { _, _ in "acme" }.group(context: Child.self))
            }
        )
        // A group that takes nothing from requests may have any group inside, and so may one whose type is known.
        addCachedRoutes(to: outer())
        outer().varying(by: "tenant") { _, _ in "acme" }.cached(by: cache, for: .seconds(5)).get { _, _ in "f" }
    }
}

/// Returns a cached group that takes nothing from requests.
private func outer(
    perUser user: (@Sendable (Request, BasicRequestContext) -> String?)? = nil
) -> CachedRouterGroup<BasicRequestContext> {
    Router().cached(by: Bench().cache, for: .seconds(60), perUser: user)
}

/// Calls `cached` on a group whose type is not known here.
private func addCachedRoutes<Context: RequestContext>(to group: some RouterMethods<Context>) {
    group.cached(by: Bench().cache, for: .seconds(60)).get("nested") { _, _ in "f" }
}

/// Adds routes with another context to a group of Hummingbird's own type, since the type of the group is not known
/// here.
private func addGenericRoutes(to group: some RouterMethods<BasicRequestContext>) {
    group.group("e", context: Child.self).get { _, _ in "e" }
}

/// A responder of another library.
private struct Opaque: HTTPResponder {
    func respond(to request: Request, context: BasicRequestContext) async throws -> Response { Response(status: .ok) }
}

/// A context that requires a user.
struct SignedIn: ChildRequestContext {
    typealias ParentContext = UserContext
    var coreContext: CoreRequestContextStorage
    let name: String

    init(context: UserContext) throws {
        guard let user = context.user else { throw HTTPError(.unauthorized) }
        coreContext = context.coreContext
        name = user
    }
}

/// A context made from that of a user.
struct Renamed: RequestContext {
    typealias Source = SignedIn
    var coreContext: CoreRequestContextStorage
    let name: String

    init(source: SignedIn) {
        coreContext = source.coreContext
        name = source.name
    }
}
