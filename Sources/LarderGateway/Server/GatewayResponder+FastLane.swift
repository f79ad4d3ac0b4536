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
        // A span belongs to a task.
        guard !connection.isAdministrative, !tracing.isOn else { return nil }
        let active = active.withLockedValue { $0 }
        return active.hits.find(head).map { KnownResponse($0, under: active) }
    }

    func `repeat`(
        _ known: KnownResponse,
        to head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? {
        let active = active.withLockedValue { $0 }
        guard known.configuration === active, let label = known.response.label else { return nil }
        let response = known.response
        guard let entry = cache.repeat(response.hit) else {
            active.hits.forget(response, for: head)
            return nil
        }
        let answer = response.response(from: entry)
        // Hits are repeated only if there are no trusted proxies, so the peer is the client.
        var record = RequestRecord(
            .decoded(head, target: label.target, host: label.host),
            from: .peer(connection),
            at: receivedAt
        )
        record.route = active.routes[label.route]
        record.noteHit(status: answer.status, bytes: answer.bodySize, age: answer.age)
        return ImmediateResponse(response: answer, record: record)
    }

    func respondAtOnce(
        to request: HTTPRequest,
        readFrom head: HTTPRequestHead,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<EncodedResponse>? {
        let active = active.withLockedValue { $0 }
        guard let hit = hit(for: request, head.version, on: connection, active, encodedBy: encode) else { return nil }
        let response = hit.response
        // The signature says nothing of the peer, which decides if fields about the client are believed.
        if let repeatable = hit.repeatable, active.settings.trustedProxies.isEmpty,
            let route = active.routes.place(of: hit.route),
            let known = RepeatableResponse(
                repeatable,
                response,
                label: .init(target: request.path ?? "*", host: hit.head.authority, route: route)
            ),
            let signature = HeadSignature(
                head,
                deciding: repeatable.vary?.union(hit.policy.decidingFields),
                room: active.settings.headerLimit.bytes - request.headSize
            )
        {
            active.hits.remember(known, as: signature, for: head)
        }
        var record = hit.record(head.version, on: connection, at: receivedAt)
        record.noteHit(status: response.status, bytes: response.bodySize, age: response.age)
        return ImmediateResponse(response: response, record: record)
    }

    func respondAtOnce(
        to request: HTTPRequest,
        receivedAt: NIODeadline,
        on connection: ClientConnection
    ) -> ImmediateResponse<ServedResponse>? {
        let active = active.withLockedValue { $0 }
        let hit = hit(for: request, .http2, on: connection, active) { served -> ServedResponse? in
            let isSmall = served.body?.readableBytes ?? 0 <= Self.encryptedBody
            return isSmall && served.head.headerFields.contains(.date) ? served : nil
        }
        guard let hit else { return nil }
        let response = hit.response
        var record = hit.record(.http2, on: connection, at: receivedAt)
        let size = response.body?.readableBytes ?? 0
        record.noteHit(status: response.head.status.code, bytes: size, age: response.age)
        return ImmediateResponse(response: response, record: record)
    }

    func complete(_ record: consuming RequestRecord, at now: NIODeadline) {
        record.beganAt = record.beganAt ?? now
        record.endedAt = now
        requests.record(record)
    }

    /// A response from the memory of this process, with what the gateway knows about its request.
    private struct Hit<Encoded> {
        let response: Encoded
        /// The hit in a form in which it can be repeated; nil if it cannot be.
        let repeatable: RepeatableHit?
        let policy: SharedPolicy
        let route: Route
        /// The head of the request in its normalized form.
        let head: HTTPRequest
        let sender: Sender

        /// Returns the record of the request.
        func record(
            _ version: HTTPVersion,
            on connection: ClientConnection,
            at receivedAt: NIODeadline
        ) -> RequestRecord {
            let client = RequestRecord.Client(sender, on: connection)
            var record = RequestRecord(.read(head, version), from: client, at: receivedAt)
            record.route = route
            return record
        }
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
        guard settings.answersAtOnce, !tracing.isOn else { return nil }
        let sender = Sender(
            request,
            peer: connection.address?.ipAddress,
            scheme: scheme,
            trusting: settings.trustedProxies,
            settings.trustedFields
        )
        guard case .success(let normalized) = normalized(request, version, from: sender),
            case .cache(let keyed, let policy, let route) = destination(
                of: normalized,
                from: sender,
                on: connection,
                active
            ),
            let (response, hit) = cache.respondAtOnce(to: keyed, under: policy, encodedBy: encode)
        else { return nil }
        return Hit(
            response: response,
            repeatable: hit,
            policy: policy,
            route: route,
            head: normalized,
            sender: sender
        )
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
