import HTTPCaching
package import HTTPTypes
package import Hummingbird
package import Larder
package import Logging
import NIOConcurrencyHelpers
import NIOCore

/// A request context that knows the address of the client, even if a trusted proxy forwards the request.
package protocol AdminClientContext: RequestContext {
    /// The client's address; nil if it is not known.
    var client: String? { get }
}

/// The log of admin requests: the client, the request and the status of each.
///
/// Refused requests are logged at a limited rate, because anybody can send them.
package final class AdminAudit: Sendable {
    /// The number of lines for refused requests within one period of ``LogLimit``: 20.
    static let limit = 20

    private let refusals = NIOLockedValueBox(LogLimit(AdminAudit.limit))
    private let source: String?

    /// Creates an audit that has not logged any request.
    /// - Parameter source: The source that the lines name; nil for this module.
    package init(source: String? = nil) { self.source = source }

    /// Logs a request with its response. A refused request is logged as a warning.
    /// - Parameters:
    ///   - client: The address of the client; nil if the context of the request does not have addresses.
    ///   - isRoutine: True for requests that are sent every few seconds, which are logged at the debug level unless
    ///     they are refused.
    ///   - isUnknown: True if there is no such route, so that the request counts as refused.
    package func log(
        _ request: Request,
        client: String?,
        status: HTTPResponse.Status,
        removed: Int? = nil,
        isRoutine: Bool = false,
        note: String? = nil,
        isUnknown: Bool = false,
        to logger: Logger
    ) {
        let isRefused = isUnknown || status == .unauthorized || status == .forbidden
        guard let unlogged = isRefused ? refusals.withLockedValue({ $0.count() }) : 0 else { return }
        var metadata: Logger.Metadata = [
            "request":
                "\(request.method.rawValue) \(PercentEncoding.printable(AdminTarget.withoutFieldValues(request.head.path ?? "")))",
            "status": "\(status.code)",
        ]
        if let client { metadata["client"] = "\(client)" }
        if request.method.rawValue == "PURGE" {
            metadata["host"] = "\(PercentEncoding.printable(request.head.authority ?? ""))"
        }
        if let removed { metadata["removed"] = "\(removed)" }
        if let note { metadata["content"] = "\(PercentEncoding.printable(note))" }
        if unlogged > 0 { metadata["refusals-not-logged"] = "\(unlogged)" }
        logger.log(
            level: isRefused ? .warning : isRoutine ? .debug : .info,
            isRefused ? "An admin request was refused" : "Admin request",
            metadata: metadata,
            source: source
        )
    }

    /// Logs a request with its answer.
    /// - Parameter client: The address of the client; nil if the context of the request does not have addresses.
    package func log(_ request: Request, client: String?, _ answer: AdminAnswer, to logger: Logger) {
        log(
            request,
            client: client,
            status: answer.response.status,
            removed: answer.removed,
            isRoutine: answer.isRoutine,
            note: answer.note,
            to: logger
        )
    }
}

/// The response of an admin route, with the number of entries that it removed, if they are counted.
package struct AdminAnswer: Sendable {
    package var response: Response
    package var removed: Int?
    /// True for requests that are sent every few seconds, which are logged at the debug level.
    package var isRoutine = false
    /// What the content of the request asked for, for the log; nil if the target says it all.
    package var note: String?

    /// Creates an answer from a response.
    package init(_ response: Response, removed: Int? = nil, note: String? = nil) {
        self.response = response
        self.removed = removed
        self.note = note
    }

    /// Creates the answer to the removal of a key or URL. It says how many entries were removed: 0 with status 404 if
    /// nothing was stored. The number is left out if the store does not count removed entries.
    package init(_ result: RemovalResult, ok: String, notFound: String, pending: String) {
        guard result.invalidation == .acknowledged else {
            self.init(.message(.serviceUnavailable, pending))
            return
        }
        self.init(
            result.wasStored
                ? .message(.ok, ok, removed: result.removed) : .message(.notFound, notFound, removed: 0),
            removed: result.removed
        )
    }
}
