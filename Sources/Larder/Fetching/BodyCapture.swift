import HTTPCaching
import NIOConcurrencyHelpers
public import NIOCore

/// The capture of a body, up to a limit, while the client that asked for it reads it: ``CaptureState`` behind a lock,
/// and the tasks that wait.
final class BodyCapture: Sendable {
    private let state: NIOLockedValueBox<CaptureState>
    private let clock: WallClock
    /// The fetch that captures the body.
    private let fetch: BackgroundFetch?

    /// Creates a capture.
    /// - Parameters:
    ///   - length: The length that the head declared, in bytes; nil if it declared none.
    ///   - limit: The most bytes that are captured.
    ///   - deadline: The time after which a body that is still arriving is not captured any more.
    ///   - budget: The memory for bodies in flight; a body beyond it is not captured.
    ///   - fetch: The fetch that goes on or ends when the reader leaves.
    init(
        length: Int?,
        limit: Int,
        deadline: Timestamp,
        budget: InFlightBudget,
        clock: WallClock,
        fetch: BackgroundFetch?
    ) {
        self.state = NIOLockedValueBox(
            CaptureState(length: length, limit: limit, deadline: deadline, budget: budget)
        )
        self.clock = clock
        self.fetch = fetch
    }

    deinit { state.withLockedValue { $0.removeAll() } }
}

/// The owner of a capture, which is told by the task that writes the body.
protocol CaptureOwner {
    /// Serves the leader from here on: a part has arrived that is not the whole body.
    func serveLeader()
    /// Notes that the body will not be stored: it is past the limit, or there is no memory for it.
    func stopStoring(because reason: NotStoredReason)
}

// MARK: - Writing

extension BodyCapture {
    /// Takes a part of the body, and performs what follows from it.
    /// - Throws: `BodyError` if the body is too long or not wanted any more, or `CancellationError`.
    func write(_ part: ByteBuffer, for owner: some CaptureOwner) async throws {
        guard part.readableBytes > 0 else { return }
        let now = clock.now
        let (actions, reader) = state.withLockedValue { state in (state.write(part, at: now), state.takeReader()) }
        reader?.resume()
        for action in actions {
            switch action {
            case .serveLeader: owner.serveLeader()
            case .stopStoring(let reason): owner.stopStoring(because: reason)
            case .waitForReader: try await waitForReader()
            case .fail(let error): throw error
            }
        }
    }

    /// Waits until the reader has read enough for the next part.
    private func waitForReader() async throws {
        await wait { continuation in
            state.withLockedValue { $0.waitToWrite(continuation, isCancelled: Task.isCancelled) }
        } onCancel: {
            state.withLockedValue { $0.takeWriter() }
        }
        try Task.checkCancellation()
        guard state.withLockedValue({ $0.isWanted }) else { throw BodyError.abandoned }
    }

    /// Notes that the body is complete.
    func finish() throws(BodyError) {
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
}

// MARK: - Results

extension BodyCapture {
    /// True if the body is not captured any more.
    var isPastLimit: Bool { state.withLockedValue { !$0.isCaptured } }

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
}

// MARK: - Reading

extension BodyCapture {
    /// Returns the reader of this body; a body has only one.
    func reader() -> BodyReader {
        state.withLockedValue { $0.hasReader = true }
        return BodyReader(of: self)
    }

    fileprivate func next() async throws -> ByteBuffer? {
        while true {
            let (action, writer) = state.withLockedValue { state in (state.read(), state.takeWriterIfRoom()) }
            writer?.resume()
            switch action {
            case .take(let part): return part
            case .end: return nil
            case .fail(let error): throw error
            case .wait: break
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
        let (action, writer) = state.withLockedValue { state in (state.dropReader(), state.takeWriter()) }
        writer?.resume()
        // The origin may not write for a while, and so would not notice that the reader has left.
        switch action {
        case .leave: fetch?.leave()
        case .abandon: fetch?.abandon()
        case nil: break
        }
    }
}

/// A reader of a body that is still arriving. When it is deallocated, the client does not read any more, and the fetch
/// ends unless the body is captured.
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
