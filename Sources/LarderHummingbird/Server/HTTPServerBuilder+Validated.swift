public import HummingbirdCore
import NIOCore
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
    /// Returns a builder of a server for HTTP/1.1 that rejects ambiguous requests with 400 and ends their connections:
    /// no `Host` (unless by HTTP/1.0) or two of them, two lengths, a transfer coding beside a length, by HTTP/1.0 or
    /// other than `chunked`, a target that is no path (RFC 9112 §3.2, §6.1, §11.2).
    ///
    /// Hummingbird's own server takes such requests, and a proxy in front of it may read them in another way: a client
    /// can then smuggle a request past the proxy, or have a response stored for another host. Use this for any server
    /// that clients or proxies on the internet reach:
    /// ```swift
    /// let application = Application(router: router, server: .validatedHTTP1())
    /// ```
    /// It can stand within `.tls(…)`. Servers that upgrade connections to WebSocket or to HTTP/2 are not covered.
    /// - Parameter configuration: The configuration of the server for HTTP/1.1.
    public static func validatedHTTP1(configuration: HTTP1Channel.Configuration = .init()) -> HTTPServerBuilder {
        var validated = configuration
        validated.additionalChannelHandlers = {
            [RequestValidationInstaller()] + configuration.additionalChannelHandlers()
        }
        return .http1(configuration: validated)
    }
}

/// Puts the validation behind the decoder of a new connection: handlers can be added behind the codec only, which drops
/// what tells ambiguous requests apart.
private final class RequestValidationInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(RequestValidationHandler(), position: .before(codec))
        } catch {
            // Without validation nothing is served.
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }
}
