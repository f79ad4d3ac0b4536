import HTTPTypes
import NIOCore
import NIOHTTP1

/// A channel handler before the HTTP/1.1 decoder that records the beginning of a head until the head is complete, so
/// that the access log can name a request that cannot be parsed.
final class HeadRecorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum Phase {
        /// The next byte is the first of a request.
        case between
        /// These bytes are the beginning of a head.
        case inHead(ByteBuffer, count: Int)
        /// A head is complete, and its content is not.
        case inContent
        /// A request has ended with this read, as far as is known.
        case ended
        /// The beginning of the next request is not known.
        case lost
    }

    /// The largest number of bytes of a head that are recorded: 8,192.
    private static let limit = 8_192
    private static let emptyLine = ByteBuffer(string: "\r\n\r\n")
    private var phase = Phase.between
    /// The number of all bytes that the client has sent.
    private(set) var received = 0
    /// Answers a request that has the same bytes as an earlier one; returns false if the request is to be decoded.
    var answerAgain: ((RepeatedRequest) -> Bool)?
    private var repeated: RepeatedRequest?
    /// The head of the request that was decoded last, and the known response that it was answered by, until the end of
    /// the read; nil if it was answered in another way.
    private var answered: (head: HTTPRequestHead, known: KnownResponse)?
    /// The number of requests that have ended in this read.
    private var ends = 0

    /// True if a head has begun and is not complete.
    var isInHead: Bool { if case .inHead = phase { true } else { false } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received += bytes.readableBytes
        var begins = false
        if case .between = phase {
            if let repeated, repeated.bytes == bytes {
                if answerAgain?(repeated) == true { return }
                // The response is another one by now, which the request is answered by when it is decoded.
                self.repeated = nil
            }
            begins = true
        }
        (answered, ends) = (nil, 0)
        switch phase {
        case .between: phase = .inHead(bytes.prefix(Self.limit), count: bytes.readableBytes)
        case .inHead(var head, let count):
            head.writeImmutableBuffer(bytes.prefix(Self.limit - head.readableBytes))
            phase = .inHead(head, count: count + bytes.readableBytes)
        case .inContent, .ended, .lost: break
        }
        context.fireChannelRead(data)
        // After an empty line at the end of a read, the next bytes begin a request. Otherwise a request may have begun
        // already.
        if case .ended = phase { phase = bytes.suffix(4) == Self.emptyLine ? .between : .lost }
        if let answered, begins, ends == 1, case .between = phase { remember(bytes, answered) }
    }

    /// Remembers a read that was one request, and its response.
    private func remember(_ bytes: ByteBuffer, _ answered: (head: HTTPRequestHead, known: KnownResponse)) {
        guard bytes.readableBytes <= RepeatedRequest.limit else { return }
        repeated = RepeatedRequest(
            // The buffer of a read is larger, and used again.
            bytes: ByteBuffer(bytes: bytes.readableBytesView),
            head: answered.head,
            known: answered.known
        )
    }

    /// Notes that the decoder has read a head.
    func completeHead() { phase = .inContent }

    /// Notes that the decoder has read a request to its end.
    func completeMessage() {
        phase = .ended
        ends += 1
    }

    /// Notes that a request which was read to its end was answered by a known response.
    func noteRepeated(_ known: KnownResponse, for head: HTTPRequestHead) { answered = (head, known) }

    /// Returns the refusal of a request whose head the decoder could not read.
    func refusal(because error: HTTPParserError, limit: Int) -> RequestRefusal {
        var line: RequestLine?
        var size = 0
        if case .inHead(let bytes, let count) = phase {
            line = RequestLine(beginningOf: bytes)
            size = count
        }
        let refusal =
            switch error {
            case .headerOverflow where (line?.length ?? size) > limit: RequestRefusal.longTarget(limit)
            case .headerOverflow:
                RequestRefusal.largeHead(limit)
            case .invalidMethod where line?.method != nil:
                RequestRefusal(.notImplemented, "This method is not supported")
            case .invalidVersion where line?.method != nil:
                RequestRefusal(.badRequest, "This version of HTTP is not supported")
            case .invalidEOFState: RequestRefusal(.badRequest, "The request is incomplete")
            default: RequestRefusal(.badRequest, "This is not a valid HTTP/1.1 request")
            }
        return refusal.with(line)
    }

    /// The refusal of a request that is sent too slowly.
    var slowRefusal: RequestRefusal {
        guard case .inHead(let bytes, _) = phase else { return .slowRequest }
        return RequestRefusal.slowRequest.with(RequestLine(beginningOf: bytes))
    }
}

/// The first line of a request, as far as it can be read.
private struct RequestLine {
    var method: String?
    var target: String?
    var version: String?
    /// The length in bytes; nil if the end of the line has not been received.
    var length: Int?

    init(beginningOf bytes: ByteBuffer) {
        let text = bytes.readableBytesView.drop { $0 == 0x0D || $0 == 0x0A }
        let end = text.firstIndex(of: 0x0A)
        length = end.map { text.distance(from: text.startIndex, to: $0) }
        let words = text[..<(end ?? text.endIndex)].split(
            separator: 0x20,
            maxSplits: 2,
            omittingEmptySubsequences: true
        )
        guard let first = words.first, first.startIndex == text.startIndex, words.count > 1 || end != nil else {
            return
        }
        guard let method = HTTPRequest.Method(String(decoding: first, as: UTF8.self)) else { return }
        self.method = method.rawValue
        guard words.count > 1 else { return }
        target = String(decoding: words[1].prefix(2_048), as: UTF8.self)
        guard words.count > 2, end != nil else { return }
        let version = String(decoding: words[2].prefix { $0 != 0x0D }, as: UTF8.self)
        if version.hasPrefix("HTTP/"), version.utf8.count == 8 { self.version = version }
    }
}

extension RequestRefusal {
    /// Returns the refusal of a request whose first line may have been read.
    fileprivate func with(_ line: RequestLine?) -> RequestRefusal {
        var named = self
        (named.method, named.target, named.version) = (line?.method, line?.target, line?.version)
        return named
    }
}

extension ByteBuffer {
    fileprivate func prefix(_ length: Int) -> ByteBuffer {
        getSlice(at: readerIndex, length: Swift.min(length, readableBytes)) ?? ByteBuffer()
    }

    fileprivate func suffix(_ length: Int) -> ByteBuffer? {
        readableBytes < length ? nil : getSlice(at: writerIndex - length, length: length)
    }
}
