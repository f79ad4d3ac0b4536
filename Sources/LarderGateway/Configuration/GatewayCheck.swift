/// What a configuration file says, and what is wrong with it, for the person who wrote it: `larder check FILE`.
public struct GatewayCheck: Sendable {
    /// What is wrong; the gateway does not start with it.
    public let diagnostics: [Diagnostic]
    /// What may be meant otherwise.
    public let warnings: [Diagnostic]
    /// The routes and what each does, as a table in plain text; empty where there are diagnostics.
    public let summary: String

    /// Checks a file as the gateway would read it with these variables and options.
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
