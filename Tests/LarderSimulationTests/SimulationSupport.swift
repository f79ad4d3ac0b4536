import HTTPCaching
import Larder
import LarderSimulation

/// Returns the reader of a log that is in memory.
func logReader(_ text: String, _ change: (inout ReadingOptions) -> Void = { _ in }) -> LogReader {
    var options = ReadingOptions()
    change(&options)
    return LogReader([.init(name: "log", source: ByteArraySource([Array(text.utf8)]))], options: options)
}

extension LogReader {
    /// Reads all requests.
    mutating func readAll() throws -> [LogRecord] {
        var records: [LogRecord] = []
        while let batch = try next() { records += batch.records }
        return records
    }
}
