import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// Spellings of paths and tags, through Hummingbird's router and the admin routes.
@Suite(.timeLimit(.minutes(5))) struct SpellingRouteTests {
    private static let admin = AdminAccess.token(BearerToken("a-token-that-is-long-enough")!)
    private static let token: HTTPFields = [.authorization: "Bearer a-token-that-is-long-enough"]

    static let targets = [
        "/api/posts", "/api/posts/", "//api/posts", "/api//posts", "///api///posts///", "/api/posts?x=1", "/api/posts?",
        "/API/Posts", "/api/./posts", "/api/../api/posts", "/api/%2e/posts", "/api/p%6Fsts", "/api%2Fposts",
        "/api\\posts",
        "/api/posts;v=1", "/api/posts%3Fx", "/api/posts/.", "/./api/posts", "//host/api/posts", "/api/\u{212A}/posts",
        "/api/..;/posts", "/x/%252e%252e/api/posts", "http://localhost/api/posts", "/api/posts#x", "/api/{id}/posts",
        "/api/\u{212A}eys", "/api/keys",
    ]

    @Test(arguments: targets, [false, true])
    func `A write by any spelling that reaches the handler of a path invalidates the path`(
        _ target: String,
        _ ignoresCase: Bool
    ) async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router(options: ignoresCase ? .caseInsensitive : [])
        for path in ["api/posts", "api/:id/posts", "api/Keys", "**"] as [RouterPath] {
            router.group(path).cached(by: bench.cache, for: .seconds(60))
                .get { _, _ in "answer \(calls.next())" }
                .post { _, _ in "\(path)" }
        }
        try await Application(router: router).test(.router) { client in
            for (path, plain) in [("api/posts", "/api/posts"), ("api/Keys", "/api/Keys")] as [(RouterPath, String)] {
                _ = try await client.get(plain)
                let post = try await client.execute(uri: target, method: .post)
                if target == plain { #expect(post.text == "\(path)") }
                // Some of these get a 404 from a route without a wildcard, which does not invalidate.
                if post.status == .ok, post.text == "\(path)" {
                    #expect(try await !client.get(plain).isHit)
                }
            }
            // A response that is stored under an unusual spelling is invalidated by a write to the same spelling.
            _ = try await client.get(target)
            _ = try await client.execute(uri: target, method: .post)
            #expect(try await !client.get(target).isHit)
        }
    }

    @Test(arguments: [
        "/api/posts/", "//api/posts", "/api//posts", "/api/./posts", "/api/%2e/posts", "/api/x/../posts",
        "/api/posts?x=1",
    ]) func `A write to another spelling of a path invalidates the path`(_ target: String) async throws {
        let (bench, calls) = (Bench(), Counter())
        let (reading, writing) = (Router(), Router())
        reading.group("api/posts").cached(by: bench.cache, for: .seconds(60)).get { _, _ in "\(calls.next())" }
        writing.group("**").cached(by: bench.cache, for: .seconds(60)).post { _, _ in "done" }
        let writer = writing.buildResponder()
        try await Application(router: reading).test(.router) { client in
            _ = try await client.get("/api/posts")
            #expect(try await client.get("/api/posts").text == "1")
            try await Application(responder: writer).test(.router) { client in
                let post = try await client.execute(uri: target, method: .post)
                #expect(post.status == .ok)
            }
            #expect(try await client.get("/api/posts").text == "2")
        }
    }

    static let tags = [
        "posts", "new arrivals", "caf\u{E9}", "garden & home", "a,b", "50%", "%20", "a/b", "a?b#c", "..", "\u{FFFD}",
        "\"q\"",
        String(repeating: "t", count: 256), String(repeating: "t", count: 300), "",
    ]

    @Test(arguments: tags) func `A handler's tag can have any text and is purged by its percent-encoded name`(
        _ text: String
    ) async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        router.addBulkInvalidation(of: bench.cache, access: Self.admin, at: "admin")
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "\(calls.next())"))).tagged(
                "a",
                CacheTag(text),
                "z"
            )
        }
        try await Application(router: router).test(.router) { client in
            let first = try await client.get("/a")
            #expect(first.headers[.init("Cache-Tag")!] == nil)
            #expect(try await client.get("/a").isHit)
            let path = "/admin/tags/" + CacheTag(text).description
            let purge = try await client.execute(uri: path, method: .delete, headers: Self.token)
            #expect(purge.status == .ok)
            #expect(try await client.get("/a").text == "2")
            await bench.cache.invalidate(.tag(CacheTag(text)))
            #expect(try await client.get("/a").text == "3")
        }
    }

    @Test(arguments: ["new%20arrivals", "new arrivals"])
    func `A purge can name a tag percent-encoded or not`(_ name: String) async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        router.addBulkInvalidation(of: bench.cache, access: Self.admin, at: "admin")
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            let fields: HTTPFields = [.init("Cache-Tag")!: "b, new arrivals"]
            return Response(
                status: .ok,
                headers: fields,
                body: .init(byteBuffer: ByteBuffer(string: "\(calls.next())"))
            )
        }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a")
            let purge = try await client.execute(uri: "/admin/tags/\(name)", method: .delete, headers: Self.token)
            #expect(purge.status == .ok)
            #expect(try await client.get("/a").text == "2")
        }
    }

    @Test(arguments: ["%FF", String(repeating: "a", count: 257)])
    func `A purge of an invalid tag is answered with the expected form`(_ name: String) async throws {
        let bench = Bench()
        let router = Router()
        router.addBulkInvalidation(of: bench.cache, access: Self.admin, at: "admin")
        try await Application(router: router).test(.router) { client in
            let purge = try await client.execute(uri: "/admin/tags/\(name)", method: .delete, headers: Self.token)
            #expect(purge.status == .badRequest)
            #expect(purge.text.contains("a tag of 1 to 256 bytes of UTF-8"))
        }
    }

    @Test func `A handler can give a response a thousand tags`() async throws {
        let bench = Bench()
        let router = Router()
        let tags = (0..<1_000).map { CacheTag("tag \($0)") }
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in Response(status: .ok).tagged(tags)
        }
        #expect(Response(status: .ok).tagged(tags).headers.allSatisfy { $0.value.utf8.count <= 4_096 })
        try await Application(router: router).test(.router) { client in
            for tag in [0, 999] {
                _ = try await client.get("/a")
                #expect(try await client.get("/a").isHit)
                await bench.cache.invalidate(.tag("tag \(tag)"))
                #expect(try await !client.get("/a").isHit)
            }
        }
    }

    @Test func `A long key can be deleted by its full text and by its text in the metrics`() async throws {
        let bench = Bench()
        let router = Router()
        router.addCacheAdministration(of: bench.cache, access: Self.admin)
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { _, _ in "a" }
        let target = "/a?q=%C3%A9" + String(repeating: "a", count: 600)
        try await Application(router: router).test(.router) { client in
            _ = try await client.get(target)
            let shown = try #require(bench.cache.statistics.snapshot().topKeys.first?.key.description)
            let encoded = shown.replacing("%", with: "%25").replacing("?", with: "%3F").replacing("#", with: "%23")
            let names = [
                "GET:" + target.replacing("?", with: "%3F"),
                shown.replacing("?", with: "%3F").replacing("#", with: "%23"), encoded,
            ]
            for name in names {
                _ = try await client.get(target)
                let delete = try await client.execute(
                    uri: "/api/invalidate/\(name)",
                    method: .delete,
                    headers: Self.token
                )
                #expect(delete.status == .ok, "\(name)")
                #expect(await bench.cache.count() == 0)
            }
        }
    }
}
