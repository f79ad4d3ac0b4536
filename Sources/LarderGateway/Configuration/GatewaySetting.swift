/// A setting of the gateway. Its raw value is its name in the file.
public enum GatewaySetting: String, Hashable, Sendable, CaseIterable {
    case listen
    case hosts
    case trustedProxies = "trusted-proxies"
    case trustedFields = "trusted-fields"
    case proxyProtocol = "proxy-protocol"
    case origin
    case store
    case namespace
    case redisTimeout = "redis-timeout"
    case memoryLimit = "memory-limit"
    case inFlightLimit = "in-flight-limit"
    case invalidationLog = "invalidation-log"
    case bodyLimit = "body-limit"
    case variantLimit = "variant-limit"
    case certificate
    case privateKey = "private-key"
    case adminToken = "admin-token"
    case adminTokenFile = "admin-token-file"
    case adminAccess = "admin-access"
    case adminListen = "admin-listen"
    case adminPrefix = "admin-prefix"
    case accessLog = "access-log"
    case accessLogFormat = "access-log-format"
    case accessLogFields = "access-log-fields"
    case connectTimeout = "connect-timeout"
    case responseTimeout = "response-timeout"
    case idleTimeout = "idle-timeout"
    case clientIdleTimeout = "client-idle-timeout"
    case clientConnections = "client-connections"
    case connectionsPerAddress = "client-connections-per-address"
    case clientRate = "client-rate"
    case connectionsPerOrigin = "connections-per-origin"
    case spoolLimit = "spool-limit"
    case spoolSpace = "spool-space"
    case spoolDirectory = "spool-directory"
    case originAuthorities = "origin-ca"
    case hostField = "host-field"
    case paths
    case underscoreFields = "underscore-fields"
    case dropFields = "drop-fields"
    case name
    case healthPath = "health-path"
    case logLevel = "log-level"
    case drainDelay = "drain-delay"
    case drainTimeout = "drain-timeout"
    case headerLimit = "header-limit"
    case halfClose = "half-close"

    /// The name of the setting's environment variable: `LARDER_MEMORY_LIMIT`.
    public var variable: String { "LARDER_" + rawValue.uppercased().replacing("-", with: "_") }

    /// The name of the setting's command-line option: `--memory-limit`.
    public var option: String { "--" + rawValue }

    /// True if the value is never shown.
    public var isSecret: Bool { self == .adminToken }

    /// True if the value is a list. The file may give a YAML list; the environment and the command line give values
    /// separated by commas.
    public var isList: Bool {
        switch self {
        case .hosts, .trustedProxies, .dropFields, .accessLogFields: true
        default: false
        }
    }

    /// The description for `--help`, in one line.
    public var explanation: String {
        switch self {
        case .listen: "The address to listen on (127.0.0.1:8000)"
        case .hosts:
            "The hosts served, such as example.org, *.example.org or example.org:8443; others get 421 (any host)"
        case .trustedProxies:
            "The addresses and networks of proxies whose statements about clients are believed (none)"
        case .trustedFields: "The fields that these proxies write: x-forwarded or forwarded (x-forwarded)"
        case .proxyProtocol: "on: connections from trusted proxies begin with a PROXY protocol header (off)"
        case .origin: "The server that requests are forwarded to, as a URL"
        case .store: "The store of responses: memory, or the URL of a Redis server (memory)"
        case .namespace: "The prefix of every key in Redis (larder:)"
        case .redisTimeout: "The first timeout of a Redis reply; it adapts to recent replies, from 10ms to 1s (50ms)"
        case .invalidationLog: "The memory for the invalidation log, in this process or in Redis (16MiB)"
        case .memoryLimit: "The memory for the cache (256MiB)"
        case .inFlightLimit:
            "The memory for bodies that are being received or sent (a quarter of memory-limit, at least 64MiB)"
        case .bodyLimit: "The largest body that is stored (8MiB)"
        case .variantLimit: "The largest number of variants (by Vary) stored under one key (64)"
        case .certificate: "The PEM file with the certificate for TLS and HTTP/2 (none)"
        case .privateKey: "The PEM file with the private key of the certificate (none)"
        case .adminToken: "The bearer token that the admin routes need, at least 16 characters (none)"
        case .adminTokenFile: "The file with the token, which only its owner and group may read (none)"
        case .adminAccess:
            "token, or loopback for development: without a token, clients on this machine are answered (token)"
        case .adminListen:
            "A second address for the admin routes alone: host:port or unix:///path/to/socket (they are on listen)"
        case .adminPrefix: "The prefix of the paths of the admin routes (/-/larder)"
        case .accessLog: "The file of the access log, or - for standard output (none)"
        case .accessLogFormat: "The format of its lines: combined, json, or fields (combined)"
        case .accessLogFields:
            "The fields of its lines, in their order (json and fields: all; combined: no further ones)"
        case .connectTimeout: "The longest time that connecting to an origin takes (5s)"
        case .responseTimeout: "The longest time until the head of an origin's response arrives (30s)"
        case .idleTimeout: "The longest pause of an origin within a body (60s)"
        case .clientIdleTimeout: "The longest time that a client connection stays open without a request (75s)"
        case .clientConnections:
            "The largest number of client connections; at the limit, a new one replaces an idle one (8192)"
        case .connectionsPerAddress:
            "The largest number of connections from one address, or one IPv6 /64; off: any number (off)"
        case .clientRate: "The lowest rate, in bytes per second, at which clients send and read; off: any rate (1KiB)"
        case .connectionsPerOrigin: "The largest number of connections to one origin (256)"
        case .spoolLimit:
            "The bytes of one message that wait for a slow client without a connection to the origin (16MiB)"
        case .spoolSpace: "The size of all temporary files for such messages (1GiB)"
        case .spoolDirectory: "The folder of these files (TMPDIR, or /tmp)"
        case .originAuthorities:
            "The PEM file with the authorities by which TLS origins are verified (those of the system)"
        case .hostField: "The Host header sent to origins: client or origin (client)"
        case .paths:
            "Paths that servers read differently, such as /a/..%2Fb or //a: as-is (they are forwarded), or reject (they "
                + "are answered with 400) (as-is)"
        case .underscoreFields:
            "Request fields such as X_Debug, which many servers read as X-Debug, and all others whose names have more "
                + "than letters, digits and hyphens: drop or keep (drop)"
        case .dropFields: "Further request fields that are dropped, such as X-Tenant-Debug or X-Internal-* (none)"
        case .name: "The name of the gateway in Cache-Status and Via (Larder)"
        case .healthPath: "The path that the origin health check requests (/)"
        case .logLevel: "The least urgent messages that are logged (info)"
        case .drainDelay: "The time for which the gateway still serves after SIGTERM (5s)"
        case .drainTimeout: "The time that requests in progress have to end after that (30s)"
        case .headerLimit: "The largest head of a request, from 1KiB to 1MiB (64KiB)"
        case .halfClose:
            "Clients that close their sending side while they wait for a response: leave (they count as disconnected), "
                + "or allow (they get the response) (leave)"
        }
    }
}
