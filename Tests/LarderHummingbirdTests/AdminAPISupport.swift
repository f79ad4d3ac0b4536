import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// An answer of the admin API.
struct APIAnswer: Sendable {
    let status: Int
    let headers: HTTPFields
    let json: JSONReading
    let text: String

    /// What is wrong, if the answer is problem details.
    var problem: String? {
        guard headers[.contentType] == "application/problem+json", json["status"]?.number == status else { return nil }
        return json["detail"]?.text
    }
}

extension TestClientProtocol {
    /// Sends a request to an admin API that is mounted at `/larder`.
    func api(
        _ method: HTTPRequest.Method = .get,
        _ target: String,
        _ content: String? = nil,
        headers: HTTPFields = [.authorization: "Bearer \(AdminAPISite.token)"],
        type: String? = "application/json"
    ) async throws -> APIAnswer {
        var headers = headers
        if content != nil { headers[.contentType] = type }
        return try await execute(
            uri: "/larder/" + target,
            method: method,
            headers: headers,
            body: content.map { ByteBuffer(string: $0) }
        ) { response in
            APIAnswer(
                status: response.status.code,
                headers: response.headers,
                json: JSONReading(response.body.readableBytesView),
                text: String(buffer: response.body)
            )
        }
    }

    /// Returns the answer to a purge.
    func purge(_ content: String) async throws -> APIAnswer { try await api(.post, "v1/purge", content) }

    /// Returns the keys that are listed, of all pages.
    func list(_ query: String = "") async throws -> [String] {
        var (keys, cursor): ([String], String?) = ([], nil)
        repeat {
            let page = try await api(.get, "v1/entries?" + query + (cursor.map { "&cursor=\($0)" } ?? ""))
            guard page.status == 200 else {
                Issue.record("\(page.status) \(page.text)")
                return keys
            }
            keys += page.json["entries"]?.elements.compactMap { $0["key"]?.text } ?? []
            cursor = page.json["cursor"]?.text
        } while cursor != nil
        return keys.sorted()
    }
}

/// An application with an admin API, and routes with tags.
enum AdminAPISite {
    static let token = "a-token-of-16-letters"

    /// Serves the application on a store while a test runs.
    static func run(
        on store: StoreChoice,
        warms: Bool = true,
        _ test: @escaping @Sendable (any TestClientProtocol, ResponseCache, Counter) async throws -> Void
    ) async throws {
        try await store.withCache { cache in try await run(with: cache, warms: warms, test) }
    }

    static func run(
        with cache: ResponseCache,
        warms: Bool = true,
        _ test: @escaping @Sendable (any TestClientProtocol, ResponseCache, Counter) async throws -> Void
    ) async throws {
        let calls = Counter()
        let token = try #require(BearerToken(token))
        let router = Router(options: .autoGenerateHeadEndpoints)
        let warming = CacheWarming<BasicRequestContext>()
        router.addCacheAPI(of: cache, access: .token(token), at: "larder", warming: warms ? warming : nil)
        var policy = CachePolicy.fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(30)).tagged("all")
        policy.rules.allowsSetCookie = true
        router.group("a/:name").cached(by: cache, policy).get { request, context in
            let name = context.parameters.get("name") ?? ""
            return Response(
                status: .ok,
                headers: [.setCookie: "secret=1", .vary: "Accept-Language"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "\(calls.next()) \(name)"))
            ).tagged(name.split(separator: "-").map { CacheTag(String($0)) })
        }
        router.group("plain").cached(by: cache, .fresh(for: .seconds(60))).get { _, _ in "\(calls.next())" }
        router.get("failing") { _, _ -> String in throw HTTPError(.internalServerError) }
        warming.send(to: router.buildResponder())
        try await Application(router: router).test(.router) { client in
            try await test(client, cache, calls)
        }
    }
}
