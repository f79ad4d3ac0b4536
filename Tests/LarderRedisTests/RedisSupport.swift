import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import TestHelpers

@testable import Larder

/// The parts of an entry, in bytes: strings compare by meaning, and equal ones may have different bytes.
struct Facts: Equatable {
    struct Field: Equatable {
        let name, value: [UInt8]
        let strategy: HTTPField.DynamicTableIndexingStrategy
    }

    let code: Int
    let fields: [Field]
    let texts: [[UInt8]]
    let tags: [CacheTag]
    let late: [CacheTag]
    let body: ByteBuffer
    let lifetimes: Lifetimes
    let vary: VaryRule
    let readVersion: LogVersion
    let scopes: [InvalidationScope.Fingerprint]
    let cost: Int

    init(_ entry: CacheEntry) {
        code = entry.head.status.code
        fields = entry.head.headerFields.map { field in
            let value = field.withUnsafeBytesOfValue { Array($0) }
            return Field(name: Array(field.name.rawName.utf8), value: value, strategy: field.indexingStrategy)
        }
        let texts = [
            entry.head.status.reasonPhrase, entry.selectingFields.text, entry.location.key.description,
            entry.location.target,
        ]
        self.texts = texts.map { Array($0.utf8) }
        tags = entry.location.tags
        late = entry.tags
        body = entry.body
        lifetimes = entry.lifetimes
        vary = entry.vary
        readVersion = entry.readVersion
        scopes = entry.scopes
        cost = entry.cost
    }
}

extension CacheKey {
    static let example = CacheKey(legal: "GET:/posts/1")
}

extension CacheEntry {
    /// The response of an API.
    static let example = CacheEntry.example()

    static func example(
        status: HTTPResponse.Status = .ok,
        fields: HTTPFields = [
            .contentType: "application/json; charset=utf-8", .contentLength: "27",
            .eTag: "\"7B502C3A1F48C8609AE212CDFB639DEE\"", .date: "Tue, 24 Nov 2026 12:00:00 GMT",
            .vary: "Accept-Encoding",
        ],
        body: ByteBuffer = ByteBuffer(string: #"{"id":1,"title":"New Post"}"#),
        lifetimes: Lifetimes = .of(
            Timestamp(secondsSinceEpoch: 1_795_521_600),
            until: Timestamp(secondsSinceEpoch: 1_795_521_690),
            flags: 4
        ),
        target: String = "/posts/1",
        tags: [CacheTag] = ["post-1"],
        request: HTTPFields = [.acceptEncoding: "gzip, br"]
    ) -> CacheEntry {
        CacheEntry(
            request: .get("/posts/1", request),
            head: HTTPResponse(status: status, headerFields: fields),
            body: body,
            lifetimes: lifetimes,
            readVersion: LogVersion(
                epoch: LogVersion.Epoch(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210),
                number: 42
            ),
            location: EntryLocation(key: .example, target: target, tags: ["posts"]),
            tags: tags
        )
    }

    static func random(using random: inout SeededRandom) -> CacheEntry {
        func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
        func bytes(_ length: ClosedRange<Int>, _ alphabet: ClosedRange<UInt8> = .min ... .max) -> [UInt8] {
            (0..<number(length)).map { _ in .random(in: alphabet, using: &random) }
        }
        func text(_ length: ClosedRange<Int>, _ alphabet: ClosedRange<UInt8>) -> String {
            String(decoding: bytes(length, alphabet), as: UTF8.self)
        }
        func scalars(_ length: ClosedRange<Int>) -> String {
            String(String.UnicodeScalarView(bytes(length).map { Unicode.Scalar($0) }))
        }
        func fields(_ count: ClosedRange<Int>) -> HTTPFields {
            var fields = HTTPFields()
            for _ in 0..<number(count) {
                let strategies: [HTTPField.DynamicTableIndexingStrategy] = [.automatic, .prefer, .avoid, .disallow]
                let value = Bool.random(using: &random) ? Array(scalars(0...20).utf8) : bytes(0...40)
                let name = text(1...3, 0x41...0x5A) + text(0...3, 0x61...0x7A)
                fields.append(HTTPField(name, lenient: value, strategies[number(0...3)]))
            }
            return fields
        }
        func tags() -> [CacheTag] { (0..<number(0...8)).map { _ in CacheTag(scalars(0...20)) } }
        func moment() -> Timestamp {
            Timestamp(nanosecondsSinceEpoch: Int64(bitPattern: random.next()) >> number(0...63))
        }

        let request = fields(0...4)
        var response = fields(0...12)
        if Bool.random(using: &random) {
            response[.vary] = request.map(\.name.rawName).joined(separator: ", ")
        }
        return CacheEntry(
            request: .get("/", request),
            head: HTTPResponse(
                status: .init(code: number(0...999), reasonPhrase: scalars(0...12)),
                headerFields: response
            ),
            body: ByteBuffer(bytes: bytes(0...600)),
            lifetimes: Lifetimes(
                generatedAt: moment(),
                freshUntil: moment(),
                staleWhileRevalidateUntil: moment(),
                staleIfErrorUntil: moment(),
                staleIfUnreachableUntil: moment(),
                storedUntil: moment(),
                source: Lifetimes.Source.allCases.randomElement(using: &random) ?? .none,
                mustRevalidate: Bool.random(using: &random),
                alwaysRevalidate: Bool.random(using: &random),
                isImmutable: Bool.random(using: &random)
            ),
            readVersion: LogVersion(
                epoch: LogVersion.Epoch(high: random.next(), low: random.next()),
                number: random.next()
            ),
            location: EntryLocation(
                key: CacheKey(legal: text(1...600, 0x21...0x7E)),
                target: "/" + scalars(0...40),
                tags: tags()
            ),
            tags: tags()
        )
    }
}

extension Lifetimes {
    /// Creates lifetimes of which all times except the first are the same.
    static func of(_ readVersion: Timestamp, until: Timestamp, source: Source = .rules, flags: UInt8 = 0) -> Lifetimes {
        Lifetimes(
            generatedAt: readVersion,
            freshUntil: until,
            staleWhileRevalidateUntil: until,
            staleIfErrorUntil: until,
            staleIfUnreachableUntil: until,
            storedUntil: until,
            source: source,
            mustRevalidate: flags & 1 != 0,
            alwaysRevalidate: flags & 2 != 0,
            isImmutable: flags & 4 != 0
        )
    }
}

extension HTTPField {
    init(_ name: String, lenient value: [UInt8], _ strategy: DynamicTableIndexingStrategy = .automatic) {
        guard let name = Name(name) else { preconditionFailure("\(name) is no name") }
        self.init(name: name, lenientValue: value)
        indexingStrategy = strategy
    }
}

extension ByteBuffer {
    /// The value without its checksum.
    var unsealed: ByteBuffer { getSlice(at: readerIndex, length: readableBytes - 8) ?? ByteBuffer() }

    mutating func change(at index: Int, _ change: (UInt8) -> UInt8) {
        guard let byte = getInteger(at: index, as: UInt8.self) else { return }
        setInteger(change(byte), at: index)
    }
}
