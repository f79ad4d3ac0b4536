import AsyncHTTPClient
import Foundation
import HTTPCaching
import HTTPTypes
import Larder
import LarderExplain
import LarderGateway
import NIOCore
import NIOHTTP1

/// A single fetch of a URL.
struct URLFetch {
    /// The longest body that is counted, 8 MiB. A longer one is only reported as longer.
    static let bodyLimit = ByteCount.mebibytes(8)
    /// The time limit of the whole fetch, 30 s.
    static let timeout = TimeAmount.seconds(30)

    /// The request, with the host and the path of the URL.
    let request: HTTPRequest
    private let url: String
    private let change: RequestChange
    private let configuration: GatewayConfiguration?

    /// Creates a fetch.
    /// - Parameter configuration: The configuration of the gateway that the URL belongs to; nil if the URL is that of a
    ///   server.
    /// - Throws: `Failure` if the URL is not valid.
    init(_ url: String, _ change: RequestChange, _ configuration: GatewayConfiguration?) throws {
        guard let components = URLComponents(string: url), let host = components.encodedHost, !host.isEmpty else {
            throw Failure("\(url) is not a valid URL: expected one such as http://127.0.0.1:8000/path", code: EX_USAGE)
        }
        let path = components.percentEncodedPath
        var request = HTTPRequest(
            method: .get,
            scheme: components.scheme?.lowercased(),
            authority: components.port.map { "\(host):\($0)" } ?? host,
            path: (path.isEmpty ? "/" : path) + (components.percentEncodedQuery.map { "?\($0)" } ?? "")
        )
        change.apply(to: &request)
        if !request.headerFields.contains(.accept) { request.headerFields[.accept] = "*/*" }
        if !request.headerFields.contains(.userAgent) { request.headerFields[.userAgent] = "larder" }
        self.request = request
        self.url = url
        self.change = change
        self.configuration = configuration
    }

    /// Fetches the URL, and returns the request, the response, and the times of both.
    func exchange() async throws -> Exchange {
        let target = target
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try clientConfiguration)
        let result: Result<Exchange, any Error>
        do { result = .success(try await fetch(from: target, by: client)) } catch { result = .failure(error) }
        try? await client.shutdown()
        do { return try result.get() } catch {
            throw Failure("\(target.url) cannot be fetched: \(UpstreamError(error).reason)", code: EX_UNAVAILABLE)
        }
    }

    /// The URL that is fetched for the request, and the value of its `Host` field.
    private var target: (url: String, host: String?) {
        guard let configuration else { return (url, change.host) }
        let origin = configuration.route(of: request).origin
        let host = configuration.settings.hostField == .client ? request.authority : nil
        return ("\(origin)\(request.path ?? "/")", host ?? origin.authority)
    }

    private var clientConfiguration: HTTPClient.Configuration {
        get throws {
            var client = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
            client.timeout = HTTPClient.Configuration.Timeout(connect: .seconds(10), read: Self.timeout)
            client.connectionPool.retryConnectionEstablishment = false
            if let configuration, let path = configuration.settings.originAuthorities {
                do throws(GatewayError) {
                    client.tlsConfiguration = try GatewayFiles.clientConfiguration(trusting: path)
                } catch {
                    throw Failure([configuration.diagnostic(for: error)])
                }
            }
            return client
        }
    }

    private func fetch(from target: (url: String, host: String?), by client: HTTPClient) async throws -> Exchange {
        var outgoing = HTTPClientRequest(url: target.url)
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        if let host = target.host { outgoing.headers.add(name: "Host", value: host) }
        for field in request.headerFields { outgoing.headers.add(name: field.name.rawName, value: field.value) }
        let requestedAt = WallClock.system.now
        let deadline = NIODeadline.now() + Self.timeout
        let answer = try await client.execute(outgoing, deadline: deadline)
        let respondedAt = WallClock.system.now
        guard (100...999).contains(answer.status.code) else { throw HTTPParserError.invalidStatus }
        var response = HTTPResponse(status: .init(code: Int(answer.status.code)))
        for (name, value) in answer.headers {
            guard let name = HTTPField.Name(name) else { continue }
            response.headerFields.append(HTTPField(name: name, value: value))
        }
        return Exchange(
            request: request,
            response: response,
            bodyLength: request.method == .head ? nil : try await length(of: answer.body),
            requestedAt: requestedAt,
            respondedAt: respondedAt
        )
    }

    /// Counts the bytes of a body, up to one more than the limit.
    private func length(of body: HTTPClientResponse.Body) async throws -> Int {
        var length = 0
        for try await part in body {
            length += part.readableBytes
            if length > Self.bodyLimit.bytes { return Self.bodyLimit.bytes + 1 }
        }
        return length
    }
}

extension GatewayConfiguration {
    /// Returns the route of a request.
    func route(of request: HTTPRequest) -> Route {
        routes.route(host: request.authority, path: request.path ?? "/")
    }

    /// Returns the explanation of a request that the gateway refuses because it does not serve the host; nil if it
    /// serves the host.
    func refusal(of request: HTTPRequest) -> RefusalExplanation? {
        guard let host = request.authority,
            settings.served(host, scheme: request.scheme ?? "http", listeningOn: settings.listen.port) == nil
        else { return nil }
        let hosts = settings.hosts.map(\.description).joined(separator: ", ")
        return RefusalExplanation(
            status: 421,
            reason: "host",
            headline: "Not served: the gateway does not serve the host \(host)",
            sentence: "The configuration serves the hosts \(hosts). A request for any other host is answered with 421 "
                + "(Misdirected Request), and nothing is stored for it.",
            remedy: "Add the host to `hosts`, or request one of these hosts."
        )
    }
}
