import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Validation of stored responses with a server (RFC 9111 §4.3).
@Suite(.timeLimit(.minutes(5))) struct ValidationTests {
    /// Returns an origin whose one resource has validators, and which answers conditions as it should.
    static func origin(
        _ row: Row = Row("v1"),
        _ fields: HTTPFields = [.cacheControl: "max-age=10"],
        confirming update: HTTPFields = [:]
    ) -> TestOrigin {
        TestOrigin { request in
            let tag = "\"\(row.text)\""
            guard request.headerFields[.ifNoneMatch] != tag else {
                return .notModified(update.adding([.eTag: tag]))
            }
            return TestResponse(row.text, fields.adding([.eTag: tag]))
        }
    }

    @Test func `A stale response is validated, and a 304 makes it fresh again`() async throws {
        let bench = Bench()
        let origin = Self.origin()
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let confirmed = try await bench.get(under: .gateway, from: origin)
        #expect(try await confirmed.text == "v1")
        #expect(confirmed.head.status == .ok)
        #expect(confirmed.cacheStatusText == "Larder; fwd=stale; fwd-status=304; ttl=10")
        #expect(origin.fetches.map { $0.headerFields[.ifNoneMatch] } == [nil, "\"v1\""])
        bench.clock.advance(by: .seconds(9))
        let hit = try await bench.get(under: .gateway, from: origin)
        #expect(hit.cacheStatusText == "Larder; hit; ttl=1")
        #expect(hit.head.headerFields[.age] == "9")
        #expect(bench.log.events.contains { if case .validated = $0 { true } else { false } })
    }

    @Test func `A response that has changed is replaced`() async throws {
        let bench = Bench()
        let row = Row("v1")
        let origin = Self.origin(row)
        _ = try await bench.get(under: .gateway, from: origin)
        row.text = "v2"
        bench.clock.advance(by: .seconds(15))
        let changed = try await bench.get(under: .gateway, from: origin)
        #expect(try await changed.text == "v2")
        #expect(changed.cacheStatusText == "Larder; fwd=stale; fwd-status=200; ttl=10; stored")
        #expect(origin.fetches.count == 2)
        #expect(try await bench.get(under: .gateway, from: origin).isHit)
    }

    @Test(
        arguments: [
            [.cacheControl: "no-cache"], [.cacheControl: "max-age=0"], [.pragma: "no-cache"],
            [.cacheControl: "min-fresh=20"],
        ] as [HTTPFields]
    ) func `A fresh response is validated if the request demands it`(_ fields: HTTPFields) async throws {
        let bench = Bench()
        let origin = Self.origin()
        _ = try await bench.get(under: .gateway, from: origin)
        let confirmed = try await bench.get("/posts", fields, under: .gateway, from: origin)
        #expect(confirmed.cacheStatusText.contains("fwd=request; fwd-status=304"))
        #expect(origin.fetches.count == 2)
    }

    @Test func `RFC 9111 5.2.2.4: A no-cache response is validated at every reuse`() async throws {
        let bench = Bench()
        let origin = Self.origin(Row("v1"), [.cacheControl: "no-cache, max-age=60"])
        for count in 1...3 {
            #expect(try await bench.get(under: .gateway, from: origin).text == "v1")
            #expect(origin.fetches.count == count)
        }
        #expect(origin.fetches.last?.headerFields[.ifNoneMatch] == "\"v1\"")
    }

    @Test func `A modification date is sent in the origin's own spelling`() async throws {
        let bench = Bench()
        let modified = "Sunday, 06-Nov-94 08:49:37 GMT"
        let origin = TestOrigin { request in
            request.headerFields[.ifModifiedSince] == modified
                ? .notModified() : TestResponse("v", [.cacheControl: "max-age=10", .lastModified: modified])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.get(under: .gateway, from: origin).text == "v")
        #expect(origin.fetches.count == 2)
    }

    @Test func `A response without a validator or with an error status is fetched whole`() async throws {
        for (status, fields) in [(.ok, [:]), (.notFound, [.eTag: "\"x\""])] as [(HTTPResponse.Status, HTTPFields)] {
            let bench = Bench()
            let origin = TestOrigin { _ in
                TestResponse("v", status: status, fields.adding([.cacheControl: "max-age=10"]))
            }
            _ = try await bench.get(under: .gateway, from: origin)
            bench.clock.advance(by: .seconds(15))
            #expect(try await bench.get(under: .gateway, from: origin).cacheStatusText.contains("stored"))
            #expect(origin.fetches.allSatisfy { $0.headerFields[.ifNoneMatch] == nil })
        }
    }

    @Test func `A handler of this process is never asked conditionally`() async throws {
        let bench = Bench()
        let origin = Self.origin()
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(ifError: .seconds(60))
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.get(under: policy, from: origin).cacheStatusText.contains("fwd-status=200"))
        #expect(origin.fetches.allSatisfy { $0.headerFields[.ifNoneMatch] == nil })
    }

    @Test func `The client's own conditions are answered from the validated response`() async throws {
        let bench = Bench()
        let origin = Self.origin()
        _ = try await bench.get(under: .gateway, from: origin)
        for (tag, status) in [("\"v1\"", HTTPResponse.Status.notModified), ("\"v0\"", .ok)] {
            bench.clock.advance(by: .seconds(15))
            let response = try await bench.get("/posts", [.ifNoneMatch: tag], under: .gateway, from: origin)
            #expect(response.head.status == status)
            #expect(response.cacheStatusText.contains("fwd=stale; fwd-status=304"))
        }
        #expect(origin.fetches.dropFirst().allSatisfy { $0.headerFields[.ifNoneMatch] == "\"v1\"" })
    }

    @Test func `RFC 9111 3.2: A 304 replaces all fields except those about the stored bytes or a connection`()
        async throws
    {
        let bench = Bench()
        let origin = Self.origin(
            confirming: [
                .cacheControl: "max-age=100", .contentLength: "77", .contentEncoding: "br", .connection: "X-Own",
                HTTPField.Name("X-Own")!: "1", HTTPField.Name("X-Stored")!: "new", .setCookie: "a=b",
            ]
        )
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(90))
        let hit = try await bench.get(under: .gateway, from: origin)
        #expect(hit.cacheStatusText == "Larder; hit; ttl=10")
        let fields = hit.head.headerFields
        #expect(fields[.contentLength] == "2" && fields[.cacheControl] == "max-age=100")
        #expect(fields[HTTPField.Name("X-Stored")!] == "new")
        #expect(!fields.contains(.contentEncoding) && !fields.contains(HTTPField.Name("X-Own")!))
        #expect(!fields.contains(.connection) && !fields.contains(.setCookie))
    }

    @Test func `RFC 9111 4.3.4: A 304 that matches no stored response causes one fetch of the whole response`()
        async throws
    {
        let bench = Bench()
        let isConfused = Row("")
        let origin = TestOrigin { request in
            let isConditional = request.headerFields.contains(.ifNoneMatch)
            if isConfused.text == "always" || isConditional { return .notModified([.eTag: "\"other\""]) }
            return TestResponse("v", [.cacheControl: "max-age=10", .eTag: "\"mine\""])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let whole = try await bench.get(under: .gateway, from: origin)
        #expect(try await whole.text == "v")
        #expect(whole.cacheStatusText == "Larder; fwd=stale; fwd-status=200; ttl=10; stored")
        #expect(origin.fetches.map { $0.headerFields[.ifNoneMatch] } == [nil, "\"mine\"", nil])
        isConfused.text = "always"
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.get(under: .gateway, from: origin).head.status == .notModified)
        #expect(origin.fetches.count == 5)
    }

    @Test func `A 304 that forbids storing answers this request, and no later one`() async throws {
        let bench = Bench()
        let origin = Self.origin(confirming: [.cacheControl: "no-store"])
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let last = try await bench.get(under: .gateway, from: origin)
        #expect(try await last.text == "v1")
        #expect(last.cacheStatusText.contains("fwd-status=304") && last.cacheStatusText.contains("detail=no-store"))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A waiter gets the validated response`() async throws {
        let bench = Bench()
        let gate = Gate()
        let row = Row("first")
        let origin = TestOrigin { request in
            guard row.text == "first" else {
                await gate.pass()
                return .notModified([.eTag: "\"x\""])
            }
            return TestResponse("v", [.cacheControl: "max-age=10", .eTag: "\"x\""])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        row.text = "then"
        bench.clock.advance(by: .seconds(15))
        async let leader = bench.get(under: .gateway, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: .gateway, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        let statuses = try await [leader.cacheStatusText, waiter.cacheStatusText]
        #expect(statuses[0] == "Larder; fwd=stale; fwd-status=304; ttl=10")
        #expect(statuses[1] == "Larder; fwd=stale; fwd-status=304; ttl=10; collapsed")
        #expect(origin.fetches.count == 2)
    }

    @Test func `A background refresh is conditional, too`() async throws {
        let bench = Bench()
        let origin = Self.origin(Row("v1"), [.cacheControl: "max-age=10, stale-while-revalidate=60"])
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let stale = try await bench.get(under: .gateway, from: origin)
        #expect(stale.cacheStatusText == "Larder; hit; ttl=-5; detail=stale-while-revalidate")
        #expect(stale.head.headerFields[.age] == "15")
        await bench.cache.idle()
        #expect(origin.fetches.last?.headerFields[.ifNoneMatch] == "\"v1\"")
        #expect(try await bench.get(under: .gateway, from: origin).cacheStatusText == "Larder; hit; ttl=10")
    }

    @Test func `A 304 with tags replaces the tags, and one without leaves them`() async throws {
        for update in [[:], [HTTPField.Name("Surrogate-Key")!: "new"]] as [HTTPFields] {
            let bench = Bench()
            let fields: HTTPFields = [.cacheControl: "max-age=10", HTTPField.Name("Surrogate-Key")!: "old"]
            let origin = Self.origin(Row("v1"), fields, confirming: update)
            _ = try await bench.get(under: .gateway, from: origin)
            bench.clock.advance(by: .seconds(15))
            let confirmed = try await bench.get(under: .gateway, from: origin)
            #expect(!confirmed.head.headerFields.contains(HTTPField.Name("Surrogate-Key")!))
            await bench.cache.invalidate(.tag(update.isEmpty ? "new" : "old"))
            #expect(await bench.cache.count() == 1)
            await bench.cache.invalidate(.tag(update.isEmpty ? "old" : "new"))
            #expect(await bench.cache.count() == 0)
        }
    }
}

/// The promise of docs/invalidation.md for validated responses (rule 5).
@Suite(.timeLimit(.minutes(5))) struct ValidationRaceTests {
    /// Validates a stale response, and holds the origin's 304 until the gate is opened.
    private func confirming(
        on bench: Bench,
        _ gate: Gate,
        _ meanwhile: () async throws -> Void
    ) async throws -> TestResponse {
        let isFirst = Row("yes")
        let origin = TestOrigin { request in
            if isFirst.text == "no" {
                await gate.pass()
                return .notModified([.eTag: "\"v1\""])
            }
            isFirst.text = "no"
            return TestResponse("v1", [.cacheControl: "max-age=10", .eTag: "\"v1\""])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        async let confirmed = bench.get(under: .gateway, from: origin)
        await gate.reached()
        try await meanwhile()
        gate.open()
        return try await confirmed
    }

    @Test func `Overtaken refresh: A 304 does not refresh a response that was invalidated meanwhile`() async throws {
        let bench = Bench()
        let confirmed = try await confirming(on: bench, Gate()) {
            let put = try await bench.send(.put, under: .gateway, to: TestOrigin { _ in TestResponse("written") })
            #expect(put.head.status == .ok)
        }
        #expect(try await confirmed.text == "v1")
        #expect(confirmed.cacheStatusText.contains("detail=overtaken"))
        let origin = ValidationTests.origin(Row("v2"))
        #expect(try await bench.get(under: .gateway, from: origin).text == "v2")
    }

    @Test func `Wrong entry re-dated: A 304 does not re-date the replacement of the validated response`() async throws {
        let bench = Bench()
        let other = ValidationTests.origin(Row("v0"), [.cacheControl: "max-age=3"])
        _ = try await confirming(on: bench, Gate()) {
            let fresh: HTTPFields = [.cacheControl: "no-cache"]
            let text = try await bench.get("/posts", fresh, under: .gateway, from: other).text
            #expect(text == "v0")
        }
        // The response that is stored now has the lifetime of its own validator.
        bench.clock.advance(by: .seconds(5))
        let hit = try await bench.get(under: .gateway, from: ValidationTests.origin(Row("v9")))
        let text = try await hit.text
        #expect(text == "v1" && hit.head.headerFields[.eTag] == "\"v1\"" || text == "v9", "\(text)")
    }
}
