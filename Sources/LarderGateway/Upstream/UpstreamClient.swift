import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import Logging
import NIOConcurrencyHelpers
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
    struct Options: Hashable, Sendable {
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

        /// The settings that the options are made of, but for the authorities, whose file may change under its name.
        static let settings: Set<GatewaySetting> = [
            .connectTimeout, .responseTimeout, .idleTimeout, .connectionsPerOrigin, .originAuthorities,
        ]
    }

    private let connections: NIOLockedValueBox<UpstreamConnections>
    private let clock: WallClock
    private let book = AttemptBook()
    private let group: any EventLoopGroup
    private let watch: OriginWatch
    let spools: SpoolSpace

    /// - Parameter spools: What waits for slow clients and origins is stored in it.
    init(
        _ options: Options,
        clock: WallClock,
        watch: OriginWatch,
        spoolingTo spools: SpoolSpace,
        on group: any EventLoopGroup
    ) {
        self.connections = NIOLockedValueBox(UpstreamConnections(options, book: book, on: group))
        self.clock = clock
        self.watch = watch
        self.spools = spools
        self.group = group
    }

    /// Keeps the connections until the service is shut down.
    func run() async throws {
        try? await gracefulShutdown()
        try await current.client.shutdown()
    }

    /// Sends the requests that come from now on by other options. Those under way end by the old ones, whose
    /// connections are closed after the last of them.
    /// - Returns: true if they differ.
    func reload(_ options: Options) -> Bool {
        guard options != current.options else { return false }
        let next = UpstreamConnections(options, book: book, on: group)
        // The old ones must not be released under the lock.
        let old = connections.withLockedValue { connections in
            defer { connections = next }
            return connections
        }
        withExtendedLifetime(old) {}
        return true
    }

    /// The options by which requests are sent now.
    var options: Options { current.options }

    private var current: UpstreamConnections { connections.withLockedValue { $0 } }

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
        try await content?.collect(in: spools)
        let connections = current
        let slot =
            content == nil
            ? connections.load.enter(origin, FetchContext.fetch)
            : try await connections.load.enterWithContent(origin, within: connections.options.connectTimeout, by: clock)
        let length = request.bodyLength
        var outcome = await attempt(outgoing, for: target, by: connections, record, content.map { ($0, length, slot) })
        if case .failed(_, mayHaveMissed: true) = outcome, mayRepeat, content == nil, request.method.isIdempotent {
            outcome = await attempt(outgoing, for: target, by: connections, record)
        }
        do throws(UpstreamError) {
            // Kept by the body, which holds the connection until it has come or is dropped.
            let response = try outcome.response(to: request, slot, spools) { [watch] error in
                withExtendedLifetime(connections) {}
                guard let error = error.map({ UpstreamError($0) }), !Task.isCancelled, error != .slowClient else {
                    return
                }
                watch.failed(origin, error)
            }
            watch.answered(origin)
            return response
        } catch {
            // The client library may hold the content, and the slot with it, until its client sends more.
            slot.end()
            // Nothing is known about an origin from a client that left before it answered.
            if !Task.isCancelled, error != .slowClient { watch.failed(origin, error) }
            throw error
        }
    }

    /// Whether an origin answers a GET for `path`, and what.
    func probe(_ origin: OriginAddress, path: String) async -> OriginHealth {
        func health(_ isReachable: Bool, _ answer: String) -> OriginHealth {
            OriginHealth(origin: origin.description, isReachable: isReachable, answer: answer)
        }
        guard Self.isTarget(path) else { return health(false, "no such path") }
        do {
            let response = try await book.attempt(for: path) { _, mark in
                let request = marked(HTTPClientRequest(url: origin.description), mark)
                return try await current.client.execute(request, timeout: .seconds(2))
            }
            return health(response.status.code < 500, "\(response.status.code)")
        } catch {
            return health(false, UpstreamError(error).type)
        }
    }

    /// Sends a request with content. That may take as long as it keeps coming: the time for an answer begins at its
    /// end.
    private func execute(
        _ request: HTTPClientRequest,
        by connections: UpstreamConnections,
        _ content: PacedContent,
        _ length: HTTPClientRequest.Body.Length
    ) async throws -> HTTPClientResponse {
        var request = request
        request.body = .stream(content, length: length)
        let (ends, end) = AsyncStream.makeStream(of: UpstreamError.self)
        // The content keeps the action, which must not keep the content.
        content.content.onStream { [slot = content.slot, weak content = content.content] in
            let moved: @Sendable () -> Int? = { [weak content] in content?.streamedBytes ?? nil }
            slot.noteWaiting(for: SlowClient(moved: moved, end: { end.yield($0) }))
        }
        return try await withThrowingTaskGroup { [request] group in
            group.addTask { try await connections.client.execute(request, deadline: .distantFuture) }
            group.addTask {
                await content.attempt.finished()
                try await self.clock.sleep(for: connections.options.responseTimeout)
                throw UpstreamError.responseTimeout
            }
            group.addTask {
                for await error in ends { throw error }
                throw CancellationError()
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

        /// - Parameter bodyEnded: is called when the body has come to its end, or broke off with an error.
        func response(
            to request: HTTPRequest,
            _ slot: OriginLoad.Slot,
            _ spools: SpoolSpace,
            _ bodyEnded: @escaping @Sendable ((any Error)?) -> Void
        ) throws(UpstreamError) -> Response {
            switch self {
            case .answered(let response): return try Response(response, to: request, slot, spools, bodyEnded)
            case .failed(let error, _): throw error
            }
        }
    }

    private func attempt(
        _ request: HTTPClientRequest,
        for target: String,
        by connections: UpstreamConnections,
        _ record: SendingRecord?,
        _ content: (ClientContent, HTTPClientRequest.Body.Length, OriginLoad.Slot)? = nil
    ) async -> Outcome {
        await book.attempt(for: target) { attempt, mark in
            defer { record?.note(attempt) }
            let request = marked(request, mark)
            do {
                if let (content, length, slot) = content {
                    let content = PacedContent(content: content, attempt: attempt, slot: slot)
                    return .answered(try await execute(request, by: connections, content, length))
                }
                // The deadline ends with the head: a body may take as long as it keeps coming.
                let limit = TimeAmount(connections.options.responseTimeout)
                return .answered(try await connections.client.execute(request, timeout: limit))
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
