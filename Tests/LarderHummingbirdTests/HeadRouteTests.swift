import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// Requests that are answered by the handler of another method, and HEAD requests.
@Suite(.timeLimit(.minutes(5))) struct HeadRouteTests {
    private let bench = Bench()
    private let calls = Counter()
    private var cache: ResponseCache { bench.cache }

    private static let mark = HTTPField.Name("X-Head")!

    @Test(arguments: [false, true]) func `A HEAD request to a HEAD route does not fill the GET key`(
        _ hasOption: Bool
    ) async throws {
        let heads = Counter()
        let router = Router(options: hasOption ? .autoGenerateHeadEndpoints : [])
        router.group("a").cached(by: cache, for: .seconds(60))
            .get { _, _ in "body \(calls.next())" }
            .head { _, _ in Response(status: .ok, headers: [Self.mark: "\(heads.next())"]) }
        try await Application(router: router).test(.router) { client in
            let first = try await client.execute(uri: "/a", method: .head)
            #expect(first.headers[Self.mark] == "1" && first.cacheStatusText.contains("fwd=bypass"))
            #expect(first.cacheStatusText.contains("detail=head"))
            #expect(await cache.count() == 0)
            #expect(try await client.get("/a").text == "body 1")
            // The handler is called even if there is a stored response to GET.
            #expect(try await client.execute(uri: "/a", method: .head).headers[Self.mark] == "2")
            let hit = try await client.get("/a")
            #expect(hit.text == "body 1" && hit.isHit)
        }
    }

    @Test func `A generated HEAD endpoint is answered with the response to GET`() async throws {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.group("a").cached(by: cache, for: .seconds(60)).get { _, _ in "body \(calls.next())" }
        try await Application(router: router).test(.live) { client in
            let first = try await client.execute(uri: "/a", method: .head)
            #expect(first.status == .ok && first.body.readableBytes == 0)
            let get = try await client.get("/a")
            #expect(get.text == "body 1" && get.isHit)
            let second = try await client.execute(uri: "/a", method: .head)
            #expect(second.isHit && second.headers[.contentLength] == "6")
        }
        #expect(calls.value == 1)
    }

    @Test func `Middleware that changes the method does not share responses between methods`() async throws {
        let router = Router()
        router.group("a").cached(by: cache, for: .seconds(60)).add(middleware: MethodOverride())
            .get { _, _ in "get \(calls.next())" }
            .post { _, _ in "post" }
            .on("", method: .options) { _, _ in "options" }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a")
            let asGet: HTTPFields = [MethodOverride.field: "GET"]
            #expect(try await client.execute(uri: "/a", method: .options, headers: asGet).text == "options")
            #expect(try await client.get("/a").isHit)
            #expect(try await client.execute(uri: "/a", method: .post, headers: asGet).text == "post")
            // A POST is a write even if middleware changes its method.
            #expect(try await client.get("/a").text == "get 2")
            let asPut: HTTPFields = [MethodOverride.field: "PUT"]
            #expect(try await client.get("/a", asPut).text == "get 3")
            #expect(try await client.get("/a").text == "get 4")
        }
    }

    @Test func `A cache around an application passes HEAD to a route for HEAD alone`() async throws {
        let router = Router()
        router.head("only") { _, _ in
            Response(status: .ok, headers: [Self.mark: "only", .cacheControl: "public, max-age=60"])
        }
        try await whole(router) { client in
            for _ in 0..<2 {
                let head = try await client.execute(uri: "/only", method: .head)
                #expect(head.status == .ok && head.headers[Self.mark] == "only")
                #expect(head.cacheStatusText.contains("detail=head"))
            }
            #expect(try await client.get("/only").status == .notFound)
        }
    }

    @Test func `A cache around an application answers HEAD by the HEAD route or the stored GET`() async throws {
        let router = Router()
        let shared: HTTPFields = [.cacheControl: "public, max-age=60"]
        router.get("a") { _, _ in
            calls.next()
            return Response(status: .ok, headers: shared, body: ResponseBody(byteBuffer: ByteBuffer(string: "body")))
        }
        router.head("a") { _, _ in Response(status: .ok, headers: shared.adding([Self.mark: "own"])) }
        try await whole(router) { client in
            #expect(try await client.execute(uri: "/a", method: .head).headers[Self.mark] == "own")
            #expect(calls.value == 0)
            #expect(try await client.get("/a").text == "body")
            // A stored response to GET answers HEAD (RFC 9110 §9.3.2).
            let hit = try await client.execute(uri: "/a", method: .head)
            #expect(hit.isHit && hit.headers[.contentLength] == "4")
            #expect(try await client.get("/a").isHit)
        }
    }

    @Test(arguments: [false, true]) func `A cache around an application does not add HEAD endpoints to GET routes`(
        _ hasOption: Bool
    ) async throws {
        let router = Router(options: hasOption ? .autoGenerateHeadEndpoints : [])
        router.get("a") { _, _ in Response(status: .ok, headers: [.cacheControl: "public, max-age=60"]) }
        try await whole(router) { client in
            let head = try await client.execute(uri: "/a", method: .head)
            #expect(head.status == (hasOption ? .ok : .notFound))
        }
    }

    private func whole(
        _ router: Router<BasicRequestContext>,
        _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let responder = cache.responding(for: router.buildResponder())
        try await Application(responder: responder).test(.live) { try await test($0) }
    }
}

/// A middleware that gives a request the method that a field names.
private struct MethodOverride: RouterMiddleware {
    static let field = HTTPField.Name("X-Method")!

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        guard let method = request.headers[Self.field].flatMap({ HTTPRequest.Method($0) }) else {
            return try await next(request, context)
        }
        var head = request.head
        head.method = method
        return try await next(Request(head: head, body: request.body), context)
    }
}
