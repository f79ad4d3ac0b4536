import Larder
import LarderHummingbird
import LarderRedis
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderGateway

/// Purges by URL, key, path and host, and their responses.
@Suite(.timeLimit(.minutes(5))) struct PurgeTests {
    private static let token = "a-token-that-is-long-enough"

    private static func serving(
        token: String? = nil,
        file: String? = nil,
        store: any CacheStore = MemoryStore(limit: .mebibytes(64)),
        log: LogRecord = LogRecord(),
        _ test: @Sendable (RunningGateway) async throws -> Void
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], (request.host ?? "") + request.target)
        } _: { origin in
            try await RunningGateway.run(before: origin.url, store: store, file: file, logger: log.logger) {
                $0.adminToken = token.flatMap { BearerToken($0) }
            } _: { gateway in
                try await test(gateway)
            }
        }
    }

    /// Requests a path of a host, and returns true if the response is a hit.
    private static func get(_ target: String, of host: String, _ gateway: RunningGateway) async throws -> Bool {
        let text = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
        let answers = try await Exchange.send(Array(text.utf8), to: gateway.port).answers
        return try #require(answers.first)["Cache-Status"]?.contains("; hit") == true
    }

    @Test(arguments: [
        ("/caf%C3%A9", "/caf%c3%a9"), ("/caf%c3%a9", "/caf%C3%A9"), ("/a%7eb", "/a~b"), ("/a~b", "/a%7Eb"),
        ("/a%2fb?x=%c3", "/a%2Fb?x=%C3"), ("/caf%C3%a9", "/caf%c3%A9"), ("/%61%2F", "/a%2f"),
    ]) func `Another spelling of the same URL is purged, by PURGE, key and URL`(
        _ stored: String,
        _ spelling: String
    ) async throws {
        try await Self.serving { gateway in try await Self.expectPurged(stored, by: spelling, gateway) }
    }

    @Test(arguments: [
        ("/caf%C3%A9", "/caf%c3%a9"), ("/a~b", "/a%7Eb"), ("/a%2fb?x=%c3", "/a%2Fb?x=%C3"), ("/a", "/%61"),
    ]) func `Another spelling of the same URL is purged from Redis`(_ stored: String, _ spelling: String) async throws {
        try await RedisProcess.run { redis in
            let store = try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .quiet)
            try await Self.serving(store: store) { gateway in
                try await eventually("the store is connected") { store.isAvailable }
                try await Self.expectPurged(stored, by: spelling, gateway)
            }
        }
    }

    private static func expectPurged(_ stored: String, by spelling: String, _ gateway: RunningGateway) async throws {
        let key = spelling.replacing("?", with: "%3F")
        let requests = [
            ("PURGE", spelling), ("DELETE", "/-/larder/urls/http://localhost\(spelling)"),
            ("DELETE", "/-/larder/invalidate/GET:http://LOCALHOST:80\(key)"),
        ]
        for (method, target) in requests {
            for _ in 0..<2 { _ = try await gateway.send("GET", stored) }
            #expect(try await gateway.send("GET", stored).isHit)
            let purged = try await gateway.send(method, target)
            #expect(purged.status == 200 && purged.text.contains("\"removed\":1"), "\(method) \(target)")
            #expect(try await !gateway.send("GET", stored).isHit, "\(method) \(target)")
        }
    }

    @Test func `An encoded slash is not a slash`() async throws {
        try await Self.serving { gateway in
            for _ in 0..<2 { _ = try await gateway.send("GET", "/a%2Fb") }
            #expect(try await gateway.send("PURGE", "/a/b").status == 404)
            #expect(try await gateway.send("GET", "/a%2Fb").isHit)
        }
    }

    @Test func `The response gives the number of removed entries`() async throws {
        try await Self.serving { gateway in
            _ = try await gateway.send("GET", "/a")
            let purged = try await gateway.send("PURGE", "/a")
            #expect(purged.status == 200 && purged.text == #"{"message":"Purged","removed":1}"#)
            let nothing = try await gateway.send("PURGE", "/a")
            #expect(nothing.status == 404 && nothing.text == #"{"message":"This URL is not stored","removed":0}"#)
            let prefix = "/-/larder/"
            _ = try await gateway.send("GET", "/a")
            for (target, status, removed) in [
                ("invalidate/GET:http://localhost/a", 200, 1), ("invalidate/GET:http://localhost/a", 404, 0),
                ("invalidate/GET:https://localhost/b", 404, 0), ("urls/http://localhost/a", 404, 0),
            ] {
                let answer = try await gateway.send("DELETE", prefix + target)
                #expect(
                    answer.status == status && answer.text.contains("\"removed\":\(removed)}"),
                    "\(target) \(answer)"
                )
            }
            // Malformed names get another status than names of entries that are not stored.
            for target in [
                "invalidate/GET:/a", "invalidate/", "invalidate/a", "invalidate/GET:http://localhost/a?b", "urls/",
                "urls/a",
                "urls//localhost/a", "urls/ftp://localhost/a", "urls/http:///a", "urls/http://a|b/c",
                "urls/http:/localhost/a",
                "paths//localhost", "paths///a", "prefixes//localhost/a", "prefixes///a", "tags/",
            ] {
                let answer = try await gateway.send("DELETE", prefix + target)
                #expect([400, 404].contains(answer.status) && !answer.text.contains("removed"), "\(target) \(answer)")
            }
        }
    }

    @Test(arguments: [nil, Self.token]) func `A URL of one host is purged, with and without a token`(
        _ token: String?
    ) async throws {
        try await Self.serving(token: token) { gateway in
            let fields = token.map { ["Authorization: Bearer \($0)"] } ?? []
            for (target, isOther) in [
                ("urls/http://shop.example/a?b=c", false), ("urls/https://SHOP.example:443/a?b=c", false),
                ("paths//shop.example/a", false), ("prefixes//shop.example", false), ("prefixes//Shop.Example/", false),
                ("paths/a", true), ("prefixes/a", true),
            ] {
                for host in ["shop.example", "other.example"] {
                    for _ in 0..<2 { _ = try await Self.get("/a?b=c", of: host, gateway) }
                }
                #expect(try await Self.get("/a?b=c", of: "shop.example", gateway))
                #expect(try await gateway.send("DELETE", "/-/larder/" + target, fields).status == 200, "\(target)")
                #expect(try await !Self.get("/a?b=c", of: "shop.example", gateway), "\(target)")
                #expect(try await Self.get("/a?b=c", of: "other.example", gateway) != isOther, "\(target)")
            }
            guard let token else { return }
            let purge = "PURGE /a?b=c HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n"
            let authorized = purge + "Authorization: Bearer \(token)\r\n\r\n"
            #expect(try await Exchange.send(Array(authorized.utf8), to: gateway.port).statuses == [200])
            #expect(try await Exchange.send(Array((purge + "\r\n").utf8), to: gateway.port).statuses == [401])
        }
    }

    @Test func `A URL is purged with the key of its route`() async throws {
        let file = "routes: [{path: /**, host: shop.example, query: {ignore: [utm_*]}}]"
        try await Self.serving(file: file) { gateway in
            for _ in 0..<2 { _ = try await Self.get("/a?utm_x=1", of: "shop.example", gateway) }
            let answer = try await gateway.send("DELETE", "/-/larder/urls/http://shop.example/a?utm_y=2")
            #expect(answer.status == 200 && answer.text.contains("\"removed\":1"))
        }
    }

    @Test func `Every admin request is logged, and a refused one as a warning`() async throws {
        let log = LogRecord()
        try await Self.serving(token: Self.token, log: log) { gateway in
            let fields = ["Authorization: Bearer \(Self.token)"]
            _ = try await gateway.send("GET", "/a")
            _ = try await gateway.send("PURGE", "/a", fields)
            _ = try await gateway.send("DELETE", "/-/larder/tags/posts", fields)
            _ = try await gateway.send("DELETE", "/-/larder/invalidate/GET:http://localhost/a", fields)
            _ = try await gateway.send("GET", "/-/larder/metrics/cache", fields)
            _ = try await gateway.send("DELETE", "/-/larder/everything")
            _ = try await gateway.send("PURGE", "/a")
            _ = try await gateway.send("GET", "/-/larder/health")
        }
        #expect(
            log.lines.filter { $0.contains("dmin request") } == [
                "info Admin request client=127.0.0.1 host=localhost removed=1 request=PURGE /a status=200",
                "info Admin request client=127.0.0.1 request=DELETE /-/larder/tags/posts status=200",
                "info Admin request client=127.0.0.1 removed=0 request=DELETE "
                    + "/-/larder/invalidate/GET:http://localhost/a status=404",
                "info Admin request client=127.0.0.1 request=GET /-/larder/metrics/cache status=200",
                "warning An admin request was refused client=127.0.0.1 request=DELETE /-/larder/everything status=401",
                "warning An admin request was refused client=127.0.0.1 host=localhost request=PURGE /a status=401",
            ]
        )
        #expect(!log.lines.joined().contains(Self.token))
    }
}

/// Requests for hosts that are not served.
@Suite(.timeLimit(.minutes(5))) struct HostListTests {
    @Test func `A served host may have the default port of its scheme`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.host ?? "")
        } _: { origin in
            let options = ["hosts": "shop.example", "trusted-proxies": "127.0.0.1, ::1"]
            try await RunningGateway.run(before: origin.url, options: options) { gateway in
                for (host, scheme, status) in [
                    ("shop.example:443", "https", 200), ("shop.example.:443", "https", 200),
                    ("shop.example:80", "https", 421), ("shop.example:443", "http", 421),
                    ("shop.example", "https", 200),
                ] {
                    let fields = ["X-Forwarded-Proto: \(scheme)", "X-Forwarded-Host: \(host)"]
                    let answer = try await gateway.send("GET", "/", fields)
                    #expect(answer.status == status, "\(host) \(scheme)")
                }
                #expect(origin.requests.map(\.host) == ["shop.example"])
            }
        }
    }

    @Test func `Requests for other hosts get 421, and are not stored`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.host ?? "")
        } _: { origin in
            try await RunningGateway.run(
                before: origin.url,
                options: ["hosts": "shop.example, *.example.org, api.example:9000"]
            ) { gateway in
                func status(_ host: String, _ start: String = "GET /") async throws -> Int? {
                    let text = "\(start) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                    return try await Exchange.send(Array(text.utf8), to: gateway.port).statuses.first
                }
                for number in 0..<100 {
                    let status = try await status("host\(number).example")
                    #expect(status == 421)
                }
                for host in ["example.org", "shop.example.evil", "127.0.0.1", "evilshop.example", "[::1]"] {
                    #expect(try await status(host) == 421, "\(host)")
                    #expect(try await status(host, "POST /") == 421, "\(host)")
                }
                #expect(origin.requests.isEmpty)
                let ports = (1...99).map { "shop.example:\($0)" }.filter { $0 != "shop.example:80" }
                for host in ports + ["shop.example.:1", "shop.example..", "shop.example:9000"] {
                    #expect(try await status(host) == 421, "\(host)")
                }
                #expect(try await status("shop.example:65616") == 400)
                #expect(origin.requests.isEmpty)
                let spellings = [
                    "SHOP.example", "shop.example:80", "shop.example.", "Shop.Example.:0080", "shop.example:",
                ]
                for host in ["shop.example"] + spellings { #expect(try await status(host) == 200, "\(host)") }
                // All of these spellings have one key.
                #expect(origin.requests.map(\.host) == ["shop.example"])
                for host in ["shop.example:\(gateway.port)", "api.example:9000", "a.b.example.org"] {
                    #expect(try await status(host) == 200, "\(host)")
                }
                #expect(origin.requests.count == 4)
                // Load balancers check the health by an address.
                #expect(try await status("10.1.2.3", "GET /-/larder/health") == 200)
                #expect(await gateway.gateway.cache.count() == 4)
                // A request without a host is sent to the origin's own name.
                let bare = try await Exchange.send(Array("GET / HTTP/1.0\r\n\r\n".utf8), to: gateway.port)
                #expect(bare.statuses == [200] && origin.requests.last?.host == "127.0.0.1:\(origin.port)")
            }
        }
    }
}

/// Requests that ask to be handled as requests with another method.
@Suite(.timeLimit(.minutes(5))) struct MethodOverrideTests {
    @Test func `A write is forwarded with its method override, and a GET or HEAD without`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.method)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
                    for (method, isForwarded) in [
                        ("POST", true), ("PUT", true), ("PATCH", true), ("DELETE", true), ("GET", false),
                        ("HEAD", false),
                    ] {
                        // The override is removed from a request that bypasses the cache as well, because it would
                        // change something without invalidating it.
                        for cookie in [[], ["If-Match: \"a\""]] {
                            let target = "/\(name)/\(method)/\(cookie.count)"
                            let length = isForwarded ? ["Content-Length: 0"] : []
                            _ = try await gateway.send(method, target, ["\(name): PATCH"] + cookie + length)
                            let request = try #require(origin.requests.last)
                            #expect(request.target == target)
                            #expect((request[name] == "PATCH") == isForwarded, "\(method) \(name)")
                        }
                    }
                }
            }
        }
    }
}
