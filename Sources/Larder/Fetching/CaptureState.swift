import DequeModule
import HTTPCaching
import NIOCore

/// The parts of a body on the way from an origin to a store and to a reader.
///
/// Below the limit the origin writes as fast as it can and everything is captured: a slow client does not delay the
/// requests that wait for the whole body. Beyond the limit (in bytes, or in time: a stream may never end) the body is
/// not captured any more, and the origin writes as fast as the client reads. The client gets the end only when the body
/// has been stored, so that a request sent right after the last byte finds it in the store.
///
/// The state is a value without a lock or tasks: each event is a mutating function that returns what is to be done.
struct CaptureState {
    /// An action of the writer after it wrote a part.
    enum WriterAction {
        /// The client can be served from here on: a part has arrived that is not the whole body.
        case serveLeader
        /// The body will not be stored: it is past the limit, or there is no memory for it.
        case stopStoring(NotStoredReason)
        /// The writer waits until the reader has read enough.
        case waitForReader
        /// The body ends with this error.
        case fail(BodyError)
    }

    /// An action of the reader.
    enum ReaderAction {
        case take(ByteBuffer)
        case end
        case fail(any Error)
        case wait
    }

    /// An action of the fetch when the reader has left.
    enum LeavingAction {
        /// The capture goes on without a reader.
        case leave
        /// The fetch ends: the body is neither captured nor read.
        case abandon
    }

    /// A part of the body, and the bytes that it takes of the budget; 0 if the budget had no room for it.
    private struct Part {
        let bytes: ByteBuffer
        let charge: Int
    }

    private enum Ending {
        case open
        case complete
        case failed(any Error)
    }

    /// The number of bytes that may wait for the reader when the body is not captured any more; without room in the
    /// budget only one part may wait.
    private static let window = 256 * 1024
    /// The memory that a part takes beyond its contents, in bytes.
    private static let partOverhead = 128

    var hasReader = false
    var isReleased = false
    /// The reason why the body is not captured, if it is not.
    private(set) var reason = NotStoredReason.brokenOff
    private var parts: Deque<Part> = []
    /// The number of `parts` that the reader has read; they remain while the body is captured.
    private var readCount = 0
    /// The number of bytes that the reader has not read.
    private var unread = 0
    /// The number of unread parts that the budget had no room for.
    private var unchargedCount = 0
    private var total = 0
    private(set) var isCaptured = true
    private var hasBegun = false
    private var ending = Ending.open
    private var waitingReader: CheckedContinuation<Void, Never>?
    private var waitingWriter: CheckedContinuation<Void, Never>?
    private let length: Int?
    private let limit: Int
    private let deadline: Timestamp
    private let budget: InFlightBudget
    /// The stored response that the parts belong to.
    private(set) var entry: CacheEntry?

    init(length: Int?, limit: Int, deadline: Timestamp, budget: InFlightBudget) {
        self.length = length
        self.limit = limit
        self.deadline = deadline
        self.budget = budget
    }

    /// True if the origin has neither finished the body nor failed.
    var isOpen: Bool { if case .open = ending { true } else { false } }

    /// True if the origin should go on, for the store or for the reader.
    var isWanted: Bool { isCaptured || hasReader }

    /// Takes a part of the body.
    mutating func write(_ part: ByteBuffer, at now: Timestamp) -> [WriterAction] {
        guard isOpen else { return [.fail(.abandoned)] }
        total += part.readableBytes
        if let length, total > length {
            fail(BodyError.wrongLength)
            return [.fail(.wrongLength)]
        }
        let hasRoom = append(part)
        var actions: [WriterAction] = []
        if !hasBegun, total != length {
            hasBegun = true
            actions.append(.serveLeader)
        }
        if isCaptured, total > limit || now >= deadline || !hasRoom {
            isCaptured = false
            reason = total > limit ? .tooLarge : now >= deadline ? .tooSlow : .noRoom
            for _ in 0..<readCount { removeFirst() }
            readCount = 0
            actions.append(.stopStoring(reason))
        }
        if !isCaptured { actions.append(.waitForReader) }
        return actions
    }

    /// Appends a part, copied if its allocation is more than twice its size.
    /// - Returns: False if the budget has no room for it.
    private mutating func append(_ part: ByteBuffer) -> Bool {
        let bytes = part.storageCapacity > 2 * part.readableBytes ? part.fitted : part
        let charge = ByteBuffer.allocated(bytes.storageCapacity) + Self.partOverhead
        let hasRoom = budget.take(charge)
        parts.append(Part(bytes: bytes, charge: hasRoom ? charge : 0))
        unread += bytes.readableBytes
        if !hasRoom { unchargedCount += 1 }
        return hasRoom
    }

    private mutating func removeFirst() {
        let part = parts.removeFirst()
        budget.give(part.charge)
    }

    /// Removes all parts, and gives back the memory that they took of the budget.
    mutating func removeAll() {
        budget.give(parts.reduce(0) { $0 + $1.charge })
        parts.removeAll()
        (readCount, unread, unchargedCount, entry) = (0, 0, 0, nil)
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

    /// Returns all parts if the body is complete and was captured.
    func whole() -> [ByteBuffer]? {
        guard case .complete = ending, isCaptured else { return nil }
        return parts.map(\.bytes)
    }

    /// Notes that the body has no reader any more.
    /// - Returns: The action of the fetch; nil if the origin has finished the body, or has failed.
    mutating func dropReader() -> LeavingAction? {
        hasReader = false
        if !isCaptured || isReleased { removeAll() }
        return isOpen ? (isWanted ? .leave : .abandon) : nil
    }

    /// Has the reader read the rest of a whole body from the stored response that it has become, whose memory is
    /// charged separately.
    mutating func replaceParts(by entry: CacheEntry) {
        guard case .complete = ending, isCaptured else { return }
        let rest = unread
        removeAll()
        guard hasReader, rest > 0, let bytes = entry.body.getSlice(at: entry.body.writerIndex - rest, length: rest)
        else { return }
        self.entry = entry
        unread = rest
        parts = [Part(bytes: bytes, charge: 0)]
    }

    /// The part, or the end, that the reader would get now.
    private var nextAction: ReaderAction {
        // For a body whose length the client knows, the last part is the end: it is held back until the body is
        // released.
        let holdsLast = isCaptured && !isReleased && total == length
        if readCount < parts.count - (holdsLast ? 1 : 0) { return .take(parts[readCount].bytes) }
        switch ending {
        case .failed(let error): return .fail(error)
        case .complete where isReleased || !isCaptured: return .end
        case .complete, .open: return .wait
        }
    }

    mutating func read() -> ReaderAction {
        let action = nextAction
        if case .take(let part) = action {
            unread -= part.readableBytes
            if isCaptured {
                readCount += 1
            } else {
                if parts[0].charge == 0 { unchargedCount -= 1 }
                removeFirst()
            }
        }
        return action
    }

    /// Returns true if the reader need not wait after all.
    mutating func waitToRead(_ continuation: CheckedContinuation<Void, Never>, isCancelled: Bool) -> Bool {
        guard case .wait = nextAction, !isCancelled, waitingReader == nil else { return true }
        waitingReader = continuation
        return false
    }

    /// Returns true if the writer need not wait after all.
    mutating func waitToWrite(_ continuation: CheckedContinuation<Void, Never>, isCancelled: Bool) -> Bool {
        let isFull = unread > Self.window || unchargedCount > 0
        guard hasReader, isFull, !isCancelled, waitingWriter == nil else { return true }
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
        unread <= Self.window / 2 && unchargedCount == 0 ? takeWriter() : nil
    }
}
