import HTTPCaching
import HTTPTypes
import Larder
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct RouteTableTests {
    static let routes = """
        routes:
          - path: /account/**
            cache: off
          - path: /static/**
            force-ttl: 1h
          - path: /files/*
            ttl: 1m
          - {path: /**, host: "*.example.org", ttl: 5s}
          - {path: /, host: other.example, cache: off}
        """

    @Test(arguments: [
        ("/account/me", "/account/** (uncached)"), ("/account", "/account/** (uncached)"),
        ("/%61ccount/me", "/account/** (uncached)"), ("//account//me", "/account/** (uncached)"),
        ("/static/a.css", "/static/**"), ("/static/a.css?v=../../account", "/static/**"), ("/files/1", "/files/*"),
        ("/files/1/2", "default"), ("/", "default"), ("/statics", "default"),
        // These paths are not cached, because lenient servers read them as a path of the account.
        ("/Account/me", "default (uncached)"), ("/ACCOUNT", "default (uncached)"),
        ("/static/../account/me", "/static/** (uncached)"), ("/static/%2e%2e/account/me", "/static/** (uncached)"),
        ("/static/..%2Faccount%2fme", "/static/** (uncached)"), ("/static/..%5Caccount", "/static/** (uncached)"),
        ("/static/..\\account", "/static/** (uncached)"), ("/static/..;/account/me", "/static/** (uncached)"),
        ("/account%2Fme", "default (uncached)"), ("/account;a.css", "default (uncached)"),
        ("/account%3Fa.css", "default (uncached)"), ("/account%23a.css", "default (uncached)"),
        ("/account%00a.css", "default (uncached)"), ("/./account/me", "default (uncached)"),
        ("/files/a%2Fb", "/files/* (uncached)"),
        // These paths are cached, because all servers read them as a path of the same route.
        ("/static/A.css", "/static/**"), ("/static/x/../A.css", "/static/**"), ("/static/a;v=1", "/static/**"),
        ("/static/a%2Fb", "/static/**"), ("/files/.well-known", "/files/*"), ("/Files2", "default"),
    ]) func `A path is not cached if any reading of it belongs to an uncached route`(
        _ path: String,
        _ route: String
    ) throws {
        #expect(try RouteTable(Self.routes).name(path) == route)
    }

    @Test(arguments: [
        ("a.example.org", "/x", "*.example.org/**"), ("A.Example.org:80", "/x", "*.example.org/**"),
        ("a.example.org", "/account", "/account/** (uncached)"), ("other.example", "/", "other.example/ (uncached)"),
        ("other.example", "/x", "default"), (nil, "/x", "default"),
    ]) func `The first route that matches host and path is used`(
        _ host: String?,
        _ path: String,
        _ route: String
    ) throws {
        #expect(try RouteTable(Self.routes).name(path, host: host) == route)
    }

    @Test func `A route without rules has the policy of a gateway`() throws {
        let table = try RouteTable("body-limit: 3MiB\nroutes: [{path: /x}]")
        for path in ["/x", "/y"] {
            let policy = table.route(host: nil, path: path).policy
            #expect(policy.rules == .gateway && policy.bodyLimit == .mebibytes(3) && policy.bypassRule == nil)
            #expect(policy.keys.fields.isEmpty && policy.withheldFields.isEmpty && policy.originKind == .server)
            #expect(policy.coalescingTimeout == CachePolicy.gateway.coalescingTimeout)
        }
        #expect(table.bodyLimit == .mebibytes(3))
    }

    @Test func `Tags in a file can be percent-encoded or not, as in a response`() throws {
        let table = try RouteTable(
            """
            routes:
              - path: /x
                tags: [new arrivals, caf\u{E9}, a%2Cb, 'garden & home']
                invalidates: [new%20arrivals, /caf%C3%A9, /a b/**]
                tag-limit: 2000
              - path: /y
            """
        )
        let policy = table.route(host: nil, path: "/x").policy
        #expect(policy.tags == ["new arrivals", "caf\u{E9}", "a,b", "garden & home"])
        #expect(policy.invalidated == [.tag("new arrivals"), .path("/caf\u{E9}"), .prefix("/a b")])
        #expect(policy.tagLimit == 2_000)
        #expect(table.route(host: nil, path: "/y").policy.tagLimit == 1_000)
    }

    @Test func `A rule can name the cookies and fields that are credentials`() throws {
        let table = try RouteTable(
            """
            routes:
              - {path: /a, credentials: {cookies: [session, wp_*], fields: [X-Tenant]}}
              - {path: /b, credentials: {fields: []}}
              - {path: /c, cookies: ignore}
              - {path: /d, cookies: forward}
            """
        )
        func policy(_ path: String) -> CachePolicy { table.route(host: nil, path: path).policy }
        #expect(policy("/a").credentialCookies?.map(\.description) == ["session", "wp_*"])
        #expect(policy("/a").rules.credentialFields.map(\.rawName) == ["X-Tenant"])
        #expect(policy("/b").rules.credentialFields.isEmpty && policy("/b").credentialCookies == nil)
        #expect(policy("/c").withheldFields == [.cookie] && policy("/d").withheldFields.isEmpty)
        #expect(policy("/d").rules.credentialFields == CachingRules.gateway.credentialFields)
    }

    @Test func `The policy of a route follows its rule`() throws {
        let file = GatewayConfiguration.File(name: "f", text: Sample.everything)
        let table = try GatewayConfiguration(file: file, environment: [:]).routes
        #expect(table.origins.map(\.host) == ["api.internal", "::1"] && table.bodyLimit == .mebibytes(1))

        let account = table.route(host: nil, path: "/account/me")
        #expect(!account.isCached && account.policy.bypassRule == .everything && account.originName == "api")
        #expect(account.policy.invalidated == [.tag("accounts"), .path("/me"), .prefix("/profiles")])

        let comments = table.route(host: nil, path: "/api/posts/1/comments").policy
        #expect(comments.rules.defaultLifetime == .seconds(30) && comments.rules.forcedLifetime == nil)
        #expect(comments.rules.staleWhileRevalidate == .seconds(300) && comments.rules.staleIfError == .seconds(86_400))
        #expect(comments.softTimeout == .milliseconds(200) && comments.clientDirectives == .ignore)
        #expect(comments.keys.fields == [.acceptLanguage] && comments.tags == ["posts", "comments"])
        #expect(comments.rules.tagFields.map(\.rawName) == ["Cache-Tag"] && comments.coalescingTimeout == .seconds(2))
        #expect(comments.rules.targetedFields.map(\.rawName) == ["Shop-Cache-Control", "CDN-Cache-Control"])
        #expect(comments.bypassRule?.cookies.map(\.description) == ["session", "wordpress_logged_in_*"])
        #expect(comments.bypassRule?.parameters.map(\.description) == ["preview"])
        #expect(comments.bypassRule?.fields.map(\.canonicalName) == ["x-debug", "cookie"])

        let images = table.route(host: "a.img.example.org", path: "/1.png")
        #expect(images.origin.port == 9000 && images.originName == "images")
        #expect(images.policy.rules.forcedLifetime == .seconds(7_200) && images.policy.withheldFields == [.cookie])
        #expect(images.policy.rules.errorLifetimeLimit == .seconds(60))
        #expect(comments.rules.errorLifetimeLimit == .seconds(10))
        #expect(images.policy.keys.ignoredParameters.map(\.description) == ["utm_*", "fbclid"])
        #expect(images.policy.tagLimit == 2_000)
        #expect(images.policy.softTimeout == nil && images.policy.clientDirectives == .coalesce)
        #expect(images.policy.bodyLimit == .mebibytes(1) && !images.policy.rules.allowsSetCookie)
    }
}
