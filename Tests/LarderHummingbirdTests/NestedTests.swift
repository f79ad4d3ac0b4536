import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct NestedTests {
    private let bench = Bench()
    private let calls = Counter()

    @Test func `A handler that requests its own key from the cache gets a response`() async throws {
        let inner = responder { "inner \(calls.next())" }
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { request, context in
            try await inner.respond(to: request, context: context)
        }
        try await serve(router) { port in
            let first = try await Wire.send("GET", "/a", to: port)
            #expect(first.text == "inner 1" && !first.isHit)
            let again = try await Wire.send("GET", "/a", to: port)
            #expect(again.text == "inner 1" && again.isHit)
        }
        // The cache looked up the key twice: for the client, and for the handler.
        #expect(calls.value == 1 && bench.cache.statistics.snapshot().misses == 2)
    }

    @Test func `A handler can request its own key while it writes its body`() async throws {
        let inner = responder { "inner" }
        let router = Router()
        router.group("a").cached(by: bench.cache, for: .seconds(60)).get { request, context in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "outer "))
                    try await inner.respond(to: request, context: context).body.write(writer)
                }
            )
        }
        try await serve(router) { port in
            for _ in 0..<2 {
                let answer = try await Wire.send("GET", "/a", to: port)
                #expect(answer.text == "outer inner")
            }
        }
    }

    @Test func `Two handlers that request each other's keys wait no longer than the coalescing timeout`() async throws {
        let (left, right) = (Gate(), Gate())
        let router = Router()
        for (path, own, other) in [("a", left, "/b"), ("b", right, "/a")] {
            let plain = responder { "plain \(other)" }
            router.group(RouterPath(path)).cached(by: bench.cache, for: .seconds(60)).get { request, context in
                await own.pass()
                var head = request.head
                head.path = other
                return try await plain.respond(to: Request(head: head, body: request.body), context: context)
            }
        }
        try await serve(router) { port in
            async let first = Wire.send("GET", "/a", to: port)
            async let second = Wire.send("GET", "/b", to: port)
            await left.reached()
            await right.reached()
            left.open()
            right.open()
            try await eventually("both wait for the other") { bench.cache.waiterCount == 2 }
            bench.clock.advance(by: .seconds(5))
            let answers = (try await first, try await second)
            #expect([answers.0.text, answers.1.text].allSatisfy { ["plain /a", "plain /b"].contains($0) })
        }
    }

    /// Returns a responder behind the same cache, with the same policy.
    private func responder(_ text: @escaping @Sendable () -> String) -> CachingResponder<BasicRequestContext> {
        let plain = CallbackResponder<BasicRequestContext> { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: text())))
        }
        return CachingResponder(caching: plain, by: bench.cache, under: .fresh(for: .seconds(60)))
    }
}
