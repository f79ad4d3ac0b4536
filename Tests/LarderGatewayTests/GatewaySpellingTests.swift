import Larder
import LarderGateway
import LarderTestSupport
import TestHelpers
import Testing

/// Keys, tags and paths in the spellings that clients and origins send, through the gateway.
@Suite(.timeLimit(.minutes(5))) struct GatewaySpellingTests {
    @Test(arguments: [
        ("Cache-Tag: a, new arrivals", "new%20arrivals"), ("Surrogate-Key: a new%20arrivals", "new%20arrivals"),
        ("Cache-Tag: caf\u{E9}", "caf%C3%A9"), ("Cache-Tag: garden & home", "garden%20%26%20home"),
        ("Cache-Tag: a%2Cb", "a%2Cb"),
    ]) func `A purge names the tag of a response`(_ field: String, _ name: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60", field], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send("GET", "/a")
                #expect(try await gateway.send("GET", "/a").isHit)
                #expect(try await gateway.send("DELETE", "/-/larder/tags/\(name)").status == 200)
                #expect(try await !gateway.send("GET", "/a").isHit)
            }
        }
    }

    @Test func `A response with a thousand tags is stored, and one with too long a tag is not`() async throws {
        try await ScriptedOrigin.answering { request in
            let tags = request.target == "/a" ? (0..<1_000).map { "tag \($0)" } : [String(repeating: "t", count: 257)]
            return answer("200 OK", ["Cache-Control: max-age=60", "Cache-Tag: \(tags.joined(separator: ","))"], "text")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send("GET", "/a")
                #expect(try await gateway.send("GET", "/a").isHit)
                #expect(try await gateway.send("DELETE", "/-/larder/tags/tag%20999").status == 200)
                #expect(try await !gateway.send("GET", "/a").isHit)
                for _ in 0..<2 {
                    let refused = try await gateway.send("GET", "/b")
                    #expect(refused.cacheStatusText.contains("detail=tag-not-accepted") && refused.text == "text")
                }
            }
        }
    }

    @Test(arguments: [
        "/api/./posts", "/api/%2e/posts", "/api/x/../posts", "/api//posts", "//api/posts", "/api/posts/",
        "/api%2Fposts",
        "/api\\posts", "/api/posts;v=1", "/API/p%6Fsts", "/api/posts?x=1",
    ]) func `A write to another spelling of a path invalidates it`(_ spelling: String) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for (stored, written) in [("/api/posts", spelling), (spelling, "/api/posts")] {
                    _ = try await gateway.send("GET", stored)
                    #expect(try await gateway.send("GET", stored).isHit)
                    #expect(try await gateway.send("POST", written, ["Content-Length: 0"]).status == 200)
                    #expect(try await !gateway.send("GET", stored).isHit)
                }
            }
        }
    }

    @Test func `A target spelled like a shortened key is a miss`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let target = "/x?q=" + String(repeating: "a", count: 600)
                _ = try await gateway.send("GET", target)
                #expect(try await gateway.send("GET", target).isHit)
                let key = try #require(gateway.gateway.cache.statistics.snapshot().topKeys.first?.key.description)
                let path = try #require(key.firstRange(of: "/x?").map { String(key[$0.lowerBound...]) })
                for forged in [path.replacing("#", with: "%23"), path.replacing("#sha256=", with: "~")] {
                    let response = try await gateway.send("GET", forged)
                    #expect(!response.isHit && response.text == forged)
                }
            }
        }
    }
}
