/// The reason why a file cannot be read to its end.
package struct UnreadableFile: Error {
    /// The name of the file.
    package let file: String
    /// The error of its source.
    package let reason: any Error
}

/// The kind of the lines of a log.
package enum LogContent: Sendable {
    /// Requests, with their times and the sizes of their responses.
    case requests
    /// Times, keys and sizes.
    case rows
    /// Keys alone: each response counts as one byte.
    case keys
}

/// A reader of the requests of log files, one file after the other. It holds one line and one batch at a time.
package struct LogReader {
    /// A file of a log.
    package struct File {
        package let name: String
        package let source: any ByteSource

        /// Creates a file whose bytes may be compressed.
        package init(name: String, source: any ByteSource) {
            self.name = name
            self.source = DecompressedSource(source)
        }
    }

    /// A file that is being read.
    private struct Open {
        let name: String
        var lines: LineReader
        let format: LogFormat
        let content: LogContent
        /// The lines that were read to detect the format, and the number of the first of them.
        var sample: ArraySlice<[UInt8]>
        var number = 0
        var goodLines = 0
        var firstFault: MalformedLine?
    }

    private let options: ReadingOptions
    private var files: ArraySlice<File>
    private var open: Open?
    private var builder: RecordBuilder
    /// The formats of the files so far, each once.
    package private(set) var formats: [LogFormat] = []

    package init(_ files: [File], options: ReadingOptions) {
        self.files = files[...]
        self.options = options
        self.builder = RecordBuilder(options)
    }

    /// The counts of what was read so far.
    package var totals: LogTotals { builder.totals }

    /// The kind of the lines of the log; nil before the first file was opened.
    package private(set) var content: LogContent?

    /// The time for which a response is fresh of which the log has no `Cache-Control`; nil if it does not expire.
    package var lifetime: Duration? { content == .requests ? options.lifetime : options.rowLifetime }

    /// Opens the first file, so that ``content`` is known.
    /// - Throws: ``UnknownFormat``, or ``UnreadableFile``.
    package mutating func begin() throws {
        while open == nil, let file = files.popFirst() { open = try opened(file) }
    }

    /// Returns the next requests; nil at the end.
    /// - Throws: ``UnknownFormat``, ``MalformedLine`` if a file has no line that can be read, or ``UnreadableFile``.
    package mutating func next() throws -> LogBatch? {
        var batch = LogBatch()
        batch.records.reserveCapacity(LogBatch.size)
        while batch.records.count < LogBatch.size {
            try begin()
            guard var current = open else { break }
            // Without this the file's bytes would be copied.
            open = nil
            if try read(&current, &batch) { open = current } else { try close(current) }
        }
        return batch.records.isEmpty ? nil : batch
    }

    private mutating func opened(_ file: File) throws -> Open? {
        var lines = LineReader(file.source)
        var sample: [[UInt8]] = []
        while sample.count < LogFormat.sampleSize, let line = try Self.next(&lines, of: file.name) {
            switch line {
            case .text(let place): sample.append(Array(lines.bytes[place]))
            // Longer than any line, so that it is counted when its turn comes.
            case .tooLong: sample.append(Array(repeating: 0, count: LineReader.lineLimit + 1))
            }
        }
        guard let first = sample.firstIndex(where: { !$0.isEmpty }) else { return nil }
        guard let format = options.format ?? LogFormat.detected(in: sample.filter { !$0.isEmpty }) else {
            let line = MalformedLine(file: file.name, number: first + 1, fault: .row, line: sample[first][...])
            throw UnknownFormat(file: file.name, line: first + 1, excerpt: line.excerpt)
        }
        if !formats.contains(format) { formats.append(format) }
        let own = Self.content(of: sample, format)
        content = content ?? own
        return Open(name: file.name, lines: lines, format: format, content: own, sample: sample[...])
    }

    private static func next(_ lines: inout LineReader, of file: String) throws -> LineReader.Line? {
        do { return try lines.next() } catch { throw UnreadableFile(file: file, reason: error) }
    }

    private static func content(of sample: [[UInt8]], _ format: LogFormat) -> LogContent {
        guard format == .rows else { return .requests }
        let rows = sample.lazy.compactMap { try? format.read($0[...]) }
        // A header without commas reads as a key.
        return rows.contains { $0.time != nil } ? .rows : .keys
    }

    /// Reads lines until the batch is full. Returns false at the end of the file.
    private mutating func read(_ file: inout Open, _ batch: inout LogBatch) throws -> Bool {
        while let line = file.sample.popFirst() {
            file.number += 1
            add(line[...], &file, &batch)
        }
        while batch.records.count < LogBatch.size {
            guard let line = try Self.next(&file.lines, of: file.name) else { return false }
            file.number += 1
            switch line {
            case .text(let place): add(file.lines.bytes[place], &file, &batch)
            case .tooLong: note(.tooLong, [], &file)
            }
        }
        return true
    }

    private mutating func add(_ line: ArraySlice<UInt8>, _ file: inout Open, _ batch: inout LogBatch) {
        guard !line.isEmpty else { return }
        guard line.count <= LineReader.lineLimit else { return note(.tooLong, [], &file) }
        do throws(LineFault) {
            let fields = try file.format.read(line)
            // A key alone is no row of a log that has times and sizes.
            if file.content == .rows, fields.time == nil { throw .row }
            builder.add(fields, of: line, to: &batch)
            file.goodLines += 1
        } catch {
            if file.number == 1, file.format == .rows, RowLine.isHeader(line) { return }
            note(error, line.prefix(100), &file)
        }
    }

    private mutating func note(_ fault: LineFault, _ line: ArraySlice<UInt8>, _ file: inout Open) {
        let line = MalformedLine(file: file.name, number: file.number, fault: fault, line: line)
        if file.firstFault == nil { file.firstFault = line }
        builder.noteMalformed(line)
    }

    private func close(_ file: Open) throws {
        if file.goodLines == 0, let fault = file.firstFault { throw fault }
    }
}
