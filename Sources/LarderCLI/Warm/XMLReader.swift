import HTTPCaching

/// A reader of the elements of an XML document (XML 1.0, fifth edition) in UTF-8 and without a document type, so that
/// there are no entities but the predefined ones. A document that is not well-formed is an error at its first fault.
///
/// Foundation has a parser on libxml2, which on Linux would be a library that the gateway does not start without.
struct XMLReader {
    /// A tag.
    enum Event: Equatable {
        /// An element begins. The name may have a prefix.
        case start(String)
        /// The innermost element ends.
        case end
    }

    /// The largest number of elements inside of one another.
    private static let depthLimit = 32

    private let bytes: [UInt8]
    private var place = 0
    /// The names of the elements that have begun, as places in the document.
    private var open: [Range<Int>] = []
    private var hasRoot = false
    /// True after the tag of an element without content, which ends at once.
    private var endsAtOnce = false
    /// The text since ``collect(upTo:)`` was called; nil if text is skipped.
    private var collected: [UInt8]?
    private var collectLimit = 0

    /// Creates a reader at the beginning of a document.
    init(_ bytes: [UInt8]) throws(SitemapError) {
        self.bytes = bytes
        // XML 1.0 §2.2: control characters are not characters of a document.
        if starts(with: "\u{FEFF}") { place = 3 }
        if starts(with: "<?xml"), place + 5 < bytes.count, Self.isBlank(bytes[place + 5]) { try readDeclaration() }
    }

    /// Collects the text from here on.
    /// - Parameter limit: The number of bytes after which further text is skipped.
    mutating func collect(upTo limit: Int) { (collected, collectLimit) = ([], limit) }

    /// Ends the collection of text, and returns the text; nil if text was skipped because there is too much.
    mutating func text() -> String? {
        defer { collected = nil }
        return collected.flatMap { $0.count > collectLimit ? nil : String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the next tag; nil at the end of the document.
    mutating func next() throws(SitemapError) -> Event? {
        if endsAtOnce {
            endsAtOnce = false
            open.removeLast()
            return .end
        }
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "<") else {
                try readText()
                continue
            }
            if starts(with: "</") { return try readEnd() }
            if starts(with: "<!--") {
                try skipComment()
            } else if starts(with: "<![CDATA[") {
                try readSection()
            } else if starts(with: "<!DOCTYPE") {
                throw .doctype
            } else if starts(with: "<?") {
                try skipInstruction()
            } else {
                return try readStart()
            }
        }
        guard hasRoot, open.isEmpty else { throw fault() }
        return nil
    }

    // MARK: - Tags

    private mutating func readStart() throws(SitemapError) -> Event {
        place += 1
        let name = try readName()
        guard !open.isEmpty || !hasRoot else { throw fault() }
        guard open.count < Self.depthLimit else { throw .tooDeep }
        var attributes: Set<[UInt8]> = []
        while true {
            let hasBlank = skipBlanks()
            if take("/>") {
                endsAtOnce = true
                break
            }
            if take(">") { break }
            guard hasBlank else { throw fault() }
            // XML 1.0 §3.1: "An attribute name MUST NOT appear more than once in the same start-tag".
            guard attributes.insert(Array(bytes[try readName()])).inserted else { throw fault() }
            skipBlanks()
            guard take("=") else { throw fault() }
            skipBlanks()
            try skipValue()
        }
        open.append(name)
        hasRoot = true
        return .start(String(decoding: bytes[name], as: UTF8.self))
    }

    private mutating func readEnd() throws(SitemapError) -> Event {
        place += 2
        let name = try readName()
        skipBlanks()
        guard take(">"), let last = open.popLast(), bytes[last] == bytes[name] else { throw fault() }
        return .end
    }

    private mutating func readName() throws(SitemapError) -> Range<Int> {
        let start = place
        guard place < bytes.count, Self.beginsName(bytes[place]) else { throw fault() }
        while place < bytes.count, Self.isOfName(bytes[place]) { place += 1 }
        return start..<place
    }

    /// Skips the value of an attribute.
    private mutating func skipValue() throws(SitemapError) {
        guard place < bytes.count, case let quote = bytes[place], quote == 0x22 || quote == 0x27 else { throw fault() }
        place += 1
        while place < bytes.count, bytes[place] != quote {
            switch bytes[place] {
            case UInt8(ascii: "<"): throw fault()
            case UInt8(ascii: "&"): _ = try readReference()
            default: _ = try readCharacter()
            }
        }
        guard place < bytes.count else { throw fault() }
        place += 1
    }

    // MARK: - Content

    private mutating func readText() throws(SitemapError) {
        while place < bytes.count, bytes[place] != UInt8(ascii: "<") {
            // XML 1.0 §2.1: nothing but blanks, comments and instructions stands beside the root.
            guard !open.isEmpty || Self.isBlank(bytes[place]) else { throw fault() }
            if bytes[place] == UInt8(ascii: "&") {
                let scalar = try readReference()
                add(Array(String(scalar).utf8)[...])
            } else {
                // XML 1.0 §2.4: this must not appear in text.
                guard !starts(with: "]]>") else { throw fault() }
                add(bytes[try readCharacter()])
            }
        }
    }

    private mutating func readSection() throws(SitemapError) {
        guard !open.isEmpty else { throw fault() }
        place += 9
        while !take("]]>") { add(bytes[try readCharacter()]) }
    }

    private mutating func add(_ text: ArraySlice<UInt8>) {
        // One byte more than the limit shows that there is too much.
        if let count = collected?.count, count <= collectLimit { collected?.append(contentsOf: text) }
    }

    private mutating func skipComment() throws(SitemapError) {
        place += 4
        // XML 1.0 §2.5: "For compatibility, the string "--" MUST NOT occur within comments."
        while !starts(with: "--") { _ = try readCharacter() }
        guard take("-->") else { throw fault() }
    }

    private mutating func skipInstruction() throws(SitemapError) {
        place += 2
        let name = try readName()
        guard String(decoding: bytes[name], as: UTF8.self).lowercased() != "xml" else { throw fault() }
        guard starts(with: "?>") || skipBlanks() else { throw fault() }
        while !take("?>") { _ = try readCharacter() }
    }

    /// Reads `<?xml version="1.0" encoding="UTF-8"?>`.
    private mutating func readDeclaration() throws(SitemapError) {
        place += 5
        var names: [String] = []
        while skipBlanks(), !starts(with: "?>") {
            let name = try readName()
            names.append(String(decoding: bytes[name], as: UTF8.self))
            skipBlanks()
            guard take("=") else { throw fault() }
            skipBlanks()
            let start = place + 1
            try skipValue()
            let value = String(decoding: bytes[start..<place - 1], as: UTF8.self).lowercased()
            // The protocol of sitemaps requires UTF-8, of which ASCII is a part.
            guard names.last != "encoding" || ["utf-8", "us-ascii", "ascii"].contains(value) else { throw .encoding }
        }
        let order = ["version", "encoding", "standalone"]
        guard names.first == "version", names == order.filter(names.contains), take("?>") else { throw fault() }
    }

    // MARK: - Characters

    /// Reads a character, and returns its place.
    private mutating func readCharacter() throws(SitemapError) -> Range<Int> {
        guard place < bytes.count else { throw fault() }
        let byte = bytes[place]
        guard byte >= 0x20 || Self.isBlank(byte) else { throw fault() }
        // The text was checked to be UTF-8. U+FFFE and U+FFFF are not characters of XML.
        if byte == 0xEF, starts(with: "\u{FFFE}") || starts(with: "\u{FFFF}") { throw fault() }
        let length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        let start = place
        place = min(place + length, bytes.count)
        return start..<place
    }

    /// Reads `&amp;`, `&#233;` or `&#xE9;`.
    private mutating func readReference() throws(SitemapError) -> Unicode.Scalar {
        for (text, scalar) in Self.entities where take(text) { return scalar }
        let isHexadecimal = take("&#x")
        guard isHexadecimal || take("&#") else { throw fault() }
        var (value, count) = (UInt32(0), 0)
        while place < bytes.count, let digit = Hexadecimal.value(bytes[place]), isHexadecimal || digit < 10 {
            value = value * (isHexadecimal ? 16 : 10) + UInt32(digit)
            guard value <= 0x10FFFF else { throw fault() }
            (place, count) = (place + 1, count + 1)
        }
        let isCharacter = value >= 0x20 ? value != 0xFFFE && value != 0xFFFF : [0x9, 0xA, 0xD].contains(value)
        guard count > 0, take(";"), isCharacter, let scalar = Unicode.Scalar(value) else { throw fault() }
        return scalar
    }

    private static let entities: [(StaticString, Unicode.Scalar)] = [
        ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"),
    ]

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private static func beginsName(_ byte: UInt8) -> Bool {
        ASCII.isLetter(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ":") || byte >= 0x80
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        beginsName(byte) || ASCII.isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    @discardableResult
    private mutating func skipBlanks() -> Bool {
        let start = place
        while place < bytes.count, Self.isBlank(bytes[place]) { place += 1 }
        return place > start
    }

    private func starts(with text: StaticString) -> Bool {
        guard place + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { buffer in
            for offset in buffer.indices where bytes[place + offset] != buffer[offset] { return false }
            return true
        }
    }

    /// Consumes a text if it is next.
    private mutating func take(_ text: StaticString) -> Bool {
        guard starts(with: text) else { return false }
        place += text.utf8CodeUnitCount
        return true
    }

    private func fault() -> SitemapError {
        .syntax(line: bytes[..<min(place, bytes.count)].count { $0 == 0x0A } + 1)
    }
}
