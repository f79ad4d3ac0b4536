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
        case .failure(let error): response = failure(error)
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
        let entry = entry(request, from: sender)
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
        let source = AdminContextSource(client.connection, sender, logger)
        // Load balancers check the gateway's health by its address, whatever hosts it serves.
        if administration.isAbout(head) {
            return GatewayResponse(await administration.answer(Request(head: head, body: client.body), source))
        }
        // The address for the admin routes alone serves nothing else.
        if client.connection.isAdministrative, head.method != .purge {
            return GatewayResponse(Administration.noSuchRoute)
        }
        // "If the received value is zero (0), the intermediary MUST NOT forward the request; instead, the intermediary
        // MUST respond as the final recipient." (RFC 9110 §7.6.2) A request about the server as a whole (`*`) is about
        // the gateway (§9.3.7).
        if head.maxForwards == 0 || head.path == "*" {
            return GatewayResponse(Response(status: .ok, headers: [.allow: UpstreamError.allowedMethods]))
        }
        var head = head
        // An HTTP/1.0 request without a host is sent to the origin's own name (below), whatever hosts are served.
        if let authority = head.authority {
            head.authority = active.settings.served(
                authority,
                scheme: sender.scheme,
                listeningOn: client.connection.channel.localAddress?.port
            )
            guard head.authority != nil else {
                return failure(UpstreamError(.requestError, "host not served", status: .misdirectedRequest))
            }
        }
        // The origin receives the authority as it is in the key. Otherwise an origin that answers spellings of a host
        // differently could have the response to one spelling stored for all of them.
        guard head.normalizeAuthority() else { return failure(UpstreamError(.requestError, "invalid host")) }
        let route = active.routes.route(host: head.authority, path: head.path ?? "/")
        if head.method == .purge {
            return GatewayResponse(
                await administration.purge(Request(head: head, body: client.body), under: route.policy, source)
            )
        }
        guard active.settings.accepts(head.path ?? "/") else {
            return failure(UpstreamError(.requestError, "ambiguous path"))
        }
        // An HTTP/1.0 request may be without a host. It is sent to the origin's own name.
        if head.authority == nil {
            head.authority = route.origin.authority
            guard head.normalizeAuthority() else { return failure(UpstreamError(.requestError, "invalid host")) }
        }
        // Fields that concern only this connection do not influence responses. They are removed here, because the code
        // above reads them to learn how the request arrived.
        HopByHop.stripNamed(&head.headerFields)
        DroppedFields.remove(from: &head.headerFields, active.settings)
        let mustBypass = DroppedFields.mustBypass(head.headerFields, under: route.policy, active.settings)
        var policy = mustBypass ? route.policy.bypassing(.everything) : route.policy
        if Invalidation.isUnsafe(head.method) {
            let named = active.routes.invalidated(byWriteTo: head.path ?? "/", host: head.authority)
            policy.invalidated += named.filter { !policy.invalidated.contains($0) }
        }
        do {
            return try await cache.respond(
                to: head,
                under: policy,
                from: upstream(head, content, client, route, sender, active)
            )
        } catch  where client.presence.hasLeft {
            // A failure after the client has disconnected says nothing about the origin.
            return failure(UpstreamError(CancellationError()))
        } catch let error as DisconnectedError {
            return failure(UpstreamError(error.underlying), status: .gatewayTimeout)
        } catch {
            return failure(UpstreamError(error))
        }
    }

    private func failure(_ error: UpstreamError, status: HTTPResponse.Status? = nil) -> GatewayResponse {
        GatewayResponse(.failure(error, status: status, by: name))
    }

    private func upstream(
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

// MARK: - Requirements on requests

extension GatewayResponder {
    /// Returns the head in the form that the following code reads, or the reason why the request is refused. Heads that
    /// HTTP/1.1 allows but that are ambiguous were refused by ``HTTP1RequestValidator``; this function is for HTTP/1.1
    /// and HTTP/2.
    private func normalized(
        _ head: HTTPRequest,
        _ version: HTTPVersion,
        from sender: Sender
    ) -> Result<HTTPRequest, UpstreamError> {
        var head = head
        head.scheme = sender.scheme
        // "A server SHOULD treat a request as malformed if it contains a Host header field that identifies an entity
        // that differs from the entity in the ":authority" pseudo-header field." (RFC 9113 §8.3.1)
        if let host = head.headerFields[.hostField] {
            guard head.authority == nil || head.authority?.lowercased() == host.lowercased() else {
                return .failure(UpstreamError(.requestError, "two hosts"))
            }
            head.authority = host
            head.headerFields[.hostField] = nil
        }
        if let host = sender.chain?.host { head.authority = host }
        // "[…] MUST be concatenated into a single octet string using the two-octet delimiter […] ("; ") before being
        // passed into a non-HTTP/2 context" (RFC 9113 §8.2.3).
        let crumbs = head.headerFields[values: .cookie]
        if crumbs.count > 1 { head.headerFields[values: .cookie] = [crumbs.joined(separator: "; ")] }
        if let authority = head.authority {
            guard Authority(authority) != nil else {
                return .failure(UpstreamError(.requestError, "invalid host"))
            }
        } else if version != .http1_0 {
            return .failure(UpstreamError(.requestError, "no host"))
        }
        let isForServer = head.method == .options && head.path == "*"
        guard let target = head.path, target.utf8.first == UInt8(ascii: "/") || isForServer else {
            return .failure(UpstreamError(.requestError, "no path"))
        }
        // TRACE would show a client the fields that the gateway adds (RFC 9110 §9.3.8).
        guard head.method != .trace, head.method != .connect else {
            return .failure(UpstreamError(.requestDenied, "method"))
        }
        if head.headerFields[values: .via].contains(where: { $0.contains(via) }) {
            return .failure(UpstreamError(.loopDetected, "Via"))
        }
        if let expectation = head.headerFields[.expect], expectation.lowercased() != "100-continue" {
            return .failure(UpstreamError(.requestError, "Expect", status: .expectationFailed))
        }
        return .success(head)
    }

    private func entry(_ request: ClientRequest, from sender: Sender) -> AccessLogEntry {
        AccessLogEntry(
            peer: sender.client,
            method: request.head.method.rawValue,
            target: request.head.path ?? "*",
            version: request.version.text,
            referer: request.head.headerFields[.referer],
            agent: request.head.headerFields[.userAgent]
        )
    }
}

extension HTTPRequest {
    /// The number of times that an OPTIONS request may still be forwarded; nil if it does not limit them.
    var maxForwards: Int? {
        guard method == .options, let left = headerFields[.maxForwards].flatMap({ Int($0) }), left >= 0 else {
            return nil
        }
        return left
    }

    /// Changes the authority, if there is one, to the spelling that keys have.
    /// - Returns: False if the authority cannot be part of a key.
    fileprivate mutating func normalizeAuthority() -> Bool {
        guard authority != nil else { return true }
        authority = keyAuthority
        return authority != nil
    }

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
