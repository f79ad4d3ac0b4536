import HTTPTypes
import Larder
import LarderHummingbird
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Two gateways before the same origin, of which one answers hits on the event loop, and the other does not, get the
/// same bytes and must send the same bytes.
@Suite(.timeLimit(.minutes(60))) struct FastLaneTests {
    /// The number of streams; `make fuzz` sends more.
    private static let streams = ProcessInfo.processInfo.environment["LARDER_FUZZ"].flatMap { Int($0) } ?? 150

    @Test func `Responses that are sent at once are the same as all others`() async throws {
        let seed =
            ProcessInfo.processInfo.environment["LARDER_FUZZ_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("seed of FastLaneTests: \(seed)")
        try await compare(count: Self.streams) { place in
            var generator = SeededGenerator(seed: seed &+ UInt64(place))
            return StreamOfRequests(using: &generator)
        }
    }

    @Test func `Requests that arrive byte by byte are answered in the same way`() async throws {
        let head = "Host: localhost\r\nUser-Agent: a\r\n"
        let request = "GET /plain HTTP/1.1\r\n\(head)\r\n"
        let last = "HEAD /plain HTTP/1.1\r\n\(head)Connection: close\r\n\r\n"
        let whole = StreamOfRequests(pieces: [request + request + last])
        let bytes = StreamOfRequests(pieces: (request + request + last).map { String($0) })
        try await compare(count: 4) { $0 == 2 ? bytes : whole }
    }

    /// Sends streams to both gateways, and compares the responses.
    private func compare(count: Int, _ stream: (Int) -> StreamOfRequests) async throws {
        let streams = (0..<count).map(stream)
        try await comparingGateways { fast, slow, time in
            for (place, stream) in streams.enumerated() {
                let sent = try await stream.send(to: fast.port)
                let expected = try await stream.send(to: slow.port)
                #expect(sent == expected, "stream \(place): \(stream.pieces)")
                if sent != expected { return }
                await fast.gateway.cache.idle()
                await slow.gateway.cache.idle()
                time.advance(by: .milliseconds(stream.pause))
            }
            let hits = fast.gateway.active.withLockedValue { $0.hits.count }
            #expect(hits > 0 && slow.gateway.active.withLockedValue { $0.hits.count } == 0)
        }
    }
}

/// The fields of the access log that do not depend on the process or its speed.
private let comparedFields = GatewaySettings.AccessLogField.allCases.filter {
    ![.time, .requestID, .timeToFirstByte, .duration, .originTime].contains($0)
}

/// Runs two gateways before the same origin, of which one answers hits on the event loop. Afterwards compares their
/// statistics and the lines of their access logs.
func comparingGateways(
    configure: @Sendable (inout GatewaySettings) -> Void = { _ in },
    _ body: @Sendable (_ fast: RunningGateway, _ slow: RunningGateway, _ time: ManualClock) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory
    let names = (0..<2).map { _ in folder.appending(path: "lane-\(UInt64.random(in: 0 ... .max)).log").path() }
    defer { for name in names { try? FileManager.default.removeItem(atPath: name) } }
    let time = ManualClock()
    try await ScriptedOrigin.answering {
        StreamOfRequests.response(to: $0)
    } _: { origin in
        try await RunningGateway.run(before: origin.url, clock: time.clock) {
            configure(&$0)
            $0.accessLog = .file(names[0])
            $0.accessLogFields = comparedFields
        } _: { fast in
            try await RunningGateway.run(before: origin.url, clock: time.clock) {
                configure(&$0)
                $0.accessLog = .file(names[1])
                $0.accessLogFields = comparedFields
                $0.answersAtOnce = false
            } _: { slow in
                try await body(fast, slow, time)
                let (own, other) = (fast.gateway.cache.statistics.snapshot(), slow.gateway.cache.statistics.snapshot())
                #expect(own.hits == other.hits && own.misses == other.misses && own.hits > 0)
                #expect(own.topKeys.map(\.key) == other.topKeys.map(\.key))
                #expect(own.topKeys.map(\.count) == other.topKeys.map(\.count))
            }
        }
    }
    // The line of a response that a task sends may be written after that of the next one, and at a later time.
    let lines = try names.map { name in
        let log = try String(contentsOfFile: name, encoding: .utf8)
        return log.split(separator: "\n").map { $0.split(separator: "]", maxSplits: 1).last ?? "" }.sorted()
    }
    let differences = lines[0].difference(from: lines[1]).map { "\($0)".prefix(300) }
    #expect(differences.isEmpty, "the access logs differ: \(differences)")
}

/// The bytes of one connection.
struct StreamOfRequests: Sendable {
    /// The bytes, in the pieces in which they are sent.
    let pieces: [String]
    /// The time after the stream in milliseconds.
    var pause = 0

    init(pieces: [String]) { self.pieces = pieces }

    /// Generates up to 12 requests, of which the last ends the connection.
    init(using generator: inout SeededGenerator) {
        let count = Int.random(in: 1...12, using: &generator)
        var requests: [String] = []
        var early: Set<Substring> = []
        while requests.count < count {
            let request = Self.request(using: &generator, isLast: requests.count == count - 1)
            guard !early.contains(Self.target(of: request)) else { continue }
            requests.append(request)
            if Self.mayBeAnsweredEarly(request) { early.insert(Self.target(of: request)) }
        }
        let text = requests.joined()
        var pieces: [String] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            let isShort = Int.random(in: 0..<4, using: &generator) == 0
            let length = isShort ? Int.random(in: 1...40, using: &generator) : rest.count
            pieces.append(String(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        // The refusal of a head that cannot be read depends on the bytes that are there.
        let isReadable = !text.contains("get ") && !Self.faults.contains { text.contains($0) }
        self.pieces = pieces.count > 40 || !isReadable ? [text] : pieces
        self.pause = [0, 0, 0, 100, 1_000, 2_500, 61_000].randomElement(using: &generator) ?? 0
    }

    static let targets = [
        "/plain", "/plain", "/plain", "/large", "/vary", "/vary", "/encoded", "/private", "/missing", "/tagged",
        "/short",
        "/short", "/plain?b=2&a=1", "/none", "/moved", "/cookie", "/uncacheable", "/-/larder/health", "/%70lain",
        "/a/../plain", "//plain", "/plain#x", "*", "http://localhost/plain", "/chunked",
    ]

    static let fields = [
        "User-Agent: curl/8", "User-Agent: other", "Accept: */*", "Accept: text/html", "Accept-Language: de",
        "Accept-Language: en", "Accept-Encoding: gzip", "Accept-Encoding: br, gzip;q=0.5", "Accept-Encoding: identity",
        "Cookie: a=b", "Authorization: Bearer x", "X-API-Key: k", "If-None-Match: \"v1\"", "If-None-Match: \"v2\"",
        "If-None-Match: *", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "Range: bytes=0-3",
        "Range: bytes=-4", "Range: bytes=900-", "If-Range: \"v1\"", "Cache-Control: no-cache",
        "Cache-Control: max-age=1",
        "Cache-Control: only-if-cached", "Pragma: no-cache", "Connection: keep-alive", "Connection: X-Hop", "X-Hop: 1",
        "Referer: http://localhost/", "Sec-Fetch-Mode: cors", "Upgrade: websocket", "Expect: 100-continue",
        "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1", "Via: 1.1 x",
        "Max-Forwards: 0", "TE: trailers", "Content-Length: 0", "user-agent: lower", "X_Under: 1", "Origin: http://a",
        "Content-Type: text/plain", "Accept-Language: \u{F6}", "Accept-Language: o\u{308}",
        "X-Large: " + String(repeating: "x", count: 300),
        "User-Agent: " + String(repeating: "u", count: 5_000),
    ]

    private static func target(of request: String) -> Substring {
        let target = request.split(separator: " ")[1]
        return target.hasPrefix("http") ? target.dropFirst("http://localhost".count) : target
    }

    /// Returns true if a miss may be answered before its response is stored, because the client does not get all of it.
    /// The next request for the same target then finds what timing decides.
    private static func mayBeAnsweredEarly(_ request: String) -> Bool {
        request.hasPrefix("HEAD") || ["\r\nIf-", "\r\nRange:"].contains { request.contains($0) }
    }

    private static let faults = [" folded", "Name : x", "no colon", "Host: two"]

    private static func request(using generator: inout SeededGenerator, isLast: Bool = false) -> String {
        let methods = ["GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "HEAD", "POST", "OPTIONS", "PURGE", "get"]
        let method = isLast ? "GET" : methods.randomElement(using: &generator) ?? "GET"
        let target = targets.randomElement(using: &generator) ?? "/"
        let isOld = Int.random(in: 0..<24, using: &generator) == 0
        var lines = ["\(method) \(target) HTTP/1.\(isOld ? 0 : 1)"]
        let hosts = ["localhost", "localhost", "localhost", "LOCALHOST", "localhost:80", "other.example", ""]
        lines.append("Host: \(hosts.randomElement(using: &generator) ?? "")")
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            if let field = fields.randomElement(using: &generator) { lines.append(field) }
        }
        var content = ""
        if method == "POST" || Int.random(in: 0..<16, using: &generator) == 0 {
            content = "content"
            lines.append("Content-Length: 7")
        }
        if isLast { lines.append("Connection: close") }
        // Some heads are malformed: a fold, a space before the colon, no colon, a second host.
        if Int.random(in: 0..<60, using: &generator) == 0 {
            lines.append(faults.randomElement(using: &generator) ?? "")
        }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + content
    }

    /// Returns the origin's response to a request, which depends on nothing else.
    static func response(to request: ScriptedOrigin.Received) -> String {
        let path = request.target.prefix { $0 != "?" }
        let fresh = ["Cache-Control: max-age=60"]
        if request.method == "POST" { return answer("200 OK", [], "posted") }
        switch path {
        case "/large": return answer("200 OK", fresh, String(repeating: "large ", count: 10_000))
        case "/vary":
            return answer("200 OK", fresh + ["Vary: Accept-Language"], "in \(request["Accept-Language"] ?? "-")")
        case "/encoded":
            let isEncoded = request["Accept-Encoding"]?.contains("gzip") == true
            return answer(
                "200 OK",
                fresh + (isEncoded ? ["Content-Encoding: gzip"] : []) + ["Vary: Accept-Encoding"],
                "e"
            )
        case "/private": return answer("200 OK", ["Cache-Control: private, max-age=60"], "private")
        case "/missing": return answer("404 Not Found", fresh, "missing")
        case "/tagged": return answer("200 OK", fresh + ["ETag: \"v1\"", "Cache-Tag: a"], "tagged content")
        case "/short": return answer("200 OK", ["Cache-Control: max-age=2"], "short")
        case "/none": return "HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n"
        case "/moved": return answer("301 Moved Permanently", fresh + ["Location: /plain"], "")
        case "/cookie": return answer("200 OK", fresh + ["Set-Cookie: a=b"], "cookie")
        case "/uncacheable": return answer("200 OK", ["Cache-Control: no-store"], "uncacheable")
        case "/chunked":
            return
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        default: return answer("200 OK", fresh, "plain content of \(request.target)")
        }
    }

    /// Sends the bytes, and returns everything that the server sends until it ends the connection.
    func send(to port: Int) async throws -> String {
        try await Wire.open(to: port) { wire in
            for piece in pieces {
                // The server may end the connection before it has read everything.
                do { try await wire.send(bytes: Array(piece.utf8)) } catch { break }
            }
            var received = ByteBuffer()
            while let part = try? await wire.part() { received.writeImmutableBuffer(part) }
            // Errors of a gateway have the ID of the request, which differs.
            return String(buffer: received).replacing(/X-Request-Id: [^\r]*\r\n/, with: "")
        }
    }
}
