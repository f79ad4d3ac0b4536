public import Larder
public import Logging

/// How the gateway runs: what holds for all of its routes.
///
/// Each setting has one name wherever it is given: `memory-limit` in the file, `LARDER_MEMORY_LIMIT` in the
/// environment, `--memory-limit` on the command line. The command line beats the environment, and that the file.
public struct GatewaySettings: Sendable {
    /// Where responses are kept.
    public enum Store: Hashable, Sendable, CustomStringConvertible {
        /// In the memory of the process.
        case memory
        /// On a Redis server, by the URL of it, which may hold a password.
        case redis(url: String)

        public var description: String {
            switch self {
            case .memory: "memory"
            case .redis: "Redis"
            }
        }
    }

    /// The files that TLS is served with.
    public struct Certificate: Hashable, Sendable {
        /// The path of the certificate and those that vouch for it, as PEM.
        public var certificate: String
        /// The path of its private key, as PEM.
        public var privateKey: String

        /// Two files.
        public init(certificate: String, privateKey: String) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    /// Where a line for each request goes.
    public enum AccessLog: Hashable, Sendable {
        /// Nowhere.
        case off
        /// To standard output.
        case standardOutput
        /// To a file, by its path.
        case file(String)
    }

    /// What the origin is told as `Host`.
    public enum HostField: String, Hashable, Sendable, CaseIterable {
        /// What the client sent.
        case client
        /// The origin's own authority.
        case origin
    }

    /// What becomes of requests whose path servers may read in more than one way: with an encoded slash, a dot segment,
    /// parameters, a backslash, a control character.
    public enum Paths: String, Hashable, Sendable, CaseIterable {
        /// They are passed on as they are. A response is stored if every reading of the path falls to a route with the
        /// same policy.
        case asIs = "as-is"
        /// They get 400 (Bad Request).
        case reject
    }

    /// What becomes of request fields that servers may take for others: `Accept_Language` for `Accept-Language`.
    public enum UnderscoreFields: String, Hashable, Sendable, CaseIterable {
        /// They are dropped.
        case drop
        /// They are passed on. A request bypasses the cache if one may be taken for a field that a rule names, and a
        /// response is not stored if it varies by such a field.
        case keep
    }

    /// The clients that the admin routes answer if there is no token.
    public enum AdminAccess: String, Hashable, Sendable, CaseIterable {
        /// None: the routes need a token.
        case token
        /// Those on this machine, and so all that a proxy on this machine passes on: for development.
        case loopback
    }

    /// A client's end of sending before it has its response.
    public enum HalfClose: String, Hashable, Sendable, CaseIterable {
        /// The client has left, as if it had reset the connection.
        case leave
        /// The client waits for its response.
        case allow
    }

    /// The origin of what no route gives to another one.
    public var origin: OriginAddress
    /// Where the gateway listens.
    public var listen = ListenAddress(host: "127.0.0.1", port: 8000)
    /// The hosts that are served; empty: any host. Requests for others get 421 (Misdirected Request) and store nothing.
    public var hosts: [ServedHost] = []
    /// The proxies that are believed what they say about clients.
    public var trustedProxies = TrustedProxies()
    /// The fields in which trusted proxies say it. Those of the other kind are dropped.
    public var trustedFields = ForwardedChain.Kind.xForwarded
    /// True if connections from trusted proxies begin with a header of the PROXY protocol.
    public var expectsProxyProtocol = false
    /// Where responses are kept.
    public var store = Store.memory
    /// What every key in Redis begins with.
    public var namespace = "larder:"
    /// How long Redis may take for a reply before a request goes on without it, as long as nothing is known of its
    /// recent replies (`RedisStore.Options.timeout`).
    public var redisTimeout = Duration.milliseconds(50)
    /// What the cache may take of memory.
    public var memoryLimit = ByteCount.mebibytes(256)
    /// What bodies that are on their way may take of memory beside that; a response beyond it is passed on as it comes
    /// and not stored. Nil: a quarter of ``memoryLimit``, and 64 MiB at least.
    public var inFlightLimit: ByteCount?
    /// The memory that the invalidation log takes at most, in this process or in Redis: from 64 KiB to 256 MiB.
    public var invalidationLog = ByteCount.mebibytes(16)
    /// The largest body that is kept.
    public var bodyLimit = ByteCount.mebibytes(8)
    /// The number of variants stored under one key; beyond it the least recently used one is evicted.
    public var variantLimit = MemoryStore.defaultVariantLimit
    /// What TLS, and HTTP/2 with it, is served with; nil: HTTP in the clear.
    public var certificate: Certificate?
    /// The bearer token that the admin routes need; without it they answer by ``adminAccess`` and ``adminListen``.
    public var adminToken: BearerToken?
    /// The clients that the admin routes answer without a token.
    public var adminAccess = AdminAccess.token
    /// The second address, on which alone the admin routes answer; nil: they answer where the gateway listens.
    public var adminListen: AdminAddress?
    /// What the paths of the admin routes begin with.
    public var adminPrefix = "/-/larder"
    /// Where a line for each request goes.
    public var accessLog = AccessLog.off
    /// How long a connection to an origin may take to be made.
    public var connectTimeout = Duration.seconds(5)
    /// How long an origin may take until the head of its response is there.
    public var responseTimeout = Duration.seconds(30)
    /// How long an origin may pause between two parts of a body.
    public var idleTimeout = Duration.seconds(60)
    /// How long a client's connection may stay without a request.
    public var clientIdleTimeout = Duration.seconds(75)
    /// The most connections of clients at a time. A further one takes the place of the one that has been idle for
    /// longest, and waits if none is idle.
    public var clientConnections = 8_192
    /// The most connections from one address at a time, or from one IPv6 network of 64 bits; nil: any number.
    public var connectionsPerAddress: Int?
    /// The bytes a second that a client has to send of a request, and to read of a response, while some of them wait;
    /// none: any number.
    public var clientRate = ByteCount.kibibytes(1)
    /// The time over which that is measured.
    package var clientRateTime = Duration.seconds(10)
    /// The most connections to one origin at a time.
    public var connectionsPerOrigin = 256
    /// The bytes of a request's content, or a response's body, that wait for a slow client without a connection to the
    /// origin. None: they are passed on as they come.
    public var spoolLimit = ByteCount.mebibytes(16)
    /// The bytes that temporary files may take for that.
    public var spoolSpace = ByteCount.gibibytes(1)
    /// The folder of these files; nil: the one that `TMPDIR` names, or `/tmp`.
    public var spoolDirectory: String?
    /// The path of a PEM file with the authorities that TLS origins are trusted by; nil: those of the system.
    public var originAuthorities: String?
    /// What the origin is told as `Host`.
    public var hostField = HostField.client
    /// What becomes of requests whose path servers may read in more than one way.
    public var paths = Paths.asIs
    /// The request fields whose names have anything but letters, digits and hyphens.
    public var underscoreFields = UnderscoreFields.drop
    /// The request fields that are dropped, beside those that no client decides.
    public var dropFields: [FieldPattern] = []
    /// What the gateway calls itself in `Cache-Status` and `Via`.
    public var name = "Larder"
    /// The path that an origin's health is asked at.
    public var healthPath = "/"
    /// The least urgent messages that are logged.
    public var logLevel = Logger.Level.info
    /// The time between the order to stop, from which on the gateway is not ready and responses end their connections,
    /// and the end of listening.
    public var drainDelay = Duration.seconds(5)
    /// The time that requests have to end after that.
    public var drainTimeout = Duration.seconds(30)
    /// The largest head of a request, by the measure of HTTP/2: names and values, and 32 bytes for each field.
    public var headerLimit = ByteCount.kibibytes(64)
    /// What it means that a client sends no more before it has its response.
    public var halfClose = HalfClose.leave

    /// Settings with every choice but the origin at its default.
    public init(origin: OriginAddress) {
        self.origin = origin
    }
}

extension GatewaySettings {
    /// The largest body that is stored in Redis: a larger one would not come within the time that a command may take.
    public static let redisBodyLimit = ByteCount.mebibytes(1)

    /// Returns true if requests for a target are served, as far as its path tells.
    package func accepts(_ target: String) -> Bool { paths == .asIs || PathReading.isUnambiguous(target) }

    /// The number of temporary files at a time.
    public static let spoolFiles = 1_024

    /// The memory of bodies that are on their way.
    public var bodiesInFlight: ByteCount {
        inFlightLimit ?? max(.mebibytes(64), .bytes(memoryLimit.bytes / 4))
    }

    /// Returns the limit of bodies that are really stored where `limit` is asked for.
    public func storedBodyLimit(_ limit: ByteCount) -> ByteCount {
        switch store {
        case .redis: min(limit, Self.redisBodyLimit)
        case .memory:
            min(
                limit,
                CacheEntry.bodyLimit(
                    forEntriesUpTo: MemoryStore.entryLimit(CacheEntry.limit(forBodiesOf: limit), within: memoryLimit)
                )
            )
        }
    }

    /// What keeps larger bodies from being stored, for messages.
    var whatLimitsBodies: String {
        switch store {
        case .redis: "Redis holds bodies up to \(Self.redisBodyLimit)"
        case .memory: "`memory-limit` is \(memoryLimit)"
        }
    }
}
