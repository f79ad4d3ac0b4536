public import HummingbirdCore
import NIOCore
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
    /// Returns a builder of an HTTP/1.1 server that rejects ambiguous requests with 400 and closes their connections.
    ///
    /// A request is ambiguous if it has no `Host` (unless it is HTTP/1.0) or two of them, an invalid or repeated
    /// `Content-Length`, a transfer coding that stands beside a length, is sent by HTTP/1.0 or is not `chunked`, or a
    /// target that is neither a path nor an absolute URL, nor `*` with OPTIONS (RFC 9112 §3.2, §6.1, §11.2).
    ///
    /// Hummingbird's own server accepts such requests, and a proxy in front of it may read them differently: a client
    /// can then smuggle a request past the proxy, or have a response stored for another host. Use this for any server
    /// that is reachable from the internet, directly or through proxies:
    /// ```swift
    /// let application = Application(router: router, server: .validatedHTTP1())
    /// ```
    /// It can be wrapped in `.tls(…)`. Servers that upgrade connections to WebSocket or to HTTP/2 are not covered.
    /// - Parameter configuration: The configuration of the server for HTTP/1.1.
    public static func validatedHTTP1(configuration: HTTP1Channel.Configuration = .init()) -> HTTPServerBuilder {
        var validated = configuration
        validated.additionalChannelHandlers = {
            [RequestValidationInstaller()] + configuration.additionalChannelHandlers()
        }
        return .http1(configuration: validated)
    }
}

/// A channel handler that adds the validation between the decoder and the codec of a new connection. Handlers that are
/// added through the configuration come after the codec, which drops what makes ambiguous requests recognizable.
private final class RequestValidationInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(RequestValidationHandler(), position: .before(codec))
        } catch {
            // The connection is closed, because requests must not be served without validation.
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }
}
