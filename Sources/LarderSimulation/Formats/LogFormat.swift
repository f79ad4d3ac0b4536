/// A format of logs.
package enum LogFormat: String, CaseIterable, Sendable {
    /// The Common Log Format.
    case common
    /// The Combined Log Format: the common one, then referrer and user agent. The gateway writes it.
    case combined
    /// The default of nginx, which is the Combined Log Format.
    case nginx
    /// One JSON object a line.
    case json
    /// Rows of time, key and size, or keys alone.
    case rows

    /// The number of lines by which the format of a file is detected.
    static let sampleSize = 50

    /// Reads a line.
    func read(_ line: ArraySlice<UInt8>) throws(LineFault) -> LogFields {
        switch self {
        case .common, .combined, .nginx: try CommonLogLine.read(line)
        case .json: try JSONLine.read(line)
        case .rows: try RowLine.read(line)
        }
    }

    /// Returns the format that most of the first lines of a file have; nil if no format is that of half of them.
    static func detected(in lines: [[UInt8]]) -> LogFormat? {
        let candidates: [LogFormat] = [.combined, .json, .rows]
        let counts = candidates.map { format in
            lines.count { line in (try? format.read(line[...])) != nil }
        }
        guard let most = counts.max(), most > 0, most * 2 >= lines.count, let place = counts.firstIndex(of: most) else {
            return nil
        }
        return candidates[place]
    }
}

/// The reason why the format of a file is not known.
package struct UnknownFormat: Error, CustomStringConvertible {
    /// The name of the file.
    package let file: String
    /// The number of the first line that is not empty.
    package let line: Int
    /// The beginning of that line.
    package let excerpt: String

    package var description: String {
        """
        \(file):\(line): expected a line of the Common or Combined Log Format, of nginx, a JSON object, or a row \
        `time,key,size`, not \(excerpt)
        """
    }
}
