import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Tests of targets in other forms than path and query (RFC 9112 §3.2), and in spellings that a router may read
/// differently.
@Suite(.timeLimit(.minutes(5))) struct TargetFormTests {
    @Test(arguments: [
        "http://localhost/api/users/1", "HTTP://localhost:8080/api/users/1", "http://elsewhere//api//users/1/",
        "http://localhost/api/users/1?x=http://y/z", "https://localhost/api/users/1?",
        "/api/users/1?x", "//api/users/1",
    ]) func `A write invalidates the same responses in every form of its target`(_ target: String) async throws {
        try await withPort { port in
            for path in ["/api/users/1", "/api/users/1?x=1", "/api/users/2"] {
                _ = try await Wire.send("GET", path, to: port)
            }
            let put = try await Wire.send("PUT", target, body: #"{"name":"New"}"#, to: port)
            #expect(put.status == 200 && put.text == #"{"message":"User updated"}"#)
            for path in ["/api/users/1", "/api/users/1?x=1"] {
                let get = try await Wire.send("GET", path, to: port)
                #expect(get.text == #"{"user":{"id":1,"name":"New"}}"#)
            }
            let other = try await Wire.send("GET", "/api/users/2", to: port)
            #expect(other.isHit)
        }
    }

    @Test(arguments: [
        "http://localhost/api/users/1", "HTTP://elsewhere:80/api/users/1", "http://localhost//api/users/1/?nocache=no",
    ]) func `An absolute target is stored under the key of its path`(_ target: String) async throws {
        try await withPort { port in
            _ = try await Wire.send("GET", "/api/users/1", to: port)
            let get = try await Wire.send("GET", target, to: port)
            #expect(get.isHit && get.text == SpecificationTests.user)
            let head = try await Wire.send("HEAD", target, to: port)
            #expect(head.isHit)
            let bypass = try await Wire.send("GET", "http://localhost/api/users/1?nocache=true", to: port)
            #expect(bypass.cacheStatusText.hasSuffix("detail=nocache"))
            let metrics = try await Wire.metrics(of: port)
            #expect(metrics.topKeys == [.init(key: "GET:/api/users/1", count: 3)])
        }
    }

    @Test func `An absolute target without a path is the root`() async throws {
        try await withPort { port in
            for target in ["http://localhost", "http://localhost?x", "http://localhost/"] {
                let get = try await Wire.send("GET", target, to: port)
                #expect(get.status == 200 && get.text.contains("/api/users/{id}"))
            }
        }
    }
}
