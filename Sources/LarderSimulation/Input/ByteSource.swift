/// A source of bytes that is read in pieces.
package protocol ByteSource: AnyObject {
    /// Returns the next bytes; nil at the end, also if it is called again. A piece may have any length.
    func next() throws -> [UInt8]?
}

/// A source of bytes that are in memory, in pieces of any length.
package final class ByteArraySource: ByteSource {
    private var pieces: ArraySlice<[UInt8]>

    /// Creates a source of these pieces.
    package init(_ pieces: [[UInt8]]) { self.pieces = pieces[...] }

    package func next() -> [UInt8]? { pieces.popFirst() }
}

/// A source of the bytes of another, decompressed if they begin like a gzip file (RFC 1952 §2.3.1: 1F 8B).
package final class DecompressedSource: ByteSource {
    private let source: any ByteSource
    private var gzip: GzipDecoder?
    private var first: [UInt8]?
    private var hasBegun = false

    /// Creates a source that looks at the first bytes of another to find out if they are compressed.
    package init(_ source: any ByteSource) { self.source = source }

    package func next() throws -> [UInt8]? {
        if !hasBegun {
            hasBegun = true
            var head: [UInt8] = []
            while head.count < 2, let piece = try source.next() { head += piece }
            if head.starts(with: [0x1F, 0x8B]) {
                gzip = GzipDecoder(BitReader(head, then: source))
            } else if !head.isEmpty {
                return head
            }
        }
        return gzip == nil ? try source.next() : try gzip?.next()
    }
}

/// The bits of a source, the lowest bit of each byte first (RFC 1951 §3.1.1).
struct BitReader {
    private let source: any ByteSource
    private var piece: [UInt8]
    private var place = 0
    /// Bits that were taken from the source and not yet used, the next one lowest.
    private var bits: UInt64 = 0
    private var bitCount = 0

    /// Creates a reader of bytes that were read already, then of those of a source.
    init(_ first: [UInt8], then source: any ByteSource) {
        self.piece = first
        self.source = source
    }

    private mutating func nextByte() throws -> UInt8? {
        while place == piece.count {
            guard let next = try source.next() else { return nil }
            (piece, place) = (next, 0)
        }
        defer { place += 1 }
        return piece[place]
    }

    /// Takes bytes until there are at least `count` bits (56 at most), or the source ends.
    @inline(__always)
    private mutating func fill(_ count: Int) throws {
        while bitCount < count, let byte = try nextByte() {
            bits |= UInt64(byte) << UInt64(bitCount)
            bitCount += 8
        }
    }

    /// Returns the next bits without using them. Bits after the end are 0.
    @inline(__always)
    mutating func peek(_ count: Int) throws -> Int {
        if bitCount < count { try fill(count) }
        return Int(truncatingIfNeeded: bits) & ((1 << count) - 1)
    }

    /// Uses bits.
    /// - Throws: ``GzipError/truncated`` if the source has ended before.
    @inline(__always)
    mutating func skip(_ count: Int) throws {
        guard count <= bitCount else { throw GzipError.truncated }
        bits >>= UInt64(count)
        bitCount -= count
    }

    /// Returns the next bits, 32 at most.
    @inline(__always)
    mutating func take(_ count: Int) throws -> Int {
        let value = try peek(count)
        try skip(count)
        return value
    }

    /// Skips the rest of a byte.
    mutating func alignToByte() {
        let rest = bitCount % 8
        bits >>= UInt64(rest)
        bitCount -= rest
    }

    /// Returns true if no byte is left.
    mutating func isAtEnd() throws -> Bool {
        try fill(1)
        return bitCount == 0
    }
}

/// The reason why bytes cannot be decompressed.
package enum GzipError: Error, Hashable, CustomStringConvertible {
    /// The bytes end too early.
    case truncated
    /// The bytes are not those of a gzip file.
    case invalid
    /// The checksum or the length of the content is wrong.
    case checksum

    package var description: String {
        switch self {
        case .truncated: "the compressed data ends too early"
        case .invalid: "the compressed data is damaged"
        case .checksum: "the compressed data is damaged: its checksum is wrong"
        }
    }
}
