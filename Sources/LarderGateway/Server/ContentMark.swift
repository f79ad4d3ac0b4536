import NIOCore
import NIOHPACK
import NIOHTTP2

/// A channel handler that marks HTTP/2 requests that have content, as HTTP/1.1 requests are marked by their fields.
///
/// In HTTP/2, a head without `Content-Length` does not show whether content follows; the end of the stream does. So
/// this handler adds the field that HTTP/1.1 would have, `Transfer-Encoding`, to a head that does not end its stream,
/// for the code that follows. HTTP/2 clients cannot send this field (RFC 9113 §8.2.2), and it is removed with the other
/// fields of a connection.
final class ContentMark: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload

    private var isHead = true

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isHead, case .headers(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        isHead = false
        if !head.endStream, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        }
        context.fireChannelRead(wrapInboundOut(.headers(head)))
    }
}
