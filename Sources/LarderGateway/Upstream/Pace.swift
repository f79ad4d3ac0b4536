import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// A limit on how far the writer of a body may be ahead of the event loop of the connection.
///
/// A task that writes from outside of the event loop hands it a part and continues at once, until the loop reports that
/// the connection is full. A loop that is behind does not report that in time, and the parts would pile up before it.
/// So the writer waits until the loop has caught up each time that ``window`` bytes were written.
final class Pace: Sendable {
    /// The number of bytes that may be on their way to the event loop: 256 KiB.
    private static let window = 256 << 10

    private let count = NIOLockedValueBox(0)

    /// Notes a part that is about to be written, and waits for the event loop if that is due.
    func note(_ part: ByteBuffer, on loop: (any EventLoop)?) async {
        let isDue = count.withLockedValue { count in
            count += part.readableBytes
            guard count > Self.window else { return false }
            count = 0
            return true
        }
        if isDue { try? await loop?.submit {}.get() }
    }

    /// Returns true if a body of this length can pile up.
    static func isNeeded(for length: Int?) -> Bool { length ?? .max > window }
}

extension ResponseBody {
    /// Returns the body, written at the pace of the event loop of a client's connection.
    func paced(on loop: any EventLoop) -> ResponseBody {
        guard Pace.isNeeded(for: contentLength) else { return self }
        let pace = Pace()
        return map { part in
            await pace.note(part, on: loop)
            return part
        }
    }
}

/// A client's content, sent at the pace of the event loop of the connection that an attempt takes.
struct PacedContent: AsyncSequence, Sendable {
    let content: ClientContent
    let attempt: Attempt
    let slot: OriginLoad.Slot

    func makeAsyncIterator() -> Iterator { Iterator(parts: content.makeAsyncIterator(), attempt: attempt) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var parts: ClientContent.Iterator
        fileprivate let attempt: Attempt
        private let pace = Pace()

        fileprivate init(parts: ClientContent.Iterator, attempt: Attempt) {
            self.parts = parts
            self.attempt = attempt
        }

        mutating func next() async throws -> ByteBuffer? {
            guard let part = try await parts.next() else {
                attempt.finish()
                return nil
            }
            await pace.note(part, on: attempt.loop)
            return part
        }
    }
}

extension ResponseBody {
    /// The body in pieces of 15 KiB at most, each of which is written when the connection has room for it.
    var inPieces: ResponseBody {
        guard contentLength ?? .max > PieceWriter.piece else { return self }
        return ResponseBody(contentLength: contentLength) { writer in
            try await write(PieceWriter(writer: writer))
        }
    }
}

/// A writer that writes large parts in pieces.
private struct PieceWriter: ResponseBodyWriter {
    /// The length of a piece. With what TLS adds, a record of it fits into a buffer of 16 KiB.
    static let piece = 15 << 10

    var writer: any ResponseBodyWriter

    mutating func write(_ buffer: ByteBuffer) async throws {
        var rest = buffer
        while let piece = rest.readSlice(length: min(rest.readableBytes, Self.piece)), piece.readableBytes > 0 {
            try await writer.write(piece)
        }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { try await writer.finish(trailingHeaders) }
}
