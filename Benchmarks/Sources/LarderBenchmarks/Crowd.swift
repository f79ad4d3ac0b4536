#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Many connections of one thread, each of which asks again as soon as it is answered.
///
/// It does as little as can be, so that one core keeps any proxy on another busy, and yet looks at the status and the
/// length of each answer.
final class Crowd {
    private let members: [Connection]
    private var progress: [Progress]
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    init(of count: Int, port: Int) throws {
        members = try (0..<count).map { _ in try Connection(port: port) }
        progress = Array(repeating: Progress(), count: count)
    }

    /// Asks for a path until the time is over or the count reached, and waits for what is under way then.
    /// - Returns: the number of answers, each a 200 with a body of `size` bytes.
    func ask(_ path: String, size: Int, for duration: Duration, atMost most: Int) throws -> Int {
        let request = Connection.request(path)
        let length = Array("content-length: \(size)\r\n".utf8)
        let end = ContinuousClock.now + duration
        var polled = members.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        for member in members { try member.write(request) }
        var (answered, waiting) = (0, members.count)
        while waiting > 0 {
            guard poll(&polled, nfds_t(polled.count), 5_000) > 0 else {
                throw BenchmarkError(description: "\(path) is not answered for five seconds")
            }
            let isOver = answered >= most || ContinuousClock.now >= end
            for place in polled.indices where polled[place].revents != 0 {
                let received = try members[place].read(into: &buffer)
                let isThrough = try progress[place].take(buffer[..<received], size: size, length: length)
                guard isThrough else { continue }
                answered += 1
                if isOver {
                    // A negative descriptor is one that `poll` does not look at.
                    (polled[place].fd, polled[place].revents) = (-1, 0)
                    waiting -= 1
                } else {
                    try members[place].write(request)
                }
            }
        }
        return answered
    }
}

/// How much of an answer a connection has.
private struct Progress {
    private static let headLimit = 8_192

    /// The beginning of the answer, while its head is not there as a whole.
    private var start: [UInt8] = []
    private var received = 0
    /// The bytes of the answer; known once the head is there.
    private var total: Int?

    /// Takes what came. Whether the answer is there as a whole.
    mutating func take(_ bytes: ArraySlice<UInt8>, size: Int, length: [UInt8]) throws -> Bool {
        received += bytes.count
        if total == nil {
            start.append(contentsOf: bytes.prefix(Self.headLimit - start.count))
            guard let end = try Self.headEnd(start, length) else {
                guard start.count < Self.headLimit else { throw BenchmarkError(description: "A head without an end") }
                return false
            }
            total = end + size
        }
        guard let total, received >= total else { return false }
        guard received == total else { throw BenchmarkError(description: "An answer that is too long") }
        start.removeAll(keepingCapacity: true)
        (received, self.total) = (0, nil)
        return true
    }

    /// Where the head ends, where it does; checks its status and that it has this line for the length.
    private static func headEnd(_ bytes: [UInt8], _ length: [UInt8]) throws -> Int? {
        let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
        var (lineStart, hasLength) = (0, false)
        for place in bytes.indices where bytes[place] == lineFeed {
            if place == lineStart + 1, bytes[lineStart] == carriageReturn {
                guard bytes.starts(with: "HTTP/1.1 200".utf8), hasLength else {
                    throw BenchmarkError(
                        description: "Not the answer: \(String(decoding: bytes[...place], as: UTF8.self))"
                    )
                }
                return place + 1
            }
            if place + 1 - lineStart == length.count {
                // Names have no case; a bit makes letters small and leaves digits, colon and space as they are.
                hasLength =
                    hasLength
                    || zip(bytes[lineStart..<place - 1], length).allSatisfy { $0 | 0x20 == $1 }
            }
            lineStart = place + 1
        }
        return nil
    }
}
