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
import Tracing

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
    let tracing: CacheTracing
    let requests: RequestLog
    /// The scheme of the listener: `https` if it has a certificate, otherwise `http`.
    let scheme: String
    /// The text that distinguishes this gateway in `Via` from others of the same name.
    let instanceID = String(UInt32.random(in: .min ... .max), radix: 36)
    let logger: Logger

    /// The name of the gateway.
    var name: String { active.withLockedValue { $0.settings.name } }

    func respond(to request: ClientRequest, _ writer: consuming ResponseWriter) async throws {
        let active = active.withLockedValue { $0 }
        let sender = Sender(
            request.head,
            peer: request.connection.address?.ipAddress,
            scheme: scheme,
            trusting: active.settings.trustedProxies,
            active.settings.trustedFields
        )
        let content = request.head.hasContent ? ClientContent(request.body) : nil
        let exchange = Exchange(request, content, from: sender, under: active, recordedBy: requests, in: tracing)
        var response: GatewayResponse
        // The head is in memory until the response is written.
        var held = 0
        defer { if held > 0 { request.connection.giveHead(held, to: heads) } }
        switch normalized(request.head, request.version, from: sender) {
        case .failure(let error): response = failure(error, in: exchange)
        case .success(let head):
            exchange.record.change { $0.request = .read(head, request.version) }
            // The content is read as the client sends it, so it is wanted (RFC 9110 §10.1.1).
            do {
                if head.expectsContinue { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
            } catch {
                exchange.record.completeForClientThatLeft()
                await content?.end()
                throw error
            }
            // The head is in memory twice: as received, and as forwarded.
            let memory = 2 * head.headSize
            if request.connection.takeHead(memory, from: heads) {
                held = memory
                response = await exchange.withContext { await answer(head, exchange) }
            } else {
                exchange.record.change { ($0.reason, $0.detail) = ("no-room", "too many heads wait") }
                response = GatewayResponse(.outOfMemory.with(exchange.id))
            }
        }
        if request.head.method == .head { response = GatewayResponse(headOnly: response.head) }
        do {
            if request.presence.hasLeft, Task.isCancelled {
                exchange.record.completeForClientThatLeft()
                throw CancellationError()
            }
            let holder = response.holder(in: readers, end: request.end)
            request.presence.expect(PendingResponse(holder: holder, record: exchange.record))
            try await write(response.response, to: writer, by: request.connection, exchange.record)
        } catch {
            exchange.record.complete()
            await content?.end()
            throw error
        }
        await content?.end()
    }

    func respond(
        to refusal: RequestRefusal,
        receivedAt: NIODeadline,
        by connection: ClientConnection,
        _ presence: ClientPresence,
        _ writer: consuming ResponseWriter
    ) async throws {
        var record = Self.record(of: refusal, by: connection, at: receivedAt)
        let id = requests.ids.next()
        record.id = id
        let open = OpenRecord(record, for: requests)
        var response = Response.refusal(refusal, by: name).with(id)
        if refusal.method == HTTPRequest.Method.head.rawValue { response = Response(headOnly: response.head) }
        presence.expect(PendingResponse(record: open))
        do { try await write(response, to: writer, by: connection, open) } catch {
            open.complete()
            throw error
        }
    }

    func note(_ refusal: RequestRefusal, by connection: ClientConnection) {
        let now = NIODeadline.now()
        var record = Self.record(of: refusal, by: connection, at: now)
        record.status = refusal.status.code
        requests.record(record)
    }

    private static func record(
        of refusal: RequestRefusal,
        by connection: ClientConnection,
        at receivedAt: NIODeadline
    ) -> RequestRecord {
        var record = RequestRecord(.refused(refusal), from: .peer(connection), at: receivedAt)
        (record.reason, record.detail) = (UpstreamError.Code.requestError.rawValue, refusal.sentence)
        return record
    }

    private func answer(_ head: HTTPRequest, _ exchange: Exchange) async -> GatewayResponse {
        let (client, active) = (exchange.client, exchange.active)
        let administration = active.administration(for: client.connection)
        let source = AdminContextSource(client.connection, exchange.sender, logger, id: exchange.id) { head in
            try await warm(head, for: client, active)
        }
        switch destination(of: head, from: exchange.sender, on: client.connection, active) {
        case .administration:
            exchange.record.change { $0.reason = "admin" }
            return GatewayResponse(await administration.answer(Request(head: head, body: client.body), source))
        case .purge(let head, let policy):
            exchange.record.change { $0.reason = "purge" }
            let request = Request(head: head, body: client.body)
            return GatewayResponse(await administration.purge(request, under: policy, source))
        case .gateway(let response):
            exchange.record.change { $0.reason = "gateway" }
            return GatewayResponse(response)
        case .refused(let error): return failure(error, in: exchange)
        case .cache(let head, let policy, let route):
            exchange.record.change { $0.route = route }
            do {
                let response = try await cache.respond(
                    to: head,
                    under: policy,
                    from: upstream(head, route, exchange)
                )
                if let status = response.status { exchange.record.change { $0.note(status) } }
                return response
            } catch  where client.presence.hasLeft {
                // A failure after the client has disconnected says nothing about the origin.
                return failure(UpstreamError(CancellationError()), in: exchange)
            } catch let error as DisconnectedError {
                return failure(UpstreamError(error.underlying), status: .gatewayTimeout, in: exchange)
            } catch {
                return failure(UpstreamError(error), in: exchange)
            }
        }
    }

    /// Returns the response that a client gets in place of the origin's, and notes the error.
    private func failure(
        _ error: UpstreamError,
        status: HTTPResponse.Status? = nil,
        in exchange: Exchange
    ) -> GatewayResponse {
        exchange.record.change { $0.note(error) }
        return GatewayResponse(.failure(error, status: status, by: name).with(exchange.id))
    }

    private func upstream(_ request: HTTPRequest, _ route: Route, _ exchange: Exchange) -> Upstream {
        upstream(
            request,
            exchange.content,
            route,
            from: exchange.sender,
            for: exchange.client,
            exchange.active,
            id: exchange.id,
            timing: exchange.record.origin
        )
    }

    /// Returns the origin of a route, for a request.
    func upstream(
        _ request: HTTPRequest,
        _ content: ClientContent?,
        _ route: Route,
        from sender: Sender,
        for client: ClientRequest,
        _ active: ActiveConfiguration,
        id: String,
        timing: OriginTiming
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
                via: "1.1 \(active.settings.name)-\(instanceID)",
                requestID: id
            ),
            presence: client.presence,
            tracing: tracing,
            timing: timing
        )
    }

    private func write(
        _ response: Response,
        to writer: consuming ResponseWriter,
        by connection: ClientConnection,
        _ record: OpenRecord
    ) async throws {
        var head = response.head
        // "An origin server with a clock […] MUST generate a Date header field in all 2xx (Successful), 3xx
        // (Redirection), and 4xx (Client Error) responses", and "a recipient with a clock that receives a response
        // message without a Date header field MUST […] append a corresponding Date header field" (RFC 9110 §6.6.1).
        if !head.headerFields.contains(.date) { head.headerFields[.date] = HTTPDate.format(clock.now) }
        let age = head.headerFields[.age].flatMap { Int($0) }
        record.change { ($0.status, $0.age) = (head.status.code, age) }
        // TLS allocates memory for everything that it is given at once, so the body is written in pieces.
        let whole = scheme == "https" ? response.body.inPieces : response.body
        try await writer.write(response: head, body: whole.paced(on: connection.channel.eventLoop))
    }
}

/// A request that is being answered, with everything that the answer depends on, and its record.
private struct Exchange: Sendable {
    let client: ClientRequest
    /// The client's content; nil if there is none.
    let content: ClientContent?
    let sender: Sender
    let active: ActiveConfiguration
    /// The ID of the request.
    let id: String
    let record: OpenRecord

    init(
        _ client: ClientRequest,
        _ content: ClientContent?,
        from sender: Sender,
        under active: ActiveConfiguration,
        recordedBy log: RequestLog,
        in tracing: CacheTracing
    ) {
        var record = RequestRecord(
            .read(client.head, client.version),
            from: RequestRecord.Client(sender, on: client.connection),
            at: client.receivedAt
        )
        let id = record.knownID ?? log.ids.next()
        record.id = id
        let span = tracing.startSpan(client.head.method.rawValue, receivedWith: client.head.headerFields)
        if let span {
            var fields = HTTPFields()
            tracing.inject(span.context, into: &fields)
            record.spanTraceID = fields[.traceParent].flatMap { TraceParent($0)?.traceID }
        }
        (self.client, self.content, self.sender, self.active, self.id) = (client, content, sender, active, id)
        self.record = OpenRecord(record, for: log, in: span)
    }

    /// Runs an operation with the ID of the request for logs, and in its span.
    func withContext<Result>(_ operation: () async -> Result) async -> Result {
        await RequestIDs.$current.withValue(id) {
            guard let span = record.span else { return await operation() }
            return await ServiceContext.$current.withValue(span.context, operation: operation)
        }
    }
}

extension Response {
    /// Returns an error of the gateway with the ID of the request, which the logs have too.
    fileprivate func with(_ id: String) -> Response {
        var response = self
        response.headers[.xRequestID] = id
        return response
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
