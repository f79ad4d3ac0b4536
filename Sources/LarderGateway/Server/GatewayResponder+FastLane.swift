import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Hits that are answered on the event loop, before the request enters Swift concurrency.
///
/// A response is the one that ``respond(to:_:)`` would send: it is made by the same functions. If an equal request
/// follows, the bytes are sent again, for as long as the store finds the same entries, and `Age` and the ttl in
/// `Cache-Status` are the same.
extension GatewayResponder {
    /// The size of the largest body that is sent at once over TLS, which allocates memory for all of it.
    private static let encryptedBody = 15 << 10

    func knownResponse(to head: HTTPRequestHead, on connection: ClientConnection) -> KnownResponse? {
        guard !connection.isAdministrative else { return nil }
        let active = active.withLockedValue { $0 }
        return active.hits.find(head).map { KnownResponse($0, under: active) }
    }

    func `repeat`(
        _ known: KnownResponse,
        to head: HTTPRequestHead,
        on connection: ClientConnection
    ) -> EncodedResponse? {
        let active = active.withLockedValue { $0 }
        guard known.configuration === active else { return nil }
        let response = known.response
        guard let entry = cache.repeat(response.hit) else {
            active.hits.forget(response, for: head)
            return nil
        }
        if let log {
            let entry = AccessLogEntry(
                peer: connection.address?.ipAddress,
                method: head.method.rawValue,
                target: response.target,
                version: head.version.text,
                referer: Self.joined(head.headers["Referer"]),
                agent: Self.joined(head.headers["User-Agent"])
            )
            log.note(entry, status: response.status, bytes: response.bodySize)
        }
        return response.response(from: entry)
    }

    /// Returns the lines of a field as one value; nil if there is none.
    private static func joined(_ lines: [String]) -> String? { lines.isEmpty ? nil : lines.joined(separator: ", ") }

    func respondAtOnce(
        to request: HTTPRequest,
        readFrom head: HTTPRequestHead,
        on connection: ClientConnection
    ) -> EncodedResponse? {
        let active = active.withLockedValue { $0 }
        guard let hit = hit(for: request, head.version, on: connection, active, encodedBy: encode) else { return nil }
        let response = hit.response
        note(hit, for: request, head.version, status: response.status, bytes: response.bodySize)
        // The signature says nothing of the peer, which decides if fields about the client are believed.
        if let repeatable = hit.repeatable, active.settings.trustedProxies.isEmpty,
            let known = RepeatableResponse(repeatable, response, target: request.path ?? "*"),
            let signature = HeadSignature(
                head,
                deciding: repeatable.vary?.union(hit.policy.decidingFields),
                room: active.settings.headerLimit.bytes - request.headSize
            )
        {
            active.hits.remember(known, as: signature, for: head)
        }
        return response
    }

    func respondAtOnce(to request: HTTPRequest, on connection: ClientConnection) -> ServedResponse? {
        let active = active.withLockedValue { $0 }
        let hit = hit(for: request, .http2, on: connection, active) { served -> ServedResponse? in
            let isSmall = served.body?.readableBytes ?? 0 <= Self.encryptedBody
            return isSmall && served.head.headerFields.contains(.date) ? served : nil
        }
        guard let hit else { return nil }
        let response = hit.response
        note(hit, for: request, .http2, status: response.head.status.code, bytes: response.body?.readableBytes ?? 0)
        return response
    }

    /// A response from the memory of this process, with what the gateway knows about its request.
    private struct Hit<Encoded> {
        let response: Encoded
        /// The hit in a form in which it can be repeated; nil if it cannot be.
        let repeatable: RepeatableHit?
        let policy: SharedPolicy
        let sender: Sender
    }

    /// Returns the response to a request, if it is in the memory of this process and can be encoded.
    private func hit<Encoded>(
        for request: HTTPRequest,
        _ version: HTTPVersion,
        on connection: ClientConnection,
        _ active: ActiveConfiguration,
        encodedBy encode: (ServedResponse) -> Encoded?
    ) -> Hit<Encoded>? {
        guard request.method == .get || request.method == .head, !request.hasContent else { return nil }
        let settings = active.settings
        guard settings.answersAtOnce else { return nil }
        let sender = Sender(
            request,
            peer: connection.address?.ipAddress,
            scheme: scheme,
            trusting: settings.trustedProxies,
            settings.trustedFields
        )
        guard case .success(let normalized) = normalized(request, version, from: sender),
            case .cache(let keyed, let policy, _) = destination(of: normalized, from: sender, on: connection, active),
            let (response, hit) = cache.respondAtOnce(to: keyed, under: policy, encodedBy: encode)
        else { return nil }
        return Hit(response: response, repeatable: hit, policy: policy, sender: sender)
    }

    /// Writes a hit to the access log.
    private func note<Encoded>(
        _ hit: Hit<Encoded>,
        for request: HTTPRequest,
        _ version: HTTPVersion,
        status: Int,
        bytes: Int
    ) {
        log?.note(entry(request, version, from: hit.sender), status: status, bytes: bytes)
    }

    /// Returns a response in the bytes of HTTP/1.1; nil if it is to be sent in parts.
    private func encode(_ served: ServedResponse) -> EncodedResponse? {
        guard served.head.headerFields.contains(.date),
            let response = EncodedResponse(served, head: served.head),
            scheme == "http" || response.bodySize <= Self.encryptedBody
        else { return nil }
        return response
    }

    func holder(of response: EncodedResponse, on connection: ClientConnection) -> (any Sendable)? {
        guard let entry = response.rest?.entry else { return nil }
        guard entry.body.readableBytes >= SlowReaders.leastBody else { return entry }
        return readers.add {
            entry
        } end: {
            connection.channel.eventLoop.execute { connection.closeTransport() }
        }
    }
}
