import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// The credentials that a handler of a cached route receives from its client.
@Suite(.timeLimit(.minutes(5))) struct CredentialRouteTests {
    private let cache = Bench().cache

    /// Returns a router whose handler answers with the credentials that it received.
    private func echo(_ policy: CachePolicy) -> Router<BasicRequestContext> {
        let router = Router()
        router.group("me").cached(by: cache, policy).get { request, _ in
            "session=\(request.cookies["session"]?.value ?? "") ga=\(request.cookies["_ga"]?.value ?? "") "
                + "key=\(request.headers[.xAPIKey] ?? "") user=\(request.headers[.authorization] ?? "")"
        }
        return router
    }

    @Test func `A route that ignores credentials does not disclose them to other clients`() async throws {
        try await serve(Application(router: echo(.fresh(for: .seconds(60)).ignoringCredentials()))) { client in
            let secrets: HTTPFields = [.cookie: "_ga=2; session=1", .xAPIKey: "k", .authorization: "ada"]
            for fields in [secrets, [:], secrets] {
                let value = try await client.get("/me", fields).text
                #expect(value == "session= ga= key= user=")
            }
            #expect(try await client.get("/me").isHit)
            // The response to a request that bypasses the cache is not shared.
            let own = try await client.get("/me?nocache=true", secrets)
            #expect(own.text == "session=1 ga=2 key=k user=ada")
        }
    }

    @Test func `Analytics cookies do not cause a bypass if the policy names the credential cookies`() async throws {
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session"])
        try await serve(Application(router: echo(policy))) { client in
            #expect(try await client.get("/me", [.cookie: "_ga=1"]).text == "session= ga= key= user=")
            #expect(try await client.get("/me", [.cookie: "_ga=2"]).isHit)
            for name in ["1", "2"] {
                let user = try await client.get("/me", [.cookie: "_ga=9; session=\(name)"])
                #expect(
                    user.text == "session=\(name) ga=9 key= user=" && user.cacheStatusText.contains("detail=cookie")
                )
            }
        }
    }

    @Test func `A request with an API key bypasses the cache by default`() async throws {
        try await serve(Application(router: echo(.fresh(for: .seconds(60))))) { client in
            for key in ["a", "b"] {
                let response = try await client.get("/me", [.xAPIKey: key])
                #expect(
                    response.text.contains("key=\(key)") && response.cacheStatusText.contains("detail=authorization")
                )
            }
            #expect(try await client.get("/me").cacheStatusText.contains("stored"))
        }
    }

    @Test func `For a known user the handler receives only the cookies that the policy names`() async throws {
        let router = Router()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session"])
        router.group("me").cached(by: cache, policy, perUser: { request, _ in request.cookies["session"]?.value })
            .get { request, _ in request.headers[.cookie] ?? "none" }
        try await serve(Application(router: router)) { client in
            for user in ["ada", "bob", "ada"] {
                let response = try await client.get("/me", [.cookie: "_ga=\(user.count); session=\(user); x"])
                #expect(response.text == "session=\(user)")
            }
            #expect(try await client.get("/me", [.cookie: "session=bob"]).isHit)
            #expect(try await client.get("/me", [.cookie: "x=1"]).text == "none")
        }
    }
}
