import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOCore

/// An origin server, for one request of a client.
struct Upstream: Origin {
    let client: UpstreamClient
    let origin: OriginAddress
    /// The client's request.
    let request: HTTPRequest
    /// The client's content; nil if there is none.
    let content: ClientContent?
    /// True if `Host` is the client's value, rather than the origin's own name.
    let sendsClientHost: Bool
    let forwarded: ForwardedFields
    /// The record of the client's presence.
    let presence: ClientPresence
    let tracing: CacheTracing
    /// The record of the times at which the origin is asked and answers.
    let timing: OriginTiming
    /// The record of whether the client's own request was sent.
    private let sending = SendingRecord()

    init(
        client: UpstreamClient,
        origin: OriginAddress,
        request: HTTPRequest,
        content: ClientContent?,
        sendsClientHost: Bool,
        forwarded: ForwardedFields,
        presence: ClientPresence,
        tracing: CacheTracing,
        timing: OriginTiming
    ) {
        self.client = client
        self.origin = origin
        self.request = request
        self.content = content
        self.sendsClientHost = sendsClientHost
        self.forwarded = forwarded
        self.presence = presence
        self.tracing = tracing
        self.timing = timing
    }

    func willWait() { presence.watch() }

    func fetch(_ head: HTTPRequest) async throws -> GatewayResponse {
        try await fetch(head, hasFallback: false)
    }

    func fetch(_ head: HTTPRequest, hasFallback: Bool) async throws -> GatewayResponse {
        var response = try await client.send(outgoing(head), nil, to: origin, timing, mayRepeat: !hasFallback)
        ForwardedFields.confine(&response.headers)
        DroppedFields.confine(&response.headers, of: head.headerFields)
        return GatewayResponse(response)
    }

    func forward() async throws -> GatewayResponse {
        presence.watch()
        return GatewayResponse(try await client.send(outgoing(request), content, to: origin, timing, noting: sending))
    }

    /// Returns true if the request was sent. If the connection was refused, or the host was not found, the origin
    /// cannot have received it.
    func mayHaveReceivedRequest(failedWith error: any Error) -> Bool { sending.wasSent }

    func mayBeDueToRequest(_ error: any Error) -> Bool { (error as? UpstreamError)?.mayBeDueToRequest ?? false }

    /// Returns nil if the origin cannot be reached, so that a stored response may be served instead (RFC 9111 §4.2.4).
    /// For a fault of the request itself, returns the error's status.
    func status(of error: any Error) -> HTTPResponse.Status? {
        guard let error = error as? UpstreamError, !error.isOfOrigin else { return nil }
        return error.status
    }

    /// Returns the request as it is sent: without the fields of the client's connection, and with ``ForwardedFields``.
    private func outgoing(_ head: HTTPRequest) -> HTTPRequest {
        var outgoing = head
        HopByHop.strip(&outgoing.headerFields)
        // The gateway has answered the expectation. An origin's 100 does not reach the client, which must not wait for
        // it.
        outgoing.headerFields[.expect] = nil
        // "… the intermediary MUST generate an updated Max-Forwards field in the forwarded message with a field value
        // that is the lesser of a) the received value decremented by one (1)" (RFC 9110 §7.6.2).
        if let left = head.maxForwards { outgoing.headerFields[.maxForwards] = String(max(left, 1) - 1) }
        TraceParent.removeInvalid(from: &outgoing.headerFields)
        tracing.inject(into: &outgoing.headerFields)
        forwarded.write(to: &outgoing)
        if !sendsClientHost { outgoing.authority = origin.authority }
        return outgoing
    }
}

extension HTTPRequest {
    /// True if content follows. In HTTP/1.1 the fields show that (``HTTP1RequestValidator`` ensures it), and
    /// ``ContentMark`` adds them for HTTP/2.
    var hasContent: Bool {
        if let length = headerFields[.contentLength] { return length != "0" }
        return headerFields.contains(.transferEncoding)
    }
}
