import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Tests of requests that a client library would not send.
@Suite(.timeLimit(.minutes(5))) struct RawBytesTests {
    /// A target, the status of its response, and the key that it is counted under; the key is nil if it is not counted.
    struct Spelling: CustomTestStringConvertible {
        let target: String
        var status = 200
        let key: String?
        var testDescription: String { String(target.prefix(60)) }
    }

    static let spellings: [Spelling] = [
        Spelling(target: "//api//posts//", key: "GET:/api/posts/"),
        Spelling(target: "///////api/posts", key: "GET:/api/posts/"),
        Spelling(target: "/api/users//1//", key: "GET:/api/users/1"),
        Spelling(target: "/api/users/1%2F", status: 400, key: "GET:/api/users/1%2F"),
        Spelling(target: "/api/users/%2f1", status: 400, key: "GET:/api/users/%2f1"),
        Spelling(target: "/api%2Fposts/", status: 404, key: nil),
        Spelling(target: "/api/users/%31", status: 400, key: "GET:/api/users/%31"),
        Spelling(target: "/api/users/%", status: 400, key: "GET:/api/users/%"),
        Spelling(target: "/api/users/%zz", status: 400, key: "GET:/api/users/%zz"),
        Spelling(target: "/api/users/%00", status: 400, key: "GET:/api/users/%00"),
        Spelling(target: "/api/users/..%2F..%2Fposts", status: 400, key: "GET:/api/users/..%2F..%2Fposts"),
        Spelling(target: "/api/users/../posts/", status: 404, key: nil),
        Spelling(target: "/api/posts/?", key: "GET:/api/posts/"),
        Spelling(target: "/api/posts/?&&", key: "GET:/api/posts/"),
        Spelling(target: "/api/posts/?nocache=&nocache=", key: "GET:/api/posts/"),
        Spelling(target: "/api/posts/?nocache", key: "GET:/api/posts/"),
        Spelling(target: "/api/posts/?nocache=no&b=2&nocache=1&a=1", key: "GET:/api/posts/?a=1&b=2"),
        Spelling(target: "/api/posts/?a=%3Fnocache=true", key: "GET:/api/posts/?a=%3Fnocache=true"),
        Spelling(target: "/api/posts/?nocache=%74rue", key: "GET:/api/posts/"),
        Spelling(target: "/api/posts/?nocache=false&nocache=true", key: nil),
        Spelling(target: "/api/posts/?nocache=true&nocache=true&nocache", key: nil),
        Spelling(target: "/api/posts/#user=2", status: 404, key: nil),
        Spelling(target: "/api/posts/?a#user=2", key: nil),
        Spelling(target: "/api/posts/?a=\u{e9}", status: 400, key: nil),
    ]

    @Test(arguments: spellings) func `Every spelling is counted under the documented key or bypasses the cache`(
        _ spelling: Spelling
    ) async throws {
        try await withPort { port in
            let answer = try await Wire.send("GET", spelling.target, to: port)
            #expect(answer.status == spelling.status)
            if spelling.status == 200 {
                #expect(answer.text.hasPrefix(#"{"posts":["#) || answer.text.hasPrefix(#"{"u"#))
            }
            let metrics = try await Wire.metrics(of: port)
            #expect(metrics.topKeys.map(\.key) == (spelling.key.map { [$0] } ?? []))
            #expect(metrics.totalCachedKeys == (spelling.status == 200 && spelling.key != nil ? 1 : 0))
            try await expectRightAnswers(from: port)
        }
    }

    @Test(arguments: [600, 8_000]) func `A long target is stored under a key with a hash`(
        _ length: Int
    ) async throws {
        try await withPort { port in
            let targets = ["a", "b"].map { "/api/posts/?" + String(repeating: "x", count: length) + $0 }
            for target in targets + targets { _ = try await Wire.send("GET", target, to: port) }
            let metrics = try await Wire.metrics(of: port)
            #expect(metrics.topKeys.map(\.key.utf8.count) == [512, 512] && metrics.hits == 2)
            let keys = metrics.topKeys.map(\.key)
            #expect(keys.allSatisfy { $0.hasPrefix("GET:/api/posts/?xxx") && $0.contains("x#sha256=") })
            try await expectRightAnswers(from: port)
        }
    }

    @Test(arguments: [8_193, 40_000]) func `A target of more than 8 KiB is answered and not stored`(
        _ length: Int
    ) async throws {
        try await withPort { port in
            let target = "/api/posts/?" + String(repeating: "x", count: length - 12)
            for _ in 0..<2 {
                let answer = try await Wire.send("GET", target, to: port)
                #expect(answer.status == 200 && answer.text == SpecificationTests.posts)
                #expect(answer.cacheStatusText.contains("detail=target"))
            }
            #expect(try await Wire.metrics(of: port).totalCachedKeys == 0)
        }
    }

    @Test func `A target beyond the limit for a head is refused, and the server goes on running`() async throws {
        try await withPort { port in
            let target = "/api/posts/?" + String(repeating: "x", count: 2 << 20)
            // The server may have closed the connection before everything was written.
            let answer = try? await Wire.send("GET", target, to: port)
            #expect(answer.map { (400..<500).contains($0.status) } ?? true)
            try await expectRightAnswers(from: port)
        }
    }

    @Test(arguments: [
        "Accept-Language", "Cookie", "Authorization", "Cache-Control", "Pragma", "If-None-Match", "If-Modified-Since",
        "If-Match", "Range", "Forwarded", "X-Any",
    ]) func `A field with bytes that are not UTF-8 does not change the response`(_ name: String) async throws {
        try await withPort { port in
            for value in [[0xFF, 0xFE], [0xC3], [0xED, 0xA0, 0x80], Array("\"\u{e9}\", =,;\"".utf8), []] as [[UInt8]] {
                let answer = try await send("/api/posts/", "\(name): ", value, to: port)
                #expect(answer.status == 200 && answer.text == SpecificationTests.posts)
            }
            try await expectRightAnswers(from: port)
        }
    }

    @Test func `A target with bytes that are not UTF-8 does not become a key`() async throws {
        try await withPort { port in
            for value in [[0xFF], [0xC3, 0x28], [0xC0, 0xAF], [0xED, 0xA0, 0x80]] as [[UInt8]] {
                for path in ["/api/posts/?x=", "/api/users/1"] {
                    let bytes = Array("GET \(path)".utf8) + value + Array(" HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                    let answer = try await Wire.open(to: port) { wire in
                        try await wire.send(bytes: bytes)
                        return try await wire.answer()
                    }
                    #expect(path.contains("?") ? [200, 400].contains(answer.status) : answer.status == 400)
                    #expect(!answer.isHit)
                }
            }
            let metrics = try await Wire.metrics(of: port)
            #expect(metrics.topKeys.isEmpty && metrics.totalCachedKeys == 0)
            try await expectRightAnswers(from: port)
        }
    }

    @Test(arguments: [
        "GET /api/posts/\u{0}HTTP/1.1\r\n\r\n", "GET /api/posts/\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n", "BREW /api/posts/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /api/posts/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /api/posts/ HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n",
        "PUT /api/users/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ]) func `A malformed request is refused without effect`(_ text: String) async throws {
        try await withPort { port in
            _ = try await Wire.send("GET", "/api/posts/", to: port)
            let answer = try? await Wire.open(to: port) { wire in
                try await wire.send(bytes: Array(text.utf8))
                return try await wire.answer()
            }
            #expect(answer.map { (400..<500).contains($0.status) } ?? true)
            let stored = try await Wire.send("GET", "/api/posts/", to: port)
            #expect(stored.isHit)
            try await expectRightAnswers(from: port)
        }
    }

    private func expectRightAnswers(from port: Int) async throws {
        for _ in 0..<2 {
            let posts = try await Wire.send("GET", "/api/posts/", to: port)
            #expect(posts.text == SpecificationTests.posts)
            let user = try await Wire.send("GET", "/api/users/1", to: port)
            #expect(user.text == SpecificationTests.user)
        }
    }

    private func send(_ path: String, _ name: String, _ value: [UInt8], to port: Int) async throws -> Wire.Answer {
        try await Wire.open(to: port) { wire in
            let start = "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(name)"
            try await wire.send(bytes: Array(start.utf8) + value + Array("\r\n\r\n".utf8))
            return try await wire.answer()
        }
    }
}
