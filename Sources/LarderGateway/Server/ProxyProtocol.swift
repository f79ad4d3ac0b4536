import HTTPCaching

/// The header that a load balancer writes before a connection's own bytes, to give the client's address: the PROXY
/// protocol, version 1 (a line of text) or 2 (binary).
///
/// Source: "The PROXY protocol, Versions 1 & 2" (haproxy.org/download/3.0/doc/proxy-protocol.txt).
struct ProxyProtocolHeader: Hashable, Sendable {
    /// The longest accepted header in bytes: 4,096. A header of version 1 has 107 bytes at most. One of version 2
    /// contains its length, which is up to 65,551 bytes with additional values (TLVs), which are skipped.
    static let maximumLength = 4_096
    static let maximumTextLength = 107

    /// The client's address; nil if the connection is the load balancer's own (a health check), or if the header does
    /// not give it.
    var client: IPAddress?
    /// The client's port; nil in the same cases.
    var port: Int?
    /// True if the connection is the load balancer's own.
    var isLocal = false

    /// The result of reading the first bytes of a connection.
    enum Reading: Hashable, Sendable {
        /// The beginning of a header.
        case incomplete
        /// A header, and its length in bytes.
        case complete(ProxyProtocolHeader, length: Int)
        /// The bytes are not a header, or a header that is not accepted.
        case invalid
    }

    /// Reads a header from the first bytes of a connection.
    static func read(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        if zip(bytes, signature).allSatisfy(==) {
            return bytes.count < 16 ? .incomplete : readBinary(bytes)
        }
        if zip(bytes, "PROXY ".utf8).allSatisfy(==) {
            return bytes.count < 6 ? .incomplete : readText(bytes)
        }
        return .invalid
    }

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
}

// MARK: - Version 1

extension ProxyProtocolHeader {
    /// Reads `PROXY TCP4 192.0.2.1 198.51.100.1 4711 443`, or `PROXY UNKNOWN` with any text after it, and CR LF.
    private static func readText(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        let line = bytes.prefix(maximumTextLength)
        guard let end = line.firstIndex(of: 0x0A) else {
            return line.count < maximumTextLength ? .incomplete : .invalid
        }
        let text = line[..<end]
        guard text.last == 0x0D else { return .invalid }
        let length = text.count + 1
        let words = text.dropLast().split(separator: 0x20, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if words.count >= 2, words[1] == "UNKNOWN" { return .complete(ProxyProtocolHeader(), length: length) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
            let client = address(words[2], of: words[1]), address(words[3], of: words[1]) != nil,
            let port = port(words[4]), self.port(words[5]) != nil
        else { return .invalid }
        return .complete(ProxyProtocolHeader(client: client, port: port), length: length)
    }

    private static func address(_ text: String, of family: String) -> IPAddress? {
        text.utf8.contains(UInt8(ascii: ":")) == (family == "TCP6") ? IPAddress(text) : nil
    }

    private static func port(_ text: String) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(ASCII.isDigit) else {
            return nil
        }
        return Int(text).flatMap { $0 <= 65_535 ? $0 : nil }
    }
}

// MARK: - Version 2

extension ProxyProtocolHeader {
    private static func readBinary(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        let head = Array(bytes.prefix(16))
        let length = 16 + (Int(head[14]) << 8 | Int(head[15]))
        guard length <= maximumLength, head[12] >> 4 == 2 else { return .invalid }
        let (command, family, transport) = (head[12] & 0xF, head[13] >> 4, head[13] & 0xF)
        guard command <= 1, family <= 3, transport <= 2 else { return .invalid }
        guard bytes.count >= length else { return .incomplete }
        // "The receiver must accept this connection as valid and must use the real connection endpoints and discard the
        // protocol block including the family which is ignored."
        if command == 0 { return .complete(ProxyProtocolHeader(isLocal: true), length: length) }
        // A datagram cannot have opened this connection.
        guard transport != 2 else { return .invalid }
        let addresses = Array(bytes.dropFirst(16).prefix(min(36, length - 16)))
        let size = family == 1 ? 4 : 16
        // "UNSPEC: the receiver should ignore address information"; a UNIX address says nothing about a client.
        guard transport == 1, family == 1 || family == 2 else {
            return .complete(ProxyProtocolHeader(), length: length)
        }
        guard addresses.count >= 2 * size + 4, let client = IPAddress(bytes: addresses.prefix(size)) else {
            return .invalid
        }
        let port = Int(addresses[2 * size]) << 8 | Int(addresses[2 * size + 1])
        return .complete(ProxyProtocolHeader(client: client, port: port), length: length)
    }
}
