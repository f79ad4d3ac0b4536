import HTTPTypes
import LarderTesting
import Testing

@testable import Larder

/// No spelling of a path escapes an invalidation, however the server behind the cache reads paths.
@Suite(.timeLimit(.minutes(5))) struct SpellingTests {
    @Test(arguments: [
        ("/api/posts", ["/api/posts"]), ("/API/Posts/", ["/api/posts"]), ("/api/p%6Fsts?x=/../", ["/api/posts"]),
        ("/.well-known/x..y/...", ["/.well-known/x..y/..."]), ("/caf%C3%A9", ["/caf%C3%A9"]), ("/", ["/"]), ("", ["/"]),
        ("/api/./posts", ["/api/%2E/posts", "/api/posts"]), ("/api/%2e/posts", ["/api/%2E/posts", "/api/posts"]),
        ("/api/x/../posts", ["/api/x/%2E%2E/posts", "/api/posts"]),
        ("/api/x/%2E%2e/posts", ["/api/x/%2E%2E/posts", "/api/posts"]), ("/../..", ["/%2E%2E/%2E%2E", "/"]),
        ("/api/x%2F..%2Fposts", ["/api/x%2F..%2Fposts", "/api/x/%2E%2E/posts", "/api/posts"]),
        ("/a//../b", ["/a/%2E%2E/b", "/a/b", "/b"]), ("/a%2Fb", ["/a%2Fb", "/a/b"]), ("/a\\b", ["/a\\b", "/a/b"]),
        ("/api/posts;v=1", ["/api/posts;v=1", "/api/posts"]), ("/api/posts%3Bv", ["/api/posts;v", "/api/posts"]),
        ("/api/posts%3Fx", ["/api/posts%3Fx", "/api/posts"]), ("/api/posts%00.x", ["/api/posts%00.x", "/api/posts"]),
        ("/p%256Fsts", ["/p%256fsts", "/posts"]), ("//host/api", ["/host/api", "/api"]),
        ("//api///posts", ["/api/posts", "/posts"]), ("http://h/api/posts?x", ["/api/posts"]),
        ("http://h", ["/"]), ("foo?x=://h/api/posts", ["/foo", "/api/posts"]),
        ("/api/posts#x", ["/api/posts%23x", "/api/posts"]),
    ]) func `a target has these readings, the literal one first`(_ target: String, _ paths: [String]) {
        guard case .paths(let readings) = PathReadings(target: target) else {
            Issue.record("too many readings")
            return
        }
        #expect(readings.first?.description == paths.first)
        #expect(Set(readings.map(\.description)) == Set(paths))
    }

    @Test(arguments: [
        ("/api/\u{212A}ey", "/api"), ("/api/v1/a b", "/api/v1"), ("/\u{301}api", "/"), ("//\u{E9}/x", "/"),
        ("/a/b/" + String(repeating: "%2F;", count: 1_000), "/a/b"), ("/a/b/c/..;\\..%2F%252e%252e;/x%3F", "/"),
        ("/a/b/c/d/e/f/g/..;x\\%2E%252F;y%3Fz", "/a/b/c/d/e/f"),
    ]) func `a target with too many readings counts as what they have in common`(_ target: String, _ path: String) {
        #expect(PathReadings(target: target) == .below(CachePath(path)))
        #expect(KeyRule().key(of: .get(target), user: nil) == nil)
    }

    @Test func `a path given by segments is never another path`() {
        #expect(CachePath("products", "a/b").description == "/products/a%2Fb")
        #expect(CachePath("products", "..").description == "/products/%2E%2E")
        #expect(CachePath("products", ".", "x").description == "/products/%2E/x")
        #expect(CachePath("products", "a?b#c").description == "/products/a%3Fb%23c")
        #expect(CachePath("products", "100%").description == "/products/100%25")
        #expect(CachePath("products", "%2e%2e").description == "/products/%252e%252e")
        #expect(CachePath("products", 42) == "/products/42")
        #expect(CachePath(segments: ["api", "new arrivals"]) == "/api/new%20arrivals")
        for id in ["a/b", "..", ".", "a?b", "a#b", "%", "%2F", "a;b", "a\\b", "caf\u{E9}", "\u{0}"] {
            let path = CachePath("products", id)
            #expect(CachePath(path.description) == path, "\(id)")
            #expect(path.prefixes.contains("/products") && path != "/products", "\(id)")
            // What a client sends for this id belongs to the path.
            let target = "/products/" + id.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            guard case .paths(let paths) = PathReadings(target: target) else {
                Issue.record("too many readings of \(id)")
                continue
            }
            #expect(paths.contains(path), "\(id)")
        }
    }

    @Test func `a path as text is a path as it stands in a URL`() {
        #expect(CachePath("/api/posts?page=2") == "/api/posts")
        #expect(CachePath("/api/posts#x") == "/api/posts")
        #expect(CachePath("api/posts/") == "/api/posts")
        #expect(CachePath("/api/x/.././posts") == "/api/posts")
        #expect(CachePath("/../../x") == "/x")
        #expect(CachePath("https://example.org/api/posts") == "/api/posts")
        #expect(CachePath("") == "/" && CachePath("?") == "/" && CachePath("..") == "/")
    }

    @Test func `a path is bounded, and two long ones stay apart`() {
        let long = String(repeating: "a", count: 10_000)
        let paths = [long + "1", long + "2", "x/" + long].map { CachePath("/" + $0) }
        #expect(Set(paths).count == 3 && paths.allSatisfy { $0.description.utf8.count < 600 })
        #expect(paths[2].prefixes.contains("/x"))
        let deep = (0..<2).map { CachePath(String(repeating: "/s", count: 5_000) + "/\($0)") }
        #expect(deep[0] != deep[1] && deep.allSatisfy { $0.description.utf8.count < 600 })
        #expect(deep[0].prefixes == deep[1].prefixes)
        #expect(CachePath(String(repeating: "/s", count: 5_000) + "/0") == deep[0])
    }
}

/// Servers as they are known to read paths: which segments a request is for.
private struct PathServer: CustomTestStringConvertible {
    let testDescription: String
    let read: @Sendable (String) -> [String]

    static let all: [PathServer] = [
        PathServer(testDescription: "Hummingbird: splits") { segments($0) },
        PathServer(testDescription: "RFC 3986: resolves dots, also encoded") { path in
            resolve(split(path.replacing("%2e", with: ".").replacing("%2E", with: "."))).map(decode)
        },
        PathServer(testDescription: "nginx: decodes, merges, resolves") { resolve(segments(decode($0))) },
        PathServer(testDescription: "a file server: decodes, resolves") { resolve(split(decode($0))) },
        PathServer(testDescription: "Tomcat: drops parameters, decodes, merges, resolves") { path in
            let bare = split(path).map { String($0.prefix { $0 != ";" }) }.joined(separator: "/")
            return resolve(segments(decode(bare)))
        },
        PathServer(testDescription: "Spring: decodes, drops parameters, resolves") { path in
            resolve(segments(decode(path)).map { String($0.prefix { $0 != ";" }) })
        },
        PathServer(testDescription: "IIS: decodes, takes backslashes, merges, resolves") { path in
            resolve(segments(decode(path).replacing("\\", with: "/")))
        },
        PathServer(testDescription: "WHATWG: takes backslashes, a host, resolves") { path in
            let slashed = path.replacing("\\", with: "/").replacing("%2e", with: ".")
            let rest = slashed.hasPrefix("//") ? String(slashed.drop { $0 == "/" }.drop { $0 != "/" }) : slashed
            return resolve(split(rest))
        },
        PathServer(testDescription: "two proxies: decode twice, end at ?, resolve") { path in
            resolve(split(String(decode(decode(path)).prefix { $0 != "?" })))
        },
        PathServer(testDescription: "C: decodes, ends at NUL, resolves") { path in
            resolve(segments(String(decode(path).prefix { $0 != "\u{0}" })))
        },
        PathServer(testDescription: "two proxies: decodes, resolves, decodes segments, ignores case") { path in
            resolve(segments(decode(path))).map { decode($0).lowercased() }
        },
    ]

    private static func decode(_ text: String) -> String { PercentEncoding.decoded(text) }
    private static func segments(_ path: String) -> [String] { split(path).filter { !$0.isEmpty } }

    private static func split(_ path: String) -> [String] {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.first == "" { parts.removeFirst() }
        return parts
    }

    private static func resolve(_ segments: [String]) -> [String] {
        var output: [String] = []
        for segment in segments {
            if segment == ".." { _ = output.popLast() } else if segment != "." { output.append(segment) }
        }
        return output.filter { !$0.isEmpty }
    }
}

@Suite(.timeLimit(.minutes(5))) struct PathServerTests {
    private static let pieces = [
        "/", "/", "/", "a", "b", "..", ".", ";", "%2e", "%2F", "\\", "%5c", "%3B", "%252e", "%252F", "%3F", "%00", "A",
        "%61", "x",
    ]

    private func target(using random: inout SeededRandom) -> String {
        let count = Int.random(in: 1...7, using: &random)
        return "/" + (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "/" }.joined()
    }

    /// What a write to one target invalidates of a response for another.
    private func isInvalidated(_ stored: String, byWriteTo written: String, under policy: CachePolicy) -> Bool {
        func request(_ target: String) -> HTTPRequest {
            HTTPRequest(method: .get, scheme: "http", authority: "example.org", path: target)
        }
        // What has no key is not stored.
        guard let result = policy.keys.key(of: request(stored), user: nil) else { return true }
        let address = CacheAddress(key: result.key, target: result.target ?? stored)
        let covers = Set(address.covers().map(\.fingerprint))
        return policy.keys.covers(of: written, for: request(written)).contains { covers.contains($0.fingerprint) }
    }

    @Test(arguments: PathServer.all, 1...2)
    fileprivate func `two targets that a server takes for one resource invalidate each other`(
        _ server: PathServer,
        _ seed: Int
    ) {
        var random = SeededRandom(seed: UInt64(seed))
        var byResource: [[String]: [String]] = [:]
        for _ in 0..<3_000 {
            let target = target(using: &random)
            byResource[server.read(target), default: []].append(target)
        }
        var compared = 0
        for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
            for (resource, targets) in byResource where targets.count > 1 {
                for (one, other) in zip(targets, targets.dropFirst()).prefix(40) {
                    compared += 1
                    #expect(
                        isInvalidated(one, byWriteTo: other, under: policy)
                            && isInvalidated(other, byWriteTo: one, under: policy),
                        "\(one) and \(other), both \(resource)"
                    )
                }
            }
        }
        #expect(compared > 500)
    }

    static let spellings = [
        "/api/./posts", "/api/../api/posts", "/api/x/../posts", "/api/%2e/posts", "/api/x/%2E%2e/posts", "/api//posts",
        "//api/posts", "/api/posts/", "/API/Posts", "/api%2Fposts", "/api%2fposts", "/api\\posts", "/api%5Cposts",
        "/api/posts;v=1",
        "/api;x/posts", "/api/p%6Fsts", "/api/%2570osts", "/api/posts?x=1", "/./api/posts", "/../api/posts",
        "/api/posts/.",
        "/api/posts/x/..", "//host/api/posts", "/api/posts%3Fx", "/api/posts%00", "/api/..;/api/posts", "/api//./posts",
        "/x%2F..%2Fapi/posts", "/api/posts#x", "/%61pi/posts",
    ]

    @Test(arguments: spellings, [true, false])
    func `a write to another spelling of a path invalidates it, and a write to the path what has another spelling`(
        _ spelling: String,
        _ isGateway: Bool
    ) async throws {
        let policy = isGateway ? CachePolicy.gateway : .fresh(for: .seconds(60))
        for (stored, written) in [("/api/posts", spelling), (spelling, "/api/posts")] {
            let bench = Bench()
            let row = Versions()
            let origin = TestOrigin { _ in TestResponse("\(row.committed)", [.cacheControl: "max-age=60"]) }
            func send(_ method: HTTPRequest.Method, _ path: String) async throws -> TestResponse {
                let request = HTTPRequest(method: method, scheme: "http", authority: "example.org", path: path)
                return try await bench.cache.respond(to: request, under: policy, from: origin)
            }
            let first = try await send(.get, stored).text
            _ = row.commit()
            _ = try await send(.post, written)
            #expect(try await send(.get, stored).text != first, "\(stored), after a write to \(written)")
        }
    }

    @Test(arguments: ["/api/postsx", "/api", "/api/posts/x", "/apx/posts", "/"])
    func `a write to another path leaves a response`(_ written: String) {
        for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
            #expect(!isInvalidated("/api/posts", byWriteTo: written, under: policy))
        }
    }

    @Test func `a write with too many readings invalidates its own host and no other`() {
        let rule = CachePolicy.gateway.keys
        let odd = "/a/..;\\..%2F%252e%252e;/x%3F"
        let write = HTTPRequest(method: .post, scheme: "http", authority: "a.example", path: odd)
        let covers = Set(rule.covers(of: odd, for: write).map(\.fingerprint))
        for (host, isInvalidated) in [("a.example", true), ("b.example", false)] {
            let request = HTTPRequest(method: .get, scheme: "https", authority: host, path: "/p")
            let result = rule.key(of: request, user: nil)
            let address = CacheAddress(key: result?.key ?? CacheKey(legal: "-"), target: result?.target ?? "")
            #expect(address.covers().contains { covers.contains($0.fingerprint) } == isInvalidated)
        }
    }
}
