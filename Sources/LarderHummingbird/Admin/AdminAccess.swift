import HTTPCaching
package import HTTPTypes
package import Hummingbird
public import Larder
package import NIOCore

/// The clients that may use the admin routes. The metrics are among these routes, because keys reveal information about
/// users.
///
/// With every access, a request that a browser sends for a page of another site is refused.
public enum AdminAccess: Sendable {
    /// Clients that send this bearer token in `Authorization`.
    case token(BearerToken)
    /// Clients on this machine that name a loopback host. For development only.
    ///
    /// - Warning: Every process on this machine that can open a connection counts as a client on it, and so does every
    ///   request that a proxy on this machine forwards: nginx with `proxy_pass http://127.0.0.1:8080` sends
    ///   `Host: 127.0.0.1:8080` and no field that identifies a proxy, so that anybody on the internet could empty the
    ///   cache. Do not use it behind a proxy, a tunnel, a container's port or a load balancer on the same machine. Bind
    ///   the server to a loopback address, and use a context that knows its peer (`RemoteAddressRequestContext`).
    case loopback
    /// No client.
    case closed
}

extension AdminAccess {
    /// Returns the access to the admin routes of a server that listens on `host`.
    ///
    /// If there is a token, it is required, and the other parameters do not matter. Without a token, the routes answer
    /// loopback clients if `trustsLoopback` is true and `host` is a loopback address; otherwise they do not answer any
    /// client.
    /// - Parameters:
    ///   - token: The token that clients have to send; nil for none.
    ///   - trustsLoopback: True to answer loopback clients without a token. See the warning of ``loopback``.
    ///   - host: The address that the server listens on.
    public static func standard(token: BearerToken?, trustsLoopback: Bool, host: String) -> AdminAccess {
        token.map(AdminAccess.token) ?? (trustsLoopback && isLoopback(host: host) ? .loopback : .closed)
    }
}

/// An error that says why a request may not use the admin routes. It does not reveal anything about the keys.
package struct AdminRefusal: Error, Equatable {
    package let status: HTTPResponse.Status
    package let message: String

    static let token = AdminRefusal(
        status: .unauthorized,
        message: "This route needs the admin token: send Authorization: Bearer <token>"
    )
    static let noTokenSet = AdminRefusal(
        status: .forbidden,
        message: "This route needs an admin token, and none is configured: set one"
    )
    static let otherSite = AdminRefusal(
        status: .forbidden,
        message: "This route refuses requests that a browser sends for a page of another site"
    )
    static let loopback = AdminRefusal(
        status: .forbidden,
        message: "This route needs a token, or a request from this machine to a loopback host, without a proxy"
    )
}

extension AdminAccess {
    /// Checks that a request may use the admin routes.
    /// - Parameter peer: The address that the request came from; nil if it is not known.
    /// - Throws: The reason to refuse the request.
    package func check(_ request: Request, peer: SocketAddress?) throws(AdminRefusal) {
        guard Self.isOfOwnSite(request.head) else { throw .otherSite }
        switch self {
        case .token(let token):
            guard token.isSent(in: request.headers) else { throw .token }
        case .closed: throw .noTokenSet
        case .loopback:
            // A page in a browser on this machine can send requests to loopback too, under the name of its site. So
            // `Host` is checked as well.
            guard let peer, Self.isLoopback(peer), let authority = request.head.authority, Self.isLoopback(authority),
                !request.headers.contains(where: { ProxyFields.identifyProxy($0.name.canonicalName) })
            else { throw .loopback }
        }
    }

    /// Returns true unless a browser says that it sends the request for a page of another site, or for a page whose
    /// origin it does not disclose (`null`).
    private static func isOfOwnSite(_ head: HTTPRequest) -> Bool {
        // Pages on other ports of the same host, which browsers call `same-site`, are not trusted.
        let sites = head.headerFields[values: .secFetchSite]
        guard sites.allSatisfy({ $0 == "same-origin" || $0 == "none" }) else { return false }
        return head.headerFields[values: .origin].allSatisfy { isOrigin($0, of: head) }
    }

    /// Returns true if the origin in an `Origin` field is the server that a request is for. That server may receive
    /// plain HTTP from a proxy that terminates TLS.
    private static func isOrigin(_ origin: String, of head: HTTPRequest) -> Bool {
        guard let uri = AbsoluteURI(origin), uri.rest.isEmpty else { return false }
        let scheme = uri.scheme.lowercased()
        let page = HTTPRequest(method: .get, scheme: scheme, authority: String(uri.authority), path: "/")
        guard let host = page.keyAuthority, host == head.keyAuthority else { return false }
        return scheme == "https" || scheme == head.scheme ?? "http"
    }

    private static func isLoopback(_ address: SocketAddress) -> Bool {
        switch address {
        case .unixDomainSocket: true
        case .v4, .v6: isLoopbackAddress(address.ipAddress ?? "")
        }
    }

    /// Returns true if a host, given as a name or an address, is `localhost` or a loopback address.
    package static func isLoopback(host: String) -> Bool {
        // A name may begin with `127` as well, so only parsed addresses are compared.
        host.lowercased() == "localhost" || isLoopbackAddress(host)
    }

    /// Returns true if an authority, a host with or without a port, names a loopback host.
    static func isLoopback(_ authority: String) -> Bool {
        Authority(authority).map { isLoopback(host: String($0.host)) } ?? false
    }

    private static func isLoopbackAddress(_ text: String) -> Bool {
        // Parsing and printing the address brings all of its spellings to one.
        guard let address = try? SocketAddress(ipAddress: text, port: 0).ipAddress else { return false }
        return address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }
}

extension HTTPField.Name {
    /// The name of `Sec-Fetch-Site` (Fetch Metadata Request Headers §2.4).
    fileprivate static let secFetchSite = constant("Sec-Fetch-Site")
}
