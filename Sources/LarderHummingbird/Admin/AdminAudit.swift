package import HTTPTypes
package import Hummingbird
package import Larder
package import Logging
import NIOConcurrencyHelpers
import NIOCore

/// A context of an admin request that knows more about the client than the address of its connection: behind a proxy
/// that is trusted.
package protocol AdminClientContext: RequestContext {
    /// The client's address; nil if it is not known.
    var client: String? { get }
}

/// The log lines of admin requests: who sent them, what they asked for, and what they got.
///
/// Refused requests are logged at a limited rate: anybody can send them.
package final class AdminAudit: Sendable {
    /// The lines for refused requests within a period.
    static let limit = 20

    private let refusals = NIOLockedValueBox(LogLimit(AdminAudit.limit))

    /// Creates an audit without requests.
    package init() {}

    /// Logs a request with its response; one that was refused as a warning.
    package func log(
        _ request: Request,
        client: String?,
        status: HTTPResponse.Status,
        removed: Int? = nil,
        to logger: Logger
    ) {
        let isRefused = status == .unauthorized || status == .forbidden
        guard let unlogged = isRefused ? refusals.withLockedValue({ $0.count() }) : 0 else { return }
        var metadata: Logger.Metadata = [
            "client": "\(client ?? "unknown")",
            "request": "\(request.method.rawValue) \(Self.printable(request.head.path ?? ""))",
            "status": "\(status.code)",
        ]
        if request.method.rawValue == "PURGE" { metadata["host"] = "\(Self.printable(request.head.authority ?? ""))" }
        if let removed { metadata["removed"] = "\(removed)" }
        if unlogged > 0 { metadata["refusals-not-logged"] = "\(unlogged)" }
        logger.log(
            level: isRefused ? .warning : .info,
            isRefused ? "An admin request was refused" : "Admin request",
            metadata: metadata
        )
    }

    /// Returns a target as it can stand in a line of a log: at most 1,024 bytes of visible ASCII, the rest encoded.
    private static func printable(_ text: String) -> String {
        var output = ""
        for byte in text.utf8.prefix(1_024) {
            if (0x21...0x7E).contains(byte) {
                output.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                output += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text.utf8.count > 1_024 ? output + "…" : output
    }
}

/// What an admin route answers, and how many entries it removed, if it counts them.
package struct AdminAnswer: Sendable {
    package var response: Response
    package var removed: Int?

    /// Creates an answer.
    package init(_ response: Response, removed: Int? = nil) {
        self.response = response
        self.removed = removed
    }

    /// Creates the answer to the removal of a key or URL, which says how many entries were removed: 0 with a 404 if
    /// none was stored. If the store cannot tell, it says nothing.
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
