import LarderTestSupport
import NIOCore
import NIOTestUtils
import RedisClient
import TestHelpers
import Testing

/// Decodes everything on the wire, in one piece.
private func decode(_ wire: String, limits: RESPLimits = RESPLimits()) throws(RESPViolation) -> [RESPMessage.Content] {
    var decoder = RESPDecoder(limits: limits)
    var buffer = ByteBuffer(string: wire)
    var contents: [RESPMessage.Content] = []
    while let message = try decoder.next(from: &buffer) { contents.append(message.content) }
    return contents
}

@Suite(.timeLimit(.minutes(5))) struct RESPDecoderTests {
    static let values: [(wire: String, value: RESPValue)] = [
        ("+OK\r\n", .status("OK")),
        ("+\r\n", .status("")),
        ("-ERR no such thing\r\n", .error(RedisReplyError("ERR no such thing"))),
        (":0\r\n", .integer(0)),
        (":+7\r\n", .integer(7)),
        (":-9223372036854775808\r\n", .integer(.min)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .text("")),
        ("$5\r\na\r\nbc\r\n", .text("a\r\nbc")),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("#t\r\n", .boolean(true)),
        ("#f\r\n", .boolean(false)),
        (",1.25\r\n", .double(1.25)),
        (",-1e3\r\n", .double(-1000)),
        (",10\r\n", .double(10)),
        (",0\r\n", .double(0)),
        (",+0\r\n", .double(0)),
        (",00\r\n", .double(0)),
        (",+5\r\n", .double(5)),
        (",-5\r\n", .double(-5)),
        (",9007199254740993\r\n", .double(9_007_199_254_740_992)),
        (",12345678901234567890123\r\n", .double(12_345_678_901_234_567_741_440)),
        (",inf\r\n", .double(.infinity)),
        (",-inf\r\n", .double(-.infinity)),
        ("(3492890328409238509324850943850943825024385\r\n", .bigNumber("3492890328409238509324850943850943825024385")),
        ("(-1\r\n", .bigNumber("-1")),
        ("!21\r\nSYNTAX invalid syntax\r\n", .error(RedisReplyError("SYNTAX invalid syntax"))),
        ("=15\r\ntxt:Some string\r\n", .text("Some string")),
        ("*0\r\n", .array([])),
        ("*2\r\n:1\r\n*1\r\n$1\r\na\r\n", .array([.integer(1), .array([.text("a")])])),
        ("~2\r\n+a\r\n#t\r\n", .set([.status("a"), .boolean(true)])),
        ("%0\r\n", .map([])),
        ("%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n", .map([.init(.status("a"), .integer(1)), .init(.status("b"), .array([]))])),
        // Attributes are read and dropped, before a reply and within one.
        ("|1\r\n+ttl\r\n:3600\r\n:1\r\n", .integer(1)),
        ("|0\r\n:1\r\n", .integer(1)),
        ("*2\r\n:1\r\n|1\r\n+ttl\r\n*1\r\n:3600\r\n:2\r\n", .array([.integer(1), .integer(2)])),
        ("|1\r\n|1\r\n+a\r\n+b\r\n+c\r\n+d\r\n:1\r\n", .integer(1)),
    ]

    @Test(arguments: values) func `A line of each type is decoded to its value`(wire: String, value: RESPValue) throws {
        #expect(try decode(wire) == [.reply(value)])
    }

    @Test func `A negative zero stays negative`() throws {
        guard case .reply(.double(let number)) = try decode(",-0\r\n").first else {
            Issue.record("no double")
            return
        }
        #expect(number == 0 && number.sign == .minus)
    }

    @Test func `A double that is not a number is decoded as such`() throws {
        guard case .reply(.double(let number)) = try decode(",nan\r\n").first else {
            Issue.record("no double")
            return
        }
        #expect(number.isNaN)
    }

    @Test func `A push is distinguished from a reply`() throws {
        let wire = ":1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n:2\r\n>1\r\n+pong\r\n"
        #expect(
            try decode(wire) == [
                .reply(.integer(1)), .push(RedisPush(kind: "invalidate", values: [.array([.text("k")])])),
                .reply(.integer(2)), .push(RedisPush(kind: "pong", values: [])),
            ]
        )
    }

    static let violations: [(wire: String, violation: RESPViolation)] = [
        ("HTTP/1.1 400 Bad Request\r\n", .unknownType(UInt8(ascii: "H"))),
        ("\r\n", .malformed(.ending)),
        ("+a\nb\r\n", .malformed(.ending)),
        ("+a\rb\r\n", .malformed(.ending)),
        (":\r\n", .malformed(.integer)),
        (":-\r\n", .malformed(.integer)),
        (":1a\r\n", .malformed(.integer)),
        (":9223372036854775808\r\n", .malformed(.integer)),
        (":-9223372036854775809\r\n", .malformed(.integer)),
        ("$-2\r\n", .malformed(.length)),
        ("$\r\n", .malformed(.length)),
        ("$99999999999999999999\r\n", .malformed(.length)),
        ("$9223372036854775807\r\n", .bulkTooLong),
        ("!9223372036854775807\r\n", .bulkTooLong),
        ("=9223372036854775807\r\n", .bulkTooLong),
        ("*9223372036854775807\r\n", .tooManyElements),
        ("%9223372036854775807\r\n", .tooManyElements),
        ("%4611686018427387904\r\n", .tooManyElements),
        ("|4611686018427387905\r\n", .tooManyElements),
        (">9223372036854775807\r\n", .tooManyElements),
        ("~-1\r\n", .malformed(.length)),
        ("%-1\r\n", .malformed(.length)),
        (">-1\r\n", .malformed(.length)),
        ("!-1\r\n", .malformed(.length)),
        ("$1\r\nabc", .unterminatedBulk),
        ("$1\r\na\n\r", .unterminatedBulk),
        ("=3\r\ntxt\r\n", .malformed(.verbatim)),
        ("=4\r\ntxt-\r\n", .malformed(.verbatim)),
        ("_a\r\n", .malformed(.null)),
        ("#\r\n", .malformed(.boolean)),
        ("#true\r\n", .malformed(.boolean)),
        (",\r\n", .malformed(.double)),
        (",0x1p3\r\n", .malformed(.double)),
        (",infinity\r\n", .malformed(.double)),
        (",1.2.3\r\n", .malformed(.double)),
        ("(\r\n", .malformed(.bigNumber)),
        ("(+\r\n", .malformed(.bigNumber)),
        ("(12e4\r\n", .malformed(.bigNumber)),
        ("$?\r\n", .streamed),
        ("*?\r\n", .streamed),
        ("%?\r\n", .streamed),
        (";4\r\nabcd\r\n", .streamed),
        (".\r\n", .streamed),
        ("*1\r\n>1\r\n+a\r\n", .nestedPush),
        ("|1\r\n>1\r\n+a\r\n", .nestedPush),
        (">0\r\n", .namelessPush),
        (">1\r\n:1\r\n", .namelessPush),
    ]

    @Test(arguments: violations) func `Input that is not RESP3 is refused`(wire: String, violation: RESPViolation) {
        #expect(throws: violation) { _ = try decode(wire) }
    }
}

@Suite(.timeLimit(.minutes(5))) struct RESPLimitsTests {
    private let limits: RESPLimits = {
        var limits = RESPLimits()
        limits.lineLength = 8
        limits.bulkLength = 16
        limits.elements = 6
        limits.depth = 3
        limits.replyBytes = 40
        limits.pushBytes = 24
        return limits
    }()

    static let atTheLimit = [
        "+1234567\r\n",
        "$16\r\n0123456789abcdef\r\n",
        "*3\r\n*2\r\n:1\r\n:2\r\n*1\r\n:1\r\n:1\r\n",
        "%3\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        "*1\r\n*1\r\n*1\r\n:1\r\n",
        "*2\r\n$16\r\n0123456789abcdef\r\n+123456\r\n*0\r\n",
        ">2\r\n+1234567\r\n+123456\r\n",
    ]

    @Test(arguments: atTheLimit) func `Input that reaches a limit is accepted`(wire: String) throws {
        #expect(try !decode(wire, limits: limits).isEmpty)
    }

    static let beyond: [(wire: String, violation: RESPViolation)] = [
        ("+12345678\r\n", .lineTooLong),
        ("+12345678", .lineTooLong),
        ("$17\r\n", .bulkTooLong),
        ("*7\r\n", .tooManyElements),
        ("%4\r\n", .tooManyElements),
        ("*3\r\n*2\r\n:1\r\n:2\r\n*2\r\n", .tooManyElements),
        ("|2\r\n:1\r\n:1\r\n:1\r\n:1\r\n*3\r\n", .tooManyElements),
        ("*1\r\n*1\r\n*1\r\n*1\r\n", .tooDeep),
        ("*2\r\n$16\r\n0123456789abcdef\r\n$16\r\n", .messageTooLarge),
        ("*6\r\n+123456\r\n+123456\r\n+123456\r\n+123456\r\n+1\r\n", .messageTooLarge),
        (">3\r\n+1234567\r\n+12345\r\n:1\r\n", .messageTooLarge),
        (">2\r\n+a\r\n$16\r\n", .messageTooLarge),
        // Empty attributes do not count as elements or depth, but they count as bytes.
        ("|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n|0\r\n", .messageTooLarge),
    ]

    @Test(arguments: beyond)
    func `Input that exceeds a limit is refused when its size is announced`(wire: String, violation: RESPViolation) {
        #expect(throws: violation) { _ = try decode(wire, limits: limits) }
    }

    @Test func `Limits apply to each message separately`() throws {
        let wire = String(repeating: "*2\r\n$16\r\n0123456789abcdef\r\n:1\r\n", count: 50)
        #expect(try decode(wire, limits: limits).count == 50)
    }

    @Test func `Limits of the largest possible value do not cause an overflow`() {
        var limits = RESPLimits()
        (limits.bulkLength, limits.elements) = (.max, .max)
        #expect(throws: RESPViolation.messageTooLarge) { _ = try decode("$9223372036854775807\r\n", limits: limits) }
        #expect(throws: RESPViolation.messageTooLarge) {
            _ = try decode("*1\r\n$9223372036854775806\r\n", limits: limits)
        }
        #expect(throws: RESPViolation.tooManyElements) {
            _ = try decode("*2\r\n*9223372036854775806\r\n", limits: limits)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct RESPStreamTests {
    /// The decoder, adapted to the protocol that NIO's verifier needs.
    private struct Adapter: NIOSingleStepByteToMessageDecoder {
        typealias InboundOut = RESPMessage.Content
        var decoder = RESPDecoder(limits: RESPLimits())

        mutating func decode(buffer: inout ByteBuffer) throws -> InboundOut? {
            try decoder.next(from: &buffer)?.content
        }

        mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> InboundOut? {
            try decode(buffer: &buffer)
        }
    }

    @Test func `Messages are the same byte by byte, one by one and all at once`() throws {
        let pairs = RESPDecoderTests.values.map { ($0.wire, [RESPMessage.Content.reply($0.value)]) }
        try ByteToMessageDecoderVerifier.verifyDecoder(stringInputOutputPairs: pairs) { Adapter() }
    }

    @Test func `Any value is decoded as it was encoded, however the bytes are split`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed of any value: \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let values = (0..<4).map { _ in anyValue(depth: 5, using: &generator) }
            var wire = ByteBuffer()
            for value in values { wire.writeRESP(value) }
            let outcome = feed(wire, largestPiece: 24, using: &generator)
            #expect(outcome.messages.map(\.content) == values.map { .reply($0) }, "seed \(seed)")
            #expect(outcome.messages.map(\.size).reduce(0, +) == wire.readableBytes, "seed \(seed)")
            #expect(outcome.violation == nil, "seed \(seed)")
        }
    }

    @Test func `Damaged bytes have the same result however they are split, and never cause a crash`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed of damaged bytes: \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var wire = ByteBuffer()
            for _ in 0..<3 { wire.writeRESP(anyValue(depth: 3, using: &generator)) }
            let damaged = mutate(wire, using: &generator)
            let whole = feed(damaged, largestPiece: .max, using: &generator)
            let pieces = feed(damaged, largestPiece: 7, using: &generator)
            #expect(whole.violation == pieces.violation, "seed \(seed)")
            #expect(whole.messages.map { "\($0.size)" } == pieces.messages.map { "\($0.size)" }, "seed \(seed)")
        }
    }

    private func feed(
        _ wire: ByteBuffer,
        largestPiece: Int,
        using generator: inout SeededGenerator
    ) -> (messages: [RESPMessage], violation: RESPViolation?) {
        var (wire, decoder, buffer) = (wire, RESPDecoder(limits: RESPLimits()), ByteBuffer())
        var messages: [RESPMessage] = []
        while wire.readableBytes > 0 {
            let length = min(wire.readableBytes, .random(in: 1...largestPiece, using: &generator))
            var piece =
                largestPiece == .max ? wire.readSlice(length: wire.readableBytes)! : wire.readSlice(length: length)!
            buffer.writeBuffer(&piece)
            do {
                while let message = try decoder.next(from: &buffer) { messages.append(message) }
            } catch {
                return (messages, error)
            }
        }
        return (messages, nil)
    }

    private func mutate(_ wire: ByteBuffer, using generator: inout SeededGenerator) -> ByteBuffer {
        var bytes = Array(wire.readableBytesView)
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[index] = .random(in: .min ... .max, using: &generator)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert("0123456789+-:$*%~>|!=#_,(;.?\r\n".utf8.randomElement(using: &generator)!, at: index)
            case 3: bytes.replaceSubrange(index..<index, with: Array("99999999999".utf8))
            default: bytes.removeLast(bytes.count - index)
            }
        }
        return ByteBuffer(bytes: bytes)
    }
}

@Suite(.timeLimit(.minutes(5))) struct RESPEncoderTests {
    @Test func `Commands are arrays of bulk strings, whatever their arguments contain`() {
        var buffer = ByteBuffer()
        RESPEncoder.encode(
            [
                RedisCommand("SET", "k\r\né", .bytes(ByteBuffer(bytes: [0, 13, 10])), "PX", .integer(-12)),
                RedisCommand("PING"),
            ],
            into: &buffer
        )
        let expected =
            "*5\r\n$3\r\nSET\r\n$5\r\nk\r\né\r\n$3\r\n\0\r\n\r\n$2\r\nPX\r\n$3\r\n-12\r\n*1\r\n$4\r\nPING\r\n"
        #expect(String(buffer: buffer) == expected)
    }

    @Test(arguments: [0, 9, 10, 99, 100, -1, -10, .max, .min] as [Int64])
    func `A number is written in decimal digits`(_ number: Int64) {
        var buffer = ByteBuffer(string: "before")
        RESPEncoder.encode(
            [RedisCommand("N", .integer(number), .text(String(repeating: "x", count: 100)))],
            into: &buffer
        )
        let text = "\(number)"
        let expected =
            "before*3\r\n$1\r\nN\r\n$\(text.count)\r\n\(text)\r\n$100\r\n" + String(repeating: "x", count: 100)
        #expect(String(buffer: buffer) == expected + "\r\n")
    }

    @Test(arguments: 1...50) func `Every command is read as it was written`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let commands = (0..<Int.random(in: 1...5, using: &random)).map { _ in
            RedisCommand(
                "",
                (0..<Int.random(in: 0...30, using: &random)).map { _ in
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0:
                        .integer(.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<64, using: &random))
                    case 1: .text(String(repeating: "é", count: .random(in: 0..<200, using: &random)))
                    default: .bytes(ByteBuffer(repeating: 13, count: .random(in: 0..<3_000, using: &random)))
                    }
                }
            )
        }
        var buffer = ByteBuffer()
        RESPEncoder.encode(commands, into: &buffer)
        var decoder = RESPDecoder(limits: RESPLimits())
        for command in commands {
            let expected = command.arguments.map { argument -> RESPValue in
                switch argument {
                case .text(let text): .bulk(ByteBuffer(string: text))
                case .bytes(let bytes): .bulk(bytes)
                case .integer(let number): .bulk(ByteBuffer(string: "\(number)"))
                }
            }
            #expect(try decoder.next(from: &buffer)?.content == .reply(.array(expected)))
        }
        #expect(buffer.readableBytes == 0)
    }

    @Test func `A script is identified by the SHA-1 of its source`() {
        #expect(RedisScript("return 1").digest == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
    }
}
