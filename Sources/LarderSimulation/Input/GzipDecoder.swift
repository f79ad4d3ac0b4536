/// A decoder of gzip files (RFC 1952), of one member or of several one after the other.
///
/// It holds the last 32 KiB of the content, and pieces of 64 KiB, whatever the length of the file.
struct GzipDecoder {
    private enum State {
        case header
        case content(Inflater)
        case end
    }

    private var bits: BitReader
    private var state = State.header
    private var isFirst = true
    private var checksum = Checksum()

    init(_ bits: BitReader) { self.bits = bits }

    /// Returns the next piece of the content; nil at the end.
    mutating func next() throws -> [UInt8]? {
        while true {
            switch state {
            case .end: return nil
            case .header:
                state = try readHeader() ? .content(Inflater()) : .end
            case .content(var inflater):
                // Without this the decoder would copy the window of the inflater.
                state = .end
                let piece = try inflater.next(&bits)
                if let piece {
                    checksum.add(piece)
                    state = .content(inflater)
                    return piece
                }
                try readTrailer()
                state = .header
            }
        }
    }

    /// Reads the header of a member (RFC 1952 §2.3). Returns false if the file ends instead, perhaps with padding.
    private mutating func readHeader() throws -> Bool {
        guard try !bits.isAtEnd() else { return false }
        guard try bits.take(16) == 0x8B1F else {
            // Bytes after the last member are padding, as gzip itself takes them to be.
            if isFirst { throw GzipError.invalid }
            return false
        }
        isFirst = false
        guard try bits.take(8) == 8 else { throw GzipError.invalid }
        let flags = try bits.take(8)
        // The time, and the kind of compression and system.
        for _ in 0..<6 { _ = try bits.take(8) }
        if flags & 4 != 0 {
            let length = try bits.take(16)
            for _ in 0..<length { _ = try bits.take(8) }
        }
        // The name of the file, and a comment.
        for flag in [8, 16] where flags & flag != 0 {
            while try bits.take(8) != 0 {}
        }
        if flags & 2 != 0 { _ = try bits.take(16) }
        guard flags & 0xE0 == 0 else { throw GzipError.invalid }
        checksum = Checksum()
        return true
    }

    private mutating func readTrailer() throws {
        bits.alignToByte()
        let (sum, length) = (try bits.take(32), try bits.take(32))
        guard sum == Int(checksum.value), length == Int(truncatingIfNeeded: checksum.length & 0xFFFF_FFFF) else {
            throw GzipError.checksum
        }
    }
}

/// The checksum of a gzip file (CRC-32, RFC 1952 §8), and the length of its content.
private struct Checksum {
    private static let table: [UInt32] = (0..<256).map { number in
        (0..<8).reduce(UInt32(number)) { sum, _ in sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
    }

    private var sum: UInt32 = 0xFFFF_FFFF
    private(set) var length: UInt64 = 0

    var value: UInt32 { ~sum }

    mutating func add(_ bytes: [UInt8]) {
        let table = Self.table
        var sum = sum
        for byte in bytes { sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8 }
        self.sum = sum
        length &+= UInt64(bytes.count)
    }
}
