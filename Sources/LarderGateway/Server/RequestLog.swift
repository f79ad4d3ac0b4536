import HTTPCaching
import Larder
import Logging
import NIOCore

/// The place to which the record of every request is handed when its response is written: of ordinary requests, of hits
/// that are answered on the event loop, of refused requests, and of requests whose client left.
struct RequestLog: Sendable {
    let access: AccessLog
    let ids: RequestIDs
    let metrics: RequestMetrics
    let logger: Logger

    /// Counts the request, and writes the line of the access log and a line at level debug. Without logs, nothing more
    /// is made of the record.
    func record(_ record: RequestRecord) {
        metrics.count(record)
        let isDebug = logger.logLevel <= .debug
        guard access.isOn || isDebug else { return }
        var record = record
        if record.id == nil { record.id = record.knownID ?? ids.next() }
        if access.isOn { access.write(record) }
        if isDebug { log(record) }
    }

    private func log(_ record: RequestRecord) {
        let request = [record.method, record.target].compactMap(\.self).map(PercentEncoding.printable)
        var metadata: Logger.Metadata = [
            "request": "\(request.joined(separator: " "))", "status": "\(record.status)",
            "result": "\(record.result.rawValue)",
            "duration": "\(Double(record.duration.nanoseconds / 1_000) / 1_000)ms",
        ]
        if let id = record.id { metadata["request-id"] = "\(id)" }
        if let client = record.client.address { metadata["client"] = "\(client)" }
        if let host = record.host { metadata["host"] = "\(PercentEncoding.printable(host))" }
        if let route = record.route { metadata["route"] = "\(route.name)" }
        if let reason = record.reason { metadata["reason"] = "\(reason)" }
        if let detail = record.detail { metadata["detail"] = "\(detail)" }
        if let origin = record.origin { metadata["origin"] = "\(origin.address)" }
        logger.debug("A client's request was answered", metadata: metadata)
    }
}
