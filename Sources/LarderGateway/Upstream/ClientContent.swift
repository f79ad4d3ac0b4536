import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// A client's content on its way to an origin, part by part.
///
/// An origin is asked when all of it is there, or as much as a spool takes (``collect(in:)``): a client that sends
/// slowly does not hold a connection to the origin. What is left then follows as the client sends it.
///
/// The client library reads it in a task of its own, which may still wait for a part when the origin has answered
/// already: with a 413, say. The server then skips what is left, to come to the next request of the connection, and two
/// that wait for one part would end the process. So whoever answers the request ends this first (``end()``).
final class ClientContent: AsyncSequence, Sendable {
    private enum State {
        /// Nobody waits for a part.
        case open
        /// The client library waits for a part.
        case reading
        /// The client library waits for the last part that it asked for, and somebody for it.
        case ending(CheckedContinuation<Void, Never>)
        /// Nothing goes to the origin any more.
        case ended
    }

    /// What was read before the origin was asked, and what is left to be read.
    private struct Source {
        var spool: Spool?
        /// The part that found no room in the spool.
        var excess: ByteBuffer?
        var rest: RequestBody.AsyncIterator?
        /// Is called before content is read that no spool has room for.
        var onStream: (@Sendable () -> Void)?
    }

    // Read and changed by one task at a time: the one between ``begin()`` and ``settle()``.
    private nonisolated(unsafe) var source: Source
    private let state = NIOLockedValueBox(State.open)
    private let streamed = NIOLockedValueBox((bytes: 0, isAwaited: false))

    init(_ body: RequestBody) { source = Source(rest: body.makeAsyncIterator()) }

    func makeAsyncIterator() -> Iterator { Iterator(content: self) }

    /// Reads the content, to its end or until a spool has no room for more of it.
    /// - Throws: If the content breaks off.
    func collect(in space: SpoolSpace) async throws(UpstreamError) {
        guard space.limits.message > 0 else { return }
        do {
            try await read { source in
                let spool = Spool(space)
                source.spool = spool
                defer { spool.finish() }
                while let part = try await source.rest?.next() {
                    guard await spool.offer(part) else {
                        source.excess = part
                        return
                    }
                }
                source.rest = nil
            }
        } catch {
            throw UpstreamError(error)
        }
    }

    /// Sends nothing on any more, drops what was not sent, and returns once nobody reads.
    func end() async {
        await withCheckedContinuation { continuation in
            let isRead = state.withLockedValue { state in
                guard case .reading = state else {
                    state = .ended
                    return false
                }
                state = .ending(continuation)
                return true
            }
            guard !isRead else { return }
            source = Source()
            continuation.resume()
        }
    }

    /// The parts, of which the last is followed by the end only where the client sent one.
    struct Iterator: AsyncIteratorProtocol {
        fileprivate let content: ClientContent

        /// - Throws: `UpstreamError`, so that the origin gets no end: what is cut off must not look whole.
        mutating func next() async throws -> ByteBuffer? {
            try await content.read { source in
                if let part = try await source.spool?.next() { return part }
                source.spool = nil
                defer { source.excess = nil }
                if let part = source.excess { return part }
                source.onStream?()
                source.onStream = nil
                content.streamed.withLockedValue { $0.isAwaited = true }
                defer { content.streamed.withLockedValue { $0.isAwaited = false } }
                let part = try await source.rest?.next()
                content.streamed.withLockedValue { $0.bytes += part?.readableBytes ?? 0 }
                return part
            }
        }
    }

    /// The bytes that went on as they came, without a spool; nil if the client is not waited for.
    var streamedBytes: Int? { streamed.withLockedValue { $0.isAwaited ? $0.bytes : nil } }

    /// Sets what is done before content is read that no spool has room for. To be called before it is sent.
    func onStream(_ action: @escaping @Sendable () -> Void) { source.onStream = action }

    private func read<Value>(_ body: (inout Source) async throws -> Value) async throws -> Value {
        try begin()
        do {
            let value = try await body(&source)
            try settle()
            return value
        } catch {
            try settle()
            if error is CancellationError { throw error }
            if error is IOError { throw UpstreamError(.internalError, "\(error)") }
            let status = (error as? RequestRefusal)?.status
            throw UpstreamError(.requestError, "the content broke off: \(error)", status: status)
        }
    }

    private func begin() throws {
        try state.withLockedValue { state in
            guard case .open = state else { throw UpstreamError(.requestError, "the request is answered") }
            state = .reading
        }
    }

    private func settle() throws {
        let waiting = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard case .ending(let continuation) = state else {
                state = .open
                return nil
            }
            state = .ended
            return continuation
        }
        guard let waiting else { return }
        // What was spooled is given back, though the client library may hold the content for a while.
        source = Source()
        waiting.resume()
        throw UpstreamError(.requestError, "the request is answered")
    }
}
