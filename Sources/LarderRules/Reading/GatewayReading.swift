/// A file, the environment and the command line, read together.
struct GatewayReading {
    private(set) var mistakes: [Mistake]
    let warnings: [Mistake]
    let file: GatewayFile
    let settings: GatewaySettings
    /// The name of the default origin in the file; nil where it has none.
    let originName: String?

    init(_ file: GatewayConfiguration.File?, _ environment: [String: String], _ options: [String: String]) {
        let read = file.map { GatewayFile($0.text, name: $0.name) } ?? GatewayFile(name: "")
        var (mistakes, sources) = (
            read.findings.mistakes, SettingSources(environment: environment, file: read.settings)
        )
        for (name, value) in options {
            if let setting = GatewaySetting(rawValue: name) {
                sources.options[setting] = value
            } else {
                mistakes.append(Mistake(at: .option("--" + name), "there is no such option"))
            }
        }
        var reader = SettingReader(sources)
        let origin = Self.defaultOrigin(&reader, read)
        self.settings = GatewaySettings(origin: origin?.address ?? .unknown, reading: &reader)
        self.originName = origin?.name
        self.mistakes = mistakes + reader.mistakes
        self.warnings = (read.warnings(default: origin?.name) + Self.warnings(environment)).sorted()
        self.file = read
    }

    var table: RouteTable { RouteTable(file.rules, of: file.origins, default: originName, settings) }

    /// The server of what no route gives to another one: by its URL, or by its name in the file, or the only one that
    /// the file names.
    private static func defaultOrigin(
        _ reader: inout SettingReader,
        _ file: GatewayFile
    ) -> (name: String?, address: OriginAddress)? {
        let names = file.origins.map(\.name)
        if reader.isAbsent(.origin) {
            // A file that cannot be read may have named it.
            guard !file.isUnreadable else { return nil }
            if file.origins.count == 1, let only = file.origins.first { return (only.name, only.address) }
            reader.add(
                names.isEmpty
                    ? "is missing: give the server to pass requests on to, \(OriginAddress.expectation)"
                    : "is missing: name the one of `origins` that gets what no route takes",
                at: .origin
            )
            return nil
        }
        let expectation =
            OriginAddress.expectation
            + (names.isEmpty ? "" : ", or one of the `origins`: " + names.map { "`\($0)`" }.joined(separator: ", "))
        return reader.value(.origin, expecting: expectation) { text in
            if let address = file.origin(named: text) { return (text, address) }
            return OriginAddress(text).map { (nil, $0) }
        }
    }

    /// Variables that are nearly those of settings.
    private static func warnings(_ environment: [String: String]) -> [Mistake] {
        let variables = GatewaySetting.allCases.map(\.variable)
        return environment.keys.compactMap { name in
            guard name.hasPrefix("LARDER_"), !variables.contains(name) else { return nil }
            let near = variables.first { Guess.distance(name, $0) <= 2 }
            return near.map { Mistake(at: .variable(name), "is no setting: did you mean \($0)?") }
        }
    }
}
