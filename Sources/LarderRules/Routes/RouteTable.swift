public import Larder

/// Which route a request takes: the first of the file that matches its host and its path, else the default.
///
/// Nothing is allocated to find it.
///
/// ## Paths with two meanings
/// Servers do not agree on what a path means: some undo `%2F`, resolve dot segments, drop `;parameters` or ignore case,
/// and some do not. A rule that says `/account/**` is never cached is of no use where `/Account/me` or
/// `/static/..%2Faccount/me` gets the same page past it. So a path is read twice: strictly, as it stands, and loosely,
/// as the most lenient server would (``PathReading``). The strict reading says where the request goes; where the loose
/// one falls to another route, nothing is cached.
public struct RouteTable: Sendable {
    /// The default stands last.
    private let rows: [Row]

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

    /// The table of a file's routes.
    init(
        _ rules: [RouteRule],
        of origins: [GatewayFile.NamedOrigin],
        default name: String?,
        _ settings: GatewaySettings
    ) {
        let addresses = Dictionary(origins.map { ($0.name, $0.address) }) { first, _ in first }
        let rows = rules.map { rule in
            let route = Route(
                name: rule.name,
                origin: rule.origin.flatMap { addresses[$0] } ?? settings.origin,
                originName: rule.origin ?? name,
                policy: rule.policy(settings),
                isCached: rule.isCached
            )
            return (host: rule.host, path: rule.path ?? .everything, route: route)
        }
        let fallback = Route(name: "default", origin: settings.origin, originName: name, policy: .gateway(settings))
        self.init(rows, default: fallback)
    }

    /// A table of routes, and of one for what they leave.
    init(_ rows: [(host: HostPattern?, path: PathPattern, route: Route)], default fallback: Route) {
        let all = rows + [(host: nil, path: .everything, route: fallback)]
        self.rows = all.map { Row(host: $0.host, path: $0.path, route: $0.route, uncached: $0.route.uncached) }
    }

    /// The routes in the order they are tried, the default last.
    public var routes: [Route] { rows.map(\.route) }

    /// The largest body that any route keeps: a store has to take it.
    public var bodyLimit: ByteCount { rows.map(\.route.policy.bodyLimit).max() ?? .bytes(0) }

    /// The servers that requests go to, each once.
    public var origins: [OriginAddress] {
        rows.map(\.route.origin).reduce(into: []) { all, origin in
            if !all.contains(origin) { all.append(origin) }
        }
    }

    /// The route of a request.
    /// - Parameters:
    ///   - host: what the client sent as `Host` or `:authority`, with a port or without.
    ///   - path: the target of the request; a query does not count.
    public func route(host: String?, path: String) -> Route {
        if rows.count == 1 { return rows[0].route }
        let host = host.map(HostPattern.host)
        var path = path
        return path.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count + 1) { output in
                let (count, isPlain) = PathReading.strict(bytes, into: output)
                let row = row(host, UnsafeBufferPointer(rebasing: output[..<count]), loosely: false)
                if isPlain { return rows[row].route }
                let end = PathReading.loose(bytes, into: output)
                let other = self.row(host, UnsafeBufferPointer(rebasing: output[..<end]), loosely: true)
                return row == other ? rows[row].route : rows[row].uncached
            }
        }
    }

    private func row(_ host: Substring.UTF8View?, _ path: UnsafeBufferPointer<UInt8>, loosely: Bool) -> Int {
        let row = rows.firstIndex { row in
            if let pattern = row.host {
                guard let host, pattern.matches(host) else { return false }
            }
            return row.path.matches(path, loosely: loosely)
        }
        // The last one is for everything.
        return row ?? rows.count - 1
    }
}
