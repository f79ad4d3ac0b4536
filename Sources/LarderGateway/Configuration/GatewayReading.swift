/// The result of reading a file, the environment and the command line together.
struct GatewayReading {
    private(set) var diagnostics: [Diagnostic]
    let warnings: [Diagnostic]
    let file: GatewayFile
    let settings: GatewaySettings
    /// The name of the default origin in the file; nil if it does not have one.
    let originName: String?
    /// The location where each setting is given.
    let locations: [GatewaySetting: SourceLocation]

    init(
        _ file: GatewayConfiguration.File?,
        _ environment: [String: String],
        _ options: [String: String],
        _ sockets: InheritedSockets = .none
    ) {
        let read = file.map { GatewayFile($0.text, name: $0.name) } ?? GatewayFile(name: "")
        var (diagnostics, sources) = (
            read.diagnostics.errors, SettingSources(environment: environment, file: read.settings)
        )
        (sources.fileName, sources.unread) = (file?.name, read.unreadSettings)
        sources.inherited = sockets.addresses
        for (name, value) in options {
            if let setting = GatewaySetting(rawValue: name) {
                sources.options[setting] = value
            } else {
                diagnostics.append(Diagnostic(at: .option("--" + name), "there is no such option"))
            }
        }
        var reader = SettingReader(sources)
        let origin = Self.defaultOrigin(&reader, read)
        let settings = GatewaySettings(origin: origin?.address ?? .unknown, reading: &reader)
        self.settings = settings
        self.originName = origin?.name
        self.locations = Dictionary(
            uniqueKeysWithValues: GatewaySetting.allCases.map { ($0, sources.location(of: $0)) }
        )
        self.diagnostics =
            diagnostics + reader.diagnostics
            + Self.loops(settings, read, isNamed: origin?.name != nil, at: locations[.origin] ?? .nowhere)
        self.warnings =
            (read.warnings(default: origin?.name, settings) + Self.warnings(environment)
            + Self.warnings(settings, locations) + Self.warnings(sources, reader)).sorted()
        self.file = read
    }

    var table: RouteTable { RouteTable(file.rules, of: file.origins, default: originName, settings) }

    /// Returns the default origin, which gets the requests that no route gives to another one. It is given by its URL
    /// or by its name in the file, or is the only origin in the file.
    private static func defaultOrigin(
        _ reader: inout SettingReader,
        _ file: GatewayFile
    ) -> (name: String?, address: OriginAddress)? {
        let names = file.origins.map(\.name)
        if reader.isAbsent(.origin) {
            // A file that cannot be parsed may contain the setting.
            guard !file.isUnreadable else { return nil }
            if file.origins.count == 1, let only = file.origins.first { return (only.name, only.address) }
            reader.add(
                .origin,
                names.isEmpty
                    ? "is missing; expected the server to forward requests to, \(OriginAddress.expectation)"
                    : "is missing; expected the name of one of the `origins`, which gets the requests that no route "
                        + "matches"
            )
            return nil
        }
        let expectation =
            OriginAddress.expectation
            + (names.isEmpty ? "" : ", or one of the `origins`: " + names.map { "`\($0)`" }.alternatives)
        return reader.value(.origin, expecting: expectation) { text in
            if let address = file.origin(named: text) { return (text, address) }
            return OriginAddress(text).map { (nil, $0) }
        }
    }

    /// Returns a diagnostic for each origin that is the gateway itself, since a request to such an origin would loop.
    private static func loops(
        _ settings: GatewaySettings,
        _ file: GatewayFile,
        isNamed: Bool,
        at location: SourceLocation
    ) -> [Diagnostic] {
        var origins = file.origins.map { (address: $0.address, location: $0.location) }
        if !isNamed { origins.append((settings.origin, location)) }
        var own = [settings.listen]
        if case .address(let address) = settings.adminListen { own.append(address) }
        return origins.compactMap { origin in
            own.first { $0.isReached(by: origin.address) }.map { address in
                let message = "\(origin.address) is the address of the gateway itself (\(address))"
                return Diagnostic(at: origin.location, "`origin`: \(message): give the server behind the gateway")
            }
        }
    }

    /// Returns the warnings about settings.
    private static func warnings(
        _ settings: GatewaySettings,
        _ locations: [GatewaySetting: SourceLocation]
    ) -> [Diagnostic] {
        var warnings: [Diagnostic] = []
        func warn(_ setting: GatewaySetting, _ message: String) {
            warnings.append(.warning(at: locations[setting] ?? .nowhere, message))
        }
        if settings.hosts.isEmpty, !settings.listen.isLoopback {
            warn(
                .listen,
                "requests for any host are served and their responses stored: set `hosts` to the hosts that you serve, "
                    + "so that requests for invented hosts do not fill the cache"
            )
        }
        if settings.trustedProxies.networks.contains(where: \.isEverything) {
            warn(
                .trustedProxies,
                "`trusted-proxies` contains all addresses, so any client can forge its address: list only your proxies"
            )
        }
        if settings.adminToken != nil, settings.adminTokenFile != nil {
            warn(.adminTokenFile, "`admin-token-file` has no effect, because `admin-token` is given: leave out one")
        }
        let stored = settings.storedBodyLimit(settings.bodyLimit)
        if locations[.bodyLimit] != .nowhere, stored < settings.bodyLimit {
            warn(.bodyLimit, "bodies larger than \(stored) are not stored: \(settings.bodyLimitReason)")
        }
        return warnings
    }

    /// Returns a warning for each address that is not used because there is an inherited socket.
    private static func warnings(_ sources: SettingSources, _ reader: SettingReader) -> [Diagnostic] {
        sources.inherited.compactMap { setting, address in
            guard let given = reader.given(setting), !isSame(given, address) else { return nil }
            let message = "\(given) is not used: the inherited socket listens on \(address)"
            return Diagnostic(setting, at: sources.givenLocation(of: setting), message, severity: .warning)
        }
    }

    /// Returns true if two texts are addresses on which the same clients are expected.
    private static func isSame(_ text: String, _ other: String) -> Bool {
        guard text != other, let one = ListenAddress(text), let two = ListenAddress(other) else { return text == other }
        guard one.host != two.host else { return one.port == two.port }
        func isUnspecified(_ address: ListenAddress) -> Bool { IPAddress(address.host)?.isUnspecified == true }
        return one.port == two.port
            && (isUnspecified(one) && isUnspecified(two) || one.isLoopback && two.isLoopback)
    }

    /// Returns a warning for each unknown variable whose name is similar to that of a setting.
    private static func warnings(_ environment: [String: String]) -> [Diagnostic] {
        let variables = GatewaySetting.allCases.map(\.variable)
        return environment.keys.compactMap { name in
            guard name.hasPrefix("LARDER_"), !variables.contains(name) else { return nil }
            let near = variables.first { SpellingSuggestion.distance(name, $0) <= 2 }
            return near.map {
                Diagnostic.warning(at: .variable(name), "this variable is not a setting: did you mean \($0)?")
            }
        }
    }
}
