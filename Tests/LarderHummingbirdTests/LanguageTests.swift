import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct LanguageTests {
    @Test(arguments: StoreChoice.allCases)
    func `Clients that prefer the same language share a response`(store: StoreChoice) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router()
            router.group("news").cached(by: cache, for: .seconds(60))
                .varying(by: "language") { request, _ in request.preferredLanguage(among: "en", "de") }
                .get { request, _ in "\(request.preferredLanguage(among: "en", "de")) \(calls.next())" }
            try await Application(router: router).test(.router) { client in
                for language in ["de", "de-AT", "de;q=0.9", "fr, de;q=0.5"] {
                    expectEqual(try await client.get("/news", [.acceptLanguage: language]).text, "de 1")
                }
                for headers in [[:], [.acceptLanguage: "en"], [.acceptLanguage: "fr"]] as [HTTPFields] {
                    expectEqual(try await client.get("/news", headers).text, "en 2")
                }
            }
        }
    }
}
