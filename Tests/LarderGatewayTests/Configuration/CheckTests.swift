import Larder
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct CheckTests {
    @Test func `A check describes each route in words`() {
        let check = GatewayCheck.run(Sample.everything)
        #expect(check.diagnostics.isEmpty && check.warnings.isEmpty)
        let expected = """
            https://[::]:8443 passes requests on to https://api.internal:8443, or where a route says so.
            Responses are kept in Redis, up to 128 variants under one key. Errors (5xx, and 4xx but 404, 405, \
            410, 414 and 451) are fresh for \
            10s at most, or as a route says. The first route that matches counts.

            requests for           go to   and what comes back is
            /account/**            api     never kept
                                           a write that succeeds invalidates the tag accounts, /me, /profiles/**
            /api/posts/*/comments  api     fresh as long as it says, or for 30s where it says nothing
                                           served stale for 5m more while a new one is fetched
                                           served stale for 1d more where the origin fails
                                           served stale after 200ms if the origin is slow
                                           kept apart by Accept-Language
                                           past the cache for requests with a cookie
                                           the same whatever Cache-Control a client sends
                                           past the cache for requests with the cookie session or wordpress_logged_in_*
                                           past the cache for requests with the parameter preview
                                           past the cache for requests with the field X-Debug
                                           kept up to 512KiB
                                           cached by Shop-Cache-Control, CDN-Cache-Control before Cache-Control
                                           tagged posts, comments
                                           tagged by the fields Cache-Tag
                                           coalescing timeout 2s
            *.img.example.org/**   images  fresh for 2h whatever it says, but no-store, private or no-cache
                                           fresh for 1m at most if they are errors
                                           the same whatever the parameters utm_*, fbclid
                                           fetched without cookies, and the same for everybody
                                           kept up to 1MiB
                                           not kept with more than 2000 tags of its own
                                           a write that fails with a 5xx invalidates as well
            everything else        api     fresh as long as it says, or a guess from Last-Modified
                                           kept up to 512KiB

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
        #expect(check.summary.contains("kept up to \(limit)\n"), "\(check.summary)")
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
