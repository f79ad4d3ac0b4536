/// The configuration of a gateway: its settings and its routes.
public struct GatewayConfiguration: Sendable {
    /// The text of a configuration file, and its name in messages.
    public struct File: Hashable, Sendable {
        public var name: String
        public var text: String

        /// The maximum length of a configuration file, in bytes.
        public static let lengthLimit = YAMLText.sizeLimit

        /// Creates a file from its name and text.
        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// The settings, which apply to all routes.
    public var settings: GatewaySettings
    /// The routes, which say where requests go and how their responses are cached.
    public var routes: RouteTable
    /// The warnings about valid values that may not be intended, to be logged.
    public var warnings: [Diagnostic]
    /// The location where each setting is given, for messages.
    public var locations: [GatewaySetting: SourceLocation] = [:]
    /// The sockets that the gateway accepts connections on in place of opening its own.
    public var sockets = InheritedSockets.none

    /// Creates a configuration with the default route only.
    public init(settings: GatewaySettings) {
        self.settings = settings
        self.routes = RouteTable(settings)
        self.warnings = []
    }

    /// Creates a configuration from a file, the environment and the command line.
    /// - Parameters:
    ///   - file: The configuration file; nil if there is none.
    ///   - environment: The variables of the process, of which those that begin with `LARDER_` are read.
    ///   - options: The options of the command line, by the names of settings: `["listen": "127.0.0.1:8000"]`.
    ///   - sockets: The sockets that a service manager passed to this process. Their addresses take precedence over
    ///     those that the other sources give for `listen` and `admin-listen`.
    /// - Throws: All diagnostics, if there are any.
    public init(
        file: File? = nil,
        environment: [String: String],
        options: [String: String] = [:],
        sockets: InheritedSockets = .none
    ) throws(ConfigurationDiagnostics) {
        let reading = GatewayReading(file, environment, options, sockets)
        guard reading.diagnostics.isEmpty else { throw ConfigurationDiagnostics(reading.diagnostics) }
        self.settings = reading.settings
        self.routes = reading.table
        self.warnings = reading.warnings
        self.locations = reading.locations
        self.sockets = sockets
    }
}
