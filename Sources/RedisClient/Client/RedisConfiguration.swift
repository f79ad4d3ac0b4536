/// The server to connect to, the credentials, and the timeouts and limits of a client.
package struct RedisConfiguration: Sendable {
    package enum Endpoint: Hashable, Sendable {
        case host(String, port: Int)
        case unixSocket(path: String)
    }

    /// A user's name and password. The password is left out of descriptions.
    package struct Credentials: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
        package let user: String
        package let password: String

        package init(user: String = "default", password: String) {
            self.user = user
            self.password = password
        }

        package var description: String { "\(user):***" }
        package var customMirror: Mirror { Mirror(self, children: ["user": user]) }
    }

    /// TLS, always with verification of the certificate and of the name in it.
    package struct TLS: Hashable, Sendable {
        /// The path of a file of certificates (PEM) to trust instead of the system's.
        package var trustRoots: String?

        package init(trustRoots: String? = nil) {
            self.trustRoots = trustRoots
        }
    }

    package var endpoint: Endpoint
    package var credentials: Credentials?
    package var database: Int
    package var tls: TLS?

    /// The name of the connections in `CLIENT LIST`. Redis does not allow spaces in it.
    package var clientName = "larder"

    /// The number of connections that are open at the same time. They share the load; one is enough in most cases.
    package var connections = 2

    /// The time limit for connecting, and again for the server's replies to the first commands.
    package var connectTimeout = Duration.seconds(2)

    /// The bounds of the adaptive timeout, for commands that have no fixed deadline.
    package var timeouts = AdaptiveTimeout.Bounds()

    /// The time for which the oldest command of a connection may be overdue before the connection is given up as lost.
    package var silenceLimit = Duration.seconds(2)

    /// The interval of the checks of a connection, which may be idle otherwise.
    package var heartbeat = Duration.seconds(10)

    package var reconnecting = ReconnectPlan()
    package var limits = RESPLimits()

    package init(
        endpoint: Endpoint,
        credentials: Credentials? = nil,
        database: Int = 0,
        tls: TLS? = nil
    ) {
        self.endpoint = endpoint
        self.credentials = credentials
        self.database = database
        self.tls = tls
    }
}

extension RedisConfiguration.Endpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unixSocket(let path): path
        }
    }
}
