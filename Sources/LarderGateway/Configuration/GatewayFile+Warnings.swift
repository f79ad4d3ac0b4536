import HTTPTypes
import Larder

extension GatewayFile {
    /// Returns the warnings about valid values in the file that may not be intended.
    /// - Parameter name: The name of the default origin, which gets the requests that no route matches.
    func warnings(default name: String?, _ settings: GatewaySettings) -> [Diagnostic] {
        var warnings = diagnostics.warnings
        for rule in rules {
            func warn(_ message: String, at key: RouteRule.Key) {
                warnings.append(Diagnostic(at: rule.locations[key] ?? rule.location, message))
            }
            if let host = rule.host, !settings.hosts.isEmpty,
                !settings.hosts.contains(where: { $0.pattern.covers(host) || host.covers($0.pattern) })
            {
                warn("`\(rule.name)` never matches: `\(host)` is not among the `hosts`", at: .host)
            }
            if !rule.isCached {
                let idle = Self.cachingKeys.first { rule.locations[$0] != nil }
                if let idle { warn("`\(idle.rawValue)` has no effect where `cache` is off", at: idle) }
                continue
            }
            if let limit = rule.bodyLimit, case let stored = settings.storedBodyLimit(limit), stored < limit {
                warn("bodies above \(stored) are not stored: \(settings.whatLimitsBodies)", at: .bodyLimit)
            }
            if rule.staleAfter != nil, rule.staleIfError == nil {
                warn(
                    "`stale-after` counts for responses that say `stale-if-error`: give it here for those that do not",
                    at: .staleAfter
                )
            }
            if rule.forceTTL != nil {
                if rule.keepsWhatCookiesGet {
                    warn(
                        "`force-ttl` keeps answers to requests with cookies for everybody, unless they say `private`: "
                            + "consider `cookies: bypass` or `cookies: drop`",
                        at: .forceTTL
                    )
                }
                if rule.allowSetCookie {
                    warn("with `force-ttl` a cookie that is set for one client is set for all", at: .allowSetCookie)
                }
                if rule.ttl != nil {
                    warn("`ttl` counts where a response says nothing: `force-ttl` beats it", at: .ttl)
                }
            } else if rule.allowSetCookie {
                warn(
                    "a cookie that is set for one client is set for all who get the kept response",
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
            .map { Diagnostic(at: $0.location, "no route has the origin `\($0.name)`") }
    }

    /// The warnings about routes that lenient servers do not tell apart. Their requests bypass the cache
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
                let message = "`\(rule.name)` differs from `\(other.name)` only in what servers may not tell apart: "
                return Diagnostic(at: rule.locations[.path] ?? rule.location, message + "such requests are not cached")
            }
        }
    }
}

extension RouteRule {
    /// True if responses to requests with cookies are stored for all clients, and the route does not name any cookies
    /// that are credentials.
    fileprivate var keepsWhatCookiesGet: Bool {
        cookies == .forward && credentialCookies == nil
            && (bypass.map { $0.cookies.isEmpty && !$0.fields.contains(.cookie) } ?? true)
    }
}
