import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// Stored responses that the origin has replaced by responses that are not stored.
@Suite(.timeLimit(.minutes(5))) struct ReplacedTests {
    enum Answer: String, CaseIterable {
        case thrownStatus, status, tooLarge, tooLargeStream, tooManyTags, tagNotAccepted
    }

    private static let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(60))
        .stale(ifError: .seconds(60)).limitingBodies(to: .bytes(8))

    @Test(arguments: Answer.allCases)
    func `A response that a refresh found replaced is not served again, for any kind of replacement`(
        _ answer: Answer
    ) async throws {
        let bench = Bench()
        let row = Row("old")
        let origin = TestOrigin { _ in
            switch row.text {
            case "old": TestResponse("old")
            case "down": throw TestFailure("down", status: .serviceUnavailable)
            default: try Self.replaced(answer)
            }
        }
        _ = try await bench.get(under: Self.policy, from: origin)
        row.text = "replaced"
        bench.clock.advance(by: .seconds(15))
        let stale = try await bench.get(under: Self.policy, from: origin)
        #expect(try await stale.text == "old")
        await bench.cache.idle()
        #expect(await bench.cache.count() == 0)
        row.text = "down"
        await #expect(throws: TestFailure.self) { try await bench.get(under: Self.policy, from: origin) }
    }

    @Test func `A refresh whose body breaks off is not tried again at every request`() async throws {
        let bench = Bench()
        let row = Row("old")
        let origin = TestOrigin { _ in
            guard row.text == "broken" else { return TestResponse("old") }
            return TestResponse { sink in
                try await sink.write(ByteBuffer(string: "ha"))
                throw TestFailure("broken")
            }
        }
        _ = try await bench.get(under: Self.policy, from: origin)
        row.text = "broken"
        bench.clock.advance(by: .seconds(15))
        for _ in 0..<5 {
            let stale = try await bench.get(under: Self.policy, from: origin)
            #expect(try await stale.text == "old")
            await bench.cache.idle()
        }
        #expect(origin.fetches.count == 2)
    }

    @Test func `A stored response that is replaced by one with another Vary is not found in its place`()
        async throws
    {
        let bench = Bench()
        let row = Row("old")
        let origin = TestOrigin { _ in
            row.text == "old" ? TestResponse("old", [.vary: "Accept-Language"]) : TestResponse(row.text)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        let english: HTTPFields = [.acceptLanguage: "en"]
        _ = try await bench.get("/posts", english, under: policy, from: origin)
        row.text = "new"
        bench.clock.advance(by: .seconds(15))
        #expect(try await bench.get("/posts", english, under: policy, from: origin).text == "new")
        // RFC 9111 §4.1 prefers a response with Vary to one without, so the old one must have been removed.
        let hit = try await bench.get("/posts", english, under: policy, from: origin)
        #expect(try await hit.text == "new")
        #expect(hit.isHit)
        #expect(origin.fetches.count == 2)
    }

    private static func replaced(_ answer: Answer) throws -> TestResponse {
        switch answer {
        case .thrownStatus: throw TestFailure("gone", status: .notFound)
        case .status: TestResponse("gone", status: .notFound)
        case .tooLarge: TestResponse("a long body")
        case .tooLargeStream:
            TestResponse { sink in
                try await sink.write(ByteBuffer(string: "a long body"))
                try await sink.finish()
            }
        case .tooManyTags:
            TestResponse("new", [.init("Cache-Tag")!: (0...1_000).map { "t\($0)" }.joined(separator: ",")])
        case .tagNotAccepted:
            TestResponse("new", [.init("Cache-Tag")!: String(repeating: "t", count: 257)])
        }
    }
}
