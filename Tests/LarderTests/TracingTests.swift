import HTTPTypes
import InMemoryTracing
import Larder
import LarderTestSupport
import TestHelpers
import Testing
import Tracing

/// The spans of a cache (swift-distributed-tracing).
@Suite(.timeLimit(.minutes(5))) struct TracingTests {
    private struct Failure: Error {}

    private let tracer = InMemoryTracer()
    private let clock = ManualClock()

    private func cache() -> ResponseCache {
        ResponseCache(
            store: MemoryStore(limit: .mebibytes(4), clock: clock.clock),
            name: "Test",
            tracer: tracer,
            clock: clock.clock
        )
    }

    /// Returns the finished spans as `parent > name attributes`, in the order of their ends, and forgets them.
    private func spans() -> [String] {
        let finished = tracer.popFinishedSpans()
        let names = Dictionary(finished.map { ($0.spanID, $0.operationName) }) { first, _ in first }
        return finished.map { span in
            var attributes: [String] = []
            span.attributes.forEach { attributes.append("\($0)=\(Self.text($1))") }
            let parent = span.parentSpanID.map { names[$0] ?? "outer" } ?? "none"
            return ([parent, ">", span.operationName] + attributes.sorted()).joined(separator: " ")
        }
    }

    private static func text(_ attribute: SpanAttribute) -> String {
        switch attribute {
        case .int32(let number): "\(number)"
        case .int64(let number): "\(number)"
        case .string(let text): text
        default: "\(attribute)"
        }
    }

    @Test func `A miss has spans for look-up, wait, origin and store, and a hit has one`() async throws {
        let cache = cache()
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(10))
        let origin = TestOrigin { _ in TestResponse("content") }
        _ = try await cache.respond(to: .get("/a"), under: policy, from: origin).text
        await cache.idle()
        let miss = spans()
        #expect(
            Set(miss) == [
                "larder.request > larder.lookup", "larder.request > larder.wait",
                "larder.request > larder.origin http.response.status_code=200", "larder.request > larder.store",
                "none > larder.request larder.reason=uri-miss larder.result=miss",
            ]
        )
        #expect(miss.count == 5)
        _ = try await cache.respond(to: .get("/a"), under: policy, from: origin).text
        #expect(spans() == ["none > larder.request larder.result=hit"])
        clock.advance(by: .seconds(15))
        _ = try await cache.respond(to: .get("/a"), under: policy, from: origin).text
        await cache.idle()
        let stale = spans()
        #expect(stale.contains("none > larder.request larder.detail=stale-while-revalidate larder.result=stale"))
        #expect(stale.contains("larder.request > larder.origin http.response.status_code=200"))
        #expect(tracer.activeSpans.isEmpty)
    }

    @Test func `Bypasses and writes have a span for the origin, below the span of the application`() async throws {
        let cache = cache()
        let origin = TestOrigin { _ in TestResponse("content") }
        var request = HTTPRequest.get("/a")
        request.method = .post
        let write = request
        let span = tracer.startSpan("application")
        try await ServiceContext.$current.withValue(span.context) {
            _ = try await cache.respond(to: .get("/a?nocache=true"), under: .fresh(for: .seconds(9)), from: origin).text
            _ = try await cache.respond(to: write, under: .fresh(for: .seconds(9)), from: origin).text
        }
        span.end()
        #expect(
            spans() == [
                "larder.request > larder.origin http.response.status_code=200",
                "application > larder.request larder.detail=nocache larder.reason=bypass larder.result=bypass",
                "larder.request > larder.origin http.response.status_code=200",
                "application > larder.request larder.reason=method larder.result=write",
                "none > application",
            ]
        )
    }

    @Test func `The error of an origin is recorded`() async throws {
        let cache = cache()
        let origin = TestOrigin { _ in throw Failure() }
        await #expect(throws: Failure.self) {
            _ = try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(9)), from: origin)
        }
        await cache.idle()
        let failed = tracer.finishedSpans.filter { !$0.errors.isEmpty }
        #expect(Set(failed.map(\.operationName)) == ["larder.origin", "larder.request"])
        #expect(failed.allSatisfy { $0.status?.code == .error })
    }

    @Test func `Without a tracer there are no spans, and the cache answers as with one`() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(4)))
        let origin = TestOrigin { _ in TestResponse("content") }
        let text = try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(9)), from: origin).text
        #expect(text == "content" && tracer.finishedSpans.isEmpty)
    }
}
