import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// Caches inside others: a group inside a cached group, and a route inside a cached application.
@Suite(.timeLimit(.minutes(5))) struct NestedPolicyTests {
    private let session = HTTPField.Name("X-Session")!

    @Test(arguments: StoreChoice.allCases)
    func `A group inside keeps what keeps the responses of its outer group apart`(store: StoreChoice) async throws {
        let calls = Counter()
        let session = session
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            let outer = router.group("x").cached(
                by: cache,
                .fresh(for: .seconds(60)).varyingByHost().credentials(fields: [session])
                    .bypassing(BypassRule(parameters: ["preview"])).tagged("posts").invalidating(.tag("feed"))
            )
            outer.cached(by: cache, for: .seconds(600)).get("time") { _, _ in "\(calls.next())" }
            outer.cached(by: cache, .fresh(for: .seconds(600))).get("policy") { _, _ in "\(calls.next())" }
            addRoutes(to: outer.group("any"), cache, calls)
            outer.put("time") { _, _ in "done" }
            router.group("feed").cached(by: cache, .fresh(for: .seconds(60)).tagged("feed")).get { _, _ in
                "\(calls.next())"
            }
            try await Application(router: router).test(.router) { client in
                for path in ["/x/time", "/x/policy", "/x/any"] {
                    let first = try await client.number(path)
                    expectEqual(try await client.number(path), first)
                    expectTrue(try await client.number(path, [HTTPField.Name("Host")!: "b.example"]) != first)
                    // Credentials that the outer group names, and its bypass rule.
                    expectTrue(try await client.number(path, [session: "ada"]) != first)
                    expectTrue(try await client.number(path, [session: "bob"]) != first)
                    expectTrue(try await client.number(path + "?preview") != first)
                    expectEqual(try await client.number(path), first)
                    await cache.invalidate(.tag("posts"))
                    expectTrue(try await client.number(path) != first)
                }
                let feed = try await client.number("/feed")
                _ = try await client.send(.put, "/x/time")
                expectTrue(try await client.number("/feed") != feed)
            }
        }
    }

    /// Calls `cached` on a group whose type is not known here.
    private func addRoutes<Context: RequestContext>(
        to group: some RouterMethods<Context>,
        _ cache: ResponseCache,
        _ calls: Counter
    ) {
        group.cached(by: cache, for: .seconds(600)).get { _, _ in "\(calls.next())" }
    }

    @Test func `A group inside has the lifetime that it names, and the rest of the policy`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        let outer = router.group("x").cached(
            by: bench.cache,
            .fresh(for: .seconds(60)).clientCaching(.revalidate).endingInSlash()
        )
        outer.cached(by: bench.cache, for: .seconds(5)).get { _, _ in "\(calls.next())" }
        try await Application(router: router).test(.router) { client in
            expectEqual(try await client.get("/x").headers[.cacheControl], "no-cache")
            expectTrue(try await client.get("/x").cacheStatusText.contains("ttl=5"))
            expectEqual(bench.cache.statistics.snapshot().topKeys.first?.key.description, "GET:/x/")
        }
    }

    @Test func `An empty ID of a user is no user`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        router.group("cart").cached(
            by: bench.cache,
            for: .seconds(60),
            perUser: { request, _ in
                request.headers[.from] ?? ""
            }
        ).get { request, _ in "\(calls.next()) \(request.headers[.cookie] ?? "-")" }
        try await Application(router: router).test(.router) { client in
            expectEqual(try await client.get("/cart", [.cookie: "guest=1"]).text, "1 guest=1")
            expectEqual(try await client.get("/cart", [.cookie: "guest=2"]).text, "2 guest=2")
            expectEqual(try await client.get("/cart", [.cookie: "guest=2", .from: "ada"]).text, "3 guest=2")
            expectEqual(try await client.get("/cart", [.cookie: "guest=1", .from: "ada"]).text, "3 guest=2")
        }
        let origin = TestOrigin { _ in TestResponse("\(calls.next())") }
        var request = HTTPRequest.get("/direct")
        request.headerFields[.cookie] = "guest=1"
        for _ in 0..<2 {
            let response = try await bench.cache.respond(
                to: request,
                for: "",
                under: .fresh(for: .seconds(60)),
                from: origin
            )
            #expect(response.head.headerFields[.cacheStatus]?.contains("detail=cookie") == true)
        }
    }

    @Test func `Responses that may differ by client are private to shared caches, for a client without an ID too`()
        async throws
    {
        let bench = Bench()
        let router = Router()
        let policy = CachePolicy.fresh(for: .seconds(60)).clientCaching(.maxAge(30))
        router.group("user").cached(by: bench.cache, policy, perUser: { request, _ in request.headers[.from] })
            .get { _, _ in "page" }
        router.group("tenant").cached(by: bench.cache, policy)
            .varying(by: "tenant") { request, _ in request.headers[.from] }
            .get { _, _ in "page" }
        router.group("all").cached(by: bench.cache, policy).get { _, _ in "page" }
        try await Application(router: router).test(.router) { client in
            for headers in [[:], [.from: "ada"]] as [HTTPFields] {
                for path in ["/user", "/tenant"] {
                    for _ in 0..<2 {
                        expectEqual(try await client.get(path, headers).headers[.cacheControl], "private, max-age=30")
                    }
                }
                expectEqual(try await client.get("/all", headers).headers[.cacheControl], "max-age=30")
            }
        }
    }

    @Test func `A response with a field that must not be reused is private to shared caches`() async throws {
        let bench = Bench()
        let router = Router()
        for (path, clients) in [("age", ClientCaching.maxAge(30)), ("ask", .revalidate)] {
            router.group("\(path)").cached(by: bench.cache, .fresh(for: .seconds(60)).clientCaching(clients))
                .get { _, _ in
                    let fields: HTTPFields = [.setCookie: "sid=1", .cacheControl: #"no-cache="Set-Cookie""#]
                    return Response(status: .ok, headers: fields)
                }
        }
        try await Application(router: router).test(.router) { client in
            for (path, directive) in [("/age", "max-age=30"), ("/ask", "no-cache")] {
                let first = try await client.get(path)
                #expect(first.headers[.setCookie] == "sid=1")
                #expect(first.headers[.cacheControl] == "private, " + directive)
                let second = try await client.get(path)
                #expect(second.isHit && second.headers[.setCookie] == nil)
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A lifetime that a handler names leaves fields that must not be reused to one client`(
        store: StoreChoice
    ) async throws {
        try await store.withCache { cache in
            let router = Router()
            let account = HTTPField.Name("X-Account")!
            router.group("x").cached(by: cache, for: .seconds(60)).get { request, _ in
                let fields: HTTPFields = [
                    .cacheControl: #"no-cache="x-account""#, account: request.headers[.from] ?? "-",
                ]
                return Response(status: .ok, headers: fields).fresh(for: .seconds(50))
            }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.get("/x", [.from: "ada"]).headers[account], "ada")
                let second = try await client.get("/x", [.from: "bob"])
                #expect(second.isHit && second.headers[account] == nil)
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `What a route inside a cached application tells clients reaches them, on hits of both caches`(
        store: StoreChoice
    ) async throws {
        try await store.withCache { cache in
            let router = Router()
            for (path, clients) in [("none", ClientCaching.none), ("age", .maxAge(30)), ("ask", .revalidate)] {
                router.group("\(path)").cached(by: cache, .fresh(for: .seconds(300)).clientCaching(clients))
                    .get { _, _ in Response(status: .ok, headers: [.cacheControl: "public, max-age=300"]) }
            }
            router.group("user").cached(
                by: cache,
                .fresh(for: .seconds(300)).clientCaching(.maxAge(30)),
                perUser: { request, _ in request.headers[.from] }
            ).get { _, _ in Response(status: .ok, headers: [.cacheControl: "public, max-age=300"]) }
            let application = Application(responder: cache.responding(for: router.buildResponder()))
            try await application.test(.router) { client in
                let told = [
                    "/none": "no-store", "/age": "max-age=30", "/ask": "no-cache", "/user": "private, max-age=30",
                ]
                for (path, directive) in told {
                    for headers in [[:], [:], [.cookie: "a=b"]] as [HTTPFields] {
                        let response = try await client.get(path, headers)
                        // A request with credentials bypasses both caches.
                        let mayBePrivate = headers.contains(.cookie) && directive != "no-store"
                        let isPrivate = mayBePrivate && !directive.hasPrefix("private")
                        // Clients subtract the age, so it is added to the time.
                        let age = response.headers[.age].flatMap { Int($0) } ?? 0
                        let directive = directive.replacing("30", with: "\(30 + age)")
                        #expect(response.headers[.cacheControl] == (isPrivate ? "private, " + directive : directive))
                        let inner = response.headers.filter { $0.name.canonicalName.hasPrefix("larder-") }
                        #expect(inner.isEmpty)
                    }
                }
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A lifetime that a handler names holds in the cache around the application, too`(
        store: StoreChoice
    ) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router()
            @Sendable func handler(_ request: Request, _ context: BasicRequestContext) -> Response {
                calls.next()
                let response = Response(status: .ok, headers: [.cacheControl: "public, max-age=60"])
                return response.fresh(for: .seconds(5))
            }
            router.get("plain", use: handler)
            router.group("inner").cached(by: cache, for: .seconds(60)).get(use: handler)
            let application = Application(responder: cache.responding(for: router.buildResponder()))
            try await application.test(.router) { client in
                for path in ["/plain", "/inner"] {
                    _ = try await client.get(path)
                    let hit = try await client.get(path)
                    #expect(hit.isHit)
                    let ttl = hit.cacheStatusText.split(separator: "ttl=").last.flatMap {
                        Int($0.prefix { $0.isNumber })
                    }
                    #expect((1...5).contains(ttl ?? 0), "\(hit.cacheStatusText)")
                }
                #expect(calls.value == 2)
            }
        }
    }
}
