import Larder
import Logging

extension GatewaySetting {
    /// True if a change of the setting takes effect when the configuration is reloaded, without a restart.
    public var isReloadable: Bool {
        switch self {
        case .hosts, .trustedProxies, .trustedFields, .proxyProtocol, .origin, .inFlightLimit, .bodyLimit,
            .certificate, .privateKey, .adminToken, .adminTokenFile, .adminAccess, .adminPrefix, .accessLog,
            .accessLogFormat, .accessLogFields, .connectTimeout, .responseTimeout, .idleTimeout, .clientIdleTimeout,
            .clientConnections, .connectionsPerAddress, .clientRate, .connectionsPerOrigin, .spoolLimit, .spoolSpace,
            .spoolDirectory, .originAuthorities, .hostField, .paths, .underscoreFields, .dropFields, .name, .healthPath,
            .logLevel, .drainDelay, .drainTimeout, .headerLimit, .halfClose:
            true
        // Sockets are opened and a store is created at the start; a new store would be empty.
        case .listen, .adminListen, .store, .namespace, .redisTimeout, .memoryLimit, .invalidationLog, .variantLimit:
            false
        }
    }
}

extension GatewaySettings {
    /// Returns the settings whose values differ from those of `other`, in the order of ``GatewaySetting``.
    public func changes(from other: GatewaySettings) -> [GatewaySetting] {
        GatewaySetting.allCases.filter { Field.of($0).differs(self, other) }
    }

    /// Copies the value of a setting from `other`.
    public mutating func take(_ setting: GatewaySetting, from other: GatewaySettings) {
        Field.of(setting).take(&self, other)
    }

    /// The property of a setting, for comparing and copying.
    private struct Field {
        let differs: (GatewaySettings, GatewaySettings) -> Bool
        let take: (inout GatewaySettings, GatewaySettings) -> Void

        init<Value: Equatable>(_ path: WritableKeyPath<GatewaySettings, Value>) {
            differs = { $0[keyPath: path] != $1[keyPath: path] }
            take = { $0[keyPath: path] = $1[keyPath: path] }
        }

        static func of(_ setting: GatewaySetting) -> Field {
            switch setting {
            case .listen: Field(\.listen)
            case .hosts: Field(\.hosts)
            case .trustedProxies: Field(\.trustedProxies)
            case .trustedFields: Field(\.trustedFields)
            case .proxyProtocol: Field(\.expectsProxyProtocol)
            case .origin: Field(\.origin)
            case .store: Field(\.store)
            case .namespace: Field(\.namespace)
            case .redisTimeout: Field(\.redisTimeout)
            case .memoryLimit: Field(\.memoryLimit)
            case .inFlightLimit: Field(\.inFlightLimit)
            case .invalidationLog: Field(\.invalidationLog)
            case .bodyLimit: Field(\.bodyLimit)
            case .variantLimit: Field(\.variantLimit)
            // The property has both paths as one value. The configuration is invalid if only one is given.
            case .certificate: Field(\.certificatePath)
            case .privateKey: Field(\.privateKeyPath)
            case .adminToken: Field(\.adminToken)
            case .adminTokenFile: Field(\.adminTokenFile)
            case .adminAccess: Field(\.adminAccess)
            case .adminListen: Field(\.adminListen)
            case .adminPrefix: Field(\.adminPrefix)
            case .accessLog: Field(\.accessLog)
            case .accessLogFormat: Field(\.accessLogFormat)
            case .accessLogFields: Field(\.accessLogFields)
            case .connectTimeout: Field(\.connectTimeout)
            case .responseTimeout: Field(\.responseTimeout)
            case .idleTimeout: Field(\.idleTimeout)
            case .clientIdleTimeout: Field(\.clientIdleTimeout)
            case .clientConnections: Field(\.clientConnections)
            case .connectionsPerAddress: Field(\.connectionsPerAddress)
            case .clientRate: Field(\.clientRate)
            case .spoolLimit: Field(\.spoolLimit)
            case .spoolSpace: Field(\.spoolSpace)
            case .spoolDirectory: Field(\.spoolDirectory)
            case .connectionsPerOrigin: Field(\.connectionsPerOrigin)
            case .originAuthorities: Field(\.originAuthorities)
            case .hostField: Field(\.hostField)
            case .paths: Field(\.paths)
            case .underscoreFields: Field(\.underscoreFields)
            case .dropFields: Field(\.dropFields)
            case .name: Field(\.name)
            case .healthPath: Field(\.healthPath)
            case .logLevel: Field(\.logLevel)
            case .drainDelay: Field(\.drainDelay)
            case .drainTimeout: Field(\.drainTimeout)
            case .headerLimit: Field(\.headerLimit)
            case .halfClose: Field(\.halfClose)
            }
        }
    }
}

extension GatewaySettings {
    fileprivate var certificatePath: String? {
        get { certificate?.certificate }
        set { certificate = newValue.map { Certificate(certificate: $0, privateKey: privateKeyPath ?? "") } }
    }

    fileprivate var privateKeyPath: String? {
        get { certificate?.privateKey }
        set { certificate = newValue.map { Certificate(certificate: certificatePath ?? "", privateKey: $0) } }
    }
}
