import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOCore
import NIOHTTP1

/// The part of the gateway that answers a request.
enum RequestDestination {
    /// The gateway's own routes.
    case administration
    /// The removal of the stored response to a request.
    case purge(HTTPRequest, CachePolicy)
    /// The gateway answers the request by itself.
    case gateway(Response)
    /// The gateway refuses the request.
    case refused(UpstreamError)
    /// The cache, in front of the origin of a route. The request has the form that keys are made from.
    case cache(HTTPRequest, SharedPolicy, Route)
}

extension GatewayResponder {
    /// Returns the destination of a request whose head is ``normalized(_:_:from:)``.
    func destination(
        of head: HTTPRequest,
        from sender: Sender,
        on connection: ClientConnection,
        _ active: ActiveConfiguration
    ) -> RequestDestination {
        // Load balancers check the gateway's health by its address, whatever hosts it serves.
        if active.administration(for: connection).isAbout(head) { return .administration }
        // The address for the admin routes alone serves nothing else.
        if connection.isAdministrative, head.method != .purge { return .gateway(Administration.noSuchRoute) }
        // "If the received value is zero (0), the intermediary MUST NOT forward the request; instead, the intermediary
        // MUST respond as the final recipient." (RFC 9110 §7.6.2) A request about the server as a whole (`*`) is about
        // the gateway (§9.3.7).
        if head.maxForwards == 0 || head.path == "*" {
            return .gateway(Response(status: .ok, headers: [.allow: UpstreamError.allowedMethods]))
        }
        let port = connection.channel.localAddress?.port
        return destination(ofRouted: head, scheme: sender.scheme, listeningOn: port, active)
    }

    /// Returns the destination of a request that is not for the gateway itself.
    func destination(
        ofRouted head: HTTPRequest,
        scheme: String,
        listeningOn port: Int?,
        _ active: ActiveConfiguration
    ) -> RequestDestination {
        var head = head
        // An HTTP/1.0 request without a host is sent to the origin's own name (below), whatever hosts are served.
        if let authority = head.authority {
            head.authority = active.settings.served(authority, scheme: scheme, listeningOn: port)
            guard head.authority != nil else {
                return .refused(UpstreamError(.requestError, "host not served", status: .misdirectedRequest))
            }
        }
        // The origin receives the authority as it is in the key. Otherwise an origin that answers spellings of a host
        // differently could have the response to one spelling stored for all of them.
        guard head.normalizeAuthority() else {
            return .refused(UpstreamError(.requestError, "invalid host"))
        }
        let route = active.routes.route(host: head.authority, path: head.path ?? "/")
        if head.method == .purge { return .purge(head, route.policy) }
        guard active.settings.accepts(head.path ?? "/") else {
            return .refused(UpstreamError(.requestError, "ambiguous path"))
        }
        // An HTTP/1.0 request may be without a host. It is sent to the origin's own name.
        if head.authority == nil {
            head.authority = route.origin.authority
            guard head.normalizeAuthority() else {
                return .refused(UpstreamError(.requestError, "invalid host"))
            }
        }
        // Fields that concern only this connection do not influence responses. They are removed here, because the code
        // above reads them to learn how the request arrived.
        HopByHop.stripNamed(&head.headerFields)
        DroppedFields.remove(from: &head.headerFields, active.settings)
        let mustBypass = DroppedFields.mustBypass(head.headerFields, under: route.policy, active.settings)
        let isWrite = Invalidation.isUnsafe(head.method)
        guard mustBypass || isWrite else { return .cache(head, route.sharedPolicy, route) }
        var policy = mustBypass ? route.policy.bypassing(.everything) : route.policy
        if isWrite {
            policy.invalidated.appendMissing(
                active.routes.invalidated(byWriteTo: head.path ?? "/", host: head.authority)
            )
        }
        return .cache(head, SharedPolicy(policy, of: route.sharedPolicy.route), route)
    }
}

// MARK: - Requirements on requests

extension GatewayResponder {
    /// Returns the head in the form that the following code reads, or the reason why the request is refused. Heads that
    /// HTTP/1.1 allows but that are ambiguous were refused by ``HTTP1RequestValidator``; this function is for HTTP/1.1
    /// and HTTP/2.
    func normalized(
        _ head: HTTPRequest,
        _ version: HTTPVersion,
        from sender: Sender
    ) -> Result<HTTPRequest, UpstreamError> {
        var head = head
        head.scheme = sender.scheme
        // "A server SHOULD treat a request as malformed if it contains a Host header field that identifies an entity
        // that differs from the entity in the ":authority" pseudo-header field." (RFC 9113 §8.3.1)
        if let host = head.headerFields[.hostField] {
            guard head.authority == nil || head.authority?.lowercased() == host.lowercased() else {
                return .failure(UpstreamError(.requestError, "two hosts"))
            }
            head.authority = host
            head.headerFields[.hostField] = nil
        }
        if let host = sender.chain?.host { head.authority = host }
        // "[…] MUST be concatenated into a single octet string using the two-octet delimiter […] ("; ") before being
        // passed into a non-HTTP/2 context" (RFC 9113 §8.2.3).
        let crumbs = head.headerFields[values: .cookie]
        if crumbs.count > 1 { head.headerFields[values: .cookie] = [crumbs.joined(separator: "; ")] }
        if let authority = head.authority {
            guard Authority(authority) != nil else {
                return .failure(UpstreamError(.requestError, "invalid host"))
            }
        } else if version != .http1_0 {
            return .failure(UpstreamError(.requestError, "no host"))
        }
        let isForServer = head.method == .options && head.path == "*"
        guard let target = head.path, target.utf8.first == UInt8(ascii: "/") || isForServer else {
            return .failure(UpstreamError(.requestError, "no path"))
        }
        // TRACE would show a client the fields that the gateway adds (RFC 9110 §9.3.8).
        guard head.method != .trace, head.method != .connect else {
            return .failure(UpstreamError(.requestDenied, "method"))
        }
        if head.headerFields[values: .via].contains(where: { $0.contains("-\(instanceID)") }) {
            return .failure(UpstreamError(.loopDetected, "Via"))
        }
        if let expectation = head.headerFields[.expect], expectation.lowercased() != "100-continue" {
            return .failure(UpstreamError(.requestError, "Expect", status: .expectationFailed))
        }
        return .success(head)
    }
}

extension HTTPRequest {
    /// The number of times that an OPTIONS request may still be forwarded; nil if it does not limit them.
    var maxForwards: Int? {
        guard method == .options, let left = headerFields[.maxForwards].flatMap({ Int($0) }), left >= 0 else {
            return nil
        }
        return left
    }

    /// Changes the authority, if there is one, to the spelling that keys have.
    /// - Returns: False if the authority cannot be part of a key.
    fileprivate mutating func normalizeAuthority() -> Bool {
        guard authority != nil else { return true }
        authority = keyAuthority
        return authority != nil
    }
}
