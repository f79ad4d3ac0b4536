import HTTPCaching
import HTTPTypes
import Larder
import LarderHummingbird
import NIOCore
import NIOHTTP1

/// A request and its response, for the access log and the metrics.
///
/// There is one for each request. It is made when the head is read, completed when the response is written, and handed
/// to ``RequestLog/record(_:)``. It refers to what is at hand. The texts of a log are made when a log asks for them, so
/// that a hit on the event loop makes none.
struct RequestRecord: Sendable {
    /// A request, as far as it could be read.
    enum Request: Sendable {
        /// The head of an HTTP/1.1 request as it was decoded, with the target and the host that it names.
        case decoded(HTTPRequestHead, target: String, host: String?)
        /// A head of either version. It is large, and a record is copied on its way.
        indirect case read(HTTPRequest, HTTPVersion)
        /// A request that was refused before it was read.
        indirect case refused(RequestRefusal)
    }

    /// The client that sent a request.
    enum Client: Sendable {
        /// The other end of the connection, or the client that the PROXY protocol names.
        case peer(ClientConnection)
        /// The client that a trusted proxy names; nil if it names none.
        case forwarded(IPAddress?)
    }

    /// The origin that was asked for the response, and the time until it sent the head; nil if it sent none.
    struct OriginUse: Sendable {
        let address: OriginAddress
        let time: TimeAmount?
    }

    var request: Request
    let client: Client
    /// The time at which the head was read.
    let receivedAt: NIODeadline
    /// The ID of the request; nil if it has none yet, as long as no log needs it.
    var id: String?
    /// The route of the request; nil if it was refused, or is for the gateway itself.
    var route: Route?
    var result = RequestResult.none
    /// The reason for the result in one word: that of `Cache-Status` for which the request was forwarded, the error
    /// type of `Proxy-Status`, or the kind of a request that is for the gateway itself.
    var reason: String?
    /// Further information about the reason: the detail of `Cache-Status`, or a sentence about the error.
    var detail: String?
    /// The value of `Age` in seconds.
    var age: Int?
    /// The status of the response; 499 if the client left before there was one, as in nginx.
    var status = 0
    /// The number of bytes of the body that were written.
    var bytes = 0
    /// The time at which the head of the response was written; nil if none was.
    var beganAt: NIODeadline?
    /// The time at which the response was written.
    var endedAt: NIODeadline
    var origin: OriginUse?
    /// The ID of the trace that the request's own span belongs to; nil without a tracer.
    var spanTraceID: String?

    /// The status of a request whose client left before there was a response.
    static let clientLeft = 499

    init(_ request: Request, from client: Client, at receivedAt: NIODeadline) {
        self.request = request
        self.client = client
        self.receivedAt = receivedAt
        self.endedAt = receivedAt
    }

    /// The time from the head of the request to the head of the response; nil if there is none.
    var timeToFirstByte: TimeAmount? { beganAt.map { $0 - receivedAt } }

    /// The time from the head of the request to the end of the response.
    var duration: TimeAmount { endedAt - receivedAt }

    /// Notes how the cache handled the request.
    mutating func note(_ status: CacheStatus) {
        result = RequestResult(status)
        reason = status.forwardReason?.rawValue
        detail = status.detail
    }

    /// Notes that there is an error in place of the origin's response. An error that is due to the request is a
    /// refusal.
    mutating func note(_ error: UpstreamError) {
        result = error.isOfOrigin || error.code == .internalError ? .error : .none
        reason = error.type
        detail = error.reason
    }

    /// Notes a response from the memory of this process that is sent at once.
    mutating func noteHit(status: Int, bytes: Int, age: Int?) {
        result = .hit
        (self.status, self.bytes, self.age) = (status, bytes, age)
    }
}

extension RequestRecord.Client {
    /// Creates the client of a request: the one that a trusted proxy names, or otherwise the other end of the
    /// connection.
    init(_ sender: Sender, on connection: ClientConnection) {
        self = sender.chain.map { .forwarded($0.client) } ?? .peer(connection)
    }

    /// The client's address; nil if it is not known.
    var address: String? {
        switch self {
        case .peer(let connection): connection.address?.ipAddress
        case .forwarded(let address): address?.description
        }
    }
}

// MARK: - The texts of a log

extension RequestRecord {
    var method: String? {
        switch request {
        case .decoded(let head, _, _): head.method.rawValue
        case .read(let head, _): head.method.rawValue
        case .refused(let refusal): refusal.method
        }
    }

    /// The target; that of an admin request without credentials.
    var target: String? {
        switch request {
        case .decoded(_, let target, _): target
        case .read(let head, _): reason == "admin" ? head.path.map(AdminTarget.withoutFieldValues) : head.path ?? "*"
        case .refused(let refusal): refusal.target
        }
    }

    var version: String? {
        switch request {
        case .decoded(let head, _, _): head.version.text
        case .read(_, let version): version.text
        case .refused(let refusal): refusal.version
        }
    }

    /// The host that the client named, perhaps with a port.
    var host: String? {
        switch request {
        case .decoded(_, _, let host): host
        case .read(let head, _): head.authority
        case .refused: nil
        }
    }

    var referer: String? { value(of: .referer) }
    var userAgent: String? { value(of: .userAgent) }

    /// The ID of the trace that the request belongs to; nil if it names none.
    var traceID: String? { spanTraceID ?? value(of: .traceParent).flatMap { TraceParent($0)?.traceID } }

    /// The ID that the request has, or that a trusted proxy has given it; nil if it has to be made.
    var knownID: String? {
        if let id { return id }
        guard case .forwarded = client else { return nil }
        return value(of: .xRequestID).flatMap { RequestIDs.accepted($0) }
    }

    /// Returns the value of a field of the request, with its lines joined by commas; nil if there is none.
    private func value(of name: HTTPField.Name) -> String? {
        switch request {
        case .decoded(let head, _, _):
            let lines = head.headers[name.rawName]
            return lines.isEmpty ? nil : lines.joined(separator: ", ")
        case .read(let head, _): return head.headerFields[name]
        case .refused: return nil
        }
    }
}
