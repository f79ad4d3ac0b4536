/// A decoder of the deflate format (RFC 1951).
struct Inflater {
    private enum Block {
        case none
        case stored(left: Int)
        case coded(literals: HuffmanTable, distances: HuffmanTable)
    }

    private static let window = 32 * 1_024
    private static let piece = 64 * 1_024
    /// The length of the longest copy (RFC 1951 §3.2.5).
    private static let longestCopy = 258

    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1_025, 1_537, 2_049, 3_073,
        4_097, 6_145, 8_193, 12_289, 16_385, 24_577,
    ]
    private static let fixed: Block? = {
        let lengths = [(8, 144), (9, 112), (7, 24), (8, 8)].flatMap { Array(repeating: UInt8($0.0), count: $0.1) }
        guard let literals = HuffmanTable(lengths), let distances = HuffmanTable(Array(repeating: 5, count: 30))
        else { return nil }
        return .coded(literals: literals, distances: distances)
    }()

    private var block = Block.none
    private var isLast = false
    /// The end of what was returned before, then what is decoded.
    private var output: [UInt8] = []
    /// The number of bytes of `output` that were returned before.
    private var returned = 0

    /// Returns the next piece of the content; nil at the end.
    mutating func next(_ bits: inout BitReader) throws -> [UInt8]? {
        if returned > Self.window {
            output.removeFirst(returned - Self.window)
            returned = Self.window
        }
        output.reserveCapacity(Self.window + Self.piece + Self.longestCopy)
        let end = returned + Self.piece
        while output.count < end {
            switch block {
            case .none:
                if isLast {
                    guard output.count > returned else { return nil }
                    return takePiece()
                }
                try readBlockHeader(&bits)
            case .stored(let left):
                let count = min(left, end - output.count)
                for _ in 0..<count { output.append(UInt8(try bits.take(8))) }
                block = count == left ? .none : .stored(left: left - count)
            case .coded(let literals, let distances):
                if try decode(literals, distances, &bits, until: end) { block = .none }
            }
        }
        return takePiece()
    }

    private mutating func takePiece() -> [UInt8] {
        defer { returned = output.count }
        return Array(output[returned...])
    }

    private mutating func readBlockHeader(_ bits: inout BitReader) throws {
        isLast = try bits.take(1) == 1
        switch try bits.take(2) {
        case 0:
            bits.alignToByte()
            let length = try bits.take(16)
            guard try bits.take(16) == ~length & 0xFFFF else { throw GzipError.invalid }
            block = .stored(left: length)
        case 1:
            guard let fixed = Self.fixed else { throw GzipError.invalid }
            block = fixed
        case 2: block = try Self.readTables(&bits)
        default: throw GzipError.invalid
        }
    }

    /// Reads the codes of a block with codes of its own (RFC 1951 §3.2.7).
    private static func readTables(_ bits: inout BitReader) throws -> Block {
        let counts = (literals: try bits.take(5) + 257, distances: try bits.take(5) + 1, lengths: try bits.take(4) + 4)
        guard counts.literals <= 286, counts.distances <= 30 else { throw GzipError.invalid }
        var lengths = Array(repeating: UInt8(0), count: 19)
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        for place in order.prefix(counts.lengths) { lengths[place] = UInt8(try bits.take(3)) }
        guard let table = HuffmanTable(lengths) else { throw GzipError.invalid }
        lengths = []
        let total = counts.literals + counts.distances
        while lengths.count < total {
            let symbol = try table.decode(&bits)
            switch symbol {
            case 16:
                guard let last = lengths.last else { throw GzipError.invalid }
                lengths += repeatElement(last, count: try bits.take(2) + 3)
            case 17: lengths += repeatElement(0, count: try bits.take(3) + 3)
            case 18: lengths += repeatElement(0, count: try bits.take(7) + 11)
            default: lengths.append(UInt8(symbol))
            }
        }
        // A block without the symbol that ends it cannot be decoded.
        guard lengths.count == total, lengths[256] > 0,
            let literals = HuffmanTable(Array(lengths[..<counts.literals])),
            let distances = HuffmanTable(Array(lengths[counts.literals...]))
        else { throw GzipError.invalid }
        return .coded(literals: literals, distances: distances)
    }

    /// Decodes symbols until the block or the piece ends. Returns true at the end of the block.
    private mutating func decode(
        _ literals: HuffmanTable,
        _ distances: HuffmanTable,
        _ bits: inout BitReader,
        until end: Int
    ) throws -> Bool {
        while output.count < end {
            let symbol = try literals.decode(&bits)
            if symbol < 256 {
                output.append(UInt8(symbol))
                continue
            }
            if symbol == 256 { return true }
            guard symbol - 257 < Self.lengthBases.count else { throw GzipError.invalid }
            let length = Self.lengthBases[symbol - 257] + (try bits.take(Self.lengthBits[symbol - 257]))
            let code = try distances.decode(&bits)
            guard code < Self.distanceBases.count else { throw GzipError.invalid }
            let distance = Self.distanceBases[code] + (try bits.take(max(0, code / 2 - 1)))
            guard distance <= output.count else { throw GzipError.invalid }
            // The copy may overlap what it appends.
            let start = output.count - distance
            for place in start..<(start + length) { output.append(output[place]) }
        }
        return false
    }
}

/// A table of the codes of a block: the next 15 bits, or fewer, lead to the symbol and the length of its code.
struct HuffmanTable {
    /// The symbol and, in the lowest four bits, the length of its code; 0 for bits that no code begins with.
    private var cells: [UInt16]
    private let width: Int

    /// Creates the table of the codes with these lengths by symbol (RFC 1951 §3.2.2); nil if there are too many codes.
    init?(_ lengths: [UInt8]) {
        width = max(1, Int(lengths.max() ?? 0))
        guard width <= 15 else { return nil }
        var counts = Array(repeating: 0, count: 17)
        for length in lengths where length > 0 { counts[Int(length)] += 1 }
        var next = Array(repeating: 0, count: 17)
        var code = 0
        for length in 1...15 {
            code = (code + (length > 1 ? counts[length - 1] : 0)) << 1
            next[length] = code
            guard code + counts[length] <= 1 << length else { return nil }
        }
        cells = Array(repeating: 0, count: 1 << width)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let length = Int(length)
            // Codes are packed starting with their highest bit.
            var reversed = 0
            for bit in 0..<length where next[length] & (1 << bit) != 0 { reversed |= 1 << (length - 1 - bit) }
            next[length] += 1
            for cell in stride(from: reversed, to: cells.count, by: 1 << length) {
                cells[cell] = UInt16(symbol << 4 | length)
            }
        }
    }

    /// Returns the next symbol.
    @inline(__always)
    func decode(_ bits: inout BitReader) throws -> Int {
        let cell = cells[try bits.peek(width)]
        guard cell > 0 else { throw GzipError.invalid }
        try bits.skip(Int(cell & 15))
        return Int(cell >> 4)
    }
}
