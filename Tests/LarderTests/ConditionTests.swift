import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// Ranges and conditions of requests that the store cannot answer.
@Suite(.timeLimit(.minutes(5))) struct ConditionTests {
    /// An origin that answers ranges and conditions itself, as a file server does, and records its requests.
    private struct Server: Origin {
        let text: String
        let fields: HTTPFields
        let log = NIOLockedValueBox<[String]>([])
        let request: HTTPRequest
        var isStreaming = false

        func fetch(_ request: HTTPRequest) async throws -> TestResponse {
            log.withLockedValue { $0.append(request.headerFields.contains(.range) ? "part" : "whole") }
            if request.headerFields.contains(.range) {
                let part = String(text.prefix(2))
                return TestResponse(
                    part,
                    status: .partialContent,
                    fields.adding([.contentRange: "bytes 0-1/\(text.utf8.count)"])
                )
            }
            if let tag = request.headerFields[.ifNoneMatch], tag == fields[.eTag] { return .notModified(fields) }
            guard isStreaming else { return TestResponse(text, fields) }
            return TestResponse(length: nil, fields) { [text] sink in
                var rest = ByteBuffer(string: text)
                while let part = rest.readSlice(length: min(1_000, rest.readableBytes)), part.readableBytes > 0 {
                    try await sink.write(part)
                }
                try await sink.finish()
            }
        }

        func forward() async throws -> TestResponse { try await fetch(request) }
        func status(of error: any Error) -> HTTPResponse.Status? { nil }
    }

    private static let policies: [CachePolicy] = [.gateway, .fresh(for: .seconds(60)), .whatIsPublic]

    @Test(arguments: ["private, no-store", "no-store", "private", "max-age=60, private"], policies)
    func `The range of a response that is not stored is forwarded to the origin from the first request on`(
        _ directives: String,
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let request = HTTPRequest.get("/film", [.range: "bytes=0-1"])
        let server = Server(text: "0123456789", fields: [.cacheControl: directives, .eTag: "\"e\""], request: request)
        for _ in 0..<6 {
            let part = try await bench.cache.respond(to: request, under: policy, from: server)
            #expect(part.head.status == .partialContent)
            #expect(part.head.headerFields[.contentRange] == "bytes 0-1/10")
            #expect(try await part.text == "01")
            // A key is hit-for-miss for thirty seconds.
            bench.clock.advance(by: .seconds(20))
        }
    }

    @Test(arguments: [true, false], policies)
    func `The range of a body over the limit is forwarded to the origin from the first request on`(
        _ isStreaming: Bool,
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let request = HTTPRequest.get("/film", [.range: "bytes=0-1"])
        let text = String(repeating: "0123456789", count: 1_000)
        var server = Server(text: text, fields: [.cacheControl: "public, max-age=60"], request: request)
        server.isStreaming = isStreaming
        for _ in 0..<6 {
            let part = try await bench.cache.respond(
                to: request,
                under: policy.limitingBodies(to: .bytes(5_000)),
                from: server
            )
            #expect(part.head.status == .partialContent)
            #expect(part.head.headerFields[.contentRange] == "bytes 0-1/10000")
            #expect(try await part.text == "01")
            bench.clock.advance(by: .seconds(20))
        }
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: ["private, no-store", "no-store", "private"], policies)
    func `The condition of a response that is not stored is answered from the first request on`(
        _ directives: String,
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let request = HTTPRequest.get("/film", [.ifNoneMatch: "\"e\""])
        let server = Server(text: "0123456789", fields: [.cacheControl: directives, .eTag: "\"e\""], request: request)
        for _ in 0..<6 {
            let response = try await bench.cache.respond(to: request, under: policy, from: server)
            #expect(response.head.status == .notModified)
            #expect(response.head.headerFields[.eTag] == "\"e\"")
            bench.clock.advance(by: .seconds(20))
        }
    }

    @Test(arguments: [0, 1, 1_000, 2_000, 66_000, 300_000], [true, false])
    func `A client that has the response gets a 304 on a cold key, however long the body is`(
        _ length: Int,
        _ hasTag: Bool
    ) async throws {
        let text = String(repeating: "x", count: length)
        // One request learns the tag, which the cache makes if the handler sets none.
        let fields: HTTPFields = hasTag ? [.eTag: "\"e\""] : [:]
        let first = Bench()
        var server = Server(text: text, fields: fields, request: .get("/posts"))
        let policy = CachePolicy.fresh(for: .seconds(60))
        _ = try await first.cache.respond(to: .get("/posts"), under: policy, from: server)
        let stored = try await first.cache.respond(to: .get("/posts"), under: policy, from: server)
        let tag = try #require(stored.head.headerFields[.eTag])
        for isStreaming in [true, false] {
            server.isStreaming = isStreaming
            for _ in 0..<10 {
                let bench = Bench()
                let request = HTTPRequest.get("/posts", [.ifNoneMatch: tag])
                let response = try await bench.cache.respond(to: request, under: policy, from: server)
                #expect(response.head.status == .notModified)
                #expect(response.head.headerFields[.eTag] == tag)
                await bench.cache.idle()
                // The response is stored for the other clients all the same.
                let hit = try await bench.cache.respond(to: .get("/posts"), under: policy, from: server)
                #expect(hit.isHit)
                #expect(try await hit.text == text)
            }
        }
    }

    @Test(arguments: [true, false]) func `A client gets a 304 on a stale response that was replaced`(
        _ isStreaming: Bool
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60))
        var server = Server(text: "old", fields: [.eTag: "\"old\""], request: .get("/posts"))
        _ = try await bench.cache.respond(to: .get("/posts"), under: policy, from: server)
        bench.clock.advance(by: .seconds(61))
        server = Server(text: "new", fields: [.eTag: "\"new\""], request: .get("/posts"))
        server.isStreaming = isStreaming
        let request = HTTPRequest.get("/posts", [.ifNoneMatch: "\"new\""])
        let response = try await bench.cache.respond(to: request, under: policy, from: server)
        #expect(response.head.status == .notModified)
        await bench.cache.idle()
        #expect(try await bench.cache.respond(to: .get("/posts"), under: policy, from: server).text == "new")
    }

    @Test func `A 304 is sent when the head is known, before the body`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            TestResponse(length: 5, [.cacheControl: "max-age=60", .eTag: "\"e\""]) { sink in
                await gate.pass()
                try await sink.write(ByteBuffer(string: "whole"))
                try await sink.finish()
            }
        }
        let response = try await bench.get("/posts", [.ifNoneMatch: "\"e\""], under: .gateway, from: origin)
        #expect(response.head.status == .notModified)
        gate.open()
        await bench.cache.idle()
        #expect(try await bench.get(under: .gateway, from: origin).text == "whole")
        #expect(origin.fetches.count == 1)
    }

    @Test func `A client that has another response gets the whole body`() async throws {
        for policy in Self.policies {
            let bench = Bench()
            let fields: HTTPFields = [.cacheControl: "public, max-age=60", .eTag: "\"e\""]
            let request = HTTPRequest.get("/posts", [.ifNoneMatch: "\"other\""])
            let server = Server(text: "whole", fields: fields, request: request)
            let response = try await bench.cache.respond(to: request, under: policy, from: server)
            #expect(response.head.status == .ok)
            #expect(try await response.text == "whole")
        }
    }

    @Test(arguments: [404, 410, 203, 503], [true, false])
    func `A range is cut from no status but 200, however long the body is`(
        _ code: Int,
        _ isOverLimit: Bool
    ) async throws {
        let bench = Bench()
        let calls = Row("")
        let origin = TestOrigin { _ in
            calls.text += "x"
            var response = TestResponse([.cacheControl: "max-age=60"]) { sink in
                for _ in 0..<10 { try await sink.write(ByteBuffer(string: "0123456789")) }
                try await sink.finish()
            }
            response.head.status = .init(code: code)
            return response
        }
        let policy = CachePolicy.gateway.limitingBodies(to: isOverLimit ? .bytes(35) : .bytes(100))
        let response = try await bench.get("/posts", [.range: "bytes=0-1"], under: policy, from: origin)
        #expect(response.head.status.code == code)
        #expect(try await response.text == String(repeating: "0123456789", count: 10))
        #expect(calls.text == "x")
    }

    @Test(arguments: policies)
    func `RFC 9110 13.1.3: Without a modification date, If-Modified-Since is ignored`(
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let since = HTTPDate.format(bench.clock.now.advanced(by: .seconds(60)))
        let date = HTTPDate.format(bench.clock.now)
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "private, no-store", .date: date]) }
        let response = try await bench.get("/posts", [.ifModifiedSince: since], under: policy, from: origin)
        #expect(response.head.status == .ok)
        #expect(try await response.text == "v")
    }
}
