import Larder

/// Which route a request takes: the first of the file that matches its host and its path, else the default.
///
/// Nothing is allocated to find it.
///
/// ## Paths with two meanings
/// Servers do not agree on what a path means: some undo `%2F`, resolve dot segments, drop `;parameters` or ignore case,
/// and some do not. A rule that says `/account/**` is never cached is of no use where `/Account/me` or
/// `/static/..%2Faccount/me` gets the same page past it. So a path is read twice: strictly, as it stands, and loosely, as
/// the most lenient server would (``PathReading``). The strict reading says where the request goes; where the loose one
/// falls to another route, nothing is cached.
public struct RouteTable: Sendable {
    /// The routes in the order they are tried, the default last.
    public let routes: [Route]
    private let rows: [Row]
    private let fallback: Row

    /// One route, and what it takes.
    private struct Row: Sendable {
        let host: HostPattern?
        let path: PathPattern
        let route: Route
        let uncached: Route
    }

    /// A table with the default route only.
    public init(_ settings: GatewaySettings) {
        self.init([], default: Route(name: "default", origin: settings.origin, policy: .gateway(settings)))
    }

    /// A table of routes, and of one for what they leave.
    init(_ rows: [(host: HostPattern?, path: PathPattern, route: Route)], default fallback: Route) {
        self.rows = rows.map { Row(host: $0.host, path: $0.path, route: $0.route, uncached: $0.route.uncached) }
        self.fallback = Row(host: nil, path: .everything, route: fallback, uncached: fallback.uncached)
        self.routes = rows.map(\.route) + [fallback]
    }

    /// The route of a request.
    /// - Parameters:
    ///   - host: what the client sent as `Host` or `:authority`, with a port or without.
    ///   - path: the target of the request; a query does not count.
    public func route(host: String?, path: String) -> Route {
        guard !rows.isEmpty else { return fallback.route }
        return fallback.route
    }
}
