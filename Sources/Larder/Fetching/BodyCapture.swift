import HTTPCaching
import NIOConcurrencyHelpers
public import NIOCore

/// A sink that collects a body, up to a limit, while the client that asked for it reads it.
///
/// Below the limit the origin writes as fast as it can and everything is captured: a slow client does not delay the
/// requests that wait for the whole body. Beyond the limit (in bytes, or in time: a stream may never end) the body is
/// not captured any more, and the origin writes as fast as the client reads. The client gets the end only when the body
/// has been stored, so that a request sent right after the last byte finds it in the store.
final class BodyCapture: BodySink {
    /// An event of the capture that its owner needs to know.
    enum Event {
        /// A part has arrived that is not the whole body: the client can be served from here on.
        case begun
        /// The body is past the limit, or there is no memory for it: it will not be stored.
        case overflowed(NotStoredReason)
        /// The reader has left. The capture goes on.
        case left
        /// The body is past the limit, and its reader has left.
        case unwanted
    }

    private let state: NIOLockedValueBox<CaptureState>
    private let clock: WallClock
    private let onEvent: @Sendable (Event, BodyCapture) -> Void

    /// - Parameters:
    ///   - length: The length that the head declared, in bytes; nil if it declared none.
    ///   - limit: The most bytes that are captured.
    ///   - deadline: The time after which a body that is still arriving is not captured any more.
    ///   - budget: The memory for bodies in flight; a body beyond it is not captured.
    ///   - onEvent: Gets the events. It is called by the origin's task, or by the reader's when the reader leaves.
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

    /// Notes that the origin broke off, or returned; does nothing if the body is complete.
    func fail(_ error: any Error) {
        let reader = state.withLockedValue { state in
            state.fail(error)
            return state.takeReader()
        }
        reader?.resume()
    }

    /// True if the body is not captured any more.
    var isPastLimit: Bool { state.withLockedValue { !$0.isKept } }

    /// Returns the whole body if it came to its end below the limit.
    func whole() throws(NotStoredReason) -> ByteBuffer {
        let (parts, reason) = state.withLockedValue { ($0.whole(), $0.reason) }
        guard let parts else { throw reason }
        return ByteBuffer(joining: parts)
    }

    fileprivate var entry: CacheEntry? { state.withLockedValue { $0.entry } }

    /// Has the reader read the rest from the stored response that the whole body has become.
    func replaceParts(by entry: CacheEntry) { state.withLockedValue { $0.replaceParts(by: entry) } }

    /// Lets the reader have the end of the body: the body has been stored, or will not be.
    func release() {
        let reader = state.withLockedValue { state in
            state.isReleased = true
            return state.takeReader()
        }
        reader?.resume()
    }

    /// Returns the reader of this body; a body has only one.
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
        // The origin may not write for a while, and so would not notice that the reader has left.
        if let event { onEvent(event, self) }
    }
}

/// A reader of a body that is still arriving. When it is deallocated, the origin is told that the client does not read
/// any more.
public final class BodyReader: Sendable {
    private let capture: BodyCapture

    fileprivate init(of capture: BodyCapture) { self.capture = capture }

    deinit { capture.readerLeft() }

    /// The stored response whose body is read; nil while the body is still arriving, or if it is not stored.
    package var entry: CacheEntry? { capture.entry }

    /// Returns the next part; nil after the last.
    /// - Throws: The error with which the origin broke off, or `CancellationError`.
    public func next() async throws -> ByteBuffer? { try await capture.next() }
}

/// The reason why a body ends early for its readers.
enum BodyError: Error, Hashable {
    /// The body is shorter or longer than the length that its head declared.
    case wrongLength
    /// The origin returned without finishing the body.
    case unfinished
    /// The body has no reader any more.
    case abandoned
}
