import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// A responder that answers requests about the gateway itself, and hands other requests to the cache, with the origin
/// of their route.
struct GatewayResponder: ClientResponder {
    let cache: ResponseCache
    let clock: WallClock
    let client: UpstreamClient
    /// The memory of the heads of requests that wait, beyond the share of each connection. Its limit is 32 MiB.
    let heads = InFlightBudget(limit: .mebibytes(32))
    let readers: SlowReaders
    /// The configuration, which a reload replaces. A request reads it once and uses it until the request ends.
    let active: NIOLockedValueBox<ActiveConfiguration>
    let log: AccessLog?
    /// The scheme of the listener: `https` if it has a certificate, otherwise `http`.
    let scheme: String
    let name: String
    /// The unique name of this gateway in `Via`.
    let via: String
    let logger: Logger

    func respond(to request: ClientRequest, _ writer: consuming ResponseWriter) async throws {
        var response: GatewayResponse
        let active = active.withLockedValue { $0 }
        let sender = Sender(
            request.head,
            peer: request.connection.address?.ipAddress,
            scheme: scheme,
            trusting: active.settings.trustedProxies,
            active.settings.trustedFields
        )
        let content = request.head.hasContent ? ClientContent(request.body) : nil
        switch normalized(request.head, request.version, from: sender) {
        case .failure(let error): response = GatewayResponse(failure(error))
        case .success(let head):
            // The content is read as the client sends it, so it is wanted (RFC 9110 §10.1.1).
            if head.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
            // The head is in memory twice: as received, and as forwarded.
            let memory = 2 * head.headSize
            if request.connection.takeHead(memory, from: heads) {
                response = await answer(head, content, request, from: sender, active)
                request.connection.giveHead(memory, to: heads)
            } else {
                response = GatewayResponse(.outOfMemory)
            }
        }
        if request.head.method == .head { response = GatewayResponse(headOnly: response.head) }
        let entry = entry(request.head, request.version, from: sender)
        do {
            if request.presence.hasLeft, Task.isCancelled {
                log?.note(entry, status: Self.clientLeft, bytes: 0)
                throw CancellationError()
            }
            request.presence.hold(response.holder(in: readers, end: request.end))
            try await write(response.response, to: writer, by: request.connection, entry)
        } catch {
            await content?.end()
            throw error
        }
        await content?.end()
    }

    func respond(
        to refusal: RequestRefusal,
        by connection: ClientConnection,
        _ writer: consuming ResponseWriter
    ) async throws {
        var response = Response.refusal(refusal, by: name)
        if refusal.method == HTTPRequest.Method.head.rawValue { response = Response(headOnly: response.head) }
        try await write(response, to: writer, by: connection, Self.entry(refusal, by: connection))
    }

    func note(_ refusal: RequestRefusal, by connection: ClientConnection) {
        log?.note(Self.entry(refusal, by: connection), status: refusal.status.code, bytes: 0)
    }

    private static func entry(_ refusal: RequestRefusal, by connection: ClientConnection) -> AccessLogEntry {
        AccessLogEntry(
            peer: connection.address?.ipAddress,
            method: refusal.method ?? "-",
            target: refusal.target ?? "-",
            version: refusal.version ?? "-"
        )
    }

    /// The status in the access log of a request whose client disconnected before there was a response, as in nginx.
    private static let clientLeft = 499

    private func answer(
        _ head: HTTPRequest,
        _ content: ClientContent?,
        _ client: ClientRequest,
        from sender: Sender,
        _ active: ActiveConfiguration
    ) async -> GatewayResponse {
        let administration = active.administration(for: client.connection)
        let source = AdminContextSource(client.connection, sender, logger) { head in
            try await warm(head, for: client, active)
        }
        switch destination(of: head, from: sender, on: client.connection, active) {
        case .administration:
            return GatewayResponse(await administration.answer(Request(head: head, body: client.body), source))
        case .purge(let head, let policy):
            let request = Request(head: head, body: client.body)
            return GatewayResponse(await administration.purge(request, under: policy, source))
        case .gateway(let response): return GatewayResponse(response)
        case .cache(let head, let policy, let route):
            do {
                return try await cache.respond(
                    to: head,
                    under: policy,
                    from: upstream(head, content, client, route, sender, active)
                )
            } catch  where client.presence.hasLeft {
                // A failure after the client has disconnected says nothing about the origin.
                return GatewayResponse(failure(UpstreamError(CancellationError())))
            } catch let error as DisconnectedError {
                return GatewayResponse(failure(UpstreamError(error.underlying), status: .gatewayTimeout))
            } catch {
                return GatewayResponse(failure(UpstreamError(error)))
            }
        }
    }

    func failure(_ error: UpstreamError, status: HTTPResponse.Status? = nil) -> Response {
        .failure(error, status: status, by: name)
    }

    func upstream(
        _ request: HTTPRequest,
        _ content: ClientContent?,
        _ client: ClientRequest,
        _ route: Route,
        _ sender: Sender,
        _ active: ActiveConfiguration
    ) -> Upstream {
        Upstream(
            client: self.client,
            origin: route.origin,
            request: request,
            content: content,
            sendsClientHost: active.settings.hostField == .client,
            forwarded: ForwardedFields(
                sender: sender,
                scheme: sender.scheme,
                authority: request.authority ?? "",
                via: via
            ),
            presence: client.presence
        )
    }

    private func write(
        _ response: Response,
        to writer: consuming ResponseWriter,
        by connection: ClientConnection,
        _ entry: AccessLogEntry
    ) async throws {
        var head = response.head
        // "An origin server with a clock […] MUST generate a Date header field in all 2xx (Successful), 3xx
        // (Redirection), and 4xx (Client Error) responses", and "a recipient with a clock that receives a response
        // message without a Date header field MUST […] append a corresponding Date header field" (RFC 9110 §6.6.1).
        if !head.headerFields.contains(.date) { head.headerFields[.date] = HTTPDate.format(clock.now) }
        // TLS allocates memory for everything that it is given at once, so the body is written in pieces.
        let whole = scheme == "https" ? response.body.inPieces : response.body
        let body = whole.paced(on: connection.channel.eventLoop)
        guard let log else { return try await writer.write(response: head, body: body) }
        let count = ByteCounter()
        defer { log.note(entry, status: head.status.code, bytes: count.bytes) }
        try await writer.write(response: head, body: body.counted(by: count))
    }
}

// MARK: - The access log

extension GatewayResponder {
    func entry(_ head: HTTPRequest, _ version: HTTPVersion, from sender: Sender) -> AccessLogEntry {
        AccessLogEntry(
            peer: sender.client,
            method: head.method.rawValue,
            target: head.path ?? "*",
            version: version.text,
            referer: head.headerFields[.referer],
            agent: head.headerFields[.userAgent]
        )
    }
}

extension HTTPRequest {
    fileprivate var expectsContinue: Bool { headerFields.contains(.expect) && hasContent }
}

extension HTTPRequest.Method {
    /// The method `PURGE`, which asks caches to remove the stored response of a URL.
    static let purge = method("PURGE")

    private static func method(_ name: StaticString) -> HTTPRequest.Method {
        guard let method = HTTPRequest.Method("\(name)") else {
            preconditionFailure("\"\(name)\" is not a valid method")
        }
        return method
    }
}

/// A counter of the bytes that a body writes.
private final class ByteCounter: Sendable {
    private let count = NIOLockedValueBox(0)

    var bytes: Int { count.withLockedValue { $0 } }
    func add(_ bytes: Int) { count.withLockedValue { $0 += bytes } }
}

extension ResponseBody {
    /// Returns the body, counted while it is written. A body that is complete in memory remains so.
    fileprivate func counted(by counter: ByteCounter) -> ResponseBody {
        map { buffer in
            counter.add(buffer.readableBytes)
            return buffer
        }
    }
}
