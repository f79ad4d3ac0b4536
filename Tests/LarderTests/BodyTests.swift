import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct BodyTests {
    private func parts(_ texts: [String], length: Int? = nil) -> TestResponse {
        TestResponse(length: length) { sink in
            for text in texts { try await sink.write(ByteBuffer(string: text)) }
            try await sink.finish()
        }
    }

    @Test(arguments: [nil, 6]) func `A body in parts is stored whole`(_ length: Int?) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in self.parts(["ab", "cd", "ef"], length: length) }
        #expect(try await bench.get(from: origin).text == "abcdef")
        let hit = try await bench.get(from: origin)
        #expect(try await hit.text == "abcdef")
        #expect(hit.isHit)
        #expect(hit.head.headerFields[.contentLength] == "6")
    }

    @Test func `A client that has the last byte finds the response stored`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            TestResponse(length: 4) { sink in
                try await sink.write(ByteBuffer(string: "ab"))
                try await sink.write(ByteBuffer(string: "cd"))
                await gate.pass()
                try await sink.finish()
            }
        }
        let response = try await bench.get(from: origin)
        guard case .read(let reader, _) = response.body else {
            Issue.record("The leader reads while the origin writes")
            return
        }
        #expect(try await reader.next().map { String(buffer: $0) } == "ab")
        async let last = reader.next()
        await gate.reached()
        gate.open()
        let lastPart = try await last
        #expect(lastPart.map { String(buffer: $0) } == "cd")
        #expect(await bench.cache.count() == 1)
        #expect(try await reader.next() == nil)
    }

    @Test(arguments: [nil, 40]) func `A body over the limit is forwarded whole and not stored`(
        _ length: Int?
    )
        async throws
    {
        let bench = Bench()
        let texts = (0..<10).map { "part\($0 % 10)"[...].prefix(4) + "" }.map(String.init)
        let origin = TestOrigin { _ in self.parts(texts, length: length) }
        let policy = CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .bytes(10))
        let response = try await bench.get(under: policy, from: origin)
        #expect(try await response.text == texts.joined())
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: [3, 5]) func `A body of another length than declared is neither stored nor ended as complete`(
        _ sent: Int
    )
        async throws
    {
        let bench = Bench()
        let origin = TestOrigin { _ in self.parts([String(repeating: "x", count: sent)], length: 4) }
        await #expect(throws: (any Error).self) { try await bench.get(from: origin).text }
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A body that breaks off is neither stored nor ended as complete`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            TestResponse { sink in
                try await sink.write(ByteBuffer(string: "half"))
                throw TestFailure("gone")
            }
        }
        let response = try await bench.get(from: origin)
        await #expect(throws: TestFailure("gone")) { try await response.text }
        #expect(await bench.cache.count() == 0)
    }

    @Test func `An endless body releases its waiters and ends when its reader leaves`() async throws {
        let bench = Bench()
        let ended = Gate()
        let origin = TestOrigin { _ in
            TestResponse { sink in
                do {
                    while true { try await sink.write(ByteBuffer(repeating: 0, count: 4_096)) }
                } catch {
                    await ended.pass()
                    throw error
                }
            }
        }
        let policy = CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .kibibytes(16))
        do {
            let response = try await bench.get(under: policy, from: origin)
            guard case .read(let reader, _) = response.body else {
                Issue.record("The leader reads while the origin writes")
                return
            }
            for _ in 0..<100 { _ = try await reader.next() }
        }
        await ended.reached()
        ended.open()
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A HEAD request stores the response that a GET then finds`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("body") }
        let head = try await bench.send(.head, to: origin)
        #expect(head.head.headerFields[.contentLength] == "4")
        guard case .none = head.body else {
            Issue.record("A HEAD has no body")
            return
        }
        #expect(origin.fetches.map(\.method) == [.get])
        #expect(try await bench.get(from: origin).text == "body")
        #expect(origin.fetches.count == 1)
    }
}
