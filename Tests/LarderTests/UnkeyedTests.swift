import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Parts of a request that the key does not have: a response that depends on them must not reach other clients.
@Suite(.timeLimit(.minutes(5))) struct UnkeyedTests {
    @Test(arguments: [
        ("/p?nocache=%3Cb%3E", "/p"), ("/p?a=1&nocache=x&b=2", "/p?a=1&b=2"), ("/p?nocache", "/p"),
        ("/p?a=nocache", "/p?a=nocache"), ("/p?", "/p?"), ("/p?nocaches=1&a", "/p?nocaches=1&a"),
    ]) func `A handler does not get the cache's own parameter`(_ sent: String, _ seen: String) async throws {
        let bench = Bench()
        let origin = TestOrigin { TestResponse($0.path ?? "") }
        #expect(try await bench.get(sent, from: origin).text == seen)
    }

    @Test func `A handler gets the parameter if the cache does not own it`() async throws {
        let bench = Bench()
        let origin = TestOrigin { TestResponse($0.path ?? "") }
        let policy = CachePolicy.fresh(for: .seconds(60)).bypassable(by: .noClients)
        #expect(try await bench.get("/p?nocache=x", under: policy, from: origin).text == "/p?nocache=x")
    }

    @Test(arguments: [false, true]) func `Hosts have separate responses if the handler or the policy says so`(
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
