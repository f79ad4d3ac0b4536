import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct StreamTests {
    private static let part = (0..<16 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    private let bench = Bench()
    private let calls = Counter()
    private let written = Counter()
    private let ended = Gate()
    private let gate = Gate()
    private let policy = CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .kibibytes(64))

    @Test func `A stream beyond the body limit reaches every client in full and is not stored`() async throws {
        try await serve(router(parts: 64, declaring: nil)) { port in
            async let sent = send(4, "/a", to: port)
            try await eventually("three wait for the first") { bench.cache.waiterCount == 3 }
            gate.open()
            let whole = Array(repeatElement(Self.part, count: 64).joined())
            for answer in try await sent { #expect(answer.body == whole) }
        }
        #expect(calls.value == 4 && bench.cache.waiterCount == 0)
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A body that declares more than the limit is forwarded and not stored`() async throws {
        gate.open()
        let whole = Array(repeatElement(Self.part, count: 64).joined())
        try await serve(router(parts: 64, declaring: whole.count)) { port in
            for _ in 0..<2 {
                let answer = try await Wire.send("GET", "/a", to: port)
                #expect(answer.body == whole && answer.cacheStatusText.hasSuffix("; detail=too-large"))
            }
        }
        #expect(calls.value == 2)
        #expect(await bench.cache.count() == 0)
    }

    @Test func `An endless body is produced at the pace of its reader, and ends with the connection`() async throws {
        gate.open()
        try await serve(router(parts: .max, declaring: nil)) { port in
            try await Wire.open(to: port) { wire in
                try await wire.send("GET", "/a")
                _ = try await wire.head()
                var read = 0
                // This is far more than the buffers of the sockets hold, so that a writer without back pressure is
                // noticed.
                while read < 96 << 20 {
                    let chunk = try await wire.chunk() ?? []
                    guard Self.continues(chunk, at: read) else {
                        Issue.record("Other bytes than the handler's at \(read)")
                        return
                    }
                    read += chunk.count
                }
                #expect(written.value - read < 64 << 20)
            }
            await ended.reached()
            #expect(calls.value == 1)
        }
        #expect(await bench.cache.count() == 0)
    }

    @Test func `A waiter asks the origin if the body that it waits for takes too long to store`() async throws {
        let slow = policy.coalescing(timeout: .seconds(600))
        let (second, router) = (Gate(), Router())
        router.group("a").cached(by: bench.cache, slow).get { _, _ in
            let number = calls.next()
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "\(number)"))
                    await second.pass()
                    try await writer.write(ByteBuffer(string: "."))
                    await gate.pass()
                    try await writer.finish(nil)
                }
            )
        }
        try await serve(router) { port in
            async let leading = Wire.send("GET", "/a", to: port)
            await second.reached()
            async let waiting = Wire.send("GET", "/a", to: port)
            try await eventually("the second waits") { bench.cache.waiterCount == 1 }
            bench.clock.advance(by: .seconds(31))
            second.open()
            // The first response has not ended when the second request calls the handler.
            await second.reached(by: 2)
            gate.open()
            let answers = (try await leading, try await waiting)
            #expect(answers.0.text == "1." && answers.1.text == "2.")
        }
        #expect(bench.log.events.contains { if case .notStored(_, .tooSlow) = $0 { true } else { false } })
    }

    private func router(parts: Int, declaring length: Int?) -> Router<BasicRequestContext> {
        let router = Router()
        let part = ByteBuffer(bytes: Self.part)
        ended.open()
        router.group("a").cached(by: bench.cache, policy).get { _, _ in
            calls.next()
            await gate.pass()
            return Response(
                status: .ok,
                body: ResponseBody(contentLength: length) { writer in
                    do {
                        for _ in 0..<parts {
                            try await writer.write(part)
                            written.next(adding: part.readableBytes)
                        }
                        try await writer.finish(nil)
                    } catch {
                        await ended.pass()
                        throw error
                    }
                }
            )
        }
        return router
    }

    /// Returns true if bytes equal those of the endless body from an offset on.
    private static func continues(_ bytes: [UInt8], at place: Int) -> Bool {
        var offset = place % part.count
        var rest = bytes[...]
        while !rest.isEmpty {
            let expected = part[offset...].prefix(rest.count)
            guard rest.starts(with: expected) else { return false }
            rest = rest.dropFirst(expected.count)
            offset = 0
        }
        return true
    }
}
