import HTTPTypes
import InMemoryTracing
import Larder
import LarderGateway
import TestHelpers
import Testing
import Tracing

/// The spans of a gateway, and the context that its origin gets.
@Suite(.timeLimit(.minutes(5))) struct GatewayTracingTests {
    @Test func `A request has a span from its head to its last byte, and the origin gets its context`() async throws {
        let tracer = InMemoryTracer()
        let contexts = try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=600"], "page")
        } _: { origin async throws in
            try await RunningGateway.run(before: origin.url, tracer: tracer) { gateway async throws in
                for _ in 0..<2 {
                    let response = try await gateway.send("GET", "/a?secret", ["in-memory-trace-id: outer"])
                    #expect(response.text == "page")
                    await gateway.gateway.cache.idle()
                }
                let count = 2
                try await eventually("the spans end") {
                    tracer.finishedSpans.count { $0.kind == .server } == count
                }
            }
            return origin.requests.map { $0["in-memory-span-id"] }
        }
        let spans = tracer.finishedSpans
        let requests = spans.filter { $0.kind == .server }
        #expect(requests.map(\.operationName) == ["GET", "GET"])
        var results: [String] = []
        for request in requests {
            let attributes = request.attributes
            #expect(attributes["url.path"]?.toSpanAttribute() == .string("/a"))
            #expect(attributes["http.response.status_code"]?.toSpanAttribute() == .int64(200))
            if case .string(let result) = attributes["larder.result"]?.toSpanAttribute() { results.append(result) }
        }
        #expect(results == ["miss", "hit"])
        // The spans of the cache are below that of the request, and the origin's context is that of its span.
        let first = try #require(requests.first)
        let ofCache = spans.filter { $0.parentSpanID == first.spanID }
        #expect(ofCache.map(\.operationName) == ["larder.request"])
        let asked = try #require(spans.first { $0.operationName == "larder.origin" })
        #expect(contexts == [asked.spanID])
        #expect(tracer.activeSpans.isEmpty)
    }
}
