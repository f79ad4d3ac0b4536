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
    let routes: NIOLockedValueBox<RouteTable>
    let administration: Administration
    let log: AccessLog?
    /// `http`, or `https` where the listener has a certificate.
    let scheme: String
    let name: String
    /// What this gateway is called in `Via`, unlike any other.
    let via: String
    let sendsClientHost: Bool
    let logger: Logger

    func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        var response: Response
        let asker = Asker(channel)
        let content = request.head.hasContent ? ClientContent(request.body) : nil
        let settled = settle(request.head)
        switch settled {
        case .failure(let error): response = .failure(error, by: name)
        case .success(let head):
            let request = Request(head: head, body: request.body)
            // Whatever asks for the content gets it as it comes, so it is wanted (RFC 9110 §10.1.1).
            if head.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
            response = await answer(request, content, for: asker)
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

    private func answer(_ request: Request, _ content: ClientContent?, for asker: Asker) async -> Response {
        if administration.isAbout(request.head) { return await administration.answer(request, asker.channel) }
        // "If the received value is zero (0), the intermediary MUST NOT forward the request; instead, the intermediary MUST
        // respond as the final recipient." (RFC 9110 §7.6.2)
        if request.head.maxForwards == 0 {
            return Response(status: .ok, headers: [.allow: UpstreamError.allowedMethods])
        }
        let route = routes.withLockedValue { $0 }.route(host: request.head.authority, path: request.head.path ?? "/")
        if request.method == .purge {
            return await administration.purge(request, under: route.policy, peer: asker.peer)
        }
        // What goes no further than this connection decides nothing about answers; above, it tells of the way here.
        var head = request.head
        HopByHop.stripNamed(&head.headerFields)
        do {
            return try await cache.respond(
                to: head,
                under: route.policy,
                from: upstream(head, content, route, asker)
            )
        } catch let error as DisconnectedError {
            return failed(UpstreamError(error.underlying), .gatewayTimeout, route)
        } catch {
            return failed(UpstreamError(error), nil, route)
        }
    }

    private func upstream(
        _ request: HTTPRequest,
        _ content: ClientContent?,
        _ route: Route,
        _ asker: Asker
    ) -> Upstream {
        Upstream(
            client: client,
            origin: route.origin,
            request: request,
            content: content,
            sendsClientHost: sendsClientHost,
            forwarded: ForwardedFields(
                peer: asker.peer?.ipAddress,
                scheme: scheme,
                authority: request.authority ?? "",
                via: via
            )
        )
    }

    private func failed(_ error: UpstreamError, _ status: HTTPResponse.Status?, _ route: Route) -> Response {
        if error.isOfOrigin {
            logger.warning("An origin failed", metadata: ["origin": "\(route.origin)", "error": "\(error)"])
        }
        return .failure(error, status: status, by: name)
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

    init(_ channel: any Channel) {
        self.channel = channel
        self.peer = channel.remoteAddress
    }
}

// MARK: - What a request has to be

extension GatewayResponder {
    /// The head as all that follows reads it, or why it goes no further. What HTTP/1.1 allows and should not was
    /// refused by ``MessageGuard``; this is for both versions.
    private func settle(_ head: HTTPRequest) -> Result<HTTPRequest, UpstreamError> {
        var head = head
        head.scheme = scheme
        // "A server SHOULD treat a request as malformed if it contains a Host header field that identifies an entity
        // that differs from the entity in the ":authority" pseudo-header field." (RFC 9113 §8.3.1)
        if let host = head.headerFields[.hostField] {
            guard head.authority == nil || head.authority?.lowercased() == host.lowercased() else {
                return .failure(UpstreamError(.requestError, "two hosts"))
            }
            head.authority = host
            head.headerFields[.hostField] = nil
        }
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
            peer: asker.peer?.ipAddress,
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
