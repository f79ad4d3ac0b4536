import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// HEAD requests if the origin is a server (RFC 9111 §4.3.5).
@Suite(.timeLimit(.minutes(5))) struct HeadTests {
    private static let policy = CachePolicy.gateway

    /// Returns an origin whose responses to HEAD are scripted separately.
    private func origin(_ head: HTTPResponse, _ fields: HTTPFields = [:]) -> TestOrigin {
        TestOrigin { request in
            request.method == .head
                ? TestResponse(headOnly: head)
                : TestResponse("body", fields.adding([.cacheControl: "max-age=10", .eTag: "\"a\""]))
        }
    }

    @Test func `A HEAD request that misses is forwarded as HEAD and stores nothing`() async throws {
        let bench = Bench()
        let head = HTTPResponse(status: .ok, headerFields: [.contentLength: "4", .cacheControl: "max-age=10"])
        let origin = origin(head)
        for _ in 0..<2 {
            let response = try await bench.send(.head, under: Self.policy, to: origin)
            #expect(response.cacheStatusText == "Larder; fwd=uri-miss; fwd-status=200")
            #expect(response.head.headerFields[.contentLength] == "4")
        }
        #expect(origin.fetches.map(\.method) == [.head, .head])
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A HEAD request is answered from a fresh response to GET`() async throws {
        let bench = Bench()
        let origin = origin(HTTPResponse(status: .ok))
        _ = try await bench.get(under: Self.policy, from: origin)
        let response = try await bench.send(.head, under: Self.policy, to: origin)
        #expect(response.isHit)
        #expect(response.head.headerFields[.contentLength] == "4")
        #expect(origin.fetches.count == 1)
    }

    @Test func `A HEAD response with the same validators refreshes the stored response and its fields`() async throws {
        let bench = Bench()
        let name = try #require(HTTPField.Name("X-Count"))
        let head = HTTPResponse(
            status: .ok,
            headerFields: [.contentLength: "4", .eTag: "\"a\"", .cacheControl: "max-age=100", name: "2"]
        )
        let origin = origin(head, [name: "1"])
        _ = try await bench.get(under: Self.policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        let response = try await bench.send(.head, under: Self.policy, to: origin)
        #expect(response.cacheStatusText == "Larder; fwd=stale; fwd-status=200; ttl=100")
        bench.clock.advance(by: .seconds(90))
        let hit = try await bench.get(under: Self.policy, from: origin)
        #expect(hit.cacheStatusText == "Larder; hit; ttl=10")
        #expect(try await hit.text == "body")
        #expect(hit.head.headerFields[name] == "2")
        #expect(origin.fetches.map(\.method) == [.get, .head])
    }

    @Test(
        arguments: [
            [.eTag: "\"b\"", .contentLength: "4"], [.eTag: "\"a\"", .contentLength: "5"],
        ] as [HTTPFields]
    ) func `A HEAD response with other validators removes the stored one`(_ fields: HTTPFields) async throws {
        let bench = Bench()
        let origin = origin(HTTPResponse(status: .ok, headerFields: fields))
        _ = try await bench.get(under: Self.policy, from: origin)
        var request = HTTPRequest.get("/posts", [.cacheControl: "no-cache"])
        request.method = .head
        _ = try await bench.cache.respond(to: request, under: Self.policy, from: origin)
        #expect(try await bench.get(under: Self.policy, from: origin).cacheStatusText.contains("fwd=uri-miss"))
        #expect(origin.fetches.map(\.method) == [.get, .head, .get])
    }

    @Test func `A HEAD response with an error status does not affect the stored response`() async throws {
        let bench = Bench()
        let origin = origin(HTTPResponse(status: .methodNotAllowed))
        _ = try await bench.get(under: Self.policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.send(.head, under: Self.policy, to: origin).head.status == .methodNotAllowed)
        #expect(await bench.cache.count() == 1)
    }

    @Test func `A HEAD response that a write overtook does not make the stored response fresh`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            let fields: HTTPFields = [.cacheControl: "max-age=10", .eTag: "\"a\""]
            guard request.method == .head else { return TestResponse("body", fields) }
            await gate.pass()
            return TestResponse(headOnly: HTTPResponse(status: .ok, headerFields: fields))
        }
        _ = try await bench.get(under: Self.policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        async let head = bench.send(.head, under: Self.policy, to: origin)
        await gate.reached()
        _ = try await bench.send(.delete, under: Self.policy, to: TestOrigin { _ in TestResponse("") })
        gate.open()
        let status = try await head.cacheStatusText
        #expect(status.contains("detail=overtaken"))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `The conditions of a HEAD request are answered from the head that was fetched`() async throws {
        let bench = Bench()
        let origin = origin(HTTPResponse(status: .ok, headerFields: [.eTag: "\"a\""]))
        var request = HTTPRequest.get("/posts", [.ifNoneMatch: "\"a\""])
        request.method = .head
        let response = try await bench.cache.respond(to: request, under: Self.policy, from: origin)
        #expect(response.head.status == .notModified)
        #expect(origin.fetches.first?.headerFields.contains(.ifNoneMatch) == false)
    }

    @Test func `A HEAD request that is answered stale is refreshed by GET`() async throws {
        let bench = Bench()
        let fields: HTTPFields = [.cacheControl: "max-age=10, stale-while-revalidate=60"]
        let origin = TestOrigin { _ in TestResponse("body", fields) }
        _ = try await bench.get(under: Self.policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.send(.head, under: Self.policy, to: origin).isHit)
        await bench.cache.idle()
        #expect(origin.fetches.map(\.method) == [.get, .get])
        #expect(try await bench.get(under: Self.policy, from: origin).cacheStatusText == "Larder; hit; ttl=10")
    }

    @Test(arguments: [200, 503], ["", "no-cache", "max-age=0"])
    func `HEAD requests share the response of one of them`(_ code: Int, _ demand: String) async throws {
        let bench = Bench()
        let gate = Gate()
        let status = HTTPResponse.Status(code: code)
        let origin = TestOrigin { _ in
            await gate.pass()
            let fields: HTTPFields = [.cacheControl: "max-age=10", .contentLength: "4", .eTag: "\"a\""]
            return TestResponse(headOnly: HTTPResponse(status: status, headerFields: fields))
        }
        var request = HTTPRequest.get("/posts", demand.isEmpty ? [:] : [.cacheControl: demand])
        request.method = .head
        let clients = (0..<20).map { _ in
            Task { [request] in try await bench.cache.respond(to: request, under: Self.policy, from: origin) }
        }
        try await eventually("nineteen wait") { bench.cache.waiterCount == 19 }
        gate.open()
        for client in clients {
            let response = try await client.value
            #expect(response.head.status == status)
            #expect(response.head.headerFields[.contentLength] == "4")
        }
        // A demand for a newer response is answered by a fetch that starts after it arrived.
        #expect(origin.fetches.count == (demand.isEmpty ? 1 : 2))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A private HEAD response for one user is not shared`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            await gate.pass()
            let fields: HTTPFields = [.cacheControl: "private", .location: request.headerFields[.userAgent] ?? ""]
            return TestResponse(headOnly: HTTPResponse(status: .ok, headerFields: fields))
        }
        let clients = ["anna", "bob"].map { name in
            Task {
                var request = HTTPRequest.get("/posts", [.userAgent: name])
                request.method = .head
                return try await bench.cache.respond(to: request, under: Self.policy, from: origin)
            }
        }
        try await eventually("one waits") { bench.cache.waiterCount == 1 }
        gate.open()
        var places: [String?] = []
        for client in clients { places.append(try await client.value.head.headerFields[.location]) }
        #expect(places == ["anna", "bob"])
    }
}
