public import HummingbirdCore
public import Larder
import NIOCore
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
    /// Returns a builder of an HTTP/1.1 server that rejects ambiguous requests with 400 and closes their connections.
    ///
    /// A request is ambiguous (RFC 9112 §3.2, §6.1, §11.2) if it has
    /// - two `Host` fields, or none, which only HTTP/1.0 allows,
    /// - an invalid or repeated `Content-Length`,
    /// - a transfer coding other than `chunked`, or one with a `Content-Length` or in HTTP/1.0,
    /// - a target that is not a path, an absolute URL, or `*` with OPTIONS.
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
            [BehindDecoder { [RequestValidationHandler()] }] + configuration.additionalChannelHandlers()
        }
        return .http1(configuration: validated)
    }

    /// Returns a builder of an HTTP/1.1 server that answers the hits of some routes before all middleware, where it
    /// reads requests: those of the groups that call ``CachedRouterGroup/beforeMiddleware()``. It rejects ambiguous
    /// requests as ``validatedHTTP1(configuration:)`` does.
    ///
    /// ```swift
    /// let application = Application(router: router, server: .cachingHTTP1(by: cache))
    /// ```
    /// The channel handlers of the configuration do not see these hits either.
    /// - Parameters:
    ///   - cache: The cache of these groups.
    ///   - serverName: The `serverName` of the application's configuration, which its responses have as `Server`.
    ///   - configuration: The configuration of the server for HTTP/1.1.
    public static func cachingHTTP1(
        by cache: ResponseCache,
        serverName: String? = nil,
        configuration: HTTP1Channel.Configuration = .init()
    ) -> HTTPServerBuilder {
        let lane = FastLane(cache, serverName: serverName)
        var caching = configuration
        caching.idleTimeout = nil
        caching.additionalChannelHandlers = {
            let handlers = BehindDecoder {
                let validation = RequestValidationHandler()
                let lane = FastLaneHandler(lane, behind: validation, idleTimeout: configuration.idleTimeout)
                return [validation, lane]
            }
            return [handlers] + configuration.additionalChannelHandlers()
        }
        return .http1(configuration: caching)
    }
}

/// A channel handler that adds others between the decoder and the codec of a new connection. Handlers that are added
/// through the configuration come after the codec, which drops what makes ambiguous requests recognizable.
private final class BehindDecoder: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let handlers: () -> [any ChannelHandler]

    init(_ handlers: @escaping () -> [any ChannelHandler]) { self.handlers = handlers }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandlers(handlers(), position: .before(codec))
        } catch {
            // The connection is closed, because requests must not be served without validation.
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }
}
