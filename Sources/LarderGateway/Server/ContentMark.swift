import NIOCore
import NIOHPACK
import NIOHTTP2

/// Says of a request by HTTP/2 what one by HTTP/1.1 says by itself: whether content follows.
///
/// There a head without `Content-Length` leaves it open, and the end of the stream tells. So a head that does not end
/// its stream is given the field that HTTP/1.1 would have, for all that follows to read. It is one that no client can
/// send there (RFC 9113 §8.2.2), and goes no further than the others that belong to a connection.
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
