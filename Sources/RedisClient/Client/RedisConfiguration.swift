/// Which server to talk to, as whom, and how patiently.
package struct RedisConfiguration: Sendable {
    package enum Endpoint: Hashable, Sendable {
        case host(String, port: Int)
        case unixSocket(path: String)
    }

    /// A user's name and password, which no description shows.
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
        /// A file of certificates (PEM) to trust instead of the system's.
        package var trustRoots: String?

        package init(trustRoots: String? = nil) {
            self.trustRoots = trustRoots
        }
    }

    package var endpoint: Endpoint
    package var credentials: Credentials?
    package var database: Int
    package var tls: TLS?

    /// The name of the connections in `CLIENT LIST`. Redis takes no spaces in it.
    package var clientName = "larder"

    /// The connections that are kept open. They share the load; one does for most.
    package var connections = 2

    /// How long connecting may take, and then how long the server may take to introduce itself.
    package var connectTimeout = Duration.seconds(2)

    /// How long the replies to commands without a deadline of their own may take.
    package var timeouts = AdaptiveTimeout.Bounds()

    /// How long the oldest command of a connection may be overdue before the connection is given up as dead.
    package var patience = Duration.seconds(2)

    /// How often a connection is checked that may have nothing else to do.
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
