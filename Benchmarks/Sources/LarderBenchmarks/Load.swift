#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

#if canImport(Glibc)
    private let streamType = Int32(SOCK_STREAM.rawValue)
    private let noSignal = Int32(MSG_NOSIGNAL)
#else
    private let streamType = SOCK_STREAM
    private let noSignal: Int32 = 0
#endif

/// The reason why a measurement is not valid.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
}

/// A connection that sends requests and waits for the responses, with as little work as possible: the measurement is
/// about the server.
final class Connection {
    let descriptor: Int32
    private lazy var buffer = [UInt8](repeating: 0, count: 1 << 21)

    init(port: Int) throws {
        descriptor = socket(AF_INET, streamType, 0)
        var (address, length) = Self.address(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard result == 0 else { throw BenchmarkError(description: "Cannot connect: \(errno)") }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Returns a port that no process listens on.
    static func unusedPort() throws -> Int {
        let descriptor = socket(AF_INET, streamType, 0)
        defer { close(descriptor) }
        var (address, length) = Self.address(0)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard result == 0 else { throw BenchmarkError(description: "There is no free port: \(errno)") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }

    private static func address(_ port: Int) -> (sockaddr_in, socklen_t) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return (address, socklen_t(MemoryLayout<sockaddr_in>.size))
    }

    /// Returns the whole response to a GET: head and body.
    func get(_ path: String, language: String? = nil) throws -> (head: String, body: String) {
        try answer(to: Self.request(path, language: language))
    }

    /// Returns the whole response to an empty POST: head and body.
    func post(_ path: String) throws -> (head: String, body: String) {
        try answer(to: Array("POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".utf8))
    }

    private func answer(to request: [UInt8]) throws -> (head: String, body: String) {
        let (head, end) = try exchange(request)
        let split = head.count
        return (String(decoding: head, as: UTF8.self), String(decoding: buffer[split..<end], as: UTF8.self))
    }

    /// Sends requests until the response is one that the measurement is about: the server may still be connecting to
    /// Redis.
    func awaitHits(_ path: String) throws {
        guard path != Route.bare.path else { return }
        for _ in 0..<500 {
            if try get(path).head.contains("; hit") { return }
            usleep(10_000)
        }
        throw BenchmarkError(description: "\(path) is never answered from the cache")
    }

    /// Returns a number that Redis reports in `INFO`.
    func redisNumber(_ name: String) throws -> Double {
        let command = Array("INFO\r\n".utf8)
        guard send(descriptor, command, command.count, noSignal) == command.count else {
            throw BenchmarkError(description: "Cannot send: \(errno)")
        }
        var text = ""
        // The reply is a bulk string: `$`, its length in bytes, and so many bytes.
        var length: Int?
        while length == nil || text.utf8.count < length ?? 0 {
            let received = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress!, $0.count, 0) }
            guard received > 0 else { throw BenchmarkError(description: "Redis closed the connection") }
            text += String(decoding: buffer[..<received], as: UTF8.self)
            if length == nil, let end = text.firstIndex(of: "\r\n"), let count = Int(text[..<end].dropFirst()) {
                length = count + text[...end].utf8.count + 2
            }
        }
        for line in text.split(separator: "\r\n") where line.hasPrefix(name + ":") {
            if let number = Double(line.dropFirst(name.count + 1)) { return number }
        }
        throw BenchmarkError(description: "INFO of Redis does not have \(name)")
    }

    /// Sends the same request again and again, and checks that every response is as long as the first.
    func repeatGet(_ path: String, count: Int) throws {
        let request = Self.request(path)
        for _ in 0..<count {
            let (head, _) = try exchange(request)
            guard head.starts(with: Array("HTTP/1.1 200".utf8)) else {
                throw BenchmarkError(description: "\(path) is not answered by a 200")
            }
        }
    }

    static func request(_ path: String, language: String? = nil) -> [UInt8] {
        let fields = "Host: 127.0.0.1\r\nUser-Agent: larder-benchmarks\r\nAccept: */*\r\n"
        let more = language.map { "Accept-Language: \($0)\r\n" } ?? ""
        return Array("GET \(path) HTTP/1.1\r\n\(fields)\(more)\r\n".utf8)
    }

    /// Sends a whole request, which fits into the socket's buffer.
    func write(_ bytes: [UInt8]) throws {
        guard send(descriptor, bytes, bytes.count, noSignal) == bytes.count else {
            throw BenchmarkError(description: "Cannot send: \(errno)")
        }
    }

    /// Reads the available bytes. Returns their number.
    func read(into buffer: inout [UInt8]) throws -> Int {
        let received = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress!, $0.count, 0) }
        guard received > 0 else { throw BenchmarkError(description: "The server closed the connection") }
        return received
    }

    /// Sends a request, and reads one response that has a Content-Length. Returns its head, and the end of the head in
    /// the buffer.
    private func exchange(_ request: [UInt8]) throws -> (head: ArraySlice<UInt8>, end: Int) {
        try write(request)
        var filled = 0
        var end: Int?
        var headEnd = 0
        while true {
            let received = buffer.withUnsafeMutableBytes { bytes in
                recv(descriptor, bytes.baseAddress! + filled, bytes.count - filled, 0)
            }
            guard received > 0 else { throw BenchmarkError(description: "The server closed the connection") }
            filled += received
            if end == nil, let found = Self.headEnd(buffer[..<filled]) {
                headEnd = found
                end = found + (try Self.contentLength(buffer[..<found]))
            }
            if let end, filled >= end { return (buffer[..<headEnd], end) }
        }
    }

    private static func headEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for place in 3..<bytes.count
        where bytes[place] == 10 && bytes[place - 1] == 13 && bytes[place - 2] == 10 && bytes[place - 3] == 13 {
            return place + 1
        }
        return nil
    }

    private static func contentLength(_ head: ArraySlice<UInt8>) throws -> Int {
        for line in head.split(separator: 10) where line.count > 16 {
            let name = String(decoding: line.prefix(15), as: UTF8.self)
            guard name.lowercased() == "content-length:" else { continue }
            let digits = line.dropFirst(15).filter { (48...57).contains($0) }
            if let length = Int(String(decoding: digits, as: UTF8.self)) { return length }
        }
        throw BenchmarkError(description: "An answer without Content-Length")
    }
}
