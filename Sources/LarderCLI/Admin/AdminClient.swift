import AsyncHTTPClient
import Foundation
import LarderGateway
import LarderSimulation
import NIOCore
import NIOHTTP1

/// A client of an admin API.
struct AdminClient: Sendable {
    /// The longest answer that is read, 64 MiB.
    private static let answerLimit = 64 * 1_048_576
    /// The longest time that connecting takes, 10 s.
    private static let connectTimeout = Duration.seconds(10)

    let address: AdminAddress
    private let token: AdminToken?
    private let timeLimit: Duration
    private let client: HTTPClient

    /// Calls a function with a client, and ends the client's connections after it.
    /// - Parameter timeLimit: The time limit of a request if the options have none.
    static func run<Value>(
        _ options: AdminOptions,
        timeLimit: Duration = AdminOptions.timeout,
        _ body: (AdminClient) async throws -> Value
    ) async throws -> Value {
        let limit = try options.timeLimit(or: timeLimit)
        let (address, token) = (try options.address(), try options.token())
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.timeout.connect = .init(min(limit, connectTimeout))
        configuration.connectionPool.retryConnectionEstablishment = false
        if let ca = options.ca {
            do throws(GatewayError) {
                configuration.tlsConfiguration = try GatewayFiles.clientConfiguration(trusting: ca)
            } catch {
                throw Failure("--ca cannot be used: \(error.message)", code: EX_NOINPUT)
            }
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<Value, any Error>
        do {
            let admin = AdminClient(address: address, token: token, timeLimit: limit, client: client)
            result = .success(try await body(admin))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        return try result.get()
    }

    /// Returns the content of a route.
    /// - Throws: ``Failure`` if the API cannot be reached, or refuses the request.
    func get<Content: Decodable>(
        _ route: String,
        _ query: [(name: String, value: String)] = [],
        as type: Content.Type = Content.self
    ) async throws -> AdminContent<Content> {
        let answer = try await get(route, query)
        guard answer.status == 200 else { throw failure(of: answer) }
        return try content(of: answer)
    }

    /// Returns the answer of a route, whatever its status.
    func get(_ route: String, _ query: [(name: String, value: String)]) async throws -> AdminAnswer {
        try await send(.GET, route, query, nil)
    }

    /// Sends content to a route, and returns the answer, whatever its status.
    func post(_ route: String, _ request: some Encodable) async throws -> AdminAnswer {
        try await send(.POST, route, [], try JSONEncoder().encode(request))
    }

    private func send(
        _ method: HTTPMethod,
        _ route: String,
        _ query: [(name: String, value: String)],
        _ content: Data?
    ) async throws -> AdminAnswer {
        var request = HTTPClientRequest(url: address.url(route, query))
        request.method = method
        request.headers.add(name: "User-Agent", value: "larder")
        request.headers.add(name: "Accept", value: "application/json")
        if let host = address.host { request.headers.add(name: "Host", value: host) }
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.text)") }
        if let content {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: content))
        }
        do {
            let answer = try await client.execute(request, deadline: .now() + TimeAmount(timeLimit))
            let body = try await answer.body.collect(upTo: Self.answerLimit)
            return AdminAnswer(
                status: Int(answer.status.code),
                type: answer.headers.first(name: "Content-Type") ?? "",
                location: answer.headers.first(name: "Location"),
                body: Data(body.readableBytesView)
            )
        } catch is NIOTooManyBytesError {
            let limit = "\(Self.answerLimit / 1_048_576) MiB"
            throw Failure("\(shownAddress) answered with more than \(limit)", code: EX_UNAVAILABLE)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            if (error as? HTTPClientError) == .deadlineExceeded {
                throw Failure(
                    "\(shownAddress) did not answer within \(NumberText.latency(timeLimit / .seconds(1))): what was asked may still "
                        + "be done; --timeout is the limit",
                    code: EX_UNAVAILABLE
                )
            }
            let reason = UpstreamError(error).reason
            throw Failure(
                "\(shownAddress) cannot be reached: \(reason); --url or LARDER_ADMIN_URL names another address",
                code: EX_UNAVAILABLE
            )
        }
    }

    private var shownAddress: String { PrintedText.escaped(address.description) }
}

extension AdminClient {
    /// Returns the form of the targets that the API requests to fill the cache, by its document.
    /// - Throws: ``Failure`` if the API does not do this.
    func warmForm() async throws -> TargetForm {
        let document = try await get("openapi.json", as: AdminDocument.self).value
        guard document.paths["/v1/warm"] != nil else {
            throw Failure(
                "\(shownAddress) does not offer to request URLs: the application has to give the API a responder",
                code: EX_UNAVAILABLE
            )
        }
        return document.components.schemas["WarmRequest"]?.properties?["paths"] == nil ? .urls : .paths
    }
}

// MARK: - Answers

/// An answer of an admin API.
struct AdminAnswer {
    let status: Int
    /// The value of `Content-Type`.
    let type: String
    let location: String?
    let body: Data

    /// The problem that the answer describes (RFC 9457); nil if it does not.
    var problem: AdminProblem? {
        guard type.lowercased().hasPrefix("application/problem+json") else { return nil }
        return try? AdminJSON.decoder.decode(AdminProblem.self, from: body)
    }
}

/// The content of an answer, as a value and as the text that was sent.
struct AdminContent<Value> {
    let value: Value
    let text: Data
}

/// A description of what is wrong with a request (RFC 9457).
struct AdminProblem: Decodable {
    let detail: String
    /// The result of an invalidation that is queued.
    var purge: PurgeAnswer?
}

extension AdminClient {
    /// Returns the content of an answer as a value.
    func content<Content: Decodable>(
        of answer: AdminAnswer,
        as type: Content.Type = Content.self
    ) throws -> AdminContent<Content> {
        do {
            return AdminContent(value: try AdminJSON.decoder.decode(Content.self, from: answer.body), text: answer.body)
        } catch {
            throw Failure(
                "\(shownAddress) does not answer like an admin API of Larder of this version: \(Self.reason(error))",
                code: EX_UNAVAILABLE
            )
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "the member \(PrintedText.escaped(key.stringValue)) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "the member \(PrintedText.escaped(context.codingPath.map(\.stringValue).joined(separator: "."))) "
                + "is not what it should be"
        default: "the answer is not JSON"
        }
    }

    /// Returns the failure for an answer with another status than 200.
    func failure(of answer: AdminAnswer) -> Failure {
        let problem = answer.problem
        let detail = problem.map { PrintedText.escaped($0.detail) }
        switch answer.status {
        case 401:
            guard let token else {
                let advice = "set LARDER_ADMIN_TOKEN, or name a file with --token-file"
                return Failure("\(shownAddress) needs a token: \(advice)", code: EX_NOPERM)
            }
            return Failure("\(shownAddress) refuses the token of \(token.source): it is not its own", code: EX_NOPERM)
        case 403:
            return Failure("\(shownAddress) refuses the request: \(detail ?? "status 403")", code: EX_NOPERM)
        case 400:
            return Failure(detail ?? "\(shownAddress) refuses the request with status 400", code: EX_USAGE)
        case 300...399:
            let location = answer.location.map { " to \(PrintedText.escaped($0))" } ?? ""
            return Failure("\(shownAddress) redirects\(location): give the address itself", code: EX_UNAVAILABLE)
        default:
            if let detail { return Failure(detail, code: 1) }
            let advice =
                "give the address with its path: that of a gateway ends with its admin-prefix, and an "
                + "application has an API only if it adds one"
            return Failure(
                "\(shownAddress) has no admin API of Larder (status \(answer.status)): \(advice)",
                code: EX_UNAVAILABLE
            )
        }
    }
}
