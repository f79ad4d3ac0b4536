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

/// What the gateway does with a request: answers it itself, where it is about the gateway, or hands it to the cache with
/// the origin of its route behind it.
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
        let response: Response
        let settled = settle(request.head)
        switch settled {
        case .failure(let error): response = .failure(error, by: name)
        case .success(let head):
            let request = Request(head: head, body: request.body)
            // "A server that sends a 100 (Continue) response […] ultimately": the content is wanted, for it is sent on
            // as it comes (RFC 9110 §10.1.1).
            if head.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
            response = await answer(request, on: channel)
        }
        guard let log else {
            return try await writer.write(response: response.head, body: response.body)
        }
        let count = ByteCounter()
        defer { log.note(visit(request.head, channel), status: response.status.code, bytes: count.bytes) }
        try await writer.write(response: response.head, body: response.body.counted(by: count))
    }

    private func answer(_ request: Request, on channel: any Channel) async -> Response {
        if administration.isAbout(request.head) { return await administration.answer(request, channel) }
        let route = routes.withLockedValue { $0 }.route(host: request.head.authority, path: request.head.path ?? "/")
        if request.method == .purge {
            return await administration.purge(request, under: route.policy, peer: channel.remoteAddress)
        }
        do {
            return try await cache.respond(
                to: request.head,
                under: route.policy,
                from: upstream(request, route, channel)
            )
        } catch let error as DisconnectedError {
            return failed(UpstreamError(error.underlying), .gatewayTimeout, request, route)
        } catch {
            return failed(UpstreamError(error), nil, request, route)
        }
    }

    private func upstream(_ request: Request, _ route: Route, _ channel: any Channel) -> Upstream {
        Upstream(
            client: client,
            origin: route.origin,
            request: request,
            sendsClientHost: sendsClientHost,
            forwarded: ForwardedFields(
                peer: channel.remoteAddress?.ipAddress,
                scheme: scheme,
                authority: request.head.authority ?? "",
                via: via
            )
        )
    }

    private func failed(
        _ error: UpstreamError,
        _ status: HTTPResponse.Status?,
        _ request: Request,
        _ route: Route
    ) -> Response {
        if error.isOfOrigin {
            logger.warning("An origin failed", metadata: ["origin": "\(route.origin)", "error": "\(error)"])
        }
        let response = Response.failure(error, status: status, by: name)
        return request.method == .head ? Response(headOnly: response.head) : response
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

    private func visit(_ head: HTTPRequest, _ channel: any Channel) -> Visit {
        Visit(
            peer: channel.remoteAddress?.ipAddress,
            method: head.method.rawValue,
            target: head.path ?? "*",
            version: "\(type(of: channel))".hasPrefix("HTTP2") ? "HTTP/2.0" : "HTTP/1.1",
            referer: head.headerFields[.referer],
            agent: head.headerFields[.userAgent]
        )
    }
}

extension HTTPRequest {
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
