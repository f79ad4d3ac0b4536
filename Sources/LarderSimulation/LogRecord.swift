package import HTTPCaching

/// A request of a log, as far as a simulated store needs it.
package struct LogRecord: Sendable {
    /// The way in which a cache treats a request.
    package enum Kind: UInt8, Sendable {
        /// Looks up a response, and stores the origin's if there is none.
        case load
        /// Looks up a response, and stores none: HEAD, parts of responses, and responses without content (304).
        case peek
        /// Removes the responses of the path.
        case write
        /// Nothing.
        case bypass
    }

    package var kind: Kind
    /// The time of the request, or of an earlier one if the log's time went back since.
    package var time: Timestamp
    /// The hash of the key.
    package var key: UInt64
    /// The hash of the path, in the spelling that invalidations compare.
    package var path: UInt64
    /// The number of bytes that were sent.
    package var size: Int
    /// The time until which the response is fresh.
    package var freshUntil: Timestamp
    /// The length of the request's target in bytes.
    package var targetLength: Int32
    /// The number of segments of the path.
    package var depth: Int32
}

/// Records that are replayed together.
package struct LogBatch: Sendable {
    /// The number of records of a full batch.
    package static let size = 32_768

    package var records: [LogRecord] = []
    /// The targets of the records; empty unless a simulated store needs them.
    package var targets: [String] = []
    /// The hosts of the records, empty for those without one; empty unless they are asked for.
    package var hosts: [String] = []
}

/// The counts of a log that do not depend on a store.
package struct LogTotals: Hashable, Sendable {
    /// The number of requests.
    package var requests = 0
    /// The number of bytes that were sent for them.
    package var bytes = 0
    /// The number of requests that a cache looks up.
    package var lookups = 0
    /// The number of writes that invalidate their path.
    package var writes = 0
    /// The number of requests that bypass the cache because the log names a user.
    package var withUser = 0
    /// The number of responses that are not storable by their status or their `Cache-Control`.
    package var notStorable = 0
    /// The number of requests with other methods, of failed writes, and of lines that have no request.
    package var others = 0
    /// The number of lines that could not be read.
    package var malformed = 0
    /// The first line that could not be read.
    package var firstMalformed: MalformedLine?
    /// The time of the first request, and the latest time; nil for a log without times.
    package var span: ClosedRange<Timestamp>?
    /// The longest time by which a request was older than one before it.
    package var stepBack = Duration.zero

    package init() {}
}

/// A line of a log that cannot be read.
package struct MalformedLine: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name of the file.
    package let file: String
    /// The number of the line, from 1.
    package let number: Int
    package let fault: LineFault
    /// The beginning of the line, with all but visible ASCII replaced.
    package let excerpt: String

    package var description: String { "\(file):\(number): \(fault)" }

    init(file: String, number: Int, fault: LineFault, line: ArraySlice<UInt8>) {
        self.file = file
        self.number = number
        self.fault = fault
        let shown = line.prefix(80).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        excerpt = String(decoding: shown, as: UTF8.self) + (line.count > 80 ? "…" : "")
    }
}
