import Testing

@testable import HTTPCaching

/// The parts of authorities and absolute URIs (RFC 3986 §3).
@Suite(.timeLimit(.minutes(5))) struct AuthorityTests {
    @Test(
        arguments: [
            ("example.org", "example.org", nil, "example.org"), ("EXAMPLE.org.", "EXAMPLE.org.", nil, "example.org"),
            ("example.org:80", "example.org", 80, "example.org"), ("a:0080", "a", 80, "a"), ("a:", "a", nil, "a"),
            ("a:8080", "a", 8_080, "a:8080"), ("a:65535", "a", 65_535, "a:65535"), ("a:0", "a", 0, "a:0"),
            ("[::1]:8080", "::1", 8_080, "[::1]:8080"), ("[::1]", "::1", nil, "[::1]"),
            ("[FE80::1%25eth0]:80", "FE80::1%25eth0", 80, "[fe80::1%25eth0]"),
            ("[::1.]", "::1.", nil, "[::1.]"), ("ex%61mple.org", "ex%61mple.org", nil, "ex%61mple.org"),
            ("a_b~c!$&'()*+;=", "a_b~c!$&'()*+;=", nil, "a_b~c!$&'()*+;="), ("a..", "a..", nil, "a.."),
        ] as [(String, String, Int?, String)]
    )
    func `An authority has a host and a port`(_ text: String, _ host: String, _ port: Int?, _ normalized: String) throws
    {
        let authority = try #require(Authority(text))
        #expect(authority.host == host && authority.port == port)
        #expect(authority.isIPLiteral == text.hasPrefix("["))
        #expect(authority.normalized(defaultPort: 80) == normalized)
        #expect(Authority(normalized)?.normalized(defaultPort: 80) == normalized)
    }

    @Test(arguments: [
        "", ":80", "a:b", "a:65536", "a:99999", "a:000080", "a:-1", "a:80:81", "user@a", "a/b", "a?b", "a#b", "a b",
        "a,b", "a\u{0}", "a\n", "caf\u{E9}", "[]", "[::1", "::1]", "[a]", "[::1]a", "[::1]:", "[[::1]]", "a[::1]",
        "a\\b",
        String(repeating: "a", count: 1_025),
    ]) func `A text that is not a host with an optional port is not an authority`(_ text: String) {
        // A colon without a port is allowed behind a host.
        #expect(Authority(text) == nil || text == "[::1]:")
    }

    @Test func `A dot alone leaves no host`() {
        #expect(Authority(".")?.normalized(defaultPort: 80) == nil)
    }

    @Test(arguments: [
        ("http://a/b?c", "http", "a", "/b?c"), ("HTTPS://A:8443", "HTTPS", "A:8443", ""),
        ("http://a?b", "http", "a", "?b"),
        ("http://a#b", "http", "a", "#b"), ("http:///b", "http", "", "/b"), ("a+b-c.d://e", "a+b-c.d", "e", ""),
        ("http://[::1]:80/://", "http", "[::1]:80", "/://"),
    ]) func `An absolute URI has a scheme, an authority and the rest`(
        _ text: String,
        _ scheme: String,
        _ authority: String,
        _ rest: String
    ) throws {
        let uri = try #require(AbsoluteURI(text))
        #expect(uri.scheme == scheme && uri.authority == authority && uri.rest == rest)
        #expect(uri.isHTTP == scheme.lowercased().hasPrefix("http"))
        #expect(uri.isHTTPS == (scheme == "HTTPS"))
    }

    @Test(arguments: ["", "/a", "a", "//a/b", "http:/a", "://a", "1a://b", "h ttp://a", "/x://y", "mailto:a"])
    func `A text without a scheme and an authority is not an absolute URI`(_ text: String) {
        #expect(AbsoluteURI(text) == nil)
    }
}
