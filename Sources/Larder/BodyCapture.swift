import DequeModule
import HTTPCaching
import NIOConcurrencyHelpers
public import NIOCore

/// Collects a body while the client that asked for it reads it, up to a limit.
///
/// Below the limit the origin writes as fast as it can and everything is kept: a slow client holds up nobody who waits
/// for the whole. Beyond the limit (in bytes, or in time: a stream that never ends) nothing is kept any more, and the
/// origin writes as fast as the client reads. The end is held back from the client until the body has landed in the
/// store, so that a request sent right after the last byte finds it there.
final class BodyCapture: BodySink {
    /// What the owner of the capture needs to know while the body comes in.
    enum Event {
        /// A part came that is not the whole: the client can be served from here on.
        case begun
        /// The body is past the limit and will not be kept.
        case overflowed(NotStored)
        /// The reader has left. The body is kept all the same.
        case left
        /// The body is past the limit, and its reader has left.
        case unwanted
    }

    private let state: NIOLockedValueBox<CaptureState>
    private let clock: WallClock
    private let onEvent: @Sendable (Event, BodyCapture) -> Void

    /// - Parameters:
    ///   - length: the length that the head declared, in bytes.
    ///   - limit: the most bytes kept.
    ///   - deadline: when a body that still comes in is kept no longer.
    ///   - onEvent: is told what happens while the origin writes, by the origin's task.
    init(
        length: Int?,
        limit: Int,
        deadline: Timestamp,
        clock: WallClock,
        onEvent: @escaping @Sendable (Event, BodyCapture) -> Void
    ) {
        self.state = NIOLockedValueBox(CaptureState(length: length, limit: limit, deadline: deadline))
        self.clock = clock
        self.onEvent = onEvent
    }

    func write(_ part: ByteBuffer) async throws {
        guard part.readableBytes > 0 else { return }
        let now = clock.now
        let (written, reader) = state.withLockedValue { state in (state.write(part, at: now), state.takeReader()) }
        reader?.resume()
        for event in written.events { onEvent(event, self) }
        if let error = written.error { throw error }
        guard written.mustWait else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumes = state.withLockedValue { $0.waitToWrite(continuation, isCancelled: Task.isCancelled) }
                if resumes { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.takeWriter() }?.resume()
        }
        try Task.checkCancellation()
        guard state.withLockedValue({ $0.isWanted }) else { throw BodyError.abandoned }
    }

    func finish() async throws {
        let (error, reader) = state.withLockedValue { state in (state.finish(), state.takeReader()) }
        reader?.resume()
        if let error { throw error }
    }

    /// The origin broke off, or returned; nothing where the body is complete.
    func fail(_ error: any Error) {
        let reader = state.withLockedValue { state in
            state.fail(error)
            return state.takeReader()
        }
        reader?.resume()
    }

    /// True if more has come than is kept.
    var isPastLimit: Bool { state.withLockedValue { !$0.isKept } }

    /// The whole body, where it came to its end below the limit.
    func whole() throws(NotStored) -> ByteBuffer {
        let (parts, reason) = state.withLockedValue { ($0.whole(), $0.reason) }
        guard let parts else { throw reason }
        guard parts.count != 1 else { return parts[0] }
        var body = ByteBufferAllocator().buffer(capacity: parts.reduce(0) { $0 + $1.readableBytes })
        for part in parts { body.writeImmutableBuffer(part) }
        return body
    }

    /// The body has landed, or never will: its reader may have the end.
    func release() {
        let reader = state.withLockedValue { state in
            state.isReleased = true
            return state.takeReader()
        }
        reader?.resume()
    }

    /// The reader of this body; there is one.
    func reader() -> BodyReader {
        state.withLockedValue { $0.hasReader = true }
        return BodyReader(of: self)
    }

    fileprivate func next() async throws -> ByteBuffer? {
        while true {
            let (read, writer) = state.withLockedValue { state in (state.read(), state.takeWriterIfRoom()) }
            writer?.resume()
            switch read {
            case .part(let part): return part
            case .end: return nil
            case .failed(let error): throw error
            case .nothingYet: break
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let resumes = state.withLockedValue { $0.waitToRead(continuation, isCancelled: Task.isCancelled) }
                    if resumes { continuation.resume() }
                }
            } onCancel: {
                state.withLockedValue { $0.takeReader() }?.resume()
            }
            try Task.checkCancellation()
        }
    }

    fileprivate func readerLeft() {
        let (writer, event) = state.withLockedValue { state -> (CheckedContinuation<Void, Never>?, Event?) in
            state.hasReader = false
            return (state.takeWriter(), state.isOpen ? (state.isWanted ? .left : .unwanted) : nil)
        }
        writer?.resume()
        // The origin may be quiet, and learn it from no write.
        if let event { onEvent(event, self) }
    }
}

/// Reads a body that is still coming in. Letting go of it tells the origin that nobody reads any more.
public final class BodyReader: Sendable {
    private let capture: BodyCapture

    fileprivate init(of capture: BodyCapture) { self.capture = capture }

    deinit { capture.readerLeft() }

    /// The next part; nil after the last.
    /// - Throws: what the origin broke off with, or `CancellationError`.
    public func next() async throws -> ByteBuffer? { try await capture.next() }
}

/// Why a body ends early for those who read it.
enum BodyError: Error, Hashable {
    /// The origin ended the body before or after the length it declared.
    case wrongLength
    /// The origin returned without an end.
    case unfinished
    /// Nobody reads any more.
    case abandoned
}

/// The parts of a body on their way from an origin to a store and to a reader.
private struct CaptureState {
    enum Read {
        case part(ByteBuffer)
        case end
        case failed(any Error)
        case nothingYet
    }

    struct Written {
        var events: [BodyCapture.Event] = []
        var mustWait = false
        var error: BodyError?
    }

    private enum Ending {
        case open
        case complete
        case failed(any Error)
    }

    /// The bytes that may wait for the reader once nothing is kept.
    private static let window = 256 * 1024

    var hasReader = false
    var isReleased = false
    /// Why the body is not kept, where it is not.
    private(set) var reason = NotStored.brokenOff
    private var parts: Deque<ByteBuffer> = []
    /// How many of `parts` the reader has had; while everything is kept they stay.
    private var readCount = 0
    /// The bytes that the reader has not had.
    private var unread = 0
    private var total = 0
    private(set) var isKept = true
    private var hasBegun = false
    private var ending = Ending.open
    private var waitingReader: CheckedContinuation<Void, Never>?
    private var waitingWriter: CheckedContinuation<Void, Never>?
    private let length: Int?
    private let limit: Int
    private let deadline: Timestamp

    init(length: Int?, limit: Int, deadline: Timestamp) {
        self.length = length
        self.limit = limit
        self.deadline = deadline
    }

    /// True if the origin has not come to an end.
    var isOpen: Bool { if case .open = ending { true } else { false } }

    /// Whether the origin should go on: for the store, or for the reader.
    var isWanted: Bool { isKept || hasReader }

    mutating func write(_ part: ByteBuffer, at now: Timestamp) -> Written {
        var written = Written()
        guard case .open = ending else {
            written.error = .abandoned
            return written
        }
        total += part.readableBytes
        if let length, total > length {
            fail(BodyError.wrongLength)
            written.error = .wrongLength
            return written
        }
        parts.append(part)
        unread += part.readableBytes
        if !hasBegun, total != length {
            hasBegun = true
            written.events.append(.begun)
        }
        if isKept, total > limit || now >= deadline {
            isKept = false
            reason = total > limit ? .tooLarge : .tooSlow
            parts.removeFirst(readCount)
            readCount = 0
            written.events.append(.overflowed(reason))
        }
        written.mustWait = !isKept
        return written
    }

    mutating func finish() -> BodyError? {
        guard case .open = ending else { return nil }
        guard length == nil || total == length else {
            fail(BodyError.wrongLength)
            return .wrongLength
        }
        ending = .complete
        return nil
    }

    mutating func fail(_ error: any Error) {
        guard case .open = ending else { return }
        ending = .failed(error)
    }

    /// Every part, where the body is complete and was kept.
    func whole() -> Deque<ByteBuffer>? {
        guard case .complete = ending, isKept else { return nil }
        return parts.isEmpty ? [ByteBuffer()] : parts
    }

    /// What the reader would get now.
    private var readable: Read {
        // The last part of a body whose length the client knows is its end: it waits for the landing.
        let holdsLast = isKept && !isReleased && total == length
        if readCount < parts.count - (holdsLast ? 1 : 0) { return .part(parts[readCount]) }
        switch ending {
        case .failed(let error): return .failed(error)
        case .complete where isReleased || !isKept: return .end
        case .complete, .open: return .nothingYet
        }
    }

    mutating func read() -> Read {
        let readable = readable
        if case .part(let part) = readable {
            unread -= part.readableBytes
            if isKept { readCount += 1 } else { parts.removeFirst() }
        }
        return readable
    }

    /// Whether the reader need not wait after all.
    mutating func waitToRead(_ continuation: CheckedContinuation<Void, Never>, isCancelled: Bool) -> Bool {
        guard case .nothingYet = readable, !isCancelled, waitingReader == nil else { return true }
        waitingReader = continuation
        return false
    }

    /// Whether the writer need not wait after all.
    mutating func waitToWrite(_ continuation: CheckedContinuation<Void, Never>, isCancelled: Bool) -> Bool {
        guard hasReader, unread > Self.window, !isCancelled, waitingWriter == nil else { return true }
        waitingWriter = continuation
        return false
    }

    mutating func takeReader() -> CheckedContinuation<Void, Never>? {
        defer { waitingReader = nil }
        return waitingReader
    }

    mutating func takeWriter() -> CheckedContinuation<Void, Never>? {
        defer { waitingWriter = nil }
        return waitingWriter
    }

    mutating func takeWriterIfRoom() -> CheckedContinuation<Void, Never>? {
        unread <= Self.window / 2 ? takeWriter() : nil
    }
}
