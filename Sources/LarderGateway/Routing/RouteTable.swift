import HTTPCaching
public import Larder

/// A table that finds the route of a request: the first route of the file that matches its host and path, or the
/// default route.
///
/// The look-up of an unambiguous path without a file extension does not allocate memory.
///
/// ## Paths with more than one meaning
/// Servers interpret paths differently: some decode `%2F`, resolve dot segments, drop `;parameters` or ignore case, and
/// some do not, in one order or another. A rule that `/account/**` is never cached would be useless if `/Account/me` or
/// `/static/x%3f/..%2f..%2faccount%2fme` got the same page stored under another route ("web cache deception"). So the
/// path as written determines where a request goes (``RoutePath``). If one of the paths that servers may take it for
/// (``PathReadingClosure``) matches a route that handles its requests differently, or if there are too many such paths,
/// the request bypasses the cache. Some servers take `/account.css` for `/account` as well. Since many rules are for
/// one file (`/robots.txt`), this is considered only if nothing is cached for the path without its extension.
public struct RouteTable: Sendable {
    /// The rows in the order in which they are tried. The default route is the last.
    private let rows: [Row]

    /// A route, and the host and path that it matches.
    private struct Row: Sendable {
        let host: HostPattern?
        let path: PathPattern
        let route: Route
        let uncached: Route
        /// A number that is equal for routes that handle their requests alike.
        let group: Int

        init(_ host: HostPattern?, _ path: PathPattern, _ route: Route, group: Int) {
            (self.host, self.path, self.route, self.group) = (host, path, route, group)
            uncached = route.uncached
        }
    }

    /// True if a pattern has upper-case letters, for which some servers accept lower-case ones as well.
    private let hasCase: Bool

    /// Creates a table with the default route only.
    public init(_ settings: GatewaySettings) {
        self.init([], default: Route(name: "default", origin: settings.origin, policy: .gateway(settings)))
    }

    /// Creates the table of a file's routes.
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
        let group = group(RouteRule(location: .nowhere), fallback.origin)
        self.init(rows + [Row(nil, .everything, fallback, group: group)])
    }

    /// Creates a table from routes and a default route.
    init(_ rows: [(host: HostPattern?, path: PathPattern, route: Route)], default fallback: Route) {
        let all = rows + [(host: nil, path: .everything, route: fallback)]
        self.init(all.enumerated().map { Row($1.host, $1.path, $1.route, group: $0) })
    }

    private init(_ rows: [Row]) {
        self.rows = rows
        self.hasCase = rows.contains { $0.path.hasCase }
    }

    /// The properties that two routes must share to handle their requests alike.
    private struct Treatment: Hashable {
        let rule: RouteRule
        let origin: OriginAddress
    }

    /// The routes in the order in which they are tried, the default route last.
    public var routes: [Route] { rows.map(\.route) }

    /// Counts the requests of each route under its name.
    func count(in statistics: CacheStatistics) {
        for row in rows {
            let counts = statistics.route(row.route.name)
            row.route.setStatistics(counts)
            row.uncached.setStatistics(counts)
        }
    }

    /// The largest body that any route stores. The store has to accept it.
    public var bodyLimit: ByteCount { rows.map(\.route.policy.bodyLimit).max() ?? .bytes(0) }

    /// The origins of the routes, each once.
    public var origins: [OriginAddress] {
        rows.map(\.route.origin).reduce(into: []) { all, origin in
            if !all.contains(origin) { all.append(origin) }
        }
    }

    /// Returns the place of a route in the table; nil if it is not one of the table's.
    func place(of route: Route) -> Int? { rows.firstIndex { $0.route === route } }

    /// Returns the route at a place.
    subscript(place: Int) -> Route { rows[place].route }

    /// Returns the route of a request.
    /// - Parameters:
    ///   - host: The value of the client's `Host` or `:authority`, with or without a port.
    ///   - path: The target of the request. Its query is ignored.
    public func route(host: String?, path: String) -> Route {
        if rows.count == 1 { return rows[0].route }
        let host = host.map(HostPattern.host)
        var path = path
        return path.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count + 1) { output in
                let (count, isPlain) = RoutePath.read(bytes, into: output)
                let reading = UnsafeMutableBufferPointer(rebasing: output[..<count])
                let row = rows[row(host, UnsafeBufferPointer(reading), ignoringCase: false)]
                func isAlike(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
                    rows[self.row(host, path, ignoringCase: true)].group == row.group
                }
                guard isPlain else {
                    return RoutePath.areAll(of: bytes, dropsExtensions: true, isAlike) ? row.route : row.uncached
                }
                var isFolded = false
                for place in reading.indices {
                    let byte = ASCII.lowercased(reading[place])
                    if byte != reading[place] { (reading[place], isFolded) = (byte, true) }
                }
                let folded = UnsafeBufferPointer(reading)
                if isFolded || hasCase, !isAlike(folded) { return row.uncached }
                // A literal pattern may name a file. It applies to that file even if the path without its extension
                // matches a route that is not cached.
                if row.path.isLiteral { return row.route }
                var rest = folded[...]
                while let shorter = RoutePath.withoutExtension(rest) {
                    let other = self.row(host, UnsafeBufferPointer(rebasing: shorter), ignoringCase: true)
                    guard rows[other].route.isCached else { return row.uncached }
                    rest = shorter
                }
                return row.route
            }
        }
    }

    /// Returns the scopes that a write to a path invalidates in addition to its path: those of all routes that a server
    /// may take the path for, or those of every route if there are too many readings.
    func invalidated(byWriteTo path: String, host: String?) -> [InvalidationScope] {
        let host = host.map(HostPattern.host)
        var path = path
        return path.withUTF8 { bytes in
            var named: Set<Int> = []
            let areFew = RoutePath.areAll(of: bytes) { reading in
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
        // The last row matches everything.
        return row ?? rows.count - 1
    }
}
