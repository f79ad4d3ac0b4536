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
    case adminAccess = "admin-access"
    case adminListen = "admin-listen"
    case adminPrefix = "admin-prefix"
    case accessLog = "access-log"
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
    public var isList: Bool { self == .hosts || self == .trustedProxies || self == .dropFields }

    /// The description for `--help`, in one line.
    public var explanation: String {
        switch self {
        case .listen: "Where to listen (127.0.0.1:8000)"
        case .hosts: "The hosts served, as example.org, *.example.org or example.org:8443; others get 421 (any host)"
        case .trustedProxies:
            "Addresses and networks of proxies that are believed what they say about clients (none)"
        case .trustedFields: "The fields that these proxies write: x-forwarded, or forwarded (x-forwarded)"
        case .proxyProtocol: "on: connections from trusted proxies begin with a PROXY protocol header (off)"
        case .origin: "The server that requests are passed on to, as a URL"
        case .store: "Where responses are kept: memory, or the URL of a Redis server (memory)"
        case .namespace: "What every key in Redis begins with (larder:)"
        case .redisTimeout: "How long Redis may take for a reply; adapts to its recent replies, from 10ms to 1s (50ms)"
        case .invalidationLog: "What the log of invalidations may take of memory, here or in Redis (16MiB)"
        case .memoryLimit: "What the cache may take of memory (256MiB)"
        case .inFlightLimit: "What bodies on their way may take beside it (a quarter of memory-limit, at least 64MiB)"
        case .bodyLimit: "The largest body that is kept (8MiB)"
        case .variantLimit: "The most variants (by Vary) that are stored under one key (64)"
        case .certificate: "The PEM file with the certificate to serve TLS and HTTP/2 with"
        case .privateKey: "The PEM file with its private key"
        case .adminToken: "The bearer token that the admin routes need"
        case .adminAccess:
            "token, or loopback: without a token the admin routes answer clients on this machine, for development (token)"
        case .adminListen:
            "A second address, for the admin routes alone: host:port, or unix:///path/to/socket (they are on listen)"
        case .adminPrefix: "What the paths of the admin routes begin with (/-/larder)"
        case .accessLog: "Where a line for each request goes: a file, or - for standard output"
        case .connectTimeout: "How long a connection to an origin may take (5s)"
        case .responseTimeout: "How long an origin may take until the head of its response is there (30s)"
        case .idleTimeout: "How long an origin may pause within a body (60s)"
        case .clientIdleTimeout: "How long a client's connection may stay without a request (75s)"
        case .clientConnections: "The most connections of clients; a further one takes the place of an idle one (8192)"
        case .connectionsPerAddress: "The most connections from one address, or one IPv6 /64; off: any number (off)"
        case .clientRate: "The bytes a second that a client sends and reads at least, while some wait; off: any (1KiB)"
        case .connectionsPerOrigin: "The most connections to one origin (256)"
        case .spoolLimit: "What waits of a message for a slow client, without a connection to the origin (16MiB)"
        case .spoolSpace: "What temporary files may take for that (1GiB)"
        case .spoolDirectory: "The folder of these files (TMPDIR, or /tmp)"
        case .originAuthorities: "The PEM file with the authorities that TLS origins are trusted by"
        case .hostField: "What origins are told as Host: client, what the client sent; origin, their own (client)"
        case .paths: "Paths that servers may read in more than one way: as-is, or reject with a 400 (as-is)"
        case .underscoreFields:
            "Request fields whose names have _ or another such character: drop, or keep and pass on (drop)"
        case .dropFields:
            "Request fields that are dropped, as X-Tenant-Debug or X-Internal-*, beside those that only proxies write (none)"
        case .name: "What the gateway calls itself in Cache-Status and Via (Larder)"
        case .healthPath: "The path that an origin's health is asked at (/)"
        case .logLevel: "The least urgent messages that are logged (info)"
        case .drainDelay: "How long clients are still accepted and served once the gateway is told to stop (5s)"
        case .drainTimeout: "How long requests may take to end after that (30s)"
        case .headerLimit: "The largest head of a request that is accepted (64KiB)"
        case .halfClose: "Clients that send no more before they have a response: leave, or allow (leave)"
        }
    }
}
