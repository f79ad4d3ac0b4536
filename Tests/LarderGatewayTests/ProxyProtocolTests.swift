import LarderTestSupport
import Testing

@testable import LarderGateway

/// The decoder of the PROXY protocol.
@Suite(.timeLimit(.minutes(5))) struct ProxyProtocolTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    static func binary(_ command: UInt8, _ family: UInt8, _ addresses: [UInt8]) -> [UInt8] {
        signature + [0x20 | command, family, UInt8(addresses.count >> 8), UInt8(addresses.count & 255)] + addresses
    }

    private static let four: [UInt8] = [203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xBB]
    private static let six: [UInt8] =
        [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9] + [UInt8](repeating: 1, count: 16) + [1, 0, 0, 80]

    /// The headers, and the client that each one names.
    static let good: [(header: [UInt8], client: String?, port: Int?)] = [
        (Array("PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n".utf8), "203.0.113.9", 4_711),
        (Array("PROXY TCP6 2001:db8::9 ::1 65535 0\r\n".utf8), "2001:db8::9", 65_535),
        (Array("PROXY UNKNOWN\r\n".utf8), nil, nil),
        (Array("PROXY UNKNOWN ffff::1 anything at all\r\n".utf8), nil, nil),
        (binary(1, 0x11, four), "203.0.113.9", 4_711),
        (binary(1, 0x21, six), "2001:db8::9", 256),
        // Additional values are skipped.
        (binary(1, 0x11, four + [4, 0, 1, 0xFF] + [UInt8](repeating: 7, count: 500)), "203.0.113.9", 4_711),
        (binary(0, 0x11, four), nil, nil), (binary(0, 0, []), nil, nil), (binary(1, 0, [1, 2, 3]), nil, nil),
        (binary(1, 0x31, [UInt8](repeating: 47, count: 216)), nil, nil),
    ]

    @Test func `A header is read byte by byte and at once, and the bytes after it remain`() {
        for (header, client, port) in Self.good {
            for length in 0..<header.count {
                #expect(ProxyProtocolHeader.read(header[..<length]) == .incomplete, "\(header) \(length)")
            }
            for rest in [[], Array("GET / HTTP/1.1\r\n".utf8), header, Self.signature] {
                guard case .complete(let read, let length) = ProxyProtocolHeader.read(header + rest) else {
                    Issue.record("\(header) is not read")
                    continue
                }
                #expect(length == header.count && read.client?.description == client && read.port == port)
            }
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 ::1 1.2.3.4 1 1\r\n", "PROXY TCP6 1.2.3.4 ::1 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "PROXY\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n", "\r\nPROXY",
        "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n", "PROXY TCP4 a 1.2.3.4 1 1\r\n", "\u{16}\u{3}\u{1}",
    ]) func `Bytes that are not a header are invalid`(_ text: String) {
        #expect(ProxyProtocolHeader.read(Array(text.utf8)) == .invalid)
    }

    @Test func `A header that is too long or of an unknown kind is invalid as soon as that is known`() {
        let long = Array(("PROXY UNKNOWN " + String(repeating: "x", count: 93)).utf8)
        #expect(long.count == 107 && ProxyProtocolHeader.read(long) == .invalid)
        #expect(ProxyProtocolHeader.read(long.dropLast()) == .incomplete)
        let kinds: [[UInt8]] = [
            [0x22, 0x11, 0, 12], [0x11, 0x11, 0, 12], [0x31, 0x11, 0, 12], [0x21, 0x41, 0, 12], [0x21, 0x13, 0, 12],
            [0x21, 0x11, 0xFF, 0xFF],
        ]
        for kind in kinds { #expect(ProxyProtocolHeader.read(Self.signature + kind) == .invalid, "\(kind)") }
        #expect(ProxyProtocolHeader.read(Self.binary(1, 0x12, Self.four)) == .invalid)
        #expect(ProxyProtocolHeader.read(Self.binary(1, 0x11, Array(Self.four.dropLast()))) == .invalid)
        #expect(ProxyProtocolHeader.read(Self.binary(1, 0x21, Self.four)) == .invalid)
    }

    @Test func `No bytes cause a trap, and more bytes do not change the result`() {
        var random = SeededRandom(seed: 18)
        for _ in 0..<50_000 {
            var bytes = Self.good.randomElement(using: &random)?.header ?? []
            for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            let whole = ProxyProtocolHeader.read(bytes)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let part = ProxyProtocolHeader.read(bytes[..<cut])
            #expect(part == .incomplete || part == whole, "\(bytes) \(cut)")
            if case .complete(_, let length) = whole { #expect(length <= bytes.count) }
        }
    }
}
