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
        case overflowed(NotStoredReason)
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
    ///   - budget: the memory that bodies on their way have; a body beyond it is not kept.
    ///   - onEvent: is told what happens while the origin writes, by the origin's task.
    init(
        length: Int?,
        limit: Int,
        deadline: Timestamp,
        budget: InFlightBudget,
        clock: WallClock,
        onEvent: @escaping @Sendable (Event, BodyCapture) -> Void
    ) {
        self.state = NIOLockedValueBox(
            CaptureState(length: length, limit: limit, deadline: deadline, budget: budget)
        )
        self.clock = clock
        self.onEvent = onEvent
    }

    deinit { state.withLockedValue { $0.removeAll() } }

    func write(_ part: ByteBuffer) async throws {
        guard part.readableBytes > 0 else { return }
        let now = clock.now
        let (written, reader) = state.withLockedValue { state in (state.write(part, at: now), state.takeReader()) }
        reader?.resume()
        for event in written.events { onEvent(event, self) }
        if let error = written.error { throw error }
        guard written.mustWait else { return }
        await wait { continuation in
            state.withLockedValue { $0.waitToWrite(continuation, isCancelled: Task.isCancelled) }
        } onCancel: {
            state.withLockedValue { $0.takeWriter() }
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
    func whole() throws(NotStoredReason) -> ByteBuffer {
        let (parts, reason) = state.withLockedValue { ($0.whole(), $0.reason) }
        guard let parts else { throw reason }
        return ByteBuffer(joining: parts)
    }

    fileprivate var entry: CacheEntry? { state.withLockedValue { $0.entry } }

    /// Has the reader read the rest from the response that the whole body has become.
    func replaceParts(by entry: CacheEntry) { state.withLockedValue { $0.replaceParts(by: entry) } }

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
            await wait { continuation in
                state.withLockedValue { $0.waitToRead(continuation, isCancelled: Task.isCancelled) }
            } onCancel: {
                state.withLockedValue { $0.takeReader() }
            }
            try Task.checkCancellation()
        }
    }

    fileprivate func readerLeft() {
        let (writer, event) = state.withLockedValue { state -> (CheckedContinuation<Void, Never>?, Event?) in
            state.dropReader()
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

    /// The stored response whose body is read; nil while the body still comes in, or is not stored.
    package var entry: CacheEntry? { capture.entry }

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
