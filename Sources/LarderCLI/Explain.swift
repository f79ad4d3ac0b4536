import ArgumentParser
import Foundation
import HTTPCaching
import HTTPTypes
import Larder
import LarderExplain
import LarderGateway
import SystemErrors

/// The command `larder explain`, which prints why a response is cached or not, and for how long it is served.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain why a response is cached or not, for how long, and what is served when.",
        discussion: """
            A URL is fetched once. Redirects are not followed, and the body is discarded. A file contains the output \
            of curl -i or curl -v, or raw HTTP; - is standard input.

            With --config, the URL is one that the gateway serves: its host and path select the route. The response \
            is fetched from the origin of the route, and explained by the rules of the route. If the host is not one \
            of the `hosts`, nothing is fetched.

            A method that may change something on the server, such as POST, is sent only with --send-unsafe.
            """
    )

    @Argument(help: ArgumentHelp("http://…, https://…, a file, or - for standard input.", valueName: "url|file"))
    var source: String

    @Option(name: [.long, .customShort("H")], help: ArgumentHelp("A field of the request.", valueName: "name: value"))
    var header: [String] = []

    @Option(help: ArgumentHelp("The method of the request (default: GET).", valueName: "method"))
    var method: String?

    @Flag(help: "Send the request even if its method may change something on the server, such as POST.")
    var sendUnsafe = false

    @Flag(help: "Print JSON, for programs.")
    var json = false

    @Option(help: ArgumentHelp("A configuration file of larder serve; - for standard input.", valueName: "file"))
    var config: String?

    func validate() throws {
        guard source != "-" || config != "-" else {
            throw ValidationError(
                "standard input cannot be both the response and the configuration: give one as a file"
            )
        }
        _ = try change()
    }

    func run() async throws {
        let change = try change()
        let isURL = ["http://", "https://"].contains { source.lowercased().hasPrefix($0) }
        let configuration = try config.map { try ConfigurationSource(path: $0).read() }
        let exchange: Exchange
        if isURL {
            let fetch = try URLFetch(source, change, configuration)
            if let refusal = configuration?.refusal(of: fetch.request) { return try show(refusal) }
            let method = fetch.request.method
            guard sendUnsafe || !Invalidation.isUnsafe(method) else {
                let reason = "\(method.rawValue) may change something on the server, so it was not sent"
                throw Failure("\(reason): add --send-unsafe to send it", code: EX_USAGE)
            }
            exchange = try await fetch.exchange()
        } else {
            exchange = try read(change)
            if !exchange.isRequestAssumed, let refusal = configuration?.refusal(of: exchange.request) {
                return try show(refusal)
            }
        }
        let route = configuration?.route(of: exchange.request)
        // The body limit of a gateway with default settings.
        let policy = route?.policy ?? .gateway.limitingBodies(to: URLFetch.bodyLimit)
        let explanation = CacheExplanation(exchange, policy: policy)
        var lines = explanation.lines
        if let route { lines.insert("Route: \(route.name), from \(route.origin)", at: 1) }
        try show(explanation.record, lines)
    }

    private func show(_ refusal: RefusalExplanation) throws { try show(refusal.record, refusal.lines) }

    /// Prints an explanation as JSON, or as text.
    private func show(_ record: CacheExplanation.Record, _ lines: [String]) throws {
        guard json else { return print(lines.joined(separator: "\n")) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(record), as: UTF8.self))
    }

    /// Reads a file, or standard input.
    private func read(_ change: RequestChange) throws -> Exchange {
        let name = source == "-" ? "standard input" : source
        let data: Data
        do {
            // Reading by path reads as many bytes as the size of the file, and a pipe has no size.
            let file =
                source == "-"
                ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
            data = try file.readAll(upTo: MessageFile.maximumLength + 1)
        } catch {
            let isThere = source == "-" || FileManager.default.fileExists(atPath: source)
            guard isThere else {
                throw Failure("\(name) is not a file; a URL begins with http:// or https://", code: EX_NOINPUT)
            }
            let reason = (source == "-" ? nil : ErrorText.unreadableReason(of: source)) ?? "reading it failed"
            throw Failure("\(name) cannot be read: \(reason)", code: EX_NOINPUT)
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

    /// Returns the changes to the request that the options give.
    private func change() throws -> RequestChange {
        var change = RequestChange()
        if let method {
            guard let method = HTTPRequest.Method(method) else {
                throw ValidationError("--method is invalid: expected a method such as GET or HEAD")
            }
            change.method = method
        }
        for text in header {
            guard let colon = text.firstIndex(of: ":"), let name = HTTPField.Name(String(text[..<colon])),
                case let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces),
                HTTPField.isValidValue(value)
            else {
                throw ValidationError("--header is invalid: expected a field such as 'Accept: text/html', not \(text)")
            }
            if name.canonicalName == "host" {
                change.host = value
            } else {
                change.fields.append(HTTPField(name: name, value: value))
            }
        }
        return change
    }
}

/// The changes to a request that the command line gives.
struct RequestChange {
    var method: HTTPRequest.Method?
    var host: String?
    var fields = HTTPFields()

    /// Sets the method and host of a request, and adds the fields to its own.
    func apply(to request: inout HTTPRequest) {
        if let method { request.method = method }
        if let host { request.authority = host }
        for field in fields { request.headerFields.append(field) }
    }
}
