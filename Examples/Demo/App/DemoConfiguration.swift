public import Configuration
public import Larder
import LarderHummingbird
public import Logging

/// The configuration of the example API, read from the environment.
///
/// - `HOST` (default `127.0.0.1`): the address to listen on.
/// - `PORT` (default `8080`): the port, 1 to 65535; 0 takes a free one.
/// - `LARDER_ADMIN_TOKEN`: the bearer token that the admin routes need.
/// - `LARDER_ADMIN_ACCESS` (default `token`): with `loopback`, the admin routes answer clients on this machine without
///   a token, for development.
/// - `REDIS_URL`: the Redis server that stores the responses, such as `redis://127.0.0.1:6379`; if it is unset, they
///   are stored in the memory of this process.
/// - `LARDER_NAMESPACE` (default `larder:`): the prefix of every key in Redis.
/// - `LARDER_MEMORY_LIMIT` (default `256MiB`): the memory that the cache may use.
/// - `LOG_LEVEL` (default `info`).
public struct DemoConfiguration: Sendable {
    public var host: String
    public var port: Int
    public var adminToken: BearerToken?
    public var adminAccess: AdminAccessSetting
    public var redisURL: String?
    public var namespace: String
    public var memoryLimit: ByteCount
    public var logLevel: Logger.Level

    /// Creates a configuration.
    public init(
        host: String = "127.0.0.1",
        port: Int = 8080,
        adminToken: BearerToken? = nil,
        adminAccess: AdminAccessSetting = .token,
        redisURL: String? = nil,
        namespace: String = "larder:",
        memoryLimit: ByteCount = .mebibytes(256),
        logLevel: Logger.Level = .info
    ) throws(ConfigurationError) {
        self.host = host
        self.port = port
        self.adminToken = adminToken
        self.adminAccess = adminAccess
        self.redisURL = redisURL
        self.namespace = namespace
        self.memoryLimit = memoryLimit
        self.logLevel = logLevel
        guard adminToken != nil || adminAccess == .token || AdminAccess.isLoopback(host: host) else {
            throw ConfigurationError(
                "LARDER_ADMIN_ACCESS=loopback needs a server that other machines cannot reach, but they can reach "
                    + "HOST=\(host): set LARDER_ADMIN_TOKEN, or listen on 127.0.0.1"
            )
        }
    }

    /// Creates a configuration from a reader.
    /// - Throws: `ConfigurationError` if a value is invalid or empty.
    public init(reading reader: ConfigReader) throws(ConfigurationError) {
        try self.init(
            host: Self.value("host", in: reader, expecting: "a host name or an address") { $0 } ?? "127.0.0.1",
            port: Self.value("port", in: reader, expecting: "a port from 0 to 65535") { text in
                Int(text).flatMap { (0...65_535).contains($0) ? $0 : nil }
            } ?? 8080,
            adminToken: Self.value(
                "larder.admin.token",
                in: reader,
                expecting: "at least \(BearerToken.minimumLength) letters, digits, or -._~+/",
                isSecret: true
            ) { BearerToken($0) },
            adminAccess: Self.value("larder.admin.access", in: reader, expecting: "`token` or `loopback`") {
                AdminAccessSetting(rawValue: $0)
            } ?? .token,
            redisURL: Self.value(
                "redis.url",
                in: reader,
                expecting: "a URL such as redis://127.0.0.1:6379, rediss://host or unix:///path/to/socket",
                isSecret: true
            ) { $0 },
            namespace: Self.value(
                "larder.namespace",
                in: reader,
                expecting: "1 to 64 visible ASCII characters"
            ) { text in
                text.utf8.count <= 64 && text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? text : nil
            } ?? "larder:",
            memoryLimit: Self.value(
                "larder.memory.limit",
                in: reader,
                expecting: "a size such as 268435456 (bytes), 256MiB or 1GiB, at least 1MiB"
            ) { text in
                ByteCount(text).flatMap { $0 >= .mebibytes(1) ? $0 : nil }
            } ?? .mebibytes(256),
            logLevel: Self.value(
                "log.level",
                in: reader,
                expecting: "one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            ) { Logger.Level(rawValue: $0) } ?? .info
        )
    }

    private static func value<Value>(
        _ key: ConfigKey,
        in reader: ConfigReader,
        expecting expectation: String,
        isSecret: Bool = false,
        _ parse: (String) -> Value?
    ) throws(ConfigurationError) -> Value? {
        guard let text = reader.string(forKey: key, isSecret: isSecret) else { return nil }
        let name = key.components.joined(separator: "_").uppercased()
        guard !text.isEmpty else { throw ConfigurationError("\(name) is empty: leave it out, or give \(expectation)") }
        guard let value = parse(text) else {
            // Control characters in the value are replaced, so that the message stays on one line.
            let shown = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? "\u{FFFD}" : $0 }))
            throw ConfigurationError("\(name)\(isSecret ? "" : "=\(shown)") is invalid: expected \(expectation)")
        }
        return value
    }
}

extension DemoConfiguration {
    /// The names of the environment variables that begin with `LARDER_`.
    private static let ownVariables = [
        "LARDER_ADMIN_ACCESS", "LARDER_ADMIN_TOKEN", "LARDER_MEMORY_LIMIT", "LARDER_NAMESPACE",
    ]

    /// The names of all environment variables, for messages.
    public static let variables = (["HOST", "PORT", "REDIS_URL", "LOG_LEVEL"] + ownVariables).joined(separator: ", ")

    /// Returns a warning for each variable that begins with `LARDER_` and is not read, since it may be misspelled.
    public static func warnings(_ environment: [String: String]) -> [String] {
        environment.keys.filter { $0.hasPrefix("LARDER_") && !ownVariables.contains($0) }.sorted().map { name in
            "\(name) is not read: this program knows \(ownVariables.joined(separator: ", "))"
        }
    }

    /// The access to the admin routes.
    public enum AdminAccessSetting: String, Hashable, Sendable, CaseIterable {
        /// The admin routes need the token. If none is set, they do not answer any client.
        case token
        /// Without a token, the admin routes answer clients on this machine, and everything that a proxy on it
        /// forwards: for development.
        case loopback
    }

    /// The clients that may use the admin routes.
    var access: AdminAccess {
        .standard(token: adminToken, trustsLoopback: adminAccess == .loopback, host: host)
    }

    /// A line of advice for the person who starts the program, if the admin routes do not answer any client; otherwise
    /// nil.
    public var adviceOnAccess: String? {
        guard case .closed = access else { return nil }
        return "The admin routes refuse all clients: set LARDER_ADMIN_TOKEN, or for development "
            + "LARDER_ADMIN_ACCESS=loopback"
    }
}

/// A wrong configuration, in one line for the person who starts the program.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
