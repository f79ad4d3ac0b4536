import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// Lets a body be written to a connection no faster than the connection's event loop comes to it.
///
/// Whoever writes from outside of the loop hands it a part and goes on at once, until the loop says that the connection
/// is full. A loop that is behind does not say so in time, and all that comes meanwhile would pile up before it. So
/// every so many bytes this waits until the loop has come to them.
final class Pace: Sendable {
    /// The bytes that may be on their way to the loop.
    private static let window = 256 << 10

    private let count = NIOLockedValueBox(0)

    /// Notes a part that is about to be written, and waits where it is time to.
    func note(_ part: ByteBuffer, on loop: (any EventLoop)?) async {
        let isDue = count.withLockedValue { count in
            count += part.readableBytes
            guard count > Self.window else { return false }
            count = 0
            return true
        }
        if isDue { try? await loop?.submit {}.get() }
    }

    /// Whether a body of this length can pile up.
    static func isNeeded(for length: Int?) -> Bool { length ?? .max > window }
}

extension ResponseBody {
    /// The body at the pace of the loop of a client's connection.
    func paced(on loop: any EventLoop) -> ResponseBody {
        guard Pace.isNeeded(for: contentLength) else { return self }
        let pace = Pace()
        return map { part in
            await pace.note(part, on: loop)
            return part
        }
    }
}

/// A client's content at the pace of the loop of the connection that an attempt takes.
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
    /// The body in pieces of 64 KiB at most, each of which is written when the connection has room for it.
    var inPieces: ResponseBody {
        guard contentLength ?? .max > PieceWriter.piece else { return self }
        return ResponseBody(contentLength: contentLength) { writer in
            try await write(PieceWriter(writer: writer))
        }
    }
}

/// Writes large parts in pieces.
private struct PieceWriter: ResponseBodyWriter {
    static let piece = 64 << 10

    var writer: any ResponseBodyWriter

    mutating func write(_ buffer: ByteBuffer) async throws {
        var rest = buffer
        while let piece = rest.readSlice(length: min(rest.readableBytes, Self.piece)), piece.readableBytes > 0 {
            try await writer.write(piece)
        }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { try await writer.finish(trailingHeaders) }
}
