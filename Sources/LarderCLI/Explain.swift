import ArgumentParser
import AsyncHTTPClient
import Foundation
import HTTPCaching
import HTTPTypes
import Larder
import LarderExplaining
import LarderGateway
import LarderRules
import NIOCore
import NIOHTTP1

/// `larder explain`: why a response is cached or not, and what is served of it when.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain why a response is cached or not, for how long, and what is served when.",
        discussion: """
            A URL is fetched once, past every cache: no redirect is followed, and the body is thrown away. A FILE \
            holds what curl -i or curl -v printed, or raw HTTP; - is standard input.

            With --config the rules of the route count that the request would take.
            """
    )

    @Argument(help: ArgumentHelp("http://…, https://…, a file, or - for standard input.", valueName: "url|file"))
    var source: String

    @Option(name: [.long, .customShort("H")], help: ArgumentHelp("A field of the request.", valueName: "name: value"))
    var header: [String] = []

    @Option(help: ArgumentHelp("The method of the request (default: GET).", valueName: "method"))
    var method: String?

    @Flag(help: "Print JSON, for programs.")
    var json = false

    @Option(help: ArgumentHelp("A configuration file of larder serve.", valueName: "file"))
    var config: String?

    func validate() throws {
        _ = try change()
    }

    func run() async throws {
        let change = try change()
        let isURL = ["http://", "https://"].contains { source.lowercased().hasPrefix($0) }
        let exchange = isURL ? try await Fetching(change).exchange(with: source) : try read(change)
        let (policy, route) = try policy(for: exchange.request)
        let explanation = Explanation(exchange, policy: policy)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(explanation.record), as: UTF8.self))
        } else {
            var lines = explanation.lines
            if let route { lines.insert("Route: \(route)", at: 1) }
            print(lines.joined(separator: "\n"))
        }
    }

    /// The rules for a request: those of its route in the configuration, else a gateway's.
    private func policy(for request: HTTPRequest) throws -> (CachePolicy, route: String?) {
        // What a gateway keeps without further settings.
        guard let config else { return (.gateway.limitingBodies(to: Fetching.bodyLimit), nil) }
        let configuration = try ConfigurationSource(path: config).read()
        let path = request.path.map { String($0.prefix { $0 != "?" }) } ?? "/"
        let route = configuration.routes.route(host: request.authority, path: path)
        return (route.policy, route.name)
    }

    /// Reads a file, or standard input.
    private func read(_ change: RequestChange) throws -> Exchange {
        let name = source == "-" ? "standard input" : source
        let data: Data
        do {
            // By its path a file would be read only to its size, and a pipe has none.
            let file =
                source == "-"
                ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
            data = try file.readAll(upTo: MessageFile.maximumLength + 1)
        } catch {
            let isThere = source == "-" || FileManager.default.fileExists(atPath: source)
            let reason =
                isThere
                ? "cannot be read: \(error.localizedDescription)" : "is no file; a URL begins with http:// or https://"
            throw Failure("\(name) \(reason)", code: EX_NOINPUT)
        }
        do {
            var exchange = try MessageFile(data).exchange(now: WallClock.system.now)
            change.apply(to: &exchange.request)
            if change.host != nil { exchange.isRequestAssumed = false }
            return exchange
        } catch {
            throw Failure("\(name): \(error)", code: EX_DATAERR)
        }
    }

    /// What the options say about the request.
    private func change() throws -> RequestChange {
        var change = RequestChange()
        if let method {
            guard let method = HTTPRequest.Method(method) else { throw ValidationError("--method is no method") }
            change.method = method
        }
        for text in header {
            guard let colon = text.firstIndex(of: ":"), let name = HTTPField.Name(String(text[..<colon])),
                case let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces),
                HTTPField.isValidValue(value)
            else { throw ValidationError("--header is no field, such as 'Accept: text/html': \(text)") }
            if name.canonicalName == "host" {
                change.host = value
            } else {
                change.fields.append(HTTPField(name: name, value: value))
            }
        }
        return change
    }
}

/// What the command line says about a request.
struct RequestChange {
    var method: HTTPRequest.Method?
    var host: String?
    var fields = HTTPFields()

    /// Gives a request this method, host and these fields, beside its own.
    func apply(to request: inout HTTPRequest) {
        if let method { request.method = method }
        if let host { request.authority = host }
        for field in fields { request.headerFields.append(field) }
    }
}

/// Asks for a URL, once.
struct Fetching {
    /// The longest body that is counted; of a longer one, only that it is longer.
    static let bodyLimit = ByteCount.mebibytes(8)
    /// How long the whole may take.
    static let timeout = TimeAmount.seconds(30)

    private let change: RequestChange

    init(_ change: RequestChange) {
        self.change = change
    }

    /// The request, the answer, and when they went over the wire.
    func exchange(with url: String) async throws -> Exchange {
        guard let components = URLComponents(string: url), let host = components.encodedHost, !host.isEmpty else {
            throw Failure("\(url) is no URL", code: EX_USAGE)
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
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.timeout = HTTPClient.Configuration.Timeout(connect: .seconds(10), read: Self.timeout)
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<Exchange, any Error>
        do { result = .success(try await fetch(request, url, by: client)) } catch { result = .failure(error) }
        try? await client.shutdown()
        do { return try result.get() } catch {
            throw Failure("\(url) cannot be fetched: \(UpstreamError(error))", code: EX_UNAVAILABLE)
        }
    }

    private func fetch(_ request: HTTPRequest, _ url: String, by client: HTTPClient) async throws -> Exchange {
        var outgoing = HTTPClientRequest(url: url)
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        if let host = change.host { outgoing.headers.add(name: "Host", value: host) }
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

    /// Counts a body's bytes, up to one more than the limit.
    private func length(of body: HTTPClientResponse.Body) async throws -> Int {
        var length = 0
        for try await part in body {
            length += part.readableBytes
            if length > Self.bodyLimit.bytes { return Self.bodyLimit.bytes + 1 }
        }
        return length
    }
}

extension FileHandle {
    /// Reads to the end, or up to a number of bytes: a pipe gives less at a time than is asked for.
    fileprivate func readAll(upTo limit: Int) throws -> Data {
        var data = Data()
        while data.count < limit, let part = try read(upToCount: limit - data.count), !part.isEmpty {
            data += part
        }
        return data
    }
}
