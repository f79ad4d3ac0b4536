import ArgumentParser
import AsyncHTTPClient
import Foundation
import LarderGateway
import NIOCore
import NIOHTTP1
import NIOSSL

/// The command `larder health`, which asks a running gateway if it works.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a running gateway if it works: the exit status is 0 if it does, and 1 if not.",
        discussion: """
            The gateway is the one that `larder serve` with the same configuration file and environment runs on this \
            machine. Health checks of containers use this command, because it needs no other program:

                HEALTHCHECK CMD ["larder", "health"]

            The certificate of the gateway is not verified, unless --url names a host other than a loopback address.
            """
    )

    @Option(help: ArgumentHelp("The URL to request, in place of that of the configuration.", valueName: "url"))
    var url: String?

    @Option(name: .long, help: .config)
    var config: String?

    @Flag(help: "Ask if the gateway is ready for further requests, which it is not while it stops.")
    var ready = false

    @Option(help: ArgumentHelp("The longest time that the response takes, in seconds.", valueName: "seconds"))
    var timeout = 3

    func validate() throws {
        guard (1...3_600).contains(timeout) else {
            throw ValidationError("--timeout is invalid: expected a number of seconds from 1 to 3600")
        }
    }

    func run() async throws {
        let target = try url ?? configuredURL()
        guard let components = URLComponents(string: target), let host = components.host, !host.isEmpty,
            ["http", "https"].contains(components.scheme?.lowercased())
        else {
            let example = "http://127.0.0.1:8000/-/larder/health"
            throw Failure("\(target) is not a valid URL: expected one such as \(example)", code: EX_USAGE)
        }
        let isOwn =
            url == nil || IPAddress(host.trimmingCharacters(in: ["[", "]"]))?.isLoopback ?? (host == "localhost")
        let status = try await status(of: target, verifyingCertificate: !isOwn)
        guard (200..<300).contains(status) else { throw Failure("\(target) answered with status \(status)", code: 1) }
        print("\(target) answered with status \(status)")
    }

    /// Returns the URL of the health route on the address on which the configuration has the gateway listen.
    private func configuredURL() throws -> String {
        // The origin, the only required setting, does not matter here, and may be an option of `larder serve`.
        let options = [GatewaySetting.origin.rawValue: "http://origin.invalid"]
        let settings = try ConfigurationSource(path: config, options: options).read().settings
        guard let address = settings.healthAddress else {
            throw Failure("the configuration lets the system choose the port: give --url", code: EX_USAGE)
        }
        let scheme = settings.certificate == nil ? "http" : "https"
        return "\(scheme)://\(address)\(settings.adminPrefix)/\(ready ? "ready" : "health")"
    }

    private func status(of target: String, verifyingCertificate: Bool) async throws -> UInt {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.retryConnectionEstablishment = false
        if !verifyingCertificate {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = .none
            configuration.tlsConfiguration = tls
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        var request = HTTPClientRequest(url: target)
        request.headers.add(name: "User-Agent", value: "larder health")
        let result: Result<UInt, any Error>
        do {
            result = .success(try await client.execute(request, timeout: .seconds(Int64(timeout))).status.code)
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        do { return try result.get() } catch {
            throw Failure("\(target) did not answer: \(UpstreamError(error).reason)", code: 1)
        }
    }
}

extension GatewaySettings {
    /// The address on which this machine reaches the gateway; nil if the system chooses its port.
    fileprivate var healthAddress: ListenAddress? {
        // A connection from a trusted proxy begins with a header that this program does not send.
        if expectsProxyProtocol, case .address(let address) = adminListen { return address.reachable }
        return listen.reachable
    }
}

extension ListenAddress {
    /// The address that clients on this machine connect to; nil if the system chooses the port.
    fileprivate var reachable: ListenAddress? {
        guard port != 0 else { return nil }
        guard let address = IPAddress(host), address.isUnspecified else { return self }
        return ListenAddress(host: address.isIPv4 ? "127.0.0.1" : "::1", port: port)
    }
}
