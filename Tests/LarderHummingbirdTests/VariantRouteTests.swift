import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct VariantRouteTests {
    private let bench = Bench()
    private let calls = Counter()

    @Test func `Each language has its own variant, and one invalidation removes all of them`() async throws {
        try await serve(router) { port in
            func get(_ language: String) async throws -> Wire.Answer {
                try await Wire.send("GET", "/greeting", ["Accept-Language: \(language)"], to: port)
            }
            let first = (try await get("de"), try await get("fr"))
            #expect(first.0.text == "1 de" && first.1.text == "2 fr")
            #expect(first.1.cacheStatusText.contains("fwd=vary-miss"))
            let again = (try await get("de"), try await get("fr"))
            #expect(again.0.isHit && again.0.text == "1 de")
            #expect(again.1.isHit && again.1.text == "2 fr")
            let wasStored = await bench.cache.remove(try #require(CacheKey("GET:/greeting"))).wasStored
            #expect(wasStored)
            let refetched = (try await get("de"), try await get("fr"))
            #expect(!refetched.0.isHit && refetched.0.text == "3 de")
            #expect(!refetched.1.isHit && refetched.1.text == "4 fr")
        }
    }

    @Test func `A waiter does not get the response to another language`() async throws {
        let gate = Gate()
        let router = router(behind: gate)
        try await serve(router) { port in
            async let german = Wire.send("GET", "/greeting", ["Accept-Language: de"], to: port)
            await gate.reached()
            async let french = Wire.send("GET", "/greeting", ["Accept-Language: fr"], to: port)
            try await eventually("the second waits, as it is not known yet that the answers differ") {
                bench.cache.waiterCount == 1
            }
            gate.open()
            let answers = (try await german, try await french)
            #expect(answers.0.text == "1 de" && answers.1.text == "2 fr")
        }
    }

    @Test func `An encoded response without Vary is served only to clients that accept the encoding`() async throws {
        let router = Router()
        router.group("page").cached(by: bench.cache, for: .seconds(60)).get { request, _ in
            let isEncoded = request.headers[.acceptEncoding]?.contains("gzip") == true
            return Response(
                status: .ok,
                headers: isEncoded ? [.contentEncoding: "gzip"] : [:],
                body: ResponseBody(byteBuffer: ByteBuffer(string: isEncoded ? "encoded" : "plain"))
            )
        }
        try await serve(router) { port in
            let clients = [
                ([], "plain", false), (["Accept-Encoding: gzip, deflate"], "encoded", false),
                (["Accept-Encoding: deflate,gzip;q=1.0"], "encoded", true),
                (["Accept-Encoding: identity"], "plain", true),
                ([], "plain", true), (["Accept-Encoding: br"], "plain", false),
                (["Accept-Encoding: br"], "plain", true),
            ]
            for (fields, text, isHit) in clients {
                let answer = try await Wire.send("GET", "/page", fields, to: port)
                #expect(answer.text == text && answer.isHit == isHit, "\(fields): \(answer.cacheStatusText)")
            }
        }
    }

    private var router: Router<BasicRequestContext> { router(behind: nil) }

    private func router(behind gate: Gate?) -> Router<BasicRequestContext> {
        let router = Router()
        router.group("greeting").cached(by: bench.cache, for: .seconds(60)).get { request, _ in
            let number = calls.next()
            await gate?.pass()
            let text = "\(number) \(request.headers[.acceptLanguage] ?? "")"
            return Response(
                status: .ok,
                headers: [.vary: "Accept-Language"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text))
            )
        }
        return router
    }
}
