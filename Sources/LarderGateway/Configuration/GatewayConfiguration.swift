/// All that the gateway runs by: its settings and its routes.
public struct GatewayConfiguration: Sendable {
    /// A configuration file's text, and what messages call it.
    public struct File: Hashable, Sendable {
        public var name: String
        public var text: String

        /// The longest file that is read, in bytes.
        public static let lengthLimit = YAMLText.sizeLimit

        /// A file that has been read.
        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// What holds for all routes.
    public var settings: GatewaySettings
    /// Which requests go where, and how their responses are cached.
    public var routes: RouteTable
    /// What may be meant otherwise: worth a line in the log.
    public var warnings: [Diagnostic]
    /// Where each setting is given, for messages.
    public var places: [GatewaySetting: Diagnostic.Place] = [:]

    /// A configuration without routes of its own.
    public init(settings: GatewaySettings) {
        self.settings = settings
        self.routes = RouteTable(settings)
        self.warnings = []
    }

    /// Reads the configuration of a gateway.
    /// - Parameters:
    ///   - file: the configuration file; nil where there is none.
    ///   - environment: the variables of the process; those that begin with `LARDER_` count.
    ///   - options: what the command line says, by the names of settings: `["listen": "127.0.0.1:8000"]`.
    /// - Throws: everything that is wrong.
    public init(
        file: File? = nil,
        environment: [String: String],
        options: [String: String] = [:]
    ) throws(ConfigurationDiagnostics) {
        let reading = GatewayReading(file, environment, options)
        guard reading.diagnostics.isEmpty else { throw ConfigurationDiagnostics(reading.diagnostics) }
        self.settings = reading.settings
        self.routes = reading.table
        self.warnings = reading.warnings
        self.places = reading.places
    }
}
