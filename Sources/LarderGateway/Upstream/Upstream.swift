import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOCore

/// An origin server, as one request of a client asks it.
struct Upstream: Origin {
    let client: UpstreamClient
    let origin: OriginAddress
    /// The client's request.
    let request: HTTPRequest
    /// The client's content; nil where there is none.
    let content: ClientContent?
    /// Whether the origin finds in `Host` what the client sent, rather than its own name.
    let sendsClientHost: Bool
    let forwarded: ForwardedFields
    /// The record of the client's presence.
    let presence: ClientPresence
    /// True if the client's own request was sent.
    private let sending = SendingRecord()

    init(
        client: UpstreamClient,
        origin: OriginAddress,
        request: HTTPRequest,
        content: ClientContent?,
        sendsClientHost: Bool,
        forwarded: ForwardedFields,
        presence: ClientPresence
    ) {
        self.client = client
        self.origin = origin
        self.request = request
        self.content = content
        self.sendsClientHost = sendsClientHost
        self.forwarded = forwarded
        self.presence = presence
    }

    func willWait() { presence.watch() }

    func fetch(_ head: HTTPRequest) async throws -> GatewayResponse {
        try await fetch(head, hasFallback: false)
    }

    func fetch(_ head: HTTPRequest, hasFallback: Bool) async throws -> GatewayResponse {
        var response = try await client.send(outgoing(head), nil, to: origin, mayRepeat: !hasFallback)
        ForwardedFields.confine(&response.headers)
        DroppedFields.confine(&response.headers, of: head.headerFields)
        return GatewayResponse(response)
    }

    func forward() async throws -> GatewayResponse {
        presence.watch()
        return GatewayResponse(try await client.send(outgoing(request), content, to: origin, noting: sending))
    }

    /// A connection that was refused, or a host that is not found, cannot have passed the request on.
    func mayHaveReceivedRequest(failedWith error: any Error) -> Bool { sending.wasSent }

    func mayBeDueToRequest(_ error: any Error) -> Bool { (error as? UpstreamError)?.mayBeDueToRequest ?? false }

    /// An origin that cannot be reached stands for no status: what is kept may be served then (RFC 9111 §4.2.4). What
    /// is wrong with the request itself does.
    func status(of error: any Error) -> HTTPResponse.Status? {
        guard let error = error as? UpstreamError, !error.isOfOrigin else { return nil }
        return error.status
    }

    /// The request as it leaves: without what belongs to the client's connection, and with the truth about it.
    private func outgoing(_ head: HTTPRequest) -> HTTPRequest {
        var outgoing = head
        HopByHop.strip(&outgoing.headerFields)
        // The gateway has answered it: whoever waits for the origin's 100 waits for ever, since those end here.
        outgoing.headerFields[.expect] = nil
        // "… the intermediary MUST generate an updated Max-Forwards field in the forwarded message with a field value
        // that is the lesser of a) the received value decremented by one (1)" (RFC 9110 §7.6.2).
        if let left = head.maxForwards { outgoing.headerFields[.maxForwards] = String(max(left, 1) - 1) }
        forwarded.write(to: &outgoing)
        if !sendsClientHost { outgoing.authority = origin.authority }
        return outgoing
    }
}

extension HTTPRequest {
    /// True if content follows. HTTP/1.1 says so (``HTTP1RequestValidator`` sees to it), and for HTTP/2 ``ContentMark``
    /// does.
    var hasContent: Bool {
        if let length = headerFields[.contentLength] { return length != "0" }
        return headerFields.contains(.transferEncoding)
    }
}
