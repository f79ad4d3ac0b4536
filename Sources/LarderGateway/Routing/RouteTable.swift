public import Larder

/// Which route a request takes: the first of the file that matches its host and its path, else the default.
///
/// Nothing is allocated to find it.
///
/// ## Paths with more than one meaning
/// Servers do not agree on what a path means: some undo `%2F`, resolve dot segments, drop `;parameters` or ignore case,
/// and some do not, in one order or another. A rule that says `/account/**` is never cached is of no use where
/// `/Account/me` or `/static/x%3f/..%2f..%2faccount%2fme` gets the same page past it ("web cache deception"). So the
/// path as it stands says where a request goes (``PathReading``); and if one of the paths that servers may take it for
/// (``PathReadingClosure``) falls to a route that treats its requests otherwise, or there are too many of them, nothing
/// is cached. Some servers take `/account.css` for `/account`, too. So many rules are for one file (`/robots.txt`) that
/// this counts only where nothing is cached for the path without its extension.
public struct RouteTable: Sendable {
    /// The default stands last.
    private let rows: [Row]

    /// One route, and what it takes.
    private struct Row: Sendable {
        let host: HostPattern?
        let path: PathPattern
        let route: Route
        let uncached: Route
        /// The same for routes that treat their requests alike.
        let group: Int

        init(_ host: HostPattern?, _ path: PathPattern, _ route: Route, group: Int) {
            (self.host, self.path, self.route, self.group) = (host, path, route, group)
            uncached = route.uncached
        }
    }

    /// Whether a pattern has letters in upper case, which some servers take for others.
    private let hasCase: Bool

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
        var groups: [Treatment: Int] = [:]
        func group(_ rule: RouteRule, _ origin: OriginAddress) -> Int {
            let treatment = Treatment(rule: rule.treatment, origin: origin)
            let group = groups[treatment] ?? groups.count
            groups[treatment] = group
            return group
        }
        let rows = rules.map { rule in
            let route = Route(
                name: rule.name,
                origin: rule.origin.flatMap { addresses[$0] } ?? settings.origin,
                originName: rule.origin ?? name,
                policy: rule.policy(settings),
                isCached: rule.isCached
            )
            return Row(rule.host, rule.path ?? .everything, route, group: group(rule, route.origin))
        }
        let fallback = Route(name: "default", origin: settings.origin, originName: name, policy: .gateway(settings))
        let group = group(RouteRule(place: .nowhere), fallback.origin)
        self.init(rows + [Row(nil, .everything, fallback, group: group)])
    }

    /// A table of routes, and of one for what they leave.
    init(_ rows: [(host: HostPattern?, path: PathPattern, route: Route)], default fallback: Route) {
        let all = rows + [(host: nil, path: .everything, route: fallback)]
        self.init(all.enumerated().map { Row($1.host, $1.path, $1.route, group: $0) })
    }

    private init(_ rows: [Row]) {
        self.rows = rows
        self.hasCase = rows.contains { $0.path.hasCase }
    }

    /// What becomes of requests.
    private struct Treatment: Hashable {
        let rule: RouteRule
        let origin: OriginAddress
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
                let (count, isPlain) = PathReading.read(bytes, into: output)
                let reading = UnsafeMutableBufferPointer(rebasing: output[..<count])
                let row = rows[row(host, UnsafeBufferPointer(reading), ignoringCase: false)]
                func isAlike(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
                    rows[self.row(host, path, ignoringCase: true)].group == row.group
                }
                guard isPlain else {
                    return PathReading.areAll(of: bytes, dropsExtensions: true, isAlike) ? row.route : row.uncached
                }
                var isFolded = false
                for place in reading.indices {
                    let byte = Byte.lowercased(reading[place])
                    if byte != reading[place] { (reading[place], isFolded) = (byte, true) }
                }
                let folded = UnsafeBufferPointer(reading)
                if isFolded || hasCase, !isAlike(folded) { return row.uncached }
                // A pattern that names a file means it, whatever is said of the path without its extension.
                if row.path.isLiteral { return row.route }
                let mayBeUncached = PathReading.withoutExtensions(folded).contains { path in
                    !rows[self.row(host, path, ignoringCase: true)].route.isCached
                }
                return mayBeUncached ? row.uncached : row.route
            }
        }
    }

    /// Returns what a write to a path invalidates beside its own path: all that is named by the routes which a server
    /// may take the path for, or by every route if there are too many readings.
    func invalidated(byWriteTo path: String, host: String?) -> [InvalidationScope] {
        let host = host.map(HostPattern.host)
        var path = path
        return path.withUTF8 { bytes in
            var named: Set<Int> = []
            let areFew = PathReading.areAll(of: bytes) { reading in
                named.insert(self.row(host, reading, ignoringCase: true))
                return true
            }
            let rows = areFew ? named.sorted().map { self.rows[$0] } : self.rows
            return rows.flatMap(\.route.policy.invalidated)
        }
    }

    private func row(_ host: Substring.UTF8View?, _ path: UnsafeBufferPointer<UInt8>, ignoringCase: Bool) -> Int {
        let row = rows.firstIndex { row in
            if let pattern = row.host {
                guard let host, pattern.matches(host) else { return false }
            }
            return row.path.matches(path, ignoringCase: ignoringCase)
        }
        // The last one is for everything.
        return row ?? rows.count - 1
    }
}
