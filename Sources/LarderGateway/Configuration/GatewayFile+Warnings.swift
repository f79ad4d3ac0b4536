import HTTPTypes
import Larder

extension GatewayFile {
    /// Returns the warnings about valid values in the file that may not be intended.
    /// - Parameter name: The name of the default origin, which gets the requests that no route matches.
    func warnings(default name: String?, _ settings: GatewaySettings) -> [Diagnostic] {
        var warnings = diagnostics.warnings
        for rule in rules {
            func warn(_ message: String, at key: RouteRule.Key) {
                warnings.append(.warning(at: rule.locations[key] ?? rule.location, message))
            }
            if let host = rule.host, !rule.isServed(settings) {
                warn("the route `\(rule.name)` never matches: `\(host)` is not one of the `hosts`", at: .host)
            }
            if !rule.isCached {
                let idle = Self.cachingKeys.first { rule.locations[$0] != nil }
                if let idle { warn("`\(idle.rawValue)` has no effect if `cache` is off", at: idle) }
                continue
            }
            if let limit = rule.bodyLimit, case let stored = settings.storedBodyLimit(limit), stored < limit {
                warn("bodies larger than \(stored) are not stored: \(settings.bodyLimitReason)", at: .bodyLimit)
            }
            if rule.staleAfter != nil, rule.staleIfError == nil {
                warn(
                    "`stale-after` applies only to responses with `stale-if-error`: set that here for the others",
                    at: .staleAfter
                )
            }
            if rule.cookies == .bypass, rule.credentialCookies != nil {
                warn(
                    "the `cookies` of `credentials` have no effect with `cookies: bypass`, by which every request with "
                        + "a cookie bypasses the cache",
                    at: .credentials
                )
            }
            if rule.forceTTL != nil {
                if rule.storesResponsesToCookies {
                    warn(
                        "`force-ttl` stores responses to requests with cookies for all clients, "
                            + "unless they say `private`: consider `cookies: bypass` or `cookies: drop`",
                        at: .forceTTL
                    )
                }
                if rule.allowSetCookie {
                    warn(
                        "with `force-ttl`, a cookie that is set for one client is sent to all clients",
                        at: .allowSetCookie
                    )
                }
                if rule.ttl != nil {
                    warn(
                        "`ttl` is for responses that declare no lifetime, and `force-ttl` takes precedence over it",
                        at: .ttl
                    )
                }
            } else if rule.allowSetCookie {
                warn(
                    "a cookie that is set for one client is sent to all clients that get the stored response",
                    at: .allowSetCookie
                )
            }
        }
        return warnings + unusedOrigins(besides: name) + lookAlikes
    }

    private static let cachingKeys: [RouteRule.Key] = [
        .ttl, .forceTTL, .errorTTL, .staleWhileRevalidate, .staleIfError, .staleAfter, .clientDirectives, .vary,
        .cookies, .credentials, .bypass, .query, .tags, .bodyLimit, .tagLimit, .coalescingTimeout, .targetedFields,
        .allowSetCookie,
    ]

    /// Returns a warning for each origin that does not get any requests.
    private func unusedOrigins(besides name: String?) -> [Diagnostic] {
        let used = Set(rules.map(\.origin) + [name])
        return origins.filter { !used.contains($0.name) }
            .map { Diagnostic.warning(at: $0.location, "the origin `\($0.name)` is not used by any route") }
    }

    /// The warnings about routes that lenient servers do not distinguish. Their requests bypass the cache
    /// (``RouteTable``).
    private var lookAlikes: [Diagnostic] {
        rules.indices.compactMap { index in
            let rule = rules[index]
            let other = rules[..<index].first { other in
                guard let path = rule.path, let otherPath = other.path else { return false }
                return rule.host == other.host && path != otherPath && path.isLike(otherPath)
                    && (rule.treatment != other.treatment || rule.origin != other.origin)
            }
            return other.map { other in
                let message = "`\(rule.name)` differs from `\(other.name)` only in ways that some servers ignore: "
                return Diagnostic.warning(
                    at: rule.locations[.path] ?? rule.location,
                    message + "requests for such paths are not cached"
                )
            }
        }
    }
}

extension RouteRule {
    /// Returns false if no request for the host of the route is served, so that the route never matches.
    func isServed(_ settings: GatewaySettings) -> Bool {
        guard let host, !settings.hosts.isEmpty else { return true }
        return settings.hosts.contains { $0.pattern.covers(host) || host.covers($0.pattern) }
    }

    /// True if responses to requests with cookies are stored for all clients, and the route does not name any cookies
    /// that are credentials.
    fileprivate var storesResponsesToCookies: Bool {
        cookies == .forward && credentialCookies == nil
            && (bypass.map { $0.cookies.isEmpty && !$0.fields.contains(.cookie) } ?? true)
    }
}
