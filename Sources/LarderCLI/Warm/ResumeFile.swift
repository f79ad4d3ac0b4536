import Foundation
import LarderSimulation
import SystemErrors

/// The file that holds the URLs that were requested already, one a line.
final class ResumeFile: Sendable {
    private static let head = "# larder warm: URLs that were requested"

    private let path: String
    private let file: FileHandle
    private let urls: Set<String>

    /// Opens a file, or creates it, and reads the URLs in it.
    /// - Throws: ``Failure`` if it cannot be used, or is another file.
    init(_ path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure("--resume: \(path) cannot be opened: \(String(cString: strerror(errno)))", code: EX_CANTCREAT)
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            urls = try Self.urls(in: file, at: path)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("--resume: \(path) cannot be used: \(ErrorText.describe(error))", code: EX_IOERR)
        }
    }

    /// The number of URLs in the file.
    var count: Int { urls.count }

    /// Returns true if the file has a URL.
    func contains(_ url: String) -> Bool { urls.contains(url) }

    /// Writes URLs at the end of the file.
    func add(_ urls: [String]) throws {
        guard !urls.isEmpty else { return }
        do { try file.write(contentsOf: Data((urls.joined(separator: "\n") + "\n").utf8)) } catch {
            throw Failure("--resume: \(path) cannot be written: \(ErrorText.describe(error))", code: EX_IOERR)
        }
    }

    private static func urls(in file: FileHandle, at path: String) throws -> Set<String> {
        var urls: Set<String> = []
        let source = HandleSource(file)
        var lines = LineReader(source)
        guard let first = try lines.next() else {
            try file.write(contentsOf: Data((head + "\n").utf8))
            return urls
        }
        guard case .text(let place) = first, String(decoding: lines.bytes[place], as: UTF8.self) == head else {
            throw Failure(
                "--resume: \(path) is another file: name one that does not exist, or that larder warm has written",
                code: EX_DATAERR
            )
        }
        while let line = try lines.next() {
            guard case .text(let place) = line, urls.count < 2 * TargetList.limit else { continue }
            let url = String(decoding: lines.bytes[place], as: UTF8.self)
            // A line that was cut off, as by a full disk, is not a URL that was requested.
            if source.lastByte == UInt8(ascii: "\n") || place.upperBound < lines.bytes.count { urls.insert(url) }
        }
        if source.lastByte != UInt8(ascii: "\n") { try file.write(contentsOf: Data("\n".utf8)) }
        return urls
    }
}

/// The bytes of a file that is open.
private final class HandleSource: ByteSource {
    private let file: FileHandle
    private(set) var lastByte: UInt8?

    init(_ file: FileHandle) { self.file = file }

    func next() throws -> [UInt8]? {
        guard let data = try file.read(upToCount: 262_144), !data.isEmpty else { return nil }
        lastByte = data.last
        return [UInt8](data)
    }
}
