package import HTTPTypes

/// The request fields that proxies, CDNs and the servers of frameworks write for what stands behind them, and that
/// software believes whoever wrote them: the one list of them.
///
/// An origin that answers by such a field answers the client that wrote it, and what it answers is stored for all ("web
/// cache poisoning"). None of them is a field that a browser or another client has a reason to send. Fields that change
/// responses and that clients do send are not among them, such as `RSC`, `X-Nextjs-Data` and `X-Requested-With`: for
/// these an origin says `Vary`, or a rule names them. Nor are those by which a proxy says who the user is
/// (`X-Remote-User`): a proxy in front may have the right to.
package enum ProxyFields {
    /// The fields that tell the address of a client, beside those with one of ``prefixes``.
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

    /// The fields that tell of a request's host, target, scheme or treatment.
    private static let others: Set<String> = [
        "proxy", "x-host", "x-http-host-override", "x-backend-host", "x-proxy-host", "disguised-host",
        "was-default-hostname",
        "x-rewrite-url", "x-request-uri", "x-override-url", "x-waws-unencoded-url", "script-name", "x-script-name",
        "path-info",
        "x-url-scheme", "x-scheme", "x-proto", "x-client-scheme", "front-end-https", "x-arr-ssl", "cf-visitor",
        "cloudfront-forwarded-proto", "fastly-ssl",
        "fly-forwarded-proto", "fly-forwarded-port", "fly-forwarded-ssl",
        "x-wap-profile", "x-accel-internal", "x-accel-mapping", "x-sendfile-type",
        // A server that finds it writes what an edge is to put together (Edge Side Includes).
        "surrogate-capability",
        // Next.js behind its own edge, and Nuxt without rendering.
        "x-now-route-matches", "x-matched-path", "x-nuxt-no-ssr",
    ]

    /// The beginnings of fields that are all of this kind.
    package static let prefixes = [
        "x-forward", "x-original-", "wl-proxy-", "x-envoy-", "l5d-", "x-middleware-", "x-invoke-", "x-react-router-",
        "x-astro-",
    ]

    /// All that are listed one by one.
    package static let names = addresses.union(others)

    /// Returns true for the canonical name of such a field, whichever of its separators it is written with: behind CGI
    /// and what is made after its likeness, `X_Real_IP` is the same as `X-Real-IP`.
    package static func contain(_ canonical: String) -> Bool {
        let name = hyphenated(canonical)
        return names.contains(name) || prefixes.contains(where: name.hasPrefix)
    }

    /// Returns true if only a proxy writes a field: a request with it came through one, or its client wants that to be
    /// believed.
    package static func tellOfProxy(_ canonical: String) -> Bool {
        let name = hyphenated(canonical)
        return addresses.contains(name) || name == "via" || name.hasPrefix("x-forward")
    }

    /// Returns a canonical name with hyphens for all that is neither a letter nor a digit, as CGI reads it.
    package static func hyphenated(_ canonical: String) -> String {
        guard canonical.utf8.contains(where: { !isPlain($0) }) else { return canonical }
        return String(decoding: canonical.utf8.map { isPlain($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }

    /// Returns true if a field has a name of letters, digits and hyphens alone, which every server reads alike.
    package static func isPlain(_ name: HTTPField.Name) -> Bool { name.canonicalName.utf8.allSatisfy(isPlain) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
