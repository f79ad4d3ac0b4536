import HTTPTypes
import Larder
import LarderTestSupport
import Testing

/// What a handler sees of a request, and the key does not have: it must not reach those who did not send it.
@Suite(.timeLimit(.minutes(5))) struct UnkeyedTests {
    @Test(arguments: [
        ("/p?nocache=%3Cb%3E", "/p"), ("/p?a=1&nocache=x&b=2", "/p?a=1&b=2"), ("/p?nocache", "/p"),
        ("/p?a=nocache", "/p?a=nocache"), ("/p?", "/p?"), ("/p?nocaches=1&a", "/p?nocaches=1&a"),
    ]) func `a handler does not see the parameter that is the cache's`(_ sent: String, _ seen: String) async throws {
        let bench = Bench()
        let origin = TestOrigin { TestResponse($0.path ?? "") }
        #expect(try await bench.get(sent, from: origin).text == seen)
    }

    @Test func `a handler whose own parameter it is sees it`() async throws {
        let bench = Bench()
        let origin = TestOrigin { TestResponse($0.path ?? "") }
        let policy = CachePolicy.fresh(for: .seconds(60)).bypassable(by: .nobody)
        #expect(try await bench.get("/p?nocache=x", under: policy, from: origin).text == "/p?nocache=x")
    }

    @Test(arguments: [false, true]) func `hosts are kept apart where the handler or the policy says so`(
        _ byPolicy: Bool
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { request in
            TestResponse("of \(request.authority ?? "")", byPolicy ? [:] : [.vary: "Host"])
        }
        var policy = CachePolicy.fresh(for: .seconds(60))
        if byPolicy { policy.keys.fields = [HTTPField.Name("Host")!] }
        for host in ["a.example", "b.example", "a.example"] {
            var request = HTTPRequest.get("/p")
            request.authority = host
            let response = try await bench.cache.respond(to: request, under: policy, from: origin)
            #expect(try await response.text == "of \(host)")
        }
        #expect(origin.fetches.count == 2)
    }
}
