package import HTTPTypes
package import Hummingbird
public import Larder
package import NIOCore

/// Who may use the admin routes, the metrics among them: keys tell about users.
public enum AdminAccess: Sendable {
    /// Who sends this bearer token.
    case token(BearerToken)
    /// Who asks from this machine, by a loopback name, and through no proxy. For development: bind the server to a
    /// loopback address, and use a context that knows its peer (`RemoteAddressRequestContext`).
    case loopback
    /// Nobody: who can reach the server from elsewhere must not be taken for somebody on this machine.
    case nobody
}

extension AdminAccess {
    /// Who may use the admin routes of a server that listens on `host`: who has the token; without one, who asks from
    /// this machine, where nobody else can.
    public static func standard(token: BearerToken?, host: String) -> AdminAccess {
        token.map(AdminAccess.token) ?? (isLoopback(host: host) ? .loopback : .nobody)
    }
}

/// A request that may not use the admin routes. It tells nothing about the keys.
package struct AdminRefusal: Error, Equatable {
    package let status: HTTPResponse.Status
    package let message: String

    static let token = AdminRefusal(status: .unauthorized, message: "This route needs the admin token")
    static let nobody = AdminRefusal(status: .forbidden, message: "This route needs a token, and none is set")
    static let loopback = AdminRefusal(
        status: .forbidden,
        message: "This route needs a token, or a request from this machine to a loopback host and through no proxy"
    )
}

extension AdminAccess {
    /// What a proxy adds: a request with one of these comes from elsewhere, whatever its last hop.
    private static let proxyFields: Set<String> = [
        "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
        "x-forwarded-server", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip",
        "fastly-client-ip",
    ]

    /// Lets a request pass, or says why not.
    /// - Parameter peer: where it came from, where that is known.
    package func check(_ request: Request, peer: SocketAddress?) throws(AdminRefusal) {
        switch self {
        case .token(let token):
            guard token.isSent(in: request.headers) else { throw .token }
        case .nobody: throw .nobody
        case .loopback:
            // A page in a browser on this machine reaches loopback too, under the name of its own site; hence `Host`.
            guard let peer, Self.isLoopback(peer), let authority = request.head.authority, Self.isLoopback(authority),
                !request.headers.contains(where: { Self.proxyFields.contains($0.name.canonicalName) })
            else { throw .loopback }
        }
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
