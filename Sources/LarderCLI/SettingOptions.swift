import ArgumentParser

/// The settings that the command line can give, by their names in the configuration file.
struct SettingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The API: http://127.0.0.1:9000, or https://…", valueName: "url"))
    var origin: String?
    @Option(help: ArgumentHelp("Where to listen (default: 127.0.0.1:8000).", valueName: "host:port"))
    var listen: String?
    @Option(help: ArgumentHelp("Where responses are kept: memory, or redis://host:port.", valueName: "store"))
    var store: String?
    @Option(help: ArgumentHelp("What every key in Redis begins with (default: larder:).", valueName: "text"))
    var namespace: String?
    @Option(help: ArgumentHelp("What the store may take of memory (default: 256MiB).", valueName: "bytes"))
    var memoryLimit: String?
    @Option(help: ArgumentHelp("The largest body kept (default: 8MiB).", valueName: "bytes"))
    var bodyLimit: String?
    @Option(
        help: ArgumentHelp("The listener's certificate chain; with it clients speak TLS, HTTP/2 too.", valueName: "pem")
    )
    var certificate: String?
    @Option(help: ArgumentHelp("The key of the certificate.", valueName: "pem"))
    var privateKey: String?
    @Option(
        help: ArgumentHelp(
            "What the paths of the gateway's own routes begin with (default: /-/larder).",
            valueName: "path"
        )
    )
    var adminPrefix: String?
    @Option(
        help: ArgumentHelp(
            "Where a line for each request goes; - is standard output (default: nowhere).",
            valueName: "file"
        )
    )
    var accessLog: String?
    @Option(help: ArgumentHelp("To reach an origin (default: 5s).", valueName: "time"))
    var connectTimeout: String?
    @Option(help: ArgumentHelp("For an origin to begin its answer (default: 30s).", valueName: "time"))
    var responseTimeout: String?
    @Option(help: ArgumentHelp("Between two parts of a body (default: 60s).", valueName: "time"))
    var idleTimeout: String?
    @Option(help: ArgumentHelp("For a client's connection without requests (default: 75s).", valueName: "time"))
    var clientIdleTimeout: String?
    @Option(help: ArgumentHelp("Connections to one origin (default: 256).", valueName: "count"))
    var connectionsPerOrigin: String?
    @Option(help: ArgumentHelp("Certificates to trust origins by (default: the system's).", valueName: "pem"))
    var originCa: String?
    @Option(
        help: ArgumentHelp("What the origin finds in Host: client, or origin (default: client).", valueName: "whose")
    )
    var hostField: String?
    @Option(help: ArgumentHelp("The gateway's name in Cache-Status and Via (default: Larder).", valueName: "name"))
    var name: String?
    @Option(
        help: ArgumentHelp("What origins are asked for to see whether they are well (default: /).", valueName: "path")
    )
    var healthPath: String?
    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical (default: info).",
            valueName: "level"
        )
    )
    var logLevel: String?
    @Option(help: ArgumentHelp("For requests to end when the program is to stop (default: 30s).", valueName: "time"))
    var drainTimeout: String?

    /// What was given, by the names of settings.
    var values: [String: String] {
        [
            "origin": origin, "listen": listen, "store": store, "namespace": namespace, "memory-limit": memoryLimit,
            "body-limit": bodyLimit, "certificate": certificate, "private-key": privateKey,
            "admin-prefix": adminPrefix, "access-log": accessLog, "connect-timeout": connectTimeout,
            "response-timeout": responseTimeout, "idle-timeout": idleTimeout,
            "client-idle-timeout": clientIdleTimeout, "connections-per-origin": connectionsPerOrigin,
            "origin-ca": originCa, "host-field": hostField, "name": name, "health-path": healthPath,
            "log-level": logLevel, "drain-timeout": drainTimeout,
        ].compactMapValues(\.self)
    }
}
