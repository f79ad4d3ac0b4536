import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// A client's content on its way to an origin, part by part.
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

    private let body: RequestBody
    private let state = NIOLockedValueBox(State.open)

    init(_ body: RequestBody) { self.body = body }

    func makeAsyncIterator() -> Iterator { Iterator(parts: body.makeAsyncIterator(), content: self) }

    /// Sends nothing on any more, and returns once nobody reads.
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
            if !isRead { continuation.resume() }
        }
    }

    /// The parts, of which the last is followed by the end only where the client sent one.
    struct Iterator: AsyncIteratorProtocol {
        fileprivate var parts: RequestBody.AsyncIterator
        fileprivate let content: ClientContent

        /// - Throws: `UpstreamError`, so that the origin gets no end: what is cut off must not look whole.
        mutating func next() async throws -> ByteBuffer? {
            try content.begin()
            do {
                let part = try await parts.next()
                try content.settle()
                return part
            } catch {
                try content.settle()
                throw UpstreamError(.requestError, "the content broke off: \(error)")
            }
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
        waiting.resume()
        throw UpstreamError(.requestError, "the request is answered")
    }
}
