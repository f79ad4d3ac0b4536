import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@testable import Larder

/// The size limit of stored bodies, and the memory that they take of the store's limit.
@Suite(.timeLimit(.minutes(5))) struct BodyLimitTests {
    private static let mebibyte = 1 << 20

    /// The way in which an origin gives a body of some length.
    enum Giving: CaseIterable { case whole, parts, undeclared }

    private func origin(_ length: Int, _ giving: Giving) -> TestOrigin {
        TestOrigin { _ in
            let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: length)
            if giving == .whole { return TestResponse(head: HTTPResponse(status: .ok), body: body) }
            return TestResponse(length: giving == .parts ? length : nil) { sink in
                var rest = body
                while let part = rest.readSlice(length: min(100_000, rest.readableBytes)), part.readableBytes > 0 {
                    try await sink.write(part)
                }
                try await sink.finish()
            }
        }
    }

    @Test(arguments: Giving.allCases, [600 * 1024, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
    func `A body is stored up to exactly the limit`(_ giving: Giving, _ length: Int) async throws {
        let bench = Bench()
        let origin = origin(length, giving)
        let isStored = length <= Self.mebibyte
        for fetches in 1...2 {
            let response = try await bench.get(from: origin)
            #expect(try await response.text.utf8.count == length)
            #expect(origin.fetches.count == (isStored ? 1 : fetches))
        }
        #expect(await bench.cache.count() == (isStored ? 1 : 0))
    }

    @Test(arguments: [0, 1, 512, 5_000, 3 << 20])
    func `A limit set by a policy is exact to the byte`(_ limit: Int) async throws {
        let entry = CacheEntry.limit(forBodiesOf: .bytes(limit))
        for (length, isStored) in [(limit, true), (limit + 1, false)] {
            let store = MemoryStore(limit: .mebibytes(64), entryLimit: entry)
            let cache = ResponseCache(store: store)
            let policy = CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .bytes(limit))
            _ = try await cache.respond(to: .get("/"), under: policy, from: origin(length, .whole)).text
            #expect(await cache.count() == (isStored ? 1 : 0), "\(length) bytes")
        }
    }

    @Test func `A body of exactly the limit is stored beside fields of the largest size`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            var head = HTTPResponse(status: .ok)
            for id in 0..<20 { head.headerFields[HTTPField.Name("x-\(id)")!] = String(repeating: "v", count: 8_000) }
            return TestResponse(head: head, body: ByteBuffer(repeating: 7, count: Self.mebibyte))
        }
        _ = try await bench.get(from: origin)
        #expect(await bench.cache.count() == 1)
    }

    @Test(arguments: [1, 40, 1_000, 5_000, 600 * 1024, (1 << 20) + 1])
    func `A stored body takes an allocation of its own size`(_ length: Int) {
        var buffer = ByteBuffer(repeating: 1, count: length + 100)
        buffer.moveReaderIndex(forwardBy: 50)
        let fitted = (buffer.readSlice(length: length) ?? buffer).fitted
        #expect(fitted.storageCapacity == length && fitted.readableBytes == length)
        #expect(fitted.readableBytesView.allSatisfy { $0 == 1 })
        #expect((length..<length + 5_000).contains(ByteBuffer.allocated(length)))
        // A write to a copy of it makes a usual buffer, and leaves the original as it was.
        var copy = fitted
        copy.writeBytes([2, 3])
        copy.writeBytes(Array(repeating: 4, count: 3 * length))
        #expect(copy.readableBytes == 4 * length + 2 && fitted.readableBytes == length)
        #expect(copy.getBytes(at: length, length: 2) == [2, 3])
    }

    @Test(arguments: [1, 600 * 1024, 1 << 20]) func `An entry holds its body in an allocation of its own size`(
        _ length: Int
    ) {
        let clock = ManualClock()
        let text = String(repeating: "x", count: length)
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let entry = CacheEntry.sample(
            text,
            at: location,
            readVersion: LogVersion(epoch: .new(), number: 0),
            now: clock.now
        )
        #expect(entry.body.storageCapacity == length)
        #expect((length..<length + 8_192).contains(entry.cost))
    }

    @Test func `Everything that a request chooses is charged`() {
        let clock = ManualClock()
        func cost(target: String = "/a", language: String = "en") -> Int {
            CacheEntry.sample(
                "x",
                at: EntryLocation(key: CacheKey(legal: "GET:" + target), target: target),
                readVersion: LogVersion(epoch: .new(), number: 0),
                now: clock.now,
                request: [.acceptLanguage: language],
                [.vary: "Accept-Language"]
            ).cost
        }
        let long = String(repeating: "l", count: 50_000)
        #expect(cost(language: long) >= cost() + 49_000)
        #expect(cost(target: "/a?" + long) >= cost() + 49_000)
    }
}
