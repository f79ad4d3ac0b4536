import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderRules
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle

/// Sends requests to origin servers, by HTTP/1.1, or HTTP/2 where TLS agrees on it.
///
/// No redirect is followed and nothing decompressed: a gateway hands on what the origin says. Informational responses
/// (1xx) and trailers end here, since AsyncHTTPClient keeps them to itself.
final class UpstreamClient: Service {
    /// What origins are given.
    struct Options: Sendable {
        /// To accept a connection.
        var connectTimeout = Duration.seconds(5)
        /// To begin an answer, from when they were asked.
        var responseTimeout = Duration.seconds(30)
        /// Between two parts of a body, either way.
        var idleTimeout = Duration.seconds(60)
        /// How many HTTP/1.1 connections one origin gets.
        var connectionsPerOrigin = 256
        /// Certificates to trust instead of the system's; nil: the system's.
        var trustRoots: [NIOSSLCertificate]?
    }

    private let client: HTTPClient
    private let options: Options
    private let clock: WallClock
    private let book: AttemptBook
    private let load: OriginLoad

    init(_ options: Options, clock: WallClock, on group: any EventLoopGroup) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .automatic
        configuration.timeout = HTTPClient.Configuration.Timeout(
            connect: TimeAmount(options.connectTimeout),
            read: TimeAmount(options.idleTimeout),
            write: TimeAmount(options.idleTimeout)
        )
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = options.connectionsPerOrigin
        // A refused connection is an answer; waiting for another would only hold the client.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Shorter than what servers commonly keep idle connections for: few requests meet a closing one then.
        configuration.connectionPool.idleTimeout = .seconds(4)
        if let roots = options.trustRoots {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(roots)
            configuration.tlsConfiguration = tls
        }
        let book = AttemptBook()
        configuration.http1_1ConnectionDebugInitializer = { book.watch($0) }
        configuration.http2StreamChannelDebugInitializer = { book.watchStream($0) }
        self.book = book
        self.options = options
        self.load = OriginLoad(limit: options.connectionsPerOrigin)
        self.clock = clock
        self.client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    // A gateway that cannot be made never runs its services, and the client library ends the process where a client is
    // left without being shut down.
    deinit { client.shutdown { _ in } }

    /// Keeps the connections until the service is shut down.
    func run() async throws {
        try? await gracefulShutdown()
        try await client.shutdown()
    }

    /// Sends a request, and returns when the head of the answer is there.
    ///
    /// "A proxy MUST NOT automatically retry non-idempotent requests" (RFC 9110 §9.2.2), and none with a body is sent
    /// twice, for it is gone. The others get one more try where the connection was one that the origin closed at that
    /// moment.
    /// - Parameters:
    ///   - content: the client's content, where there is any.
    ///   - record: is told whether the request was sent.
    ///   - mayRepeat: whether it is worth a second try: not where something barely stale is served instead.
    func send(
        _ request: HTTPRequest,
        _ content: ClientContent?,
        to origin: OriginAddress,
        noting record: SendingRecord? = nil,
        mayRepeat: Bool = true
    ) async throws(UpstreamError) -> Response {
        guard let target = request.path, Self.isTarget(target) else { throw .illegalTarget }
        var outgoing = HTTPClientRequest(url: origin.description)
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        outgoing.headers = HTTPHeaders(request)
        let outcome = await load.count(to: origin) { [outgoing] in
            let first = await attempt(outgoing, for: target, record, content.map { ($0, request.bodyLength) })
            guard case .failed(_, mayHaveMissed: true) = first, mayRepeat, content == nil, request.method.isIdempotent
            else { return first }
            return await attempt(outgoing, for: target, record)
        }
        return try outcome.response(to: request)
    }

    /// Whether an origin answers a GET for `path`, and what.
    func probe(_ origin: OriginAddress, path: String) async -> OriginHealth {
        func health(_ isReachable: Bool, _ answer: String) -> OriginHealth {
            OriginHealth(origin: origin.description, isReachable: isReachable, answer: answer)
        }
        guard Self.isTarget(path) else { return health(false, "no such path") }
        do {
            let response = try await book.attempt(for: path) { _, mark in
                try await execute(HTTPClientRequest(url: origin.description), mark, within: .seconds(2))
            }
            return health(response.status.code < 500, "\(response.status.code)")
        } catch {
            return health(false, UpstreamError(error).type)
        }
    }

    private func execute(
        _ request: HTTPClientRequest,
        _ mark: String,
        within limit: Duration
    ) async throws -> HTTPClientResponse {
        try await client.execute(marked(request, mark), timeout: TimeAmount(limit))
    }

    /// Sends a request with content. That may take as long as it keeps coming: the time for an answer begins at its
    /// end.
    private func execute(
        _ request: HTTPClientRequest,
        _ mark: String,
        _ content: PacedContent,
        _ length: HTTPClientRequest.Body.Length
    ) async throws -> HTTPClientResponse {
        var request = marked(request, mark)
        request.body = .stream(content, length: length)
        return try await withThrowingTaskGroup { [request] group in
            group.addTask { try await self.client.execute(request, deadline: .distantFuture) }
            group.addTask {
                await content.attempt.finished()
                try await self.clock.sleep(for: self.options.responseTimeout)
                throw UpstreamError.responseTimeout
            }
            defer { group.cancelAll() }
            guard let response = try await group.next() else { throw UpstreamError.responseTimeout }
            return response
        }
    }

    private func marked(_ request: HTTPClientRequest, _ mark: String) -> HTTPClientRequest {
        var request = request
        request.headers.add(name: book.fieldName, value: mark)
        return request
    }

    /// Whether a text can be sent as a target in one reading: a path of visible ASCII, and no fragment, which would end
    /// it for some.
    private static func isTarget(_ text: String) -> Bool {
        text.utf8.first == UInt8(ascii: "/")
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
    }

    private enum Outcome {
        case answered(HTTPClientResponse)
        case failed(UpstreamError, mayHaveMissed: Bool)

        func response(to request: HTTPRequest) throws(UpstreamError) -> Response {
            switch self {
            case .answered(let response): return try Response(response, to: request)
            case .failed(let error, _): throw error
            }
        }
    }

    private func attempt(
        _ request: HTTPClientRequest,
        for target: String,
        _ record: SendingRecord?,
        _ content: (ClientContent, HTTPClientRequest.Body.Length)? = nil
    ) async -> Outcome {
        await book.attempt(for: target) { attempt, mark in
            defer { record?.note(attempt) }
            do {
                if let (content, length) = content {
                    let content = PacedContent(content: content, attempt: attempt)
                    return .answered(try await execute(request, mark, content, length))
                }
                // The deadline ends with the head: a body may take as long as it keeps coming.
                return .answered(try await execute(request, mark, within: options.responseTimeout))
            } catch {
                let error = UpstreamError(error)
                return .failed(error, mayHaveMissed: error.code == .connectionTerminated && attempt.mayHaveMissed)
            }
        }
    }
}

extension HTTPRequest {
    /// The length of the content in bytes, where the request declares it.
    fileprivate var bodyLength: HTTPClientRequest.Body.Length {
        headerFields[.contentLength].flatMap { Int64($0) }.map { .known($0) } ?? .unknown
    }
}

extension HTTPRequest.Method {
    /// Whether several identical requests intend what one does (RFC 9110 §9.2.2).
    fileprivate var isIdempotent: Bool {
        switch self {
        case .get, .head, .options, .trace, .put, .delete: true
        default: false
        }
    }
}

extension HTTPHeaders {
    /// The fields of a request as HTTP/1.1 has them, `Host` first. How the body is framed is the client library's
    /// affair.
    fileprivate init(_ request: HTTPRequest) {
        self.init()
        reserveCapacity(request.headerFields.count + 2)
        if let authority = request.authority { add(name: "Host", value: authority) }
        for field in request.headerFields where field.name != .contentLength {
            add(name: field.name.rawName, value: field.value)
        }
    }
}

extension Response {
    /// An origin's answer, its body still on the way.
    fileprivate init(_ response: HTTPClientResponse, to request: HTTPRequest) throws(UpstreamError) {
        let code = Int(response.status.code)
        guard (200...999).contains(code) else { throw UpstreamError(.protocolError, "status \(code)") }
        // Without `TE` in the request there is one that an origin may use; what others leave would be taken for
        // content.
        let codings = response.headers["Transfer-Encoding"]
        guard codings.isEmpty || codings.count == 1 && codings[0].lowercased() == "chunked" else {
            throw UpstreamError(.protocolError, "transfer coding")
        }
        var head = HTTPResponse(status: HTTPResponse.Status(code: code, reasonPhrase: response.status.reasonPhrase))
        head.headerFields.reserveCapacity(response.headers.count)
        for (name, value) in response.headers {
            guard let name = HTTPField.Name(name) else { continue }
            head.headerFields.append(HTTPField(name: name, value: value))
        }
        guard request.method != .head, code != 204, code != 304 else {
            self.init(headOnly: head)
            return
        }
        let length = head.headerFields[.contentLength].flatMap { Int($0) }
        let body = response.body
        self.init(
            status: head.status,
            headers: head.headerFields,
            body: ResponseBody(contentLength: length) { writer in
                for try await part in body { try await writer.write(part) }
                try await writer.finish(nil)
            }
        )
    }
}
