#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Many connections on one thread, each of which sends the next request as soon as it has a response.
///
/// It does as little work as possible, so that one core keeps any proxy on another core busy, and still checks the
/// status and the length of each response.
final class Crowd {
    private var group: ConnectionGroup

    init(of count: Int, port: Int) throws { group = try ConnectionGroup(of: count, port: port) }

    /// Requests a path until the time is over or the count is reached, and then waits for the responses under way.
    /// - Returns: The number of responses, each a 200 with a body of `size` bytes.
    func ask(_ path: String, size: Int, for duration: Duration, atMost most: Int) throws -> Int {
        try ask([path], size: size, for: duration, atMost: most)
    }

    /// Requests paths in turn, like the function above.
    func ask(_ paths: [String], size: Int, for duration: Duration, atMost most: Int) throws -> Int {
        let requests = paths.map { Connection.request($0) }
        let length = Array("content-length: \(size)\r\n".utf8)
        let end = ContinuousClock.now + duration
        let members = group.members
        var polled = group.polled
        var next = 0
        func write(on member: Connection) throws {
            try member.write(requests[next])
            next = next + 1 == requests.count ? 0 : next + 1
        }
        for member in members { try write(on: member) }
        var (answered, waiting) = (0, members.count)
        while waiting > 0 {
            guard poll(&polled, nfds_t(polled.count), 5_000) > 0 else {
                throw BenchmarkError(description: "\(paths[0]) is not answered for five seconds")
            }
            let isOver = answered >= most || ContinuousClock.now >= end
            for place in polled.indices where polled[place].revents != 0 {
                guard try group.read(place, size: size, length: length) else { continue }
                answered += 1
                if isOver {
                    // `poll` ignores negative descriptors.
                    (polled[place].fd, polled[place].revents) = (-1, 0)
                    waiting -= 1
                } else {
                    try write(on: members[place])
                }
            }
        }
        return answered
    }
}

/// Connections that one thread polls, each with its progress in reading a response.
struct ConnectionGroup {
    let members: [Connection]
    private var progress: [ResponseProgress]
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    init(of count: Int, port: Int) throws {
        members = try (0..<count).map { _ in try Connection(port: port) }
        progress = Array(repeating: ResponseProgress(), count: count)
    }

    /// The connections as `poll` takes them.
    var polled: [pollfd] { members.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) } }

    /// Reads the bytes that a connection has received. Returns true if its response is complete.
    mutating func read(_ place: Int, size: Int, length: [UInt8]) throws -> Bool {
        let received = try members[place].read(into: &buffer)
        return try progress[place].take(buffer[..<received], size: size, length: length)
    }
}

/// The progress of a connection in reading a response.
struct ResponseProgress {
    private static let headLimit = 8_192

    /// The beginning of the response, while its head is incomplete.
    private var start: [UInt8] = []
    private var received = 0
    /// The length of the response in bytes; nil until its head is complete.
    private var total: Int?

    /// Takes bytes that arrived. Returns true if the response is complete.
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

    /// Returns the end of the head, nil if it is incomplete; checks the status, and that the head has this line for the
    /// length.
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
                // Field names are case-insensitive; setting one bit makes letters lower-case and leaves digits, colon
                // and space unchanged.
                hasLength =
                    hasLength
                    || zip(bytes[lineStart..<place - 1], length).allSatisfy { $0 | 0x20 == $1 }
            }
            lineStart = place + 1
        }
        return nil
    }
}
