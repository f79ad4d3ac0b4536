import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import SystemErrors

/// The content of a client's request on its way to an origin, part by part.
///
/// The request is sent to the origin when all of its content is received, or as much as a spool takes
/// (``collect(in:)``), so that a client that sends slowly does not hold a connection to the origin. The rest then
/// follows as the client sends it.
///
/// The client library reads the content in a separate task, which may still wait for a part when the origin has already
/// responded, for example with a 413. The server then skips the rest, to reach the connection's next request, and two
/// tasks that wait for one part would end the process. So the task that answers the request calls ``end()`` first.
final class ClientContent: AsyncSequence, Sendable {
    private enum State {
        /// No task waits for a part.
        case open
        /// The client library waits for a part.
        case reading
        /// The client library waits for the last part for which it asked, and ``end()`` waits for the client library.
        case ending(CheckedContinuation<Void, Never>)
        /// Nothing more is sent to the origin.
        case ended
    }

    /// The content that was read before the request is sent, and the content that is left to be read.
    private struct Source {
        var spool: Spool?
        /// The part for which the spool did not have room.
        var excess: ByteBuffer?
        var rest: RequestBody.AsyncIterator?
        /// Called before content is read for which the spool does not have room.
        var onStream: (@Sendable () -> Void)?
    }

    // Read and changed by one task at a time: the one between ``beginRead()`` and ``endRead()``.
    private nonisolated(unsafe) var source: Source
    private let state = NIOLockedValueBox(State.open)
    private let streamed = NIOLockedValueBox((bytes: 0, isAwaited: false))

    init(_ body: RequestBody) { source = Source(rest: body.makeAsyncIterator()) }

    func makeAsyncIterator() -> Iterator { Iterator(content: self) }

    /// Reads the content, to its end or until the spool does not have room for more of it.
    /// - Throws: `UpstreamError` if the content breaks off.
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

    /// Stops sending content, drops the content that was not sent, and returns when no task reads it.
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

    /// An iterator over the parts, which ends only if the client ended its content.
    struct Iterator: AsyncIteratorProtocol {
        fileprivate let content: ClientContent

        /// Returns the next part; nil at the end of the content.
        /// - Throws: `UpstreamError` if the content breaks off, so that the origin does not take truncated content for
        ///   complete content.
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

    /// The number of bytes that were forwarded as they were received, without a spool; nil if the content does not wait
    /// for the client.
    var streamedBytes: Int? { streamed.withLockedValue { $0.isAwaited ? $0.bytes : nil } }

    /// Sets an action that is called before content is read for which the spool does not have room. Must be called
    /// before the content is sent.
    func onStream(_ action: @escaping @Sendable () -> Void) { source.onStream = action }

    private func read<Value>(_ body: (inout Source) async throws -> Value) async throws -> Value {
        try beginRead()
        do {
            let value = try await body(&source)
            try endRead()
            return value
        } catch {
            try endRead()
            if error is CancellationError { throw error }
            if error is IOError { throw UpstreamError(.internalError, ErrorText.describe(error)) }
            let status = (error as? RequestRefusal)?.status
            throw UpstreamError(.requestError, "the content is incomplete: \(error)", status: status)
        }
    }

    private func beginRead() throws {
        try state.withLockedValue { state in
            guard case .open = state else {
                throw UpstreamError(.requestError, "the request has already been answered")
            }
            state = .reading
        }
    }

    private func endRead() throws {
        let waiting = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard case .ending(let continuation) = state else {
                state = .open
                return nil
            }
            state = .ended
            return continuation
        }
        guard let waiting else { return }
        // The spooled content is released at once, because the client library may retain the content for a while.
        source = Source()
        waiting.resume()
        throw UpstreamError(.requestError, "the request has already been answered")
    }
}
