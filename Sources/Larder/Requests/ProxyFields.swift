import HTTPCaching
package import HTTPTypes

/// The request fields that proxies, CDNs and the servers of frameworks write for the software behind them, and that
/// this software believes even if a client wrote them.
///
/// If an origin's response depends on such a field, a client that sends the field chooses what is stored for all
/// clients ("web cache poisoning"). Browsers and other clients have no reason to send one. Fields that change responses
/// and that clients do send, such as `RSC`, `X-Nextjs-Data` and `X-Requested-With`, are not listed: an origin names
/// them in `Vary`, or a rule names them. Fields in which a proxy sends the user's name (`X-Remote-User`) are not listed
/// either: a proxy in front may be allowed to send them.
package enum ProxyFields {
    /// The fields that state the address of a client, except those with one of ``prefixes``.
    package static let addresses: Set<String> = [
        "forwarded", "forwarded-for", "forwarded-for-ip", "z-forwarded-for", "http-forwarded", "http-forwarded-for",
        "http-x-forwarded", "http-x-forwarded-for", "http-client-ip", "http-via",
        "client-ip", "x-client-ip", "proxy-client-ip", "x-proxyuser-ip", "x-real-ip", "x-realip", "x-remote-ip",
        "x-remote-addr", "remote-addr", "x-originating-ip", "x-source-ip", "x-true-ip", "x-true-client-ip",
        "x-cluster-client-ip", "cluster-client-ip", "true-client-ip", "x-custom-ip-authorization", "x-coming-from",
        "coming-from",
        // CDNs and clouds.
        "cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "fastly-client-ip", "fastly-temp-xff",
        "x-azure-clientip", "x-azure-socketip", "x-appengine-user-ip", "x-appengine-remote-addr",
        "x-nf-client-connection-ip", "x-vercel-forwarded-for", "x-vercel-proxied-for", "fly-client-ip",
        "do-connecting-ip", "ali-cdn-real-ip", "cdn-src-ip", "x-cdn-src-ip", "x-sucuri-clientip", "incap-client-ip",
    ]

    /// The fields that state a request's host, target, scheme or treatment.
    private static let others: Set<String> = [
        "proxy", "x-host", "x-http-host-override", "x-backend-host", "x-proxy-host", "disguised-host",
        "was-default-hostname",
        "x-rewrite-url", "x-request-uri", "x-override-url", "x-waws-unencoded-url", "script-name", "x-script-name",
        "path-info",
        "x-url-scheme", "x-scheme", "x-proto", "x-client-scheme", "front-end-https", "x-arr-ssl", "cf-visitor",
        "cloudfront-forwarded-proto", "fastly-ssl",
        "fly-forwarded-proto", "fly-forwarded-port", "fly-forwarded-ssl",
        "x-wap-profile", "x-accel-internal", "x-accel-mapping", "x-sendfile-type",
        // A server that finds this field writes what an edge has to assemble (Edge Side Includes).
        "surrogate-capability",
        // Next.js behind its own edge, and Nuxt without rendering.
        "x-now-route-matches", "x-matched-path", "x-nuxt-no-ssr",
    ]

    /// The prefixes of names that all belong to such fields.
    package static let prefixes = [
        "x-forward", "x-original-", "wl-proxy-", "x-envoy-", "l5d-", "x-middleware-", "x-invoke-", "x-react-router-",
        "x-astro-",
    ]

    /// The names of all fields that are listed one by one.
    package static let names = addresses.union(others)

    /// Returns true for the canonical name of such a field, with any separators: CGI and its successors read
    /// `X_Real_IP` as `X-Real-IP`.
    package static func contain(_ canonical: String) -> Bool {
        let name = hyphenated(canonical)
        return names.contains(name) || prefixes.contains(where: name.hasPrefix)
    }

    /// Returns true if only proxies write a field: a request with it came through a proxy, or its client pretends that
    /// it did.
    package static func identifyProxy(_ canonical: String) -> Bool {
        let name = hyphenated(canonical)
        return addresses.contains(name) || name == "via" || name.hasPrefix("x-forward")
    }

    /// Returns a canonical name with a hyphen in place of each byte that is neither a letter nor a digit, as CGI reads
    /// it.
    package static func hyphenated(_ canonical: String) -> String {
        guard canonical.utf8.contains(where: { !isPlain($0) }) else { return canonical }
        return String(decoding: canonical.utf8.map { isPlain($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }

    /// Returns true if the name of a field has only letters, digits and hyphens, so that every server reads it alike.
    package static func isPlain(_ name: HTTPField.Name) -> Bool { name.canonicalName.utf8.allSatisfy(isPlain) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        ASCII.isLetter(byte) || ASCII.isDigit(byte) || byte == ASCII.hyphen
    }
}
