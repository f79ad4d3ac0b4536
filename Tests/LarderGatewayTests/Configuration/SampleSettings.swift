import TestHelpers

@testable import LarderGateway

extension GatewayCheck {
    /// Checks a file in an environment that only has the given variables.
    static func run(_ text: String, _ environment: [String: String] = [:]) -> GatewayCheck {
        run(text: text, name: "larder.yaml", environment: environment)
    }

    /// The diagnostics as they are printed, without the name of the file and the severity.
    var lines: [String] { diagnostics.map(Self.line) }

    /// The warnings as they are printed, without the name of the file and the severity.
    var hints: [String] { warnings.map(Self.line) }

    private static func line(_ diagnostic: Diagnostic) -> String {
        switch diagnostic.location {
        case .file(_, let line, let column): "\(line):\(column): \(diagnostic.message)"
        case .variable(let name), .option(let name): "\(name): \(diagnostic.message)"
        case .nowhere: diagnostic.message
        }
    }
}

extension RouteTable {
    /// Creates the table of a valid file.
    init(_ routes: String) throws {
        let text = "origin: http://o\n" + routes
        self = try GatewayConfiguration(file: .init(name: "larder.yaml", text: text), environment: [:]).routes
    }

    /// Returns the name of a path's route, followed by `(uncached)` if nothing is cached for the path.
    func name(_ path: String, host: String? = "example.org") -> String {
        let route = route(host: host, path: path)
        return route.name + (route.isCached ? "" : " (uncached)")
    }
}

enum Sample {
    /// A file with all settings and all keys of routes.
    static let everything = """
        # A gateway in front of two servers.
        listen: "[::]:8443"
        hosts: [shop.example, "*.example.org", "api.example:8443"]
        trusted-proxies: [10.0.0.0/8, "2001:db8::/32"]
        trusted-fields: forwarded
        proxy-protocol: on
        origin: api
        store: rediss://:secret@cache.internal:6380/1
        namespace: "shop:"
        redis-timeout: 200ms
        memory-limit: 512MiB
        in-flight-limit: 80MiB
        invalidation-log: 4MiB
        body-limit: 512KiB
        variant-limit: 128
        certificate: /etc/larder/tls.pem
        private-key: /etc/larder/tls.key
        admin-token: 0123456789abcdef
        admin-token-file: /etc/larder/token
        admin-access: loopback
        admin-listen: unix:///run/larder.sock
        admin-prefix: /_cache
        access-log: "-"
        access-log-format: json
        access-log-fields: [time, client, result]
        connect-timeout: 500ms
        response-timeout: 10s
        idle-timeout: 90s
        client-idle-timeout: 2m
        client-connections: 100
        client-connections-per-address: 16
        client-rate: 2KiB
        spool-limit: 4MiB
        spool-space: 100MiB
        spool-directory: /var/spool/larder
        connections-per-origin: 64
        origin-ca: /etc/larder/ca.pem
        host-field: origin
        paths: reject
        underscore-fields: keep
        drop-fields: [X-Tenant-Debug, X-Internal-*]
        name: Shop
        health-path: /health?deep=1
        log-level: debug
        drain-timeout: 0s
        drain-delay: 10s
        header-limit: 32KiB
        half-close: allow

        origins:
          api: https://api.internal:8443
          images: http://[::1]:9000/

        x-shared: &careful
          cookies: bypass
          stale-if-error: 1d

        routes:
          - path: /account/**
            cache: off
            invalidates: [accounts, /me, /profiles/**]
          - path: /api/posts/*/comments
            <<: *careful
            ttl: 30s
            stale-while-revalidate: 5m
            stale-after: 200ms
            client-directives: ignore
            vary: [Accept-Language]
            bypass:
              cookies: [session, wordpress_logged_in_*]
              query: [preview]
              fields: X-Debug
            tags: [posts, comments]
            tag-fields: [Cache-Tag]
            targeted-fields: [Shop-Cache-Control, CDN-Cache-Control]
            coalescing-timeout: 2s
          - host: "*.img.example.org"
            path: /**
            origin: images
            force-ttl: 2h
            error-ttl: 1m
            cookies: drop
            query:
              ignore: [utm_*, fbclid]
            body-limit: 1MiB
            tag-limit: 2000
            allow-set-cookie: false
            invalidate-on-error: true
        """
}
