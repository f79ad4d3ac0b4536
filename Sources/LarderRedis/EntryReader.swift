import HTTPCaching
import HTTPTypes
import Larder
import NIOCore

/// A reader that takes the parts of an entry from a value with a valid checksum, each once and in order.
///
/// Every length is compared with the bytes that are left before anything is created from it. A part that would be
/// written with other bytes than it was read from is rejected.
struct EntryReader: ~Copyable {
    private var rest: ByteBuffer

    init(_ contents: ByteBuffer) { rest = contents }

    mutating func integer<Integer: FixedWidthInteger>(
        as type: Integer.Type = Integer.self
    ) throws(EntryCodec.Defect) -> Integer {
        guard let integer = rest.readInteger(as: type) else { throw .malformed }
        return integer
    }

    mutating func slice() throws(EntryCodec.Defect) -> ByteBuffer {
        guard let slice = rest.readLengthPrefixedSlice(as: UInt32.self) else { throw .malformed }
        return slice
    }

    mutating func bytes() throws(EntryCodec.Defect) -> ByteBufferView {
        try slice().readableBytesView
    }

    mutating func text() throws(EntryCodec.Defect) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw .malformed }
        return text
    }

    /// Returns the count of a list: no more than the elements that fit into the rest, if each takes at least `size`
    /// bytes.
    mutating func count(ofAtLeast size: Int) throws(EntryCodec.Defect) -> Int {
        let count = try integer(as: UInt32.self)
        guard count <= rest.readableBytes / size else { throw .malformed }
        return Int(count)
    }

    consuming func finish() throws(EntryCodec.Defect) {
        guard rest.readableBytes == 0 else { throw .malformed }
    }
}

// MARK: - The parts of an entry, as they are written and read

extension ByteBuffer {
    mutating func write(count: Int) {
        writeInteger(UInt32(count))
    }

    mutating func write(_ text: String) {
        write(count: text.utf8.count)
        writeString(text)
    }
}

extension ByteBuffer {
    mutating func write(_ tags: [CacheTag]) {
        write(count: tags.count)
        for tag in tags { write(tag.description) }
    }
}

extension EntryReader {
    mutating func tags() throws(EntryCodec.Defect) -> [CacheTag] {
        var tags: [CacheTag] = []
        for _ in 0..<(try count(ofAtLeast: 5)) {
            let text = try text()
            // A tag has one spelling.
            guard let tag = CacheTag(percentEncoded: text), tag.description.utf8.elementsEqual(text.utf8) else {
                throw .malformed
            }
            tags.append(tag)
        }
        return tags
    }
}

extension ByteBuffer {
    mutating func write(_ head: HTTPResponse) {
        writeInteger(UInt16(head.status.code))
        write(head.status.reasonPhrase)
        write(count: head.headerFields.count)
        for field in head.headerFields {
            write(field.name.rawName)
            field.withUnsafeBytesOfValue { value in
                write(count: value.count)
                writeBytes(value)
            }
            writeInteger(field.indexingStrategy.number)
        }
    }
}

extension EntryReader {
    mutating func head() throws(EntryCodec.Defect) -> HTTPResponse {
        let code = Int(try integer(as: UInt16.self))
        let phrase = try text()
        guard (0...999).contains(code) else { throw .malformed }
        let status = HTTPResponse.Status(code: code, reasonPhrase: phrase)
        guard status.reasonPhrase.utf8.elementsEqual(phrase.utf8) else { throw .malformed }
        var head = HTTPResponse(status: status)
        let count = try count(ofAtLeast: 10)
        // `HTTPFields` traps if there are more.
        guard count < UInt16.max else { throw .malformed }
        for _ in 0..<count { head.headerFields.append(try field()) }
        return head
    }

    private mutating func field() throws(EntryCodec.Defect) -> HTTPField {
        let name = HTTPField.Name(try text())
        let value = try bytes()
        let strategy = HTTPField.DynamicTableIndexingStrategy(number: try integer())
        // Bytes that no field can hold would become spaces: NUL, LF, CR.
        guard let name, let strategy, !value.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else {
            throw .malformed
        }
        var field = HTTPField(name: name, lenientValue: value)
        field.indexingStrategy = strategy
        return field
    }
}

extension HTTPField.DynamicTableIndexingStrategy {
    private static let numbered: [Self] = [.automatic, .prefer, .avoid, .disallow]

    fileprivate var number: UInt8 { Self.numbered.firstIndex(of: self).map(UInt8.init) ?? 0 }

    fileprivate init?(number: UInt8) {
        guard number < Self.numbered.count else { return nil }
        self = Self.numbered[Int(number)]
    }
}

extension ByteBuffer {
    mutating func write(_ lifetimes: Lifetimes) {
        for moment in lifetimes.moments { writeInteger(moment.nanosecondsSinceEpoch) }
        writeInteger(lifetimes.source.rawValue)
        writeInteger(lifetimes.flags)
    }
}

extension EntryReader {
    mutating func lifetimes() throws(EntryCodec.Defect) -> Lifetimes {
        var moments: [Timestamp] = []
        for _ in 0..<6 { moments.append(Timestamp(nanosecondsSinceEpoch: try integer())) }
        let source = Lifetimes.Source(rawValue: try integer())
        let flags = try integer(as: UInt8.self)
        guard let source else { throw .malformed }
        let lifetimes = Lifetimes(
            generatedAt: moments[0],
            freshUntil: moments[1],
            staleWhileRevalidateUntil: moments[2],
            staleIfErrorUntil: moments[3],
            staleIfUnreachableUntil: moments[4],
            storedUntil: moments[5],
            source: source,
            mustRevalidate: flags & 1 != 0,
            alwaysRevalidate: flags & 2 != 0,
            isImmutable: flags & 4 != 0
        )
        // `Lifetimes` moves times that are out of order, and drops flags without a meaning.
        guard lifetimes.moments == moments, lifetimes.flags == flags else { throw .malformed }
        return lifetimes
    }
}

extension Lifetimes {
    fileprivate var moments: [Timestamp] {
        [
            generatedAt, freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil, staleIfUnreachableUntil, storedUntil,
        ]
    }

    fileprivate var flags: UInt8 {
        (mustRevalidate ? 1 : 0) | (alwaysRevalidate ? 2 : 0) | (isImmutable ? 4 : 0)
    }
}
