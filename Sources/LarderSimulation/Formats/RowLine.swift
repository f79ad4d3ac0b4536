/// A row of a trace: time, key and size, separated by commas, blanks or tabs; or a key alone, of which each response
/// counts as one byte.
enum RowLine {
    /// Reads a row. Columns after the third are not examined.
    static func read(_ line: ArraySlice<UInt8>) throws(LineFault) -> LogFields {
        var fields = LogFields()
        fields.isRow = true
        var scanner = ByteScanner(line)
        let first = column(&scanner)
        guard !first.isEmpty else { throw .row }
        if scanner.isAtEnd {
            fields.target = .place(first)
            fields.size = 1
            return fields
        }
        let (key, size) = (column(&scanner), column(&scanner))
        var number = ByteScanner(line[size])
        guard let time = TimeReading.number(line[first]), !key.isEmpty, let bytes = number.number(),
            number.isAtEnd
        else { throw .row }
        fields.time = time
        fields.target = .place(key)
        fields.size = bytes
        return fields
    }

    /// Returns true for a line of names of columns.
    static func isHeader(_ line: ArraySlice<UInt8>) -> Bool {
        var scanner = ByteScanner(line)
        let names = [column(&scanner), column(&scanner), column(&scanner)]
        return names.allSatisfy { name in
            var letters = ByteScanner(line[name])
            letters.skip { $0 | 0x20 &- 97 < 26 || $0 == UInt8(ascii: "_") }
            return letters.isAtEnd && !name.isEmpty
        }
    }

    private static func column(_ scanner: inout ByteScanner) -> Range<Int> {
        let column = scanner.token { !isSeparator($0) }
        scanner.skip { isSeparator($0) }
        return column
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
