import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// Targets that the parser of HTTP/1.1 rejects or corrects, and that other versions of HTTP may pass on.
@Suite(.timeLimit(.minutes(5))) struct TargetTests {
    @Test(arguments: [
        "http://localhost/a", "HTTP://localhost:80/a?nocache", "http://localhost//a/", "/a",
        // The first scalar is a slash but the first character is not, so Hummingbird looks for a scheme.
        "/\u{338}x://localhost/a", "/\u{338}/a?://localhost/a",
    ]) func `A write invalidates the path that the router read`(_ target: String) async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60))
            .get { _, _ in "answer \(calls.next())" }
            .put { _, _ in "done" }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/a")
            let put = try await client.execute(uri: target, method: .put)
            #expect(put.text == "done")
            let get = try await client.get("/a")
            #expect(get.text == "answer 2")
            let other = try await client.get(target)
            #expect(other.text == "answer 2" && other.isHit)
        }
    }
}
