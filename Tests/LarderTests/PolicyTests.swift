import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct PolicyTests {
    @Test(arguments: [
        (["Bearer 0123456789abcdef"], true), (["bearer 0123456789abcdef"], true), ([], false),
        (["Bearer 0123456789abcdee"], false), (["Bearer 0123456789abcdef0"], false), (["Bearer "], false),
        (["Basic 0123456789abcdef"], false), (["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"], false),
    ]) func `A client bypass with a token needs the token`(
        _ sent: [String],
        _ passes: Bool
    ) async throws {
        let bench = Bench()
        let token = try #require(BearerToken("0123456789abcdef"))
        let policy = CachePolicy.fresh(for: .seconds(60)).ignoringCredentials()
            .bypassable(by: .bearer(token, parameter: "fresh"))
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(under: policy, from: origin)
        var fields = HTTPFields()
        for value in sent { fields.append(HTTPField(name: .authorization, value: value)) }
        let response = try await bench.get("/posts?fresh=true", fields, under: policy, from: origin)
        #expect(response.cacheStatusText.contains(passes ? "detail=nocache" : "; hit"))
        #expect(origin.forwards == (passes ? 1 : 0))
    }

    @Test(arguments: ["", "short", "0123456789abcde", "0123456789 bcdef", "================", "0123456789abcdé"])
    func `A text with too few or illegal characters is not a token`(_ text: String) {
        #expect(BearerToken(text) == nil)
    }

    @Test func `Responses that differ by a field or by the host have different keys`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).varying(by: .acceptLanguage).varyingByHost()
        let origin = TestOrigin { request in
            TestResponse("\(request.headerFields[.acceptLanguage] ?? "none") of \(request.authority ?? "")")
        }
        let requests = [("de", "a.example"), ("de", "b.example"), ("fr&host=b", "a.example")]
        for _ in 0..<2 {
            for (language, host) in requests {
                var request = HTTPRequest.get("/p", [.acceptLanguage: language])
                request.authority = host
                let response = try await bench.cache.respond(to: request, under: policy, from: origin)
                #expect(try await response.text == "\(language) of \(host)")
            }
        }
        #expect(origin.fetches.count == 3)
        #expect(
            bench.cache.statistics.snapshot().topKeys.map(\.key.description).sorted() == [
                "GET:/p#accept-language:de&host:a.example", "GET:/p#accept-language:de&host:b.example",
                "GET:/p#accept-language:fr%26host%3Db&host:a.example",
            ]
        )
    }
}
