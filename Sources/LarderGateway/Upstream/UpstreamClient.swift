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

/// A client that sends requests to origin servers, by HTTP/1.1, or by HTTP/2 if TLS negotiates it.
///
/// It follows no redirects and decompresses nothing, because a gateway forwards responses unchanged. Informational
/// responses (1xx) and trailers are not forwarded, because AsyncHTTPClient does not expose them.
final class UpstreamClient: Service {
    /// The limits for origins.
    struct Options: Hashable, Sendable {
        /// The time that an origin has to accept a connection. Defaults to 5 seconds.
        var connectTimeout = Duration.seconds(5)
        /// The time from a request until the origin begins its response. Defaults to 30 seconds.
        var responseTimeout = Duration.seconds(30)
        /// The longest time between two parts of a body, in either direction. Defaults to 60 seconds.
        var idleTimeout = Duration.seconds(60)
        /// The number of HTTP/1.1 connections to one origin. Defaults to 256.
        var connectionsPerOrigin = 256
        /// The certificates to trust instead of the system's; nil for the system's.
        var trustRoots: [NIOSSLCertificate]?

        /// The settings from which the options are made. The authorities are compared as well, because their file may
        /// change while its name remains the same.
        static let settings: Set<GatewaySetting> = [
            .connectTimeout, .responseTimeout, .idleTimeout, .connectionsPerOrigin, .originAuthorities,
        ]
    }

    private let connections: NIOLockedValueBox<UpstreamConnections>
    private let clock: WallClock
    private let attempts = AttemptTable()
    private let group: any EventLoopGroup
    private let watch: OriginWatch
    let spools: SpoolSpace

    /// Creates a client.
    /// - Parameter spools: The space that stores content and bodies that wait for slow clients and origins.
    init(
        _ options: Options,
        clock: WallClock,
        watch: OriginWatch,
        spoolingTo spools: SpoolSpace,
        on group: any EventLoopGroup
    ) {
        self.connections = NIOLockedValueBox(UpstreamConnections(options, attempts: attempts, on: group))
        self.clock = clock
        self.watch = watch
        self.spools = spools
        self.group = group
    }

    /// Runs until the service is shut down, and then closes the connections.
    func run() async throws {
        try? await gracefulShutdown()
        try await current.client.shutdown()
    }

    /// Changes the options of requests that are sent from now on. Requests under way end with the previous options,
    /// whose connections are closed after the last of these requests.
    /// - Returns: True if the options differ.
    func reload(_ options: Options) -> Bool {
        guard options != current.options else { return false }
        let next = UpstreamConnections(options, attempts: attempts, on: group)
        // The previous connections must not be released under the lock.
        let old = connections.withLockedValue { connections in
            defer { connections = next }
            return connections
        }
        withExtendedLifetime(old) {}
        return true
    }

    /// The options of requests that are sent now.
    var options: Options { current.options }

    private var current: UpstreamConnections { connections.withLockedValue { $0 } }

    /// Sends a request, and returns when the head of the response is received.
    ///
    /// "A proxy MUST NOT automatically retry non-idempotent requests" (RFC 9110 §9.2.2). A request with content is
    /// never sent twice, because its content is not stored. Other requests are sent once more if the origin may have
    /// closed the connection at that moment.
    /// - Parameters:
    ///   - content: The client's content, if there is any.
    ///   - timing: The record that notes when the request is sent, and when the head of the response is received.
    ///   - record: The record that notes if the request was sent.
    ///   - mayRepeat: True if the request may be sent a second time; false if a barely stale response can be served
    ///     instead.
    func send(
        _ request: HTTPRequest,
        _ content: ClientContent?,
        to origin: OriginAddress,
        _ timing: OriginTiming,
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
        let sent = NIODeadline.now()
        timing.begin()
        var outcome = await attempt(outgoing, for: target, by: connections, record, content.map { ($0, length, slot) })
        if case .failed(_, mayNotHaveArrived: true) = outcome, mayRepeat, content == nil, request.method.isIdempotent {
            outcome = await attempt(outgoing, for: target, by: connections, record)
        }
        if case .answered = outcome { timing.end() }
        do throws(UpstreamError) {
            // The body retains the connections until it is received or dropped.
            let response = try outcome.response(to: request, slot, spools) { [watch] error in
                withExtendedLifetime(connections) {}
                guard let error = error.map({ UpstreamError($0) }), !Task.isCancelled, error != .slowClient else {
                    return
                }
                watch.failed(origin, error)
            }
            watch.answered(origin, after: .now() - sent)
            return response
        } catch {
            // The client library may retain the content, and with it the slot, until the client sends more.
            slot.end()
            // A client that disconnected before the origin responded says nothing about the origin.
            if !Task.isCancelled, error != .slowClient { watch.failed(origin, error) }
            throw error
        }
    }

    /// Returns the health of an origin: if it answers a GET for `path`, and the status or error.
    func probe(_ origin: OriginAddress, path: String) async -> OriginHealth {
        func health(_ isReachable: Bool, _ answer: String) -> OriginHealth {
            OriginHealth(origin: origin.description, isReachable: isReachable, answer: answer)
        }
        guard Self.isTarget(path) else { return health(false, "invalid path") }
        do {
            let response = try await attempts.attempt(for: path) { _, mark in
                let request = marked(HTTPClientRequest(url: origin.description), mark)
                return try await current.client.execute(request, timeout: .seconds(2))
            }
            return health(response.status.code < 500, "\(response.status.code)")
        } catch {
            return health(false, UpstreamError(error).type)
        }
    }

    /// Sends a request with content. The content may take as long as parts of it are received: the response timeout
    /// begins at its end.
    private func execute(
        _ request: HTTPClientRequest,
        by connections: UpstreamConnections,
        _ content: PacedContent,
        _ length: HTTPClientRequest.Body.Length
    ) async throws -> HTTPClientResponse {
        var request = request
        request.body = .stream(content, length: length)
        let (ends, end) = AsyncStream.makeStream(of: UpstreamError.self)
        // The content retains the action, so the action must not retain the content.
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
        request.headers.add(name: attempts.fieldName, value: mark)
        return request
    }

    /// Returns true if a text can be sent as a target with one meaning only: a path of visible ASCII characters,
    /// without a fragment, which would end it for some servers.
    private static func isTarget(_ text: String) -> Bool {
        text.utf8.first == UInt8(ascii: "/")
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
    }

    /// The result of one attempt to send a request.
    private enum AttemptResult {
        case answered(HTTPClientResponse)
        case failed(UpstreamError, mayNotHaveArrived: Bool)

        /// Returns the response, or throws the error of the attempt.
        /// - Parameter bodyEnded: Called when the body has ended, or broke off with an error.
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
    ) async -> AttemptResult {
        await attempts.attempt(for: target) { attempt, mark in
            defer { record?.note(attempt) }
            let request = marked(request, mark)
            do {
                if let (content, length, slot) = content {
                    let content = PacedContent(content: content, attempt: attempt, slot: slot)
                    return .answered(try await execute(request, by: connections, content, length))
                }
                // The timeout ends with the head: a body may take as long as parts of it are received.
                let limit = TimeAmount(connections.options.responseTimeout)
                return .answered(try await connections.client.execute(request, timeout: limit))
            } catch {
                let error = UpstreamError(error)
                return .failed(
                    error,
                    mayNotHaveArrived: error.code == .connectionTerminated && attempt.mayNotHaveArrived
                )
            }
        }
    }
}

extension HTTPRequest {
    /// The length of the content in bytes, if the request declares it.
    fileprivate var bodyLength: HTTPClientRequest.Body.Length {
        headerFields[.contentLength].flatMap { Int64($0) }.map { .known($0) } ?? .unknown
    }
}

extension HTTPRequest.Method {
    /// True if several identical requests have the same intended effect as one (RFC 9110 §9.2.2).
    fileprivate var isIdempotent: Bool {
        switch self {
        case .get, .head, .options, .trace, .put, .delete: true
        default: false
        }
    }
}

extension HTTPHeaders {
    /// Creates the HTTP/1.1 fields of a request, with `Host` first. The client library adds the fields that frame the
    /// body.
    fileprivate init(_ request: HTTPRequest) {
        self.init()
        reserveCapacity(request.headerFields.count + 2)
        if let authority = request.authority { add(name: "Host", value: authority) }
        for field in request.headerFields where field.name != .contentLength {
            add(name: field.name.rawName, value: field.value)
        }
    }
}
