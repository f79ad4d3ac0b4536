import NIOCore
import NIOHTTP2

/// A channel handler that applies the settings of an HTTP/2 connection from its beginning.
///
/// NIO's decoder accepts 16 KiB of header fields until the client has acknowledged the settings, and most clients send
/// their first request before they have received them. So this handler inserts an acknowledgement directly after the
/// client's own settings, and removes the client's acknowledgement when it is received. No setting of the gateway is
/// stricter than its initial value.
final class SettingsAcknowledger: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var frames = SettingsFrames()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !frames.isDone else { return context.fireChannelRead(data) }
        for part in frames.read(unwrapInboundIn(data)) { context.fireChannelRead(wrapInboundOut(part)) }
    }
}

/// The frames that an HTTP/2 client sends until it has acknowledged the settings (RFC 9113 §3.4, §4.1, §6.5).
struct SettingsFrames {
    /// A SETTINGS frame without content that has the flag ACK.
    static let acknowledgement = ByteBuffer(bytes: [0, 0, 0, 4, 1, 0, 0, 0, 0])
    private static let headerLength = 9

    /// True if the client's acknowledgement was received.
    private(set) var isDone = false
    /// The number of bytes before the next frame: those of the preface, or of the content of a frame.
    private var left = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8.count
    private var isFirst = true
    private var header = ByteBuffer()

    /// Returns the bytes that the decoder is to read instead of the given bytes.
    mutating func read(_ bytes: ByteBuffer) -> [ByteBuffer] {
        var (bytes, parts) = (bytes, [ByteBuffer]())
        while bytes.readableBytes > 0 {
            if isDone || left > 0 {
                let length = isDone ? bytes.readableBytes : min(left, bytes.readableBytes)
                guard let part = bytes.readSlice(length: length) else { break }
                parts.append(part)
                if !isDone { left -= length }
            } else {
                let length = min(Self.headerLength - header.readableBytes, bytes.readableBytes)
                guard var part = bytes.readSlice(length: length) else { break }
                header.writeBuffer(&part)
                if header.readableBytes == Self.headerLength { parts += readHeader() }
            }
            if left == 0, acknowledges {
                acknowledges = false
                parts.append(Self.acknowledgement)
            }
        }
        return parts
    }

    /// True if the content of the client's own settings is being read.
    private var acknowledges = false

    private mutating func readHeader() -> [ByteBuffer] {
        defer { header = ByteBuffer() }
        let read = header.readableBytesView
        let start = read.startIndex
        let length = Int(read[start]) << 16 | Int(read[start + 1]) << 8 | Int(read[start + 2])
        let (type, flags) = (read[start + 3], read[start + 4])
        if type == 4, flags & 1 == 1, length == 0 {
            isDone = true
            return []
        }
        acknowledges = isFirst && type == 4
        isFirst = false
        left = length
        return [header]
    }
}
