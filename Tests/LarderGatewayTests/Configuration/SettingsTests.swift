import HTTPTypes
import Larder
import Logging
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct SettingsTests {
    static func read(
        _ environment: [String: String],
        _ options: [String: String] = [:],
        file: String? = nil
    ) throws(ConfigurationDiagnostics) -> GatewaySettings {
        let file = file.map { GatewayConfiguration.File(name: "larder.yaml", text: $0) }
        return try GatewayConfiguration(file: file, environment: environment, options: options).settings
    }

    /// Returns the diagnostics, one a line, without their severity.
    static func diagnostics(
        _ environment: [String: String],
        _ options: [String: String] = [:],
        file: String? = nil
    ) -> String {
        do {
            _ = try read(environment, options, file: file)
            return ""
        } catch {
            return error.description.replacing("error: ", with: "")
        }
    }

    @Test func `The origin is the only setting without a default`() throws {
        let settings = try Self.read(["LARDER_ORIGIN": "http://127.0.0.1:3000"])
        #expect("\(settings.origin)" == "http://127.0.0.1:3000" && "\(settings.listen)" == "127.0.0.1:8000")
        #expect(settings.store == .memory && settings.namespace == "larder:" && settings.name == "Larder")
        #expect(settings.memoryLimit == .mebibytes(256) && settings.bodyLimit == .mebibytes(8))
        #expect(settings.invalidationLog == .mebibytes(16))
        #expect(settings.certificate == nil && settings.adminToken == nil && settings.accessLog == .off)
        #expect(settings.accessLogFormat == .combined && settings.accessLogFields.isEmpty)
        #expect(settings.variantLimit == 64 && settings.redisTimeout == .milliseconds(50))
        #expect(settings.hosts.isEmpty && settings.trustedProxies.isEmpty && !settings.expectsProxyProtocol)
        #expect(settings.trustedFields == .xForwarded)
        #expect(settings.connectTimeout == .seconds(5) && settings.responseTimeout == .seconds(30))
        #expect(settings.idleTimeout == .seconds(60) && settings.clientIdleTimeout == .seconds(75))
        #expect(settings.clientConnections == 8_192 && settings.connectionsPerAddress == nil)
        #expect(settings.clientRate == .kibibytes(1))
        #expect(settings.spoolLimit == .mebibytes(16) && settings.spoolSpace == .gibibytes(1))
        #expect(settings.spoolDirectory == nil)
        #expect(settings.connectionsPerOrigin == 256 && settings.hostField == .client && settings.healthPath == "/")
        #expect(settings.adminPrefix == "/-/larder" && settings.logLevel == .info)
        #expect(settings.adminAccess == .token && settings.adminListen == nil && settings.adminTokenFile == nil)
        #expect(settings.originAuthorities == nil && settings.drainTimeout == .seconds(30))
        #expect(settings.drainDelay == .seconds(5) && settings.headerLimit == .kibibytes(64))
        #expect(
            settings.halfClose == .leave && settings.paths == .asIs && settings.underscoreFields == .drop
                && settings.dropFields.isEmpty
        )
    }

    @Test func `All settings are read from a file`() throws {
        let settings = try Self.read([:], file: Sample.everything)
        #expect(settings.listen == ListenAddress(host: "::", port: 8443))
        #expect("\(settings.origin)" == "https://api.internal:8443" && settings.namespace == "shop:")
        #expect(settings.store == .redis(url: "rediss://:secret@cache.internal:6380/1"))
        #expect(settings.memoryLimit == .mebibytes(512) && settings.bodyLimit == .kibibytes(512))
        #expect(settings.invalidationLog == .mebibytes(4))
        #expect(
            settings.certificate == .init(certificate: "/etc/larder/tls.pem", privateKey: "/etc/larder/tls.key")
        )
        #expect(settings.adminToken?.isSent(in: [.authorization: "Bearer 0123456789abcdef"]) == true)
        #expect(settings.adminTokenFile == "/etc/larder/token")
        #expect(settings.adminAccess == .loopback && settings.adminListen == AdminAddress("unix:///run/larder.sock"))
        #expect(settings.adminPrefix == "/_cache" && settings.accessLog == .standardOutput)
        #expect(settings.accessLogFormat == .json && settings.accessLogFields == [.time, .client, .result])
        #expect(settings.variantLimit == 128 && settings.redisTimeout == .milliseconds(200))
        #expect(settings.hosts.map(\.description) == ["shop.example", "*.example.org", "api.example:8443"])
        #expect(settings.trustedFields == .forwarded)
        #expect("\(settings.trustedProxies)" == "10.0.0.0/8, 2001:db8::/32" && settings.expectsProxyProtocol)
        #expect(settings.connectTimeout == .milliseconds(500) && settings.responseTimeout == .seconds(10))
        #expect(settings.idleTimeout == .seconds(90) && settings.clientIdleTimeout == .seconds(120))
        #expect(settings.clientConnections == 100 && settings.connectionsPerAddress == 16)
        #expect(settings.clientRate == .kibibytes(2))
        #expect(settings.spoolLimit == .mebibytes(4) && settings.spoolSpace == .mebibytes(100))
        #expect(settings.spoolDirectory == "/var/spool/larder")
        #expect(settings.connectionsPerOrigin == 64 && settings.originAuthorities == "/etc/larder/ca.pem")
        #expect(settings.hostField == .origin && settings.name == "Shop" && settings.healthPath == "/health?deep=1")
        #expect(settings.logLevel == .debug && settings.drainTimeout == .zero)
        #expect(settings.drainDelay == .seconds(10) && settings.headerLimit == .kibibytes(32))
        #expect(settings.halfClose == .allow && settings.paths == .reject && settings.underscoreFields == .keep)
        #expect(settings.dropFields.map(\.description) == ["x-tenant-debug", "x-internal-*"])
    }

    @Test(arguments: GatewaySetting.allCases)
    func `The command line precedes the environment, and the environment precedes the file`(_ setting: GatewaySetting) {
        // The diagnostic of an invalid value has the source that it was read from.
        let wrong = "\u{1}"
        let file = setting == .origin ? "" : "origin: http://o\n\(setting.rawValue): \"\"\n"
        if setting != .origin {
            #expect(Self.diagnostics([:], file: file).contains("`\(setting.rawValue)` is empty"))
        }
        let byVariable = Self.diagnostics([setting.variable: wrong], file: file)
        #expect(byVariable.hasPrefix("\(setting.variable): ") && !byVariable.contains("\n"))
        let byOption = Self.diagnostics([setting.variable: wrong], [setting.rawValue: wrong], file: file)
        #expect(byOption.hasPrefix("\(setting.option): ") && !byOption.contains("\n"))
    }

    @Test(arguments: [
        ("listen", "localhost", "\"localhost\" is invalid: expected host:port, such as 127.0.0.1:8000 or [::1]:8000"),
        ("listen", "", "`listen` is empty: leave it out, or give host:port, such as 127.0.0.1:8000 or [::1]:8000"),
        ("listen", "::1:80", "\"::1:80\" is invalid"), ("listen", "[::1]", "\"[::1]\" is invalid"),
        ("listen", "a:65536", "\"a:65536\" is invalid"), ("listen", "a:+1", "\"a:+1\" is invalid"),
        ("listen", ":80", "\":80\" is invalid"), ("listen", "a b:80", "\"a b:80\" is invalid"),
        ("store", "memroy", "\"memroy\" is invalid: expected `memory`, or a URL such as redis://"),
        ("store", "redis://", "\"redis://\" is invalid"), ("store", "http://a", "\"http://a\" is invalid"),
        ("store", "http://:hunter2@a", "the value is invalid"),
        ("namespace", "a b", "\"a b\" is invalid"), ("memory-limit", "lots", "\"lots\" is invalid: expected a size"),
        (
            "memory-limit", "1KiB",
            "\"1KiB\" is invalid: expected a size such as 268435456 (bytes), 64MiB or 1GiB, at least 1MiB"
        ),
        (
            "invalidation-log", "1KiB",
            "\"1KiB\" is invalid: expected a size such as 268435456 (bytes), 64MiB or 1GiB, from 64KiB to 256MiB"
        ),
        ("variant-limit", "0", "\"0\" is invalid: expected a number from 1 to 1024"),
        ("variant-limit", "1025", "\"1025\" is invalid"), ("variant-limit", "many", "\"many\" is invalid"),
        ("body-limit", "-1", "\"-1\" is invalid"),
        ("admin-token", "short", "the value is invalid: expected at least 16"),
        ("admin-access", "everyone", "\"everyone\" is invalid: expected `token` or `loopback`"),
        (
            "admin-listen", "8001",
            "\"8001\" is invalid: expected host:port, such as 127.0.0.1:8001, or unix:///path/to/socket"
        ),
        ("admin-listen", "unix://socket", "\"unix://socket\" is invalid"),
        ("admin-listen", "unix:///run/", "\"unix:///run/\" is invalid"),
        (
            "admin-listen", "0.0.0.0:8001",
            "other machines can reach 0.0.0.0:8001: set LARDER_ADMIN_TOKEN, or give a loopback address"
        ),
        ("admin-listen", "127.0.0.1:8000", "`admin-listen` is the address of the gateway itself"),
        ("admin-prefix", "/", "\"/\" is invalid"), ("admin-prefix", "cache", "\"cache\" is invalid"),
        ("admin-prefix", "/a/", "\"/a/\" is invalid"), ("admin-prefix", "/a/../b", "\"/a/../b\" is invalid"),
        ("admin-prefix", "/a/*", "\"/a/*\" is invalid"), ("admin-prefix", "/a?b", "\"/a?b\" is invalid"),
        (
            "connect-timeout", "5",
            "\"5\" is invalid: expected a number and a unit, such as 500ms, 30s, 5m, 2h or 1d, from 1ms to 1d"
        ),
        (
            "redis-timeout", "11s",
            "\"11s\" is invalid: expected a number and a unit, such as 500ms, 30s, 5m, 2h or 1d, from 1ms to 10s"
        ),
        ("redis-timeout", "0s", "\"0s\" is invalid"), ("redis-timeout", "50", "\"50\" is invalid"),
        ("connect-timeout", "0s", "\"0s\" is invalid"), ("response-timeout", "2d", "\"2d\" is invalid"),
        ("idle-timeout", "1.5s", "\"1.5s\" is invalid"), ("drain-timeout", "-1s", "\"-1s\" is invalid"),
        ("drain-delay", "soon", "\"soon\" is invalid"), ("header-limit", "512", "\"512\" is invalid"),
        ("header-limit", "2MiB", "\"2MiB\" is invalid"), ("half-close", "maybe", "\"maybe\" is invalid"),
        ("access-log-format", "jsonl", "\"jsonl\" is invalid: expected `combined`, `json` or `fields`"),
        ("access-log-fields", "time, durration_ms", "\"durration_ms\" is invalid: did you mean `duration_ms`?"),
        ("access-log-fields", "first-byte-ms", "\"first-byte-ms\" is invalid: did you mean `first_byte_ms`?"),
        ("access-log-fields", "nonsense", "\"nonsense\" is invalid: expected one of time, request_id, client, "),
        ("access-log-fields", "time, status, time", "\"time\" is invalid: it is given twice"),
        ("access-log-fields", "time,,status", "`access-log-fields` has an empty value: leave it out, or give names"),
        ("client-idle-timeout", "99999999999999999999s", "\"99999999999999999999s\" is invalid"),
        ("client-connections", "0", "\"0\" is invalid: expected a number from 1 to 999999"),
        ("client-connections", "1000000", "\"1000000\" is invalid"),
        ("client-connections", "+5", "\"+5\" is invalid"),
        ("client-connections-per-address", "0", "\"0\" is invalid: expected `off`, or a number from 1 to 999999"),
        ("client-connections-per-address", "-1", "\"-1\" is invalid"),
        ("client-rate", "fast", "\"fast\" is invalid: expected `off`, or bytes per second such as 1KiB, at most 1GiB"),
        ("client-rate", "2GiB", "\"2GiB\" is invalid"), ("spool-limit", "2GiB", "\"2GiB\" is invalid"),
        ("spool-space", "-1", "\"-1\" is invalid"),
        ("connections-per-origin", "0", "\"0\" is invalid: expected a number from 1 to 65535"),
        ("connections-per-origin", "65536", "\"65536\" is invalid"),
        ("hosts", "a.example:x", "\"a.example:x\" is invalid: expected a host"), ("hosts", "a:", "\"a:\" is invalid"),
        ("hosts", "a:65536", "\"a:65536\" is invalid"), ("hosts", ":80", "\":80\" is invalid"),
        ("invalidation-log", "257MiB", "\"257MiB\" is invalid"), ("invalidation-log", "63KiB", "\"63KiB\" is invalid"),
        ("trusted-fields", "x-real-ip", "\"x-real-ip\" is invalid: expected `x-forwarded` or `forwarded`"),
        ("hosts", "a, *", "\"*\" is invalid"),
        ("hosts", "a,,b", "`hosts` has an empty value: leave it out"),
        ("trusted-proxies", "10.0.0.0/33", "\"10.0.0.0/33\" is invalid"),
        (
            "trusted-proxies", "10.0.0.1, proxy.example",
            "\"proxy.example\" is invalid: expected an address or a network"
        ),
        ("proxy-protocol", "yes", "\"yes\" is invalid: expected `on` or `off`"),
        ("proxy-protocol", "on", "`proxy-protocol` needs `trusted-proxies` too"),
        ("host-field", "server", "\"server\" is invalid: expected `client` or `origin`"),
        ("paths", "normalise", "\"normalise\" is invalid: expected `as-is` or `reject`"),
        ("underscore-fields", "pass", "\"pass\" is invalid: expected `drop` or `keep`"),
        ("drop-fields", "X-A, *", "\"*\" is invalid: expected the name of a field"),
        ("drop-fields", "X-*-A", "\"X-*-A\" is invalid"), ("drop-fields", "Content-*", "\"Content-*\" is invalid"),
        ("drop-fields", "Host", "\"Host\" is invalid"), ("drop-fields", "X A", "\"X A\" is invalid"),
        ("name", "two words", "\"two words\" is invalid: expected a token"),
        ("health-path", "health", "\"health\" is invalid"),
        ("log-level", "loud", "\"loud\" is invalid: expected one of trace,"),
        ("origin", "127.0.0.1:3000", "\"127.0.0.1:3000\" is invalid: expected a URL such as http://127.0.0.1:3000"),
        ("origin", "http://u:hunter2@a", "the value is invalid"), ("origin", "http://a/b", "\"http://a/b\" is invalid"),
        ("origin", "http://a?b", "\"http://a?b\" is invalid"), ("origin", "http://a:0", "\"http://a:0\" is invalid"),
        ("origin", "ftp://a", "\"ftp://a\" is invalid"), ("origin", "http://", "\"http://\" is invalid"),
        ("certificate", "/c", "`certificate` needs `private-key` too"),
        ("private-key", "/k", "`private-key` needs `certificate` too"),
    ]) func `An invalid setting is reported in one line without secrets`(
        _ name: String,
        _ value: String,
        _ expected: String
    ) throws {
        let setting = try #require(GatewaySetting(rawValue: name))
        var environment = ["LARDER_ORIGIN": "http://o"]
        environment[setting.variable] = value
        let text = Self.diagnostics(environment)
        #expect(text.hasPrefix("\(setting.variable): \(expected)"))
        #expect(!text.contains("\n") && !text.contains("hunter2") && !text.contains("short"))
    }

    @Test(arguments: [
        ("http://127.0.0.1:3000", "http", "127.0.0.1", 3000, "127.0.0.1:3000"),
        ("http://Example.ORG", "http", "example.org", 80, "example.org"),
        ("https://example.org:443/", "https", "example.org", 443, "example.org"),
        ("http://[::1]:80", "http", "::1", 80, "[::1]"),
        ("https://api_1.svc:8443", "https", "api_1.svc", 8443, "api_1.svc:8443"),
    ]) func `An origin is a URL without a path`(
        _ url: String,
        _ scheme: String,
        _ host: String,
        _ port: Int,
        _ authority: String
    ) throws {
        let origin = try #require(OriginAddress(url))
        #expect(origin.scheme == scheme && origin.host == host && origin.port == port)
        #expect(origin.authority == authority && OriginAddress(origin.description) == origin)
    }

    @Test func `Loopback access needs a loopback address unless there is a token`() throws {
        var environment = [
            "LARDER_ORIGIN": "http://o", "LARDER_ADMIN_ACCESS": "loopback", "LARDER_LISTEN": "0.0.0.0:8000",
        ]
        #expect(
            Self.diagnostics(environment)
                == "LARDER_ADMIN_ACCESS: `loopback` needs a gateway that other machines cannot reach, but they can "
                + "reach 0.0.0.0:8000: set LARDER_ADMIN_TOKEN"
        )
        environment["LARDER_ADMIN_TOKEN"] = "0123456789abcdef"
        environment["LARDER_ADMIN_LISTEN"] = "0.0.0.0:8001"
        #expect(try Self.read(environment).adminListen?.isLoopback == false)
        environment = ["LARDER_ORIGIN": "http://127.0.0.1:8001", "LARDER_ADMIN_LISTEN": "127.0.0.1:8001"]
        #expect(Self.diagnostics(environment).contains("is the address of the gateway itself (127.0.0.1:8001)"))
    }

    @Test func `The default origin can be an origin of the file and is the only one if there is one`() throws {
        let origins = "origins: {a: 'http://a', b: 'http://b'}\n"
        #expect(try Self.read([:], file: origins + "origin: b").origin.host == "b")
        #expect(try Self.read([:], ["origin": "a"], file: origins).origin.host == "a")
        #expect(try Self.read([:], ["origin": "http://c"], file: origins).origin.host == "c")
        #expect(try Self.read([:], file: "origins: {a: 'http://a'}").origin.host == "a")
        #expect(
            Self.diagnostics([:], file: origins)
                == "larder.yaml:1:1: `origin` is missing; expected the name of one of the `origins`, which gets the "
                + "requests that no route matches"
        )
        #expect(Self.diagnostics([:], ["origin": "c"], file: origins).hasSuffix("or one of the `origins`: `a` or `b`"))
        #expect(Self.diagnostics([:]).hasPrefix("`origin` is missing; expected the server to forward requests to, "))
    }

    @Test func `All faults are reported together, those of the file first`() {
        let text = Self.diagnostics(
            ["LARDER_NAME": "two words"],
            ["listen": "x", "colour": "blue"],
            file: "origin: http://o\nname: ok\nlog-level: loud\nbody-limt: 1\n"
        )
        let lines = text.split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(lines == ["larder.yaml:3:12:", "larder.yaml:4:1:", "LARDER_NAME:", "--colour:", "--listen:"])
    }

    @Test func `An unknown variable causes a warning only if it is similar to that of a setting`() throws {
        let variables = ["LARDER_ORIGIN": "http://o", "LARDER_LISTN": "x", "LARDER_SERVICE_HOST": "x", "HOME": "/"]
        let configuration = try GatewayConfiguration(environment: variables)
        #expect(
            configuration.warnings.map(\.description)
                == ["LARDER_LISTN: warning: this variable is not a setting: did you mean LARDER_LISTEN?"]
        )
        #expect(configuration.routes.routes.map(\.name) == ["default"])
    }

    @Test(arguments: [
        ("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000),
        ("90s", 90_000), ("3650d", 315_360_000_000), ("007s", 7_000),
    ]) func `A duration is a number and a unit`(_ text: String, _ milliseconds: Int64) throws {
        let duration = try #require(DurationText.parse(text))
        #expect(duration == .milliseconds(milliseconds))
        #expect(DurationText.parse(DurationText.describe(duration)) == duration)
    }

    @Test(arguments: [
        "", "s", "1", "1 s", "1S", "-1s", "+1s", "1.5s", "1s ", "1sec", "3651d", "9223372036854775808s", "１s", "1w",
    ]) func `A text that is not a duration is rejected`(_ text: String) {
        #expect(DurationText.parse(text) == nil)
    }
}
