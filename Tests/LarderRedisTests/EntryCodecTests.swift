import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import Testing

@testable import Larder
@testable import LarderRedis

@Suite(.timeLimit(.minutes(5))) struct EntryCodecTests {
    struct Example: CustomTestStringConvertible {
        let testDescription: String
        let entry: CacheEntry

        init(_ name: String, _ entry: CacheEntry) {
            testDescription = name
            self.entry = entry
        }
    }

    static let examples = [
        Example("typical", .example),
        Example("no fields and no body", .example(fields: [:], body: ByteBuffer())),
        Example("1,000 tags", .example(tags: (0..<1_000).map { CacheTag("tag-\($0)") })),
        Example("a body of 1 MiB", .example(body: ByteBuffer(repeating: 0xA5, count: 1 << 20))),
        Example("a value that is not ASCII", .example(fields: [.contentLanguage: "caf\u{E9} cafe\u{301} \u{1F370}"])),
        Example(
            "a value that is not UTF-8",
            .example(fields: HTTPFields([HTTPField("X-Latin", lenient: [0x63, 0xE9, 0xFF])]))
        ),
        Example(
            "a value that is not legal",
            .example(fields: HTTPFields([HTTPField("X-Odd", lenient: [0x20, 0x01, 0x7F, 0x09])]))
        ),
        Example("an empty value", .example(fields: HTTPFields([HTTPField("X-Empty", lenient: [])]))),
        Example(
            "names of one meaning",
            .example(fields: HTTPFields([HTTPField("eTaG", lenient: [1]), HTTPField("ETAG", lenient: [2])]))
        ),
        Example(
            "a field that may not be indexed",
            .example(fields: HTTPFields([HTTPField("X-Key", lenient: [0x31], .disallow)]))
        ),
        Example("Vary", .example(fields: [.vary: "Accept, X-B"], request: [.accept: "A/b;q=\"C\""])),
        Example("Vary by everything", .example(fields: [.vary: "*"])),
        Example("a phrase", .example(status: .init(code: 203, reasonPhrase: "Tr\u{E8}s bien"))),
        Example("the last code", .example(status: .init(code: 999))),
        Example("no time at all", .example(lifetimes: .of(.distantPast, until: .distantPast))),
        Example("without an end", .example(lifetimes: .of(.distantPast, until: .distantFuture, flags: 7))),
        Example("a target that is not ASCII", .example(target: "/caf\u{E9}?\u{0}#")),
    ]

    @Test(arguments: examples) func `An entry is read as it was written`(_ example: Example) throws {
        let value = EntryCodec.encode(example.entry)
        let read = try EntryCodec.decode(value, expecting: example.entry.location.key)
        #expect(Facts(read) == Facts(example.entry))
        #expect(EntryCodec.encode(read) == value)
        #expect(EntryCodec.encode(example.entry) == value)
    }

    @Test func `Random entries are read as they were written`() throws {
        var random = SeededRandom(seed: 1)
        for round in 0..<2_000 {
            let entry = CacheEntry.random(using: &random)
            let value = EntryCodec.encode(entry)
            // The value is in the middle of a reply, as the client returns it.
            var reply = ByteBuffer()
            reply.writeString("$\(value.readableBytes)\r\n")
            let start = reply.writerIndex
            reply.writeImmutableBuffer(value)
            reply.writeString("\r\n")
            let slice = try #require(reply.getSlice(at: start, length: value.readableBytes))
            let read = try EntryCodec.decode(slice, expecting: entry.location.key)
            #expect(Facts(read) == Facts(entry), "round \(round)")
            #expect(EntryCodec.encode(read) == value, "round \(round)")
        }
    }

    @Test(arguments: Lifetimes.Source.allCases) func `Every source of a lifetime is read`(
        _ source: Lifetimes.Source
    ) throws {
        let entry = CacheEntry.example(lifetimes: .of(.distantPast, until: .distantFuture, source: source))
        let read = try EntryCodec.decode(EntryCodec.encode(entry), expecting: entry.location.key)
        #expect(read.lifetimes.source == source)
    }

    @Test func `The numbers of the sources do not change`() {
        let numbers = Lifetimes.Source.allCases.map { "\($0) \($0.rawValue)" }
        #expect(numbers == ["none 0", "sMaxAge 1", "maxAge 2", "expires 3", "heuristic 4", "rules 5"])
    }

    @Test func `The layout is that of version 3`() throws {
        // Another layout needs another version; then this value is replaced.
        let golden = """
            4c524452030000019a0000000c4745543a2f706f7374732f3100c8000000024f4b000000050000000c436f6e74656e742d54
            7970650000001f6170706c69636174696f6e2f6a736f6e3b20636861727365743d7574662d38000000000e436f6e74656e74
            2d4c656e67746800000002323700000000044554616700000022223742353032433341314634384338363039414532313243
            444642363339444545220000000004446174650000001d5475652c203234204e6f7620323032362031323a30303a30302047
            4d540000000004566172790000000f4163636570742d456e636f64696e670018eaf961d28a800018eaf976c6f5840018eaf9
            76c6f5840018eaf976c6f5840018eaf976c6f5840018eaf976c6f584000504000000176163636570742d656e636f64696e67
            3a62722c677a69700123456789abcdeffedcba9876543210000000000000002a000000082f706f7374732f31000000010000
            0005706f7374730000000100000006706f73742d310000001b7b226964223a312c227469746c65223a224e657720506f7374
            227d191d6e9c6e325751
            """
        #expect(EntryCodec.version == 3)
        #expect(EntryCodec.encode(.example).hexDump(format: .compact) == golden.filter { !$0.isWhitespace })
    }

    @Test func `A body is not copied, unless a slice would hold twice its memory`() throws {
        let large = CacheEntry.example(body: ByteBuffer(repeating: 7, count: 700_000))
        let value = EntryCodec.encode(large)
        let read = try EntryCodec.decode(value, expecting: large.location.key)
        value.withUnsafeReadableBytes { whole in
            read.body.withUnsafeReadableBytes { body in
                guard let start = whole.baseAddress, let place = body.baseAddress else { return }
                #expect((start..<start + whole.count).contains(place))
            }
        }
        let small = CacheEntry.example(body: ByteBuffer(repeating: 7, count: 16))
        let copied = try EntryCodec.decode(EntryCodec.encode(small), expecting: small.location.key)
        #expect(copied.body.storageCapacity == 16)
    }
}

// MARK: - Values that are not entries

extension EntryCodecTests {
    /// Returns the reason why a value is rejected; nil if it is read.
    static func defect(of value: ByteBuffer, expecting key: CacheKey = .example) -> EntryCodec.Defect? {
        do {
            _ = try EntryCodec.decode(value, expecting: key)
            return nil
        } catch {
            return error
        }
    }

    @Test func `A value that ends early is cut off`() throws {
        let value = EntryCodec.encode(.example)
        for length in 0..<value.readableBytes {
            let prefix = try #require(value.getSlice(at: 0, length: length))
            #expect(Self.defect(of: prefix) == .cutOff, "\(length) bytes")
        }
    }

    @Test func `A value with extra bytes is overlong`() {
        var value = EntryCodec.encode(.example)
        value.writeInteger(UInt8.zero)
        #expect(Self.defect(of: value) == .overlong)
    }

    @Test func `A value with a flipped bit is rejected`() {
        let value = EntryCodec.encode(.example)
        for bit in 0..<value.readableBytes * 8 {
            var flipped = value
            flipped.change(at: bit / 8) { $0 ^ 1 << (bit % 8) }
            #expect(Self.defect(of: flipped) != nil, "bit \(bit)")
        }
    }

    @Test func `A value of another version is rejected before anything else is read`() {
        for version in UInt8.min ... .max where version != EntryCodec.version {
            var value = EntryCodec.encode(.example)
            value.change(at: 4) { _ in version }
            #expect(Self.defect(of: value) == .otherVersion(version))
            #expect(Self.defect(of: ByteBuffer(bytes: [0x4C, 0x52, 0x44, 0x52, version])) == .otherVersion(version))
        }
    }

    @Test(arguments: ["hello", "{\"a\":1}", "LRDS\u{1}", "lrdr\u{1}", "    "])
    func `A value that other programs wrote is foreign`(_ text: String) {
        #expect(Self.defect(of: ByteBuffer(string: text)) == .foreign)
    }

    @Test(arguments: ["GET:/posts", "GET:/posts/2", "get:/posts/1", "GET:/posts/1?a"])
    func `An entry is found only under its own key`(_ text: String) throws {
        let key = try #require(CacheKey(text))
        #expect(Self.defect(of: EntryCodec.encode(.example), expecting: key) == .otherKey)
    }

    @Test func `A value whose counts exceed its bytes is rejected`() {
        let value = EntryCodec.encode(.example)
        var cut = value
        cut.setInteger(UInt32.max, at: 5)
        #expect(Self.defect(of: cut) == .cutOff)
        for number in [UInt32.max, 0x7FFF_FFFF, 0x00FF_FFFF, UInt32(value.readableBytes)] {
            for index in 9..<value.readableBytes - 12 {
                var forged = value.unsealed
                forged.setInteger(number, at: index)
                EntryCodec.seal(&forged)
                expectSameOrUnreadable(forged, "\(number) at \(index)")
            }
        }
    }

    @Test func `Counts without elements are rejected`() {
        for fill in [1, UInt8.max] {
            for count in 0..<600 {
                var value = EntryCodec.encode(.example)
                value.moveWriterIndex(to: 9)
                value.write(CacheKey.example.description)
                value.writeRepeatingByte(fill, count: count)
                EntryCodec.seal(&value)
                #expect(Self.defect(of: value) == .malformed, "\(count) times \(fill)")
            }
        }
    }

    @Test(arguments: 0..<8) func `A value without room for its checksum is rejected`(_ size: Int) {
        var value = EntryCodec.encode(.example)
        value.moveWriterIndex(to: 9 + size)
        value.setInteger(UInt32(value.readableBytes), at: 5)
        #expect(Self.defect(of: value) == .malformed)
    }

    @Test(arguments: [
        ("X-Line", "a\nb"), ("X-Return", "a\rb"), ("X-Null", "a\u{0}b"), ("X Space", "a"), ("", "a"),
        (":status", "200"),
    ]) func `A field that no response can have is rejected`(_ name: String, _ value: String) {
        let forged = forgery(fields: 1) { forged in
            forged.write(name)
            forged.write(value)
            forged.writeInteger(UInt8.zero)
        }
        #expect(Self.defect(of: forged) == .malformed)
        let honest = forgery(fields: 1) { honest in
            honest.write("X")
            honest.write("a b")
            honest.writeInteger(UInt8.zero)
        }
        #expect(Self.defect(of: honest) == nil)
    }

    @Test func `A value with more fields than a response can have is rejected`() {
        let forged = forgery(fields: 65_535) { forged in
            for _ in 0..<65_535 {
                forged.write("A")
                forged.write("")
                forged.writeInteger(UInt8.zero)
            }
        }
        #expect(Self.defect(of: forged) == .malformed)
    }

    @Test(arguments: [(200, "O\rK"), (200, "\u{7F}"), (1_000, "OK"), (65_535, "")])
    func `A status that no response can have is rejected`(_ code: UInt16, _ phrase: String) {
        #expect(Self.defect(of: forgery(code: code, phrase: phrase)) == .malformed)
    }

    /// Returns the value of a response with such a head, which may be one that no response can have.
    private func forgery(
        code: UInt16 = 200,
        phrase: String = "OK",
        fields count: Int = 0,
        _ write: (inout ByteBuffer) -> Void = { _ in }
    ) -> ByteBuffer {
        let value = EntryCodec.encode(.example(fields: [:]))
        let start = 9 + 4 + CacheKey.example.description.utf8.count
        var forged = ByteBuffer(bytes: value.readableBytesView.prefix(start))
        forged.writeInteger(code)
        forged.write(phrase)
        forged.write(count: count)
        write(&forged)
        forged.writeBytes(value.unsealed.readableBytesView.dropFirst(start + 2 + 4 + "OK".utf8.count + 4))
        EntryCodec.seal(&forged)
        return forged
    }

    @Test func `Random bytes are never an entry`() {
        var random = SeededRandom(seed: 2)
        for round in 0..<5_000 {
            var value = ByteBuffer()
            if Bool.random(using: &random) {
                // The value has the right beginning, and later also the right length and checksum.
                value.writeImmutableBuffer(EntryCodec.encode(.example))
                value.moveWriterIndex(to: 9)
                if Bool.random(using: &random) { value.write(CacheKey.example.description) }
            }
            for _ in 0..<Int.random(in: 0...300, using: &random) {
                value.writeInteger(UInt8.random(in: 0...(round % 2 == 0 ? 255 : 3), using: &random))
            }
            #expect(Self.defect(of: value) != nil, "round \(round)")
            if value.readableBytes >= 9 {
                EntryCodec.seal(&value)
                expectSameOrUnreadable(value, "round \(round)")
            }
        }
    }

    @Test func `A changed value is rejected, or is read as exactly what it contains`() {
        var random = SeededRandom(seed: 3)
        for round in 0..<1_000 {
            let entry = CacheEntry.random(using: &random)
            var value = EntryCodec.encode(entry)
            mutate(&value, from: 0, using: &random)
            if value != EntryCodec.encode(entry) {
                #expect(Self.defect(of: value, expecting: entry.location.key) != nil, "round \(round)")
            }
        }
        for round in 0..<4_000 {
            let entry = round % 2 == 0 ? .example : CacheEntry.random(using: &random)
            var value = EntryCodec.encode(entry).unsealed
            mutate(&value, from: 9, using: &random)
            EntryCodec.seal(&value)
            expectSameOrUnreadable(value, expecting: entry.location.key, "round \(round)")
        }
    }

    private func mutate(_ value: inout ByteBuffer, from start: Int, using random: inout SeededRandom) {
        for _ in 0..<Int.random(in: 1...4, using: &random) where value.readableBytes > start {
            let index = Int.random(in: start..<value.readableBytes, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: value.change(at: index) { $0 &+ 1 }
            case 1: value.change(at: index) { $0 &- 1 }
            case 2: value.change(at: index) { _ in .random(in: .min ... .max, using: &random) }
            default: value.moveWriterIndex(to: index)
            }
        }
    }

    /// Expects that a sealed value is rejected, or is an entry that would be written with the same bytes.
    private func expectSameOrUnreadable(
        _ value: ByteBuffer,
        expecting key: CacheKey = .example,
        _ comment: @autoclosure () -> String
    ) {
        guard let entry = try? EntryCodec.decode(value, expecting: key) else { return }
        #expect(EntryCodec.encode(entry) == value, "\(comment())")
    }
}
