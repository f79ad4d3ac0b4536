import Foundation
import Larder
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct CheckTests {
    @Test func `A check describes each route in words`() {
        let check = GatewayCheck.run(Sample.everything)
        #expect(check.diagnostics.isEmpty)
        #expect(check.hints.map { $0.prefix(24) } == ["19:19: `admin-token-file"])
        let expected = """
            https://[::]:8443 forwards requests to https://api.internal:8443, unless a route names another origin.
            Responses are stored in Redis, up to 128 variants per key. Errors (5xx, and 4xx other than 404, 405, \
            410, 414 and 451) are fresh for at most \
            10s, unless a route sets error-ttl. The first route that matches is used.

            requests for           go to   caching
            /account/**            api     nothing is stored
                                           a successful write invalidates the tag accounts, /me, /profiles/**
            /api/posts/*/comments  api     responses are fresh as declared, or for 30s if they declare no lifetime
                                           stale responses are served for 5m more while they are refreshed
                                           stale responses are served for 1d more if the origin fails
                                           stale responses are served after 200ms if the origin is slow
                                           responses are stored separately for each value of Accept-Language
                                           requests with a cookie bypass the cache
                                           Cache-Control in requests is ignored, except only-if-cached and no-store
                                           requests with the cookie session or wordpress_logged_in_* bypass the cache
                                           requests with the parameter preview bypass the cache
                                           requests with the field X-Debug bypass the cache
                                           bodies are stored up to 512KiB
                                           Shop-Cache-Control, CDN-Cache-Control take precedence over Cache-Control
                                           responses have the tags posts, comments
                                           tags are read from the fields Cache-Tag
                                           the coalescing timeout is 2s
            *.img.example.org/**   images  responses are fresh for 2h, unless they declare no-store, private or no-cache
                                           errors are fresh for at most 1m
                                           the parameters utm_*, fbclid are ignored
                                           cookies are not forwarded, and all clients share responses
                                           bodies are stored up to 1MiB
                                           responses with more than 2000 tags are not stored
                                           a write that fails with a 5xx invalidates too
            everything else        api     responses are fresh as declared, or by a heuristic from Last-Modified
                                           bodies are stored up to 512KiB

            """
        #expect(check.summary == expected)
    }

    @Test func `A check of an invalid file does not print a table or secrets`() {
        let text = Sample.everything.replacing("ttl: 30s", with: "ttl: 30")
        let check = GatewayCheck.run(text)
        #expect(check.lines.count == 1 && check.summary.isEmpty)
        #expect(!GatewayCheck.run(Sample.everything).summary.contains("secret"))
    }

    @Test(arguments: [
        (
            "stale-after: 1s",
            ["served after 1s if the origin is slow, as far as they declare stale-if-error"]
        ),
        ("stale-after: 1s, stale-if-error: 1m", ["stale responses are served after 1s if the origin is slow"]),
        ("host: other.example", ["no requests: the host is not one of the `hosts`"]),
        ("cookies: ignore", ["cookies are not forwarded, and all clients share responses"]),
        (
            "cookies: ignore, credentials: {cookies: [a, b, c]}",
            [
                "requests with the cookie a, b or c bypass the cache",
                "other cookies are not forwarded, and do not affect what is stored",
            ]
        ),
        ("cookies: bypass, credentials: {cookies: [a]}", ["requests with a cookie bypass the cache"]),
    ]) func `A summary agrees with the warnings, and its phrases with each other`(
        _ keys: String,
        _ expected: [String]
    ) throws {
        let check = GatewayCheck.run("origin: http://o\nhosts: shop.example\nroutes: [{path: /x, \(keys)}]")
        #expect(check.diagnostics.isEmpty)
        let row = check.summary.components(separatedBy: "/x ")[1].components(separatedBy: "\neverything else")[0]
        let phrases = row.split(separator: "\n").map { String($0.drop { $0 == " " }) }
        for phrase in expected { #expect(phrases.contains { $0.hasSuffix(phrase) }, "\(phrases)") }
        let cookies = phrases.filter { $0.contains("cookie") }
        #expect(cookies.isEmpty || cookies.count == expected.count, "\(phrases)")
    }

    @Test(arguments: [
        ("memory-limit: 32MiB\nbody-limit: 1GiB", "32508KiB", "2:13"),
        ("memory-limit: 1MiB\nbody-limit: 8MiB", "764KiB", "2:13"),
        ("memory-limit: 1MiB", "764KiB", nil), ("body-limit: 64MiB", "64MiB", nil),
        ("store: redis://a\nbody-limit: 8MiB", "1MiB", "2:13"), ("store: redis://a", "1MiB", nil),
        ("routes: [{path: /a, body-limit: 300MiB}]", "8MiB", "1:21"), ("body-limit: 0", "0", nil),
    ]) func `A check prints the size up to which bodies are actually stored`(
        _ settings: String,
        _ limit: String,
        _ place: String?
    ) throws {
        let text = settings + "\norigin: http://o"
        let check = GatewayCheck.run(text)
        #expect(check.summary.contains("bodies are stored up to \(limit)\n"), "\(check.summary)")
        #expect(
            check.hints.map { String($0.prefix { $0 != " " }) } == (place.map { ["\($0):"] } ?? []),
            "\(check.hints)"
        )
        // The policies for requests have the same limit, and a store that is created with this limit accepts such a
        // body.
        let configuration = try GatewayConfiguration(file: .init(name: "larder.yaml", text: text), environment: [:])
        let policy = configuration.routes.route(host: nil, path: "/").policy
        #expect("\(policy.bodyLimit)" == limit)
        guard configuration.settings.store == .memory else { return }
        let store = MemoryStore(
            limit: configuration.settings.memoryLimit,
            entryLimit: CacheEntry.limit(forBodiesOf: configuration.routes.bodyLimit)
        )
        #expect(CacheEntry.limit(forBodiesOf: policy.bodyLimit) <= store.entryLimit)
    }

    @Test(arguments: [
        ("127.0.0.1:8000", []), ("[::1]:8000", []), ("localhost:8000", []), ("0.0.0.0:8000", ["1:9"]),
        ("192.0.2.1:80", ["1:9"]), ("gateway.example:80", ["1:9"]),
    ]) func `A check recommends a list of hosts if other machines can connect`(_ listen: String, _ locations: [String])
    {
        let text = "listen: \"\(listen)\"\norigin: http://o:3000\n"
        #expect(GatewayCheck.run(text).hints.map { String($0.prefix(3)) } == locations)
        #expect(GatewayCheck.run(text + "hosts: shop.example").hints.isEmpty)
    }

    @Test func `A check warns about a route for a host that is not served and about trusting all clients`() {
        let routes = "origin: http://o\nroutes: [{path: /a, host: a.example}, {path: /b, host: \"*.b.example\"}]\n"
        #expect(GatewayCheck.run(routes + "hosts: [a.example, x.b.example]").hints.isEmpty)
        #expect(GatewayCheck.run(routes + "hosts: a.example").hints.count == 1)
        for network in ["0.0.0.0/0", "::/0"] {
            #expect(GatewayCheck.run("origin: http://o\ntrusted-proxies: \(network)").hints.count == 1)
        }
    }

    @Test(arguments: [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"), ("127.0.0.1:8000", "https://localhost:8000"),
        ("127.0.0.1:8000", "http://0.0.0.0:8000"), ("127.0.0.1:8000", "http://127.1:8000"),
        ("127.0.0.1:8000", "http://0x7f000001:8000"), ("127.0.0.1:8000", "http://[::ffff:127.0.0.1]:8000"),
        ("[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000"), ("localhost:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:80", "http://127.0.0.5"), ("[::]:443", "https://127.0.0.1"), ("[::]:80", "http://[::1]/"),
        ("gateway.example:80", "http://GATEWAY.example."),
    ]) func `An origin that is the gateway itself is rejected`(_ listen: String, _ origin: String) {
        let text = "listen: \"\(listen)\"\norigin: \(origin)\nhosts: a.example\n"
        let check = GatewayCheck.run(text)
        #expect(check.lines.count == 1 && check.lines[0].hasPrefix("2:9: `origin`: "), "\(check.lines)")
        let named =
            "listen: \"\(listen)\"\norigins: {a: http://o, b: \(origin)}\norigin: a\nroutes: [{path: /, origin: b}]"
        #expect(GatewayCheck.run(named).lines.count == 1)
        // An address with another port is another server.
        let other = listen.replacing(/:[0-9]+$/, with: ":1")
        #expect(GatewayCheck.run("listen: \"\(other)\"\norigin: \(origin)\nhosts: a.example\n").lines.isEmpty)
    }

    @Test(arguments: ["http://127.0.0.2:8000", "http://[::1]:8000", "http://o:8000", "http://127.0.0.1:8001"])
    func `An origin on another address is accepted`(_ origin: String) {
        #expect(GatewayCheck.run("listen: 127.0.0.1:8000\norigin: \"\(origin)\"").lines.isEmpty)
    }
}
