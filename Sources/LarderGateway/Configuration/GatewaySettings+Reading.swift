import HTTPCaching
import Larder
import Logging

extension GatewaySettings {
    /// Creates settings from those that are given; the others have their defaults.
    /// - Parameters:
    ///   - origin: The default origin, which is determined from the origins in the file as well.
    init(origin: OriginAddress, reading reader: inout SettingReader) {
        self.init(origin: origin)
        readStore(&reader)
        readFront(&reader)
        readOrigins(&reader)
        reader.read(
            .logLevel,
            into: &logLevel,
            expecting: "one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        ) { Logger.Level(rawValue: $0) }
        reader.read(.name, into: &name, expecting: "a token of 1 to 64 letters, digits or !#$%&'*+-.^_`|~") { text in
            (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(Text.isTokenByte) ? text : nil
        }
    }

    private mutating func readStore(_ reader: inout SettingReader) {
        reader.read(
            .store,
            into: &store,
            expecting: "`memory`, or a URL such as redis://127.0.0.1:6379, rediss://host or unix:///path/to/socket"
        ) { text in
            text == "memory" ? .memory : Text.isRedisURL(text) ? .redis(url: text) : nil
        }
        reader.read(.namespace, into: &namespace, expecting: "1 to 64 visible ASCII characters") { text in
            text.utf8.count <= 64 && text.utf8.allSatisfy(Text.isVisible) ? text : nil
        }
        reader.read(.redisTimeout, into: &redisTimeout, upTo: .seconds(10))
        reader.read(.memoryLimit, into: &memoryLimit, from: .mebibytes(1))
        inFlightLimit = reader.value(.inFlightLimit, expecting: "a size such as 64MiB, at least 2MiB") { text in
            // The largest response from Redis has to fit.
            ByteCount(text).flatMap { $0 >= .mebibytes(2) ? $0 : nil }
        }
        reader.read(.invalidationLog, into: &invalidationLog, from: .kibibytes(64), upTo: .mebibytes(256))
        reader.read(.bodyLimit, into: &bodyLimit, from: .bytes(0))
        reader.read(.variantLimit, into: &variantLimit, upTo: 1_024)
    }

    private mutating func readFront(_ reader: inout SettingReader) {
        reader.read(.listen, into: &listen, expecting: ListenAddress.expectation) { ListenAddress($0) }
        hosts = reader.list(.hosts, expecting: ServedHost.expectation) { ServedHost($0) }
        trustedProxies = TrustedProxies(
            reader.list(
                .trustedProxies,
                expecting: "an address or a network, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
            ) {
                IPNetwork($0)
            }
        )
        reader.read(.trustedFields, into: &trustedFields, expecting: "`x-forwarded` or `forwarded`") { text in
            ForwardedChain.Kind(rawValue: text)
        }
        reader.read(.proxyProtocol, into: &expectsProxyProtocol, expecting: "`on` or `off`") { text in
            text == "on" ? true : text == "off" ? false : nil
        }
        if expectsProxyProtocol, reader.isAbsent(.trustedProxies) {
            reader.add(
                .proxyProtocol,
                "needs `trusted-proxies` too: only trusted proxies may send the PROXY protocol"
            )
        }
        let certificate = reader.value(.certificate, expecting: "the path of a PEM file", Text.path)
        let privateKey = reader.value(.privateKey, expecting: "the path of a PEM file", Text.path)
        switch (certificate, privateKey) {
        case (let certificate?, let privateKey?):
            self.certificate = Certificate(certificate: certificate, privateKey: privateKey)
        case (_?, nil) where reader.isAbsent(.privateKey):
            reader.add(.certificate, "needs `private-key` too: give the PEM file with its key")
        case (nil, _?) where reader.isAbsent(.certificate):
            reader.add(.privateKey, "needs `certificate` too: give the PEM file with its certificate")
        default: break
        }
        adminToken = reader.value(.adminToken, expecting: BearerToken.expectation) { BearerToken($0) }
        adminTokenFile = reader.value(.adminTokenFile, expecting: "the path of a file", Text.path)
        readAdministration(&reader)
        reader.read(
            .adminPrefix,
            into: &adminPrefix,
            expecting: "a path such as /-/larder, without a / at its end, percent-encoding or dot segments"
        ) { Text.isPrefix($0) ? $0 : nil }
        reader.read(.accessLog, into: &accessLog, expecting: "the path of a file, or - for standard output") { text in
            text == "-" ? .standardOutput : Text.path(text).map(AccessLog.file)
        }
        reader.read(.accessLogFormat, into: &accessLogFormat, expecting: "`combined`, `json` or `fields`") { text in
            AccessLogFormat(rawValue: text)
        }
        accessLogFields = reader.list(.accessLogFields, of: AccessLogField.self)
        reader.read(.clientIdleTimeout, into: &clientIdleTimeout)
        reader.read(.clientConnections, into: &clientConnections, upTo: 999_999)
        let perAddress = reader.value(.connectionsPerAddress, expecting: "`off`, or a number from 1 to 999999") {
            text in
            if text == "off" { return 0 }
            guard text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
            return Int(text).flatMap { (1...999_999).contains($0) ? $0 : nil }
        }
        connectionsPerAddress = perAddress == 0 ? nil : perAddress
        let rates = ByteCount.bytes(0)...ByteCount.gibibytes(1)
        reader.read(.clientRate, into: &clientRate, expecting: "`off`, or bytes per second such as 1KiB, at most 1GiB")
        {
            text in
            if text == "off" { return .bytes(0) }
            return ByteCount(text).flatMap { rates.contains($0) ? $0 : nil }
        }
        reader.read(.drainDelay, into: &drainDelay, from: .zero)
        reader.read(.drainTimeout, into: &drainTimeout, from: .zero)
        let sizes = ByteCount.kibibytes(1)...ByteCount.mebibytes(1)
        reader.read(.headerLimit, into: &headerLimit, expecting: "a size such as 64KiB, from 1KiB to 1MiB") { text in
            ByteCount(text).flatMap { sizes.contains($0) ? $0 : nil }
        }
        reader.read(.halfClose, into: &halfClose, expecting: "`leave` or `allow`") { HalfClose(rawValue: $0) }
    }

    private mutating func readAdministration(_ reader: inout SettingReader) {
        reader.read(.adminAccess, into: &adminAccess, expecting: "`token` or `loopback`") { AdminAccess(rawValue: $0) }
        adminListen = reader.value(.adminListen, expecting: AdminAddress.expectation) { AdminAddress($0) }
        if case .address(let address) = adminListen, address == listen, address.port != 0 {
            reader.add(.adminListen, "is the address of the gateway itself: give another port, or leave it out")
        }
        guard reader.isAbsent(.adminToken), reader.isAbsent(.adminTokenFile) else { return }
        if adminAccess == .loopback, !listen.isLoopback {
            reader.add(
                "`loopback` needs a gateway that other machines cannot reach, but they can reach \(listen): set "
                    + GatewaySetting.adminToken.variable,
                at: .adminAccess
            )
        }
        if let adminListen, !adminListen.isLoopback {
            reader.add(
                "other machines can reach \(adminListen): set \(GatewaySetting.adminToken.variable), "
                    + "or give a loopback address",
                at: .adminListen
            )
        }
    }

    private mutating func readOrigins(_ reader: inout SettingReader) {
        reader.read(.connectTimeout, into: &connectTimeout)
        reader.read(.responseTimeout, into: &responseTimeout)
        reader.read(.idleTimeout, into: &idleTimeout)
        reader.read(.connectionsPerOrigin, into: &connectionsPerOrigin, upTo: 65_535)
        reader.read(.spoolLimit, into: &spoolLimit, from: .bytes(0), upTo: .gibibytes(1))
        reader.read(.spoolSpace, into: &spoolSpace, from: .bytes(0))
        spoolDirectory = reader.value(.spoolDirectory, expecting: "the path of a folder", Text.path)
        originAuthorities = reader.value(.originAuthorities, expecting: "the path of a PEM file", Text.path)
        reader.read(.hostField, into: &hostField, expecting: "`client` or `origin`") { HostField(rawValue: $0) }
        reader.read(.paths, into: &paths, expecting: "`as-is` or `reject`") { Paths(rawValue: $0) }
        reader.read(.underscoreFields, into: &underscoreFields, expecting: "`drop` or `keep`") {
            UnderscoreFields(rawValue: $0)
        }
        dropFields = reader.list(.dropFields, expecting: FieldPattern.expectation) { FieldPattern($0) }
        reader.read(.healthPath, into: &healthPath, expecting: "a path such as /health") { text in
            let isTarget = text.utf8.allSatisfy { Text.isVisible($0) && $0 != ASCII.hash }
            return text.utf8.first == ASCII.slash && isTarget ? text : nil
        }
    }
}

/// Checks on the texts of settings that do not have their own type.
private enum Text {
    static func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }

    /// Returns true for the bytes of a token (RFC 9110 §5.6.2).
    static func isTokenByte(_ byte: UInt8) -> Bool {
        isVisible(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
    }

    /// Returns the text if it can be a path in the file system, existing or not; nil if it has a control character.
    static func path(_ text: String) -> String? {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? text : nil
    }

    /// Returns true if a text is a normalized path to which other paths can be appended.
    static func isPrefix(_ text: String) -> Bool {
        guard let pattern = try? PathPattern(text), text.utf8.count > 1, text.utf8.last != ASCII.slash else {
            return false
        }
        return pattern.isLiteral
            && text.utf8.allSatisfy { isVisible($0) && $0 != ASCII.percent && $0 != ASCII.semicolon }
    }

    /// Returns true if a text may be the URL of a Redis server. The client checks it further when it connects.
    static func isRedisURL(_ text: String) -> Bool {
        guard let end = text.firstRange(of: "://") else { return false }
        let schemes: Set<String> = ["redis", "rediss", "unix", "redis+unix"]
        return schemes.contains(text[..<end.lowerBound].lowercased()) && end.upperBound < text.endIndex
            && text.utf8.allSatisfy(isVisible)
    }
}
