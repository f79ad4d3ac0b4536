import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import LarderRules
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What the gateway does with a request: answers it itself, where it is about the gateway, or hands it to the cache
/// with the origin of its route behind it.
struct GatewayResponder: Sendable {
    let cache: Cache
    let client: UpstreamClient
    /// What a reload replaces: read once for each request, which ends as it began.
    let active: NIOLockedValueBox<ActiveConfiguration>
    let log: AccessLog?
    /// `http`, or `https` where the listener has a certificate.
    let scheme: String
    let name: String
    /// What this gateway is called in `Via`, unlike any other.
    let via: String
    let logger: Logger

    func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        var response: Response
        let active = active.withLockedValue { $0 }
        let asker = Asker(channel, request.head, scheme, active)
        let content = request.head.hasContent ? ClientContent(request.body) : nil
        let settled = settle(request.head, from: asker.sender)
        switch settled {
        case .failure(let error): response = .failure(error, by: name)
        case .success(let head):
            let request = Request(head: head, body: request.body)
            // Whatever asks for the content gets it as it comes, so it is wanted (RFC 9110 §10.1.1).
            if head.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
            response = await answer(request, content, for: asker, active)
        }
        if request.method == .head { response = Response(headOnly: response.head) }
        do {
            try await write(response, to: writer, request.head, asker)
        } catch {
            await content?.end()
            // Never the error of a parser, which Hummingbird takes for the client's: it would write the head of a 400
            // into a body that the origin broke off, and so make up for the missing bytes.
            throw UpstreamError(error)
        }
        await content?.end()
    }

    private func answer(
        _ request: Request,
        _ content: ClientContent?,
        for asker: Asker,
        _ active: ActiveConfiguration
    ) async -> Response {
        let administration = active.administration
        // Load balancers ask for the health of the gateway by its address, whatever hosts it serves.
        if administration.isAbout(request.head) { return await administration.answer(request, asker.admin(logger)) }
        guard active.settings.serves(host: request.head.authority ?? "") else {
            return .failure(UpstreamError(.requestError, "host", status: .misdirectedRequest), by: name)
        }
        // "If the received value is zero (0), the intermediary MUST NOT forward the request; instead, the intermediary MUST
        // respond as the final recipient." (RFC 9110 §7.6.2)
        if request.head.maxForwards == 0 {
            return Response(status: .ok, headers: [.allow: UpstreamError.allowedMethods])
        }
        let route = active.routes.route(host: request.head.authority, path: request.head.path ?? "/")
        if request.method == .purge {
            return await administration.purge(request, under: route.policy, asker.admin(logger))
        }
        // What goes no further than this connection decides nothing about answers; above, it tells of the way here.
        var head = request.head
        HopByHop.stripNamed(&head.headerFields)
        do {
            return try await cache.respond(
                to: head,
                under: route.policy,
                from: Upstream(
                    client: client,
                    origin: route.origin,
                    request: head,
                    content: content,
                    sendsClientHost: active.settings.hostField == .client,
                    forwarded: ForwardedFields(
                        sender: asker.sender,
                        scheme: asker.sender.scheme,
                        authority: head.authority ?? "",
                        via: via
                    )
                )
            )
        } catch let error as DisconnectedError {
            return .failure(UpstreamError(error.underlying), status: .gatewayTimeout, by: name)
        } catch {
            return .failure(UpstreamError(error), by: name)
        }
    }

    private func write(
        _ response: Response,
        to writer: consuming ResponseWriter,
        _ request: HTTPRequest,
        _ asker: Asker
    ) async throws {
        let body = response.body.paced(on: asker.channel.eventLoop)
        guard let log else { return try await writer.write(response: response.head, body: body) }
        let count = ByteCounter()
        defer { log.note(visit(request, asker), status: response.status.code, bytes: count.bytes) }
        try await writer.write(response: response.head, body: body.counted(by: count))
    }
}

/// Who asks.
private struct Asker {
    let channel: any Channel
    /// The address, as it is when the request comes: a connection that is closed has none.
    let peer: SocketAddress?
    /// What is known about the client.
    let sender: Sender

    init(_ channel: any Channel, _ head: HTTPRequest, _ scheme: String, _ active: ActiveConfiguration) {
        self.channel = channel
        self.peer = channel.remoteAddress
        self.sender = Sender(
            head,
            peer: peer?.ipAddress,
            scheme: scheme,
            trusting: active.settings.trustedProxies
        )
    }

    /// What the admin routes know of the client.
    func admin(_ logger: Logger) -> AdminContextSource {
        AdminContextSource(channel: channel, logger: logger, remoteAddress: peer, client: sender.client)
    }
}

// MARK: - What a request has to be

extension GatewayResponder {
    /// The head as all that follows reads it, or why it goes no further. What HTTP/1.1 allows and should not was
    /// refused by ``MessageGuard``; this is for both versions.
    private func settle(_ head: HTTPRequest, from sender: Sender) -> Result<HTTPRequest, UpstreamError> {
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
        guard let authority = head.authority, MessageGuard.isHost(authority) else {
            return .failure(UpstreamError(.requestError, "no host"))
        }
        guard let target = head.path, target.utf8.first == UInt8(ascii: "/") else {
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

    private func visit(_ head: HTTPRequest, _ asker: Asker) -> Visit {
        Visit(
            peer: asker.sender.client,
            method: head.method.rawValue,
            target: head.path ?? "*",
            version: "\(type(of: asker.channel))".hasPrefix("HTTP2") ? "HTTP/2.0" : "HTTP/1.1",
            referer: head.headerFields[.referer],
            agent: head.headerFields[.userAgent]
        )
    }
}

extension HTTPRequest {
    /// How many times an OPTIONS may still be forwarded, where it says so.
    var maxForwards: Int? {
        guard method == .options, let left = headerFields[.maxForwards].flatMap({ Int($0) }), left >= 0 else {
            return nil
        }
        return left
    }

    fileprivate var expectsContinue: Bool { headerFields.contains(.expect) && hasContent }
}

extension HTTPRequest.Method {
    /// `PURGE`, by which caches are told to let go of a URL.
    static let purge = method("PURGE")

    private static func method(_ name: StaticString) -> HTTPRequest.Method {
        guard let method = HTTPRequest.Method("\(name)") else {
            preconditionFailure("a constant method is not a token")
        }
        return method
    }
}

/// Counts what a body writes.
private final class ByteCounter: Sendable {
    private let count = NIOLockedValueBox(0)

    var bytes: Int { count.withLockedValue { $0 } }
    func add(_ bytes: Int) { count.withLockedValue { $0 += bytes } }
}

extension ResponseBody {
    /// The body, counted while it is written; one that is there as a whole stays so.
    fileprivate func counted(by counter: ByteCounter) -> ResponseBody {
        map { buffer in
            counter.add(buffer.readableBytes)
            return buffer
        }
    }
}
