import ArgumentParser
import LarderGateway

/// The settings that the command line can give, named as in the configuration file.
struct SettingOptions: ParsableArguments {
    @Option(help: .setting(.origin, "url")) var origin: String?
    @Option(help: .setting(.listen, "host:port")) var listen: String?
    @Option(help: .setting(.hosts, "hosts")) var hosts: String?
    @Option(help: .setting(.trustedProxies, "networks")) var trustedProxies: String?
    @Option(help: .setting(.trustedFields, "x-forwarded|forwarded")) var trustedFields: String?
    @Option(help: .setting(.proxyProtocol, "on|off")) var proxyProtocol: String?
    @Option(help: .setting(.store, "url")) var store: String?
    @Option(help: .setting(.namespace, "text")) var namespace: String?
    @Option(help: .setting(.redisTimeout, "time")) var redisTimeout: String?
    @Option(help: .setting(.memoryLimit, "bytes")) var memoryLimit: String?
    @Option(help: .setting(.inFlightLimit, "bytes")) var inFlightLimit: String?
    @Option(help: .setting(.bodyLimit, "bytes")) var bodyLimit: String?
    @Option(help: .setting(.invalidationLog, "bytes")) var invalidationLog: String?
    @Option(help: .setting(.variantLimit, "count")) var variantLimit: String?
    @Option(help: .setting(.certificate, "file")) var certificate: String?
    @Option(help: .setting(.privateKey, "file")) var privateKey: String?
    @Option(help: .setting(.adminTokenFile, "file")) var adminTokenFile: String?
    @Option(help: .setting(.adminAccess, "token|loopback")) var adminAccess: String?
    @Option(help: .setting(.adminListen, "address")) var adminListen: String?
    @Option(help: .setting(.adminPrefix, "path")) var adminPrefix: String?
    @Option(help: .setting(.accessLog, "file")) var accessLog: String?
    @Option(help: .setting(.accessLogFormat, "combined|json|fields")) var accessLogFormat: String?
    @Option(help: .setting(.accessLogFields, "names")) var accessLogFields: String?
    @Option(help: .setting(.connectTimeout, "time")) var connectTimeout: String?
    @Option(help: .setting(.responseTimeout, "time")) var responseTimeout: String?
    @Option(help: .setting(.idleTimeout, "time")) var idleTimeout: String?
    @Option(help: .setting(.clientIdleTimeout, "time")) var clientIdleTimeout: String?
    @Option(help: .setting(.clientConnections, "count")) var clientConnections: String?
    @Option(help: .setting(.connectionsPerOrigin, "count")) var connectionsPerOrigin: String?
    @Option(help: .setting(.connectionsPerAddress, "count")) var clientConnectionsPerAddress: String?
    @Option(help: .setting(.clientRate, "bytes")) var clientRate: String?
    @Option(help: .setting(.spoolLimit, "bytes")) var spoolLimit: String?
    @Option(help: .setting(.spoolSpace, "bytes")) var spoolSpace: String?
    @Option(help: .setting(.spoolDirectory, "folder")) var spoolDirectory: String?
    @Option(help: .setting(.originAuthorities, "file")) var originCa: String?
    @Option(help: .setting(.hostField, "client|origin")) var hostField: String?
    @Option(help: .setting(.paths, "as-is|reject")) var paths: String?
    @Option(help: .setting(.underscoreFields, "drop|keep")) var underscoreFields: String?
    @Option(help: .setting(.dropFields, "fields")) var dropFields: String?
    @Option(help: .setting(.name, "name")) var name: String?
    @Option(help: .setting(.healthPath, "path")) var healthPath: String?
    @Option(help: .setting(.logLevel, "level")) var logLevel: String?
    @Option(help: .setting(.drainDelay, "time")) var drainDelay: String?
    @Option(help: .setting(.drainTimeout, "time")) var drainTimeout: String?
    @Option(help: .setting(.headerLimit, "bytes")) var headerLimit: String?
    @Option(help: .setting(.halfClose, "leave|allow")) var halfClose: String?

    /// The values that were given, by the names of settings.
    var values: [String: String] {
        let values: [GatewaySetting: String?] = [
            .origin: origin, .listen: listen, .hosts: hosts, .trustedProxies: trustedProxies,
            .trustedFields: trustedFields, .proxyProtocol: proxyProtocol, .store: store, .namespace: namespace,
            .redisTimeout: redisTimeout, .memoryLimit: memoryLimit, .invalidationLog: invalidationLog,
            .inFlightLimit: inFlightLimit, .bodyLimit: bodyLimit, .variantLimit: variantLimit,
            .certificate: certificate, .privateKey: privateKey, .adminTokenFile: adminTokenFile,
            .adminAccess: adminAccess, .adminListen: adminListen, .adminPrefix: adminPrefix,
            .accessLog: accessLog, .accessLogFormat: accessLogFormat, .accessLogFields: accessLogFields,
            .connectTimeout: connectTimeout, .responseTimeout: responseTimeout,
            .idleTimeout: idleTimeout, .clientIdleTimeout: clientIdleTimeout,
            .clientConnections: clientConnections, .connectionsPerOrigin: connectionsPerOrigin,
            .connectionsPerAddress: clientConnectionsPerAddress, .clientRate: clientRate,
            .spoolLimit: spoolLimit, .spoolSpace: spoolSpace, .spoolDirectory: spoolDirectory,
            .originAuthorities: originCa, .hostField: hostField, .paths: paths,
            .underscoreFields: underscoreFields, .dropFields: dropFields,
            .name: name, .healthPath: healthPath, .logLevel: logLevel, .drainDelay: drainDelay,
            .drainTimeout: drainTimeout, .headerLimit: headerLimit, .halfClose: halfClose,
        ]
        return Dictionary(uniqueKeysWithValues: values.compactMap { key, value in value.map { (key.rawValue, $0) } })
    }
}

extension ArgumentHelp {
    /// Returns the help for a setting, with the explanation that is used everywhere.
    fileprivate static func setting(_ setting: GatewaySetting, _ value: String) -> ArgumentHelp {
        ArgumentHelp(setting.explanation + ".", valueName: value)
    }
}
