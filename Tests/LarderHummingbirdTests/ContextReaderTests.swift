import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import TestHelpers
import Testing

@testable import LarderHummingbird

/// Values that a group takes from requests and their context: key parts, tags, scopes that a write invalidates,
/// bypasses.
@Suite(.timeLimit(.minutes(5))) struct ContextReaderTests {
    @Test(arguments: StoreChoice.allCases)
    func `Responses are stored separately for each value of a key part`(store: StoreChoice) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("news")
                .cached(by: cache, for: .seconds(60), perUser: { request, _ in request.headers[.authorization] })
                .varying(by: "language") { request, _ in request.headers[.acceptLanguage]?.prefix(2).lowercased() }
                .varying(by: "tenant") { request, _ in request.headers[.tenant] }
                .get { request, _ in "\(calls.next()) \(request.headers[.tenant] ?? "-")" }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.number("/news", [.acceptLanguage: "de-DE", .tenant: "a&language=en"]), 1)
                expectEqual(try await client.number("/news", [.acceptLanguage: "DE", .tenant: "a&language=en"]), 1)
                expectEqual(try await client.number("/news", [.acceptLanguage: "en", .tenant: "a"]), 2)
                expectEqual(try await client.number("/news", [.acceptLanguage: "de", .tenant: "b"]), 3)
                expectEqual(try await client.number("/news", [.acceptLanguage: "de"]), 4)
                expectEqual(try await client.number("/news", [.acceptLanguage: "de", .tenant: ""]), 5)
                expectEqual(try await client.number("/news", [.acceptLanguage: "de", .authorization: "ada"]), 6)
                expectEqual(try await client.number("/news", [.acceptLanguage: "de", .authorization: "ada"]), 6)
                let keys = Set(cache.statistics.snapshot().topKeys.map(\.key.description))
                #expect(
                    keys == [
                        "GET:/news#language=de&tenant=a%26language%3Den", "GET:/news#language=en&tenant=a",
                        "GET:/news#language=de&tenant=b", "GET:/news#language=de", "GET:/news#language=de&tenant=",
                        "GET:/news#user=ada&language=de",
                    ]
                )
                // All of them belong to the path.
                await cache.invalidate(.path("/news"))
                expectEqual(await cache.count(), 0)
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `Responses have the tags that are taken from the request`(store: StoreChoice) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("teams/:team").cached(by: cache, for: .seconds(60))
                .tagged { _, context in ["team-\(context.parameters.get("team") ?? "")"] }
                .get { _, _ in "\(calls.next())" }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.get("/teams/1").text, "1")
                expectEqual(try await client.get("/teams/2").text, "2")
                await cache.invalidate(.tag("team-1"))
                expectEqual(try await client.get("/teams/1").text, "3")
                expectEqual(try await client.get("/teams/2").text, "2")
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A write to a comment invalidates its post and the list, cached errors included`(
        store: StoreChoice
    ) async throws {
        let calls = Counter()
        let policy = CachePolicy.fresh(for: .seconds(60)).fresh(for: .seconds(60), on: .notFound)
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("api/posts").cached(by: cache, policy).get { _, _ in "list \(calls.next())" }
            router.group("api/posts/:post").cached(by: cache, policy).get { _, _ -> String in
                throw HTTPError(.notFound, message: "\(calls.next())")
            }
            router.group("api/posts/:post/comments").cached(by: cache, policy)
                .invalidating(paths: "/api/posts/:post", "/api/posts")
                .invalidating { _, context in [.tag("comments-of-\(context.parameters.get("post") ?? "")")] }
                .get { _, _ in "comments \(calls.next())" }
                .post { _, _ in HTTPResponse.Status.created }
            router.group("api/stats").cached(by: cache, policy.tagged("comments-of-a%2Fb", "comments-of-7"))
                .get { _, _ in "stats \(calls.next())" }
            try await Application(router: router).test(.router) { client in
                let paths = [
                    "/api/posts", "/api/posts?page=2", "/api/posts/7", "/api/posts/8", "/api/posts/7/comments",
                    "/api/stats",
                ]
                func texts() async throws -> [String] {
                    var texts: [String] = []
                    for path in paths { texts.append(try await client.get(path).text) }
                    return texts
                }
                let first = try await texts()
                expectEqual(try await texts(), first)
                expectEqual(try await client.get("/api/posts/7").status, .notFound)
                _ = try await client.send(.post, "/api/posts/7/comments", content: "x")
                let second = try await texts()
                #expect(zip(first, second).map { $0 != $1 } == [true, true, true, false, true, true])
            }
        }
    }

    @Test func `A parameter that the route does not have invalidates every path that it may stand for`() async throws {
        let calls = Counter()
        try await StoreChoice.memory.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("posts/:id").cached(by: cache, for: .seconds(60)).get { _, _ in "\(calls.next())" }
            router.group("pages").cached(by: cache, for: .seconds(60)).get { _, _ in "\(calls.next())" }
            router.group("comments").cached(by: cache, for: .seconds(60)).invalidating(paths: "/posts/:post")
                .post { _, _ in "done" }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.get("/posts/1").text, "1")
                expectEqual(try await client.get("/pages").text, "2")
                _ = try await client.send(.post, "/comments")
                expectEqual(try await client.get("/posts/1").text, "3")
                expectEqual(try await client.get("/pages").text, "2")
            }
        }
    }

    @Test(arguments: [
        ("/api/posts/:post", "7", "/api/posts/7"), ("api/{post}/x", "a%2Fb", "/api/a%2Fb/x"),
        ("/a%20b/:post", "caf%C3%A9", "/a%20b/caf%c3%a9"), ("/", "7", "/"),
    ]) func `A template is filled with the parameters of the route`(_ text: String, _ id: String, _ path: String) {
        var parameters = Parameters()
        parameters["post"] = id[...]
        let (scopes, missing) = PathTemplate(stringLiteral: text).scopes(with: parameters)
        #expect(scopes.contains(.path(CachePath(path))) && missing == nil, "\(scopes)")
    }

    @Test func `A request bypasses the cache if its context says so`() async throws {
        let calls = Counter()
        try await StoreChoice.memory.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("page").cached(by: cache, for: .seconds(60))
                .bypassing { request, _ in request.headers[.tenant] == "editor" }
                .get { _, _ in "\(calls.next())" }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.get("/page").text, "1")
                expectEqual(try await client.get("/page", [.tenant: "editor"]).text, "2")
                expectEqual(try await client.get("/page").text, "1")
            }
        }
    }

    @Test func `A subgroup with another context, and one with another cache, keep what the group takes`() async throws {
        let calls = Counter()
        let bench = Bench()
        let router = Router(context: UserContext.self)
        router.group("a").add(middleware: Authentication())
            .cached(by: bench.cache, for: .seconds(60), perUser: { $1.user })
            .varying(by: "tenant") { request, _ in request.headers[.tenant] }
            .tagged { _, context in ["user-\(context.user ?? "")"] }
            .group(context: SignedIn.self)
            .varying(by: "name") { _, context in context.name }
            .cached(by: bench.cache, .fresh(for: .seconds(60)))
            .get { _, _ in "\(calls.next())" }
        try await Application(router: router).test(.router) { client in
            for (tenant, text) in [("x", "1"), ("y", "2"), ("x", "1")] {
                expectEqual(try await client.get("/a", [.authorization: "ada", .tenant: tenant]).text, text)
            }
            let keys = bench.cache.statistics.snapshot().topKeys.map(\.key.description).sorted()
            #expect(keys == ["GET:/a#user=ada&tenant=x&name=ada", "GET:/a#user=ada&tenant=y&name=ada"])
            await bench.cache.invalidate(.tag("user-ada"))
            expectEqual(await bench.cache.count(), 0)
        }
    }
}

extension HTTPField.Name {
    fileprivate static let tenant = HTTPField.Name("X-Tenant")!
}
