public import Larder
public import Logging

/// The settings of a gateway, which apply to all of its routes.
///
/// Each setting has one name in all sources: `memory-limit` in the file, `LARDER_MEMORY_LIMIT` in the environment,
/// `--memory-limit` on the command line. The command line takes precedence over the environment, and the environment
/// over the file.
public struct GatewaySettings: Sendable {
    /// The store of responses.
    public enum Store: Hashable, Sendable, CustomStringConvertible {
        /// In the memory of the process.
        case memory
        /// On a Redis server with this URL, which may contain a password.
        case redis(url: String)

        public var description: String {
            switch self {
            case .memory: "memory"
            case .redis: "Redis"
            }
        }
    }

    /// The certificate files for TLS.
    public struct Certificate: Hashable, Sendable {
        /// The path of a PEM file with the certificate and its intermediate certificates.
        public var certificate: String
        /// The path of a PEM file with the private key.
        public var privateKey: String

        /// Creates a pair of files from their paths.
        public init(certificate: String, privateKey: String) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    /// The destination of the access log.
    public enum AccessLog: Hashable, Sendable {
        /// The access log is off.
        case off
        /// Lines go to standard output.
        case standardOutput
        /// Lines go to the file with this path.
        case file(String)
    }

    /// The `Host` field of requests to an origin.
    public enum HostField: String, Hashable, Sendable, CaseIterable {
        /// The value that the client sent.
        case client
        /// The origin's own authority.
        case origin
    }

    /// The handling of requests whose path servers may read in more than one way: with an encoded slash, a dot segment,
    /// parameters, a backslash, a control character.
    public enum Paths: String, Hashable, Sendable, CaseIterable {
        /// Requests are forwarded unchanged. A response is stored if every reading of the path matches a route with the
        /// same policy.
        case asIs = "as-is"
        /// Requests are answered with 400 (Bad Request).
        case reject
    }

    /// The handling of request fields that servers may take for others: `Accept_Language` for `Accept-Language`.
    public enum UnderscoreFields: String, Hashable, Sendable, CaseIterable {
        /// The fields are dropped.
        case drop
        /// The fields are forwarded. A request bypasses the cache if one of them may be taken for a field that a rule
        /// names, and a response is not stored if it varies by such a field.
        case keep
    }

    /// The clients that the admin routes answer if there is no token.
    public enum AdminAccess: String, Hashable, Sendable, CaseIterable {
        /// The routes do not answer any client without a token.
        case token
        /// The routes answer clients on this machine, which include all requests that a proxy on this machine forwards.
        /// For development only.
        case loopback
    }

    /// The meaning of a client that ends its side of a connection before it has its response.
    public enum HalfClose: String, Hashable, Sendable, CaseIterable {
        /// The client has disconnected, as if it had reset the connection.
        case leave
        /// The client waits for its response.
        case allow
    }

    /// The default origin, which gets the requests that no route gives to another one.
    public var origin: OriginAddress
    /// The address on which the gateway listens; `127.0.0.1:8000` by default.
    public var listen = ListenAddress(host: "127.0.0.1", port: 8000)
    /// The hosts that are served; any host if empty, the default. Requests for other hosts are answered with 421
    /// (Misdirected Request), and nothing is stored for them.
    public var hosts: [ServedHost] = []
    /// The proxies whose fields about clients are trusted; none by default.
    public var trustedProxies = TrustedProxies()
    /// The kind of fields that trusted proxies write; `X-Forwarded-*` by default. Fields of the other kind are dropped.
    public var trustedFields = ForwardedChain.Kind.xForwarded
    /// True if connections from trusted proxies begin with a header of the PROXY protocol; false by default.
    public var expectsProxyProtocol = false
    /// The store of responses; memory by default.
    public var store = Store.memory
    /// The prefix of every key in Redis; `larder:` by default.
    public var namespace = "larder:"
    /// The time that Redis has to reply before a request continues without it, as long as its recent reply times are
    /// not known (`RedisStore.Options.timeout`); 50 ms by default.
    public var redisTimeout = Duration.milliseconds(50)
    /// The memory that the cache may use; 256 MiB by default.
    public var memoryLimit = ByteCount.mebibytes(256)
    /// The memory that bodies in transit may use in addition to ``memoryLimit``. A response beyond it is forwarded as
    /// it arrives and not stored. Nil, the default, stands for a quarter of ``memoryLimit``, and 64 MiB at least.
    public var inFlightLimit: ByteCount?
    /// The memory that the invalidation log may use, in this process or in Redis, from 64 KiB to 256 MiB; 16 MiB by
    /// default.
    public var invalidationLog = ByteCount.mebibytes(16)
    /// The largest body that is stored; 8 MiB by default.
    public var bodyLimit = ByteCount.mebibytes(8)
    /// The maximum number of variants stored under one key. If there are more, the least recently used one is evicted.
    public var variantLimit = MemoryStore.defaultVariantLimit
    /// The certificate for TLS, and for HTTP/2 with it; nil for plain HTTP, the default.
    public var certificate: Certificate?
    /// The bearer token that the admin routes require. Without it, ``adminAccess`` and ``adminListen`` say which
    /// clients they answer.
    public var adminToken: BearerToken?
    /// The path of a file with the bearer token, which is read at the start and at each reload; nil for none, the
    /// default. ``adminToken`` takes precedence.
    public var adminTokenFile: String?
    /// The clients that the admin routes answer without a token; none by default.
    public var adminAccess = AdminAccess.token
    /// The separate address of the admin routes; nil if they answer on ``listen``, the default.
    public var adminListen: AdminAddress?
    /// The path prefix of the admin routes; `/-/larder` by default.
    public var adminPrefix = "/-/larder"
    /// The destination of the access log; off by default.
    public var accessLog = AccessLog.off
    /// The format of the lines of the access log; the Combined Log Format by default.
    public var accessLogFormat = AccessLogFormat.combined
    /// The fields of the lines of the access log, in their order; all of them if empty, the default, and none after
    /// the Combined Log Format.
    public var accessLogFields: [AccessLogField] = []
    /// The time that a connection to an origin may take to be established; 5 seconds by default.
    public var connectTimeout = Duration.seconds(5)
    /// The time that an origin may take until it sends the head of its response; 30 seconds by default.
    public var responseTimeout = Duration.seconds(30)
    /// The time that an origin may pause between two parts of a body; 60 seconds by default.
    public var idleTimeout = Duration.seconds(60)
    /// The time that a client's connection may be open without a request; 75 seconds by default.
    public var clientIdleTimeout = Duration.seconds(75)
    /// The maximum number of connections of clients at a time; 8,192 by default. A further connection replaces the one
    /// that has been idle for the longest time, and waits if none is idle.
    public var clientConnections = 8_192
    /// The maximum number of connections from one address, or from one IPv6 /64 network, at a time; nil for any number,
    /// the default.
    public var connectionsPerAddress: Int?
    /// The number of bytes per second that a client has to send of a request, and to read of a response, while some of
    /// them wait; 1 KiB by default, 0 for no limit.
    public var clientRate = ByteCount.kibibytes(1)
    /// The time over which ``clientRate`` is measured: 10 seconds.
    package var clientRateTime = Duration.seconds(10)
    /// The maximum number of connections to one origin at a time; 256 by default.
    public var connectionsPerOrigin = 256
    /// The number of bytes of a request's content, or of a response's body, that wait for a slow client without a
    /// connection to the origin; 16 MiB by default. With 0, they are forwarded as they arrive.
    public var spoolLimit = ByteCount.mebibytes(16)
    /// The number of bytes that temporary files may use for that; 1 GiB by default.
    public var spoolSpace = ByteCount.gibibytes(1)
    /// The folder of these files; nil for the one that `TMPDIR` names, or `/tmp`.
    public var spoolDirectory: String?
    /// The path of a PEM file with the certificate authorities that TLS origins are trusted by; nil for those of the
    /// system.
    public var originAuthorities: String?
    /// The `Host` field of requests to an origin: the client's by default.
    public var hostField = HostField.client
    /// The handling of requests whose path servers may read in more than one way: forwarded unchanged by default.
    public var paths = Paths.asIs
    /// The handling of request fields whose names have other characters than letters, digits and hyphens: dropped by
    /// default.
    public var underscoreFields = UnderscoreFields.drop
    /// The request fields that are dropped in addition to those that only proxies write; none by default.
    public var dropFields: [FieldPattern] = []
    /// The name of the gateway in `Cache-Status` and `Via`; `Larder` by default.
    public var name = "Larder"
    /// The path of requests that check the health of an origin; `/` by default.
    public var healthPath = "/"
    /// The lowest level of messages that are logged; `info` by default.
    public var logLevel = Logger.Level.info
    /// The time between the signal to stop and the end of listening; 5 seconds by default. From the signal on, the
    /// gateway is not ready, and its responses close their connections.
    public var drainDelay = Duration.seconds(5)
    /// The time that requests have to complete after that; 30 seconds by default.
    public var drainTimeout = Duration.seconds(30)
    /// The largest head of a request, measured as in HTTP/2: names and values, and 32 bytes for each field; 64 KiB by
    /// default.
    public var headerLimit = ByteCount.kibibytes(64)
    /// The meaning of a client that ends its side of a connection before it has its response: it has disconnected, by
    /// default.
    public var halfClose = HalfClose.leave

    /// Creates settings that have their defaults, with an origin.
    public init(origin: OriginAddress) {
        self.origin = origin
    }

    /// True to answer hits on the event loop. A test switches it off to compare the responses.
    package var answersAtOnce = true
}

extension GatewaySettings {
    /// The largest body that is stored in Redis: 1 MiB. A larger one would not arrive within the time that a command
    /// may take.
    public static let redisBodyLimit = ByteCount.mebibytes(1)

    /// Returns true if requests for a target are served as far as ``paths`` is concerned.
    package func accepts(_ target: String) -> Bool { paths == .asIs || RoutePath.isUnambiguous(target) }

    /// The maximum number of temporary files at a time.
    public static let spoolFiles = 1_024

    /// The memory that bodies in transit may use.
    public var bodiesInFlight: ByteCount {
        inFlightLimit ?? max(.mebibytes(64), .bytes(memoryLimit.bytes / 4))
    }

    /// Returns the size of the largest body that is actually stored if a limit is configured, given the limits of the
    /// store.
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

    /// The reason, for messages, why the store does not take larger bodies.
    var bodyLimitReason: String {
        switch store {
        case .redis: "Redis stores bodies of up to \(Self.redisBodyLimit)"
        case .memory: "`memory-limit` is \(memoryLimit)"
        }
    }
}
