import ArgumentParser
import LarderSimulation

/// The kind of a file with URLs.
enum TargetFormat: String, CaseIterable, ExpressibleByArgument {
    /// The kind that its first bytes look like.
    case auto
    /// A URL or a path a line.
    case list
    /// A sitemap, or an index of sitemaps.
    case sitemap
    /// An access log.
    case log

    /// Returns the kind of a file by its first bytes.
    static func detected(in bytes: [UInt8]) -> TargetFormat {
        let text = bytes.drop { isBlank($0) || [0xEF, 0xBB, 0xBF].contains($0) }
        if text.first == UInt8(ascii: "<"), let next = text.dropFirst().first {
            // A line of syslog begins with a number: <134>.
            let isElement = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(next | 0x20)
            if isElement || next == UInt8(ascii: "?") || next == UInt8(ascii: "!") { return .sitemap }
        }
        let lines = text.split(separator: UInt8(ascii: "\n"))
        let line = lines.lazy.map { String(decoding: $0, as: UTF8.self).trimmingBlanks }
            .first { !$0.isEmpty && !$0.hasPrefix("#") }
        guard let line else { return .list }
        let isTarget = ["/", "http://", "https://"].contains { line.lowercased().hasPrefix($0) }
        return isTarget && !line.contains { $0.isWhitespace || $0 == "," } ? .list : .log
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

extension String {
    /// The text without the blanks around it.
    var trimmingBlanks: Substring {
        let start = drop(while: \.isWhitespace)
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return start[...end]
    }
}

/// A source whose first bytes were looked at.
final class SniffedSource: ByteSource {
    /// The number of bytes that are looked at, unless the source is shorter.
    private static let headLength = 65_536

    /// The first bytes, without compression.
    let head: [UInt8]
    private var first: [UInt8]?
    private let rest: DecompressedSource

    /// Reads the first bytes of a source, which may be compressed.
    init(_ source: any ByteSource) throws {
        rest = DecompressedSource(source)
        var head: [UInt8] = []
        while head.count < Self.headLength, let piece = try rest.next() { head += piece }
        self.head = head
        first = head
    }

    func next() throws -> [UInt8]? {
        if let first {
            self.first = nil
            return first.isEmpty ? try rest.next() : first
        }
        return try rest.next()
    }

    /// Reads all bytes.
    /// - Returns: The bytes; nil if there are more than `limit`.
    func all(upTo limit: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while let piece = try next() {
            guard bytes.count + piece.count <= limit else { return nil }
            bytes += piece
        }
        return bytes
    }
}
