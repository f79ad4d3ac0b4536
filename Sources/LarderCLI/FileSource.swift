import Foundation
import LarderSimulation
import SystemErrors

/// A file, or standard input, that is read in pieces of 256 KiB.
final class FileSource: ByteSource {
    private static let piece = 256 * 1_024

    /// The name of the file, for messages.
    let name: String
    /// The number of bytes of the file; nil if it is not known, as of a pipe.
    let size: Int?
    /// The number of bytes that were read so far.
    private(set) var count = 0
    private let path: String
    private var handle: FileHandle?
    private var isAtEnd = false

    /// Creates a source of a file, which is opened when it is read.
    /// - Throws: ``Failure`` if the file cannot be read.
    init(_ path: String) throws {
        self.path = path
        name = path == "-" ? "standard input" : path
        guard path != "-" else {
            size = nil
            return
        }
        if let reason = ErrorText.unreadableReason(of: path) {
            throw Failure("\(name) cannot be read: \(reason)", code: EX_NOINPUT)
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let isRegular = attributes?[.type] as? FileAttributeType == .typeRegular
        size = isRegular ? attributes?[.size] as? Int : nil
    }

    func next() throws -> [UInt8]? {
        guard !isAtEnd else { return nil }
        let open = try handle ?? (path == "-" ? .standardInput : FileHandle(forReadingFrom: URL(fileURLWithPath: path)))
        handle = open
        guard let data = try open.read(upToCount: Self.piece), !data.isEmpty else {
            isAtEnd = true
            if path != "-" { try open.close() }
            return nil
        }
        count += data.count
        return [UInt8](data)
    }
}

/// The progress of reading a log.
final class LogProgress {
    private let files: [FileSource]
    private let line = ProgressLine()

    init(_ files: [FileSource]) { self.files = files }

    /// Shows how much was read.
    func show(_ requests: Int) { line.show(text(requests)) }

    private func text(_ requests: Int) -> String {
        let sizes = files.compactMap(\.size)
        let total = sizes.reduce(0, +)
        let read = files.reduce(0) { $0 + $1.count }
        let part = sizes.count == files.count && total > 0 ? Double(read) / Double(total) : nil
        return ProgressText.line(part: part, requests: requests)
    }

    /// Removes what was shown.
    func clear() { line.clear() }
}
