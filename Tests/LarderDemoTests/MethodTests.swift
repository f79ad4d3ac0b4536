import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct MethodTests {
    @Test(arguments: [
        ("PATCH", "/api/posts/", "GET, HEAD, POST"), ("PUT", "/api/posts", "GET, HEAD, POST"),
        ("DELETE", "/api/users/1", "GET, HEAD, PUT"), ("OPTIONS", "/api/users/1", "GET, HEAD, PUT"),
        ("POST", "/metrics/cache", "GET, HEAD"), ("GET", "/api/invalidate/GET:/api/posts/", "DELETE"),
    ]) func `A method that a route does not have gets a 405 that lists its methods`(
        _ method: String,
        _ path: String,
        _ allowed: String
    ) async throws {
        try await withPort { port in
            for path in ["/api/users/1", "/api/posts/"] { _ = try await Wire.send("GET", path, to: port) }
            let answer = try await Wire.send(method, path, to: port)
            #expect(answer.status == 405 && answer.fields[.allow] == allowed)
            #expect(answer.text == #"{"message":"\#(path) accepts only \#(allowed)"}"#)
            for path in ["/api/users/1", "/api/posts/"] {
                let stored = try await Wire.send("GET", path, to: port)
                #expect(stored.isHit)
            }
        }
    }

    @Test func `A route that does not exist answers every method with 404`() async throws {
        try await withPort { port in
            for method in ["GET", "PUT", "PATCH"] {
                let answer = try await Wire.send(method, "/nothing", to: port)
                #expect(answer.status == 404 && answer.fields[.allow] == nil)
            }
        }
    }
}
