/// A writer of the parts of a packed entry.
struct PackedWriter {
    private(set) var bytes: [UInt8] = []

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    mutating func write(byte: UInt8) { bytes.append(byte) }

    /// Writes an integer in 8 bytes.
    mutating func write(fixed value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Writes an integer in groups of 7 bits, the lowest first.
    mutating func write(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    /// Writes a number of bytes, then the bytes.
    mutating func write(_ text: some Collection<UInt8>) {
        write(UInt64(text.count))
        bytes.append(contentsOf: text)
    }

    mutating func append(_ content: UnsafeRawBufferPointer) { bytes.append(contentsOf: content) }
}

/// A reader of the parts of a packed entry. The bytes were written by this process, so that a part that is missing is a
/// mistake in the program.
struct PackedReader {
    private let content: UnsafeRawBufferPointer
    private(set) var place = 0

    init(_ content: UnsafeRawBufferPointer) { self.content = content }

    mutating func byte() -> UInt8 {
        defer { place += 1 }
        return content[place]
    }

    mutating func fixed() -> Int64 {
        defer { place += 8 }
        return Int64(littleEndian: content.loadUnaligned(fromByteOffset: place, as: Int64.self))
    }

    mutating func integer() -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while true {
            let byte = byte()
            value |= UInt64(byte & 0x7F) << shift
            guard byte >= 0x80 else { return value }
            shift += 7
        }
    }

    mutating func count() -> Int { Int(truncatingIfNeeded: integer()) }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: content[place..<place + count])
    }

    /// Reads a number of bytes, then the bytes.
    mutating func bytes() -> UnsafeRawBufferPointer { bytes(count()) }

    mutating func text() -> String { String(decoding: bytes(), as: UTF8.self) }
}
