/// The result of checking a configuration file, for the person who wrote it: `larder check FILE`.
public struct GatewayCheck: Sendable {
    /// The diagnostics. If there are any, the gateway does not start.
    public let diagnostics: [Diagnostic]
    /// The warnings about valid values that may not be intended.
    public let warnings: [Diagnostic]
    /// The description of the routes, as a table in plain text; empty if there are diagnostics.
    public let summary: String

    /// Checks a file, reading it as the gateway would with these variables and options.
    public static func run(
        text: String,
        name: String,
        environment: [String: String] = [:],
        options: [String: String] = [:]
    ) -> GatewayCheck {
        let reading = GatewayReading(GatewayConfiguration.File(name: name, text: text), environment, options)
        return GatewayCheck(
            diagnostics: reading.diagnostics.sorted(),
            warnings: reading.warnings,
            summary: reading.diagnostics.isEmpty ? GatewaySummary(reading).description : ""
        )
    }
}
