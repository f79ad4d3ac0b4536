import HTTPCaching
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import Larder

/// A body that is captured for the store while the client that asked for it reads it.
@Suite(.timeLimit(.minutes(5))) struct BodyCaptureTests {
    private let clock = ManualClock()
    private let events = NIOLockedValueBox<[String]>([])
    private let budget = InFlightBudget(limit: .kibibytes(96))

    private func capture(length: Int? = nil, limit: Int = 10, within time: Duration = .seconds(60)) -> BodyCapture {
        BodyCapture(
            length: length,
            limit: limit,
            deadline: clock.now.advanced(by: time),
            budget: budget,
            clock: clock.clock,
            fetch: nil
        )
    }

    private func actions() -> [String] { events.withLockedValue { $0 } }

    /// Returns the result of a reader that does not wait: a part, "end", or "nothing yet".
    private func next(_ reader: BodyReader) async throws -> String {
        let task = Task {
            // The task waits until it is cancelled, so that the reader does not wait for more.
            while !Task.isCancelled { await Task.yield() }
            return try await reader.next().map { String(buffer: $0) } ?? "end"
        }
        task.cancel()
        do { return try await task.value } catch is CancellationError { return "nothing yet" }
    }

    private func write(_ texts: String..., to capture: BodyCapture) async throws {
        for text in texts { try await write(ByteBuffer(string: text), to: capture) }
    }

    /// Writes a part as an origin does, and records the actions.
    private func write(_ part: ByteBuffer, to capture: BodyCapture) async throws {
        try await capture.write(part, for: Recorder(events: events))
    }

    /// An owner that records what it is told.
    private struct Recorder: CaptureOwner {
        let events: NIOLockedValueBox<[String]>

        func serveLeader() { events.withLockedValue { $0.append("serve leader") } }
        func stopStoring(because reason: NotStoredReason) { events.withLockedValue { $0.append(reason.detail) } }
    }

    @Test func `The last part of a body of known length is not sent before the body is stored`() async throws {
        let capture = capture(length: 4)
        let reader = capture.reader()
        try await write("ab", to: capture)
        #expect(try await next(reader) == "ab")
        #expect(try await next(reader) == "nothing yet")
        try await write("cd", to: capture)
        #expect(try await next(reader) == "nothing yet")
        try capture.finish()
        #expect(try await next(reader) == "nothing yet")
        #expect(try capture.whole() == ByteBuffer(string: "abcd"))
        capture.release()
        #expect(try await next(reader) == "cd")
        #expect(try await next(reader) == "end")
    }

    @Test func `The end of a body of unknown length is not sent before the body is stored`() async throws {
        let capture = capture()
        let reader = capture.reader()
        try await write("ab", "cd", to: capture)
        try capture.finish()
        #expect(try await next(reader) == "ab")
        #expect(try await next(reader) == "cd")
        #expect(try await next(reader) == "nothing yet")
        capture.release()
        #expect(try await next(reader) == "end")
    }

    @Test func `A body in one part is not sent before it is stored`() async throws {
        let capture = capture(length: 4)
        let reader = capture.reader()
        try await write("abcd", to: capture)
        try capture.finish()
        #expect(actions().isEmpty)
        #expect(try await next(reader) == "nothing yet")
        capture.release()
        #expect(try await next(reader) == "abcd")
    }

    @Test func `The last part of a body that is not stored is sent at once`() async throws {
        let capture = capture(length: 12)
        let reader = capture.reader()
        try await write("abcdefgh", "ijkl", to: capture)
        #expect(try await next(reader) == "abcdefgh")
        #expect(try await next(reader) == "ijkl")
        try capture.finish()
        #expect(try await next(reader) == "end")
    }

    @Test func `A body that fails after its last part is not sent as complete`() async throws {
        let capture = capture(length: 4)
        let reader = capture.reader()
        try await write("ab", "cd", to: capture)
        capture.fail(TestFailure("gone"))
        #expect(try await next(reader) == "ab")
        await #expect(throws: TestFailure("gone")) { try await next(reader) }
        #expect(throws: NotStoredReason.brokenOff) { try capture.whole() }
    }

    @Test(arguments: [nil, 10] as [Int?]) func `A body of exactly the limit is stored`(_ length: Int?) async throws {
        let capture = capture(length: length)
        try await write("abcde", "fghij", to: capture)
        #expect(!capture.isPastLimit)
        try capture.finish()
        #expect(try capture.whole().readableBytes == 10)
        #expect(actions() == ["serve leader"])
    }

    @Test(arguments: [nil, 11] as [Int?]) func `A body of one byte more than the limit is not stored`(
        _ length: Int?
    ) async throws {
        let capture = capture(length: length)
        let reader = capture.reader()
        try await write("abcde", "fghij", "k", to: capture)
        #expect(capture.isPastLimit && actions() == ["serve leader", "too-large"])
        try capture.finish()
        #expect(throws: NotStoredReason.tooLarge) { try capture.whole() }
        #expect(try await next(reader) == "abcde")
        #expect(try await next(reader) == "fghij")
        #expect(try await next(reader) == "k")
        #expect(try await next(reader) == "end")
    }

    @Test func `A body is stored if its last part comes before the deadline`() async throws {
        let early = capture(within: .seconds(10))
        clock.advance(by: .seconds(10) - .nanoseconds(1))
        try await write("abc", to: early)
        #expect(!early.isPastLimit)
        let late = capture(within: .seconds(10))
        clock.advance(by: .seconds(10))
        let reader = late.reader()
        try await write("abc", to: late)
        #expect(late.isPastLimit && actions() == ["serve leader", "serve leader", "too-slow"])
        #expect(throws: NotStoredReason.tooSlow) { try late.whole() }
        #expect(try await next(reader) == "abc")
    }

    @Test func `A body ends neither before nor after the length that its head declared`() async throws {
        let short = capture(length: 4)
        try await write("abc", to: short)
        #expect(throws: BodyError.wrongLength) { try short.finish() }
        #expect(throws: NotStoredReason.brokenOff) { try short.whole() }
        let long = capture(length: 4)
        await #expect(throws: BodyError.wrongLength) { try await write("ab", "cde", to: long) }
        await #expect(throws: BodyError.abandoned) { try await write("f", to: long) }
        #expect(throws: NotStoredReason.brokenOff) { try long.whole() }
    }

    @Test func `An empty body is complete, and empty parts are ignored`() async throws {
        for length in [nil, 0] as [Int?] {
            let capture = capture(length: length)
            let reader = capture.reader()
            try await write("", "", to: capture)
            try capture.finish()
            #expect(try await next(reader) == "nothing yet")
            #expect(try capture.whole().readableBytes == 0 && actions().isEmpty)
            capture.release()
            #expect(try await next(reader) == "end")
        }
    }

    @Test func `A fetch learns that the reader has left, and ends if its body is not captured either`() async throws {
        for isCaptured in [true, false] {
            let fetch = BackgroundFetch { true }
            let left = NIOLockedValueBox(0)
            fetch.onLeave { left.withLockedValue { $0 += 1 } }
            let capture = BodyCapture(
                length: nil,
                limit: isCaptured ? 10 : 1,
                deadline: clock.now.advanced(by: .seconds(60)),
                budget: budget,
                clock: clock.clock,
                fetch: fetch
            )
            var reader: BodyReader? = capture.reader()
            try await write("ab", to: capture)
            #expect(try await next(try #require(reader)) == "ab")
            reader = nil
            #expect(left.withLockedValue { $0 } == (isCaptured ? 1 : 0))
            #expect(fetch.isAbandoned == !isCaptured)
        }
    }

    @Test func `An origin whose body is neither read nor captured gets an error when it writes`() async throws {
        let capture = capture()
        var reader: BodyReader? = capture.reader()
        #expect(try await next(try #require(reader)) == "nothing yet")
        try await write("abcdefghijk", to: capture)
        reader = nil
        await #expect(throws: BodyError.abandoned) { try await write("l", to: capture) }
    }

    // MARK: - Memory

    /// Writes a body of 40 KiB in parts of 10 KiB.
    private func writeFour(to capture: BodyCapture) async throws {
        for _ in 0..<4 { try await write(ByteBuffer(repeating: 0x61, count: 10 << 10), to: capture) }
    }

    @Test func `Beyond the budget a body is not stored, and the origin waits for the reader`() async throws {
        let first = capture(limit: 1 << 20)
        try await writeFour(to: first)
        #expect(budget.used > 40 << 10)
        let second = capture(limit: 1 << 20)
        let reader = second.reader()
        let task = Task { try await writeFour(to: second) }
        for _ in 0..<4 { #expect(try await reader.next()?.readableBytes == 10 << 10) }
        try await task.value
        try second.finish()
        #expect(second.isPastLimit && actions() == ["serve leader", "serve leader", "no-room"])
        #expect(throws: NotStoredReason.noRoom) { try second.whole() }
        #expect(try await next(reader) == "end")
    }

    @Test func `Without room, one part at a time is in flight`() async throws {
        budget.charge(budget.limit)
        let capture = capture(limit: 1 << 20)
        let reader = capture.reader()
        let written = NIOLockedValueBox(0)
        let task = Task {
            for _ in 0..<4 {
                try await write(ByteBuffer(repeating: 0x61, count: 10 << 10), to: capture)
                written.withLockedValue { $0 += 1 }
            }
        }
        for part in 0..<4 {
            #expect(try await reader.next()?.readableBytes == 10 << 10)
            try await eventually("the next part comes") { written.withLockedValue { $0 } >= part }
            #expect(written.withLockedValue { $0 } <= part + 1)
        }
        try await task.value
        #expect(budget.used == budget.limit)
    }

    @Test func `Memory taken of the budget is given back if a body is stored, broken off or abandoned`() async throws {
        do {
            let stored = capture(limit: 1 << 20)
            try await writeFour(to: stored)
            try stored.finish()
            #expect(try stored.whole().readableBytes == 40 << 10)
            let broken = capture(limit: 1 << 20)
            try await write("abc", to: broken)
            broken.fail(TestFailure("gone"))
            let left = capture(limit: 10)
            var reader: BodyReader? = left.reader()
            #expect(try await next(try #require(reader)) == "nothing yet")
            try await write("abcdefghijk", to: left)
            reader = nil
            #expect(budget.used > 40 << 10)
        }
        #expect(budget.used == 0)
    }

    @Test func `A part in a much larger allocation is charged for the memory that it retains`() async throws {
        let capture = capture(limit: 1 << 20)
        for _ in 0..<16 {
            var read = ByteBufferAllocator().buffer(capacity: 64 << 10)
            read.writeString("abc")
            try await write(read, to: capture)
        }
        #expect(!capture.isPastLimit)
        #expect(budget.used < 16 * 256)
    }

    @Test func `The reader of a stored body reads the rest of it from the stored response`() async throws {
        var captured: BodyCapture? = capture(limit: 1 << 20)
        let reader = try #require(captured?.reader())
        try await writeFour(to: try #require(captured))
        #expect(try await reader.next()?.readableBytes == 10 << 10)
        try captured?.finish()
        let body = try #require(try captured?.whole())
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let readVersion = LogVersion(epoch: .new(), number: 0)
        let text = String(buffer: body)
        var entry: CacheEntry? = CacheEntry.sample(text, at: location, readVersion: readVersion, now: clock.now)
        let cost = try #require(entry?.cost)
        entry?.charge(to: budget)
        captured?.replaceParts(by: try #require(entry))
        captured?.release()
        #expect(budget.used == cost)
        (captured, entry) = (nil, nil)
        #expect(try await reader.next()?.readableBytes == 30 << 10)
        #expect(budget.used == cost)
        #expect(try await next(reader) == "end")
    }
}
