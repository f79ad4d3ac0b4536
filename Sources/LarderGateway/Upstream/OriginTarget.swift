#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A request's target on an origin server.
enum OriginTarget {
    /// The URL that makes the client library send `target` to the server at `base`, byte for byte; nil where it would
    /// send something else.
    ///
    /// AsyncHTTPClient takes a URL apart and sends what it made of its path and query: of `/caf%E9` it makes `/`, of
    /// `/|` `/%7C`, and a target that does not begin with a slash could even change the host. What it would alter it is
    /// never given, since an origin's answer to another target would be stored under this one.
    /// - Parameter base: scheme and authority, such as `http://127.0.0.1:9000`.
    static func url(of target: String, on base: String) -> String? {
        guard target.utf8.first == UInt8(ascii: "/"), target.utf8.allSatisfy(isLegal) else { return nil }
        let text = base + target
        guard let url = URL(string: text), let server = URL(string: base),
            let parts = URLComponents(url: url, resolvingAgainstBaseURL: true),
            url.scheme == server.scheme, url.host == server.host, url.port == server.port
        else { return nil }
        // As AsyncHTTPClient does it (HTTPHandler.swift, `URL.uri`).
        var sent = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        if let query = url.query { sent += "?" + query }
        return sent == target ? text : nil
    }

    /// Whether a byte may stand in a target: visible ASCII, and no fragment, which would end it.
    private static func isLegal(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "#")
    }
}
