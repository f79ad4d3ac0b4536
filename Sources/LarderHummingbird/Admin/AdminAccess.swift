import HTTPCaching
package import HTTPTypes
package import Hummingbird
public import Larder
package import NIOCore

/// The clients that may use the admin routes, the metrics among them: keys tell about users.
///
/// Whatever it is, a request that a browser sends for a page of another site is refused.
public enum AdminAccess: Sendable {
    /// Clients that send this bearer token.
    case token(BearerToken)
    /// Clients on this machine that name a loopback host. For development only.
    ///
    /// - Warning: Everything on this machine that can open a connection counts as a client on it, and so does
    ///   everything that a proxy on this machine passes on: nginx with `proxy_pass http://127.0.0.1:8080` sends `Host:
    ///   127.0.0.1:8080` and no field that tells of a proxy, so that anybody on the internet could empty the cache. Do
    ///   not use it behind a proxy, a tunnel, a container's port or a load balancer on the same machine. Bind the
    ///   server to a loopback address, and use a context that knows its peer (`RemoteAddressRequestContext`).
    case loopback
    /// No client.
    case nobody
}

extension AdminAccess {
    /// Returns the access to the admin routes of a server that listens on `host`: the token if there is one, whatever
    /// else is set. Without one the routes answer no client, unless loopback clients are trusted and no other can reach
    /// the server.
    /// - Parameter trustsLoopback: True if ``loopback`` is wanted, whose danger is described there.
    public static func standard(token: BearerToken?, trustsLoopback: Bool, host: String) -> AdminAccess {
        token.map(AdminAccess.token) ?? (trustsLoopback && isLoopback(host: host) ? .loopback : .nobody)
    }
}

/// A request that may not use the admin routes. It tells nothing about the keys.
package struct AdminRefusal: Error, Equatable {
    package let status: HTTPResponse.Status
    package let message: String

    static let token = AdminRefusal(status: .unauthorized, message: "This route needs the admin token")
    static let nobody = AdminRefusal(status: .forbidden, message: "This route needs a token, and none is set")
    static let otherSite = AdminRefusal(
        status: .forbidden,
        message: "This route does not answer requests that a browser sends for a page of another site"
    )
    static let loopback = AdminRefusal(
        status: .forbidden,
        message: "This route needs a token, or a request from this machine to a loopback host and through no proxy"
    )
}

extension AdminAccess {
    /// Lets a request pass, or says why not.
    /// - Parameter peer: where it came from, where that is known.
    package func check(_ request: Request, peer: SocketAddress?) throws(AdminRefusal) {
        guard Self.isOfOwnSite(request.head) else { throw .otherSite }
        switch self {
        case .token(let token):
            guard token.isSent(in: request.headers) else { throw .token }
        case .nobody: throw .nobody
        case .loopback:
            // A page in a browser on this machine reaches loopback too, under the name of its own site; hence `Host`.
            guard let peer, Self.isLoopback(peer), let authority = request.head.authority, Self.isLoopback(authority),
                !request.headers.contains(where: { ProxyFields.tellOfProxy($0.name.canonicalName) })
            else { throw .loopback }
        }
    }

    /// Returns true unless a browser says that it sends the request for a page of another site, or for none that it
    /// would name (`null`).
    private static func isOfOwnSite(_ head: HTTPRequest) -> Bool {
        // Another port of the same host is the same site to a browser, and may be anybody's page.
        let sites = head.headerFields[values: .secFetchSite]
        guard sites.allSatisfy({ $0 == "same-origin" || $0 == "none" }) else { return false }
        return head.headerFields[values: .origin].allSatisfy { isOrigin($0, of: head) }
    }

    /// Returns true if the page of an `Origin` field is one of the server that a request is for. That server may speak
    /// in the clear to a proxy that speaks TLS to browsers.
    private static func isOrigin(_ origin: String, of head: HTTPRequest) -> Bool {
        guard let mark = origin.firstRange(of: "://") else { return false }
        let scheme = origin[..<mark.lowerBound].lowercased()
        let authority = String(origin[mark.upperBound...])
        let page = HTTPRequest(method: .get, scheme: scheme, authority: authority, path: "/")
        guard let host = page.keyAuthority, host == head.keyAuthority else { return false }
        return scheme == "https" || scheme == head.scheme ?? "http"
    }

    private static func isLoopback(_ address: SocketAddress) -> Bool {
        switch address {
        case .unixDomainSocket: true
        case .v4, .v6: isLoopbackAddress(address.ipAddress ?? "")
        }
    }

    /// Whether a host, a name or an address, is this machine for itself alone.
    package static func isLoopback(host: String) -> Bool {
        // Only an address is taken at its word: a name may begin with 127 as well.
        host.lowercased() == "localhost" || isLoopbackAddress(host)
    }

    /// Whether an authority, a host with or without a port, names this machine.
    static func isLoopback(_ authority: String) -> Bool {
        let host: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            let port = authority[authority.index(after: end)...]
            guard port.isEmpty || isPort(port) else { return false }
            host = authority[authority.index(after: authority.startIndex)..<end]
        } else {
            host = authority.prefix { $0 != ":" }
            let port = authority[host.endIndex...]
            guard port.isEmpty || isPort(port) else { return false }
        }
        return isLoopback(host: String(host))
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().allSatisfy { $0.isASCII && $0.isNumber }
    }

    private static func isLoopbackAddress(_ text: String) -> Bool {
        // Through the parser and back, so that every spelling of an address comes out as one.
        guard let address = try? SocketAddress(ipAddress: text, port: 0).ipAddress else { return false }
        return address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }
}

extension HTTPField.Name {
    /// `Sec-Fetch-Site` (Fetch Metadata Request Headers §2.4).
    fileprivate static let secFetchSite = constant("Sec-Fetch-Site")
}
