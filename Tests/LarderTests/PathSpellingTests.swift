import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// Invalidation of paths in every spelling, for servers behind the cache that read paths in different ways.
@Suite(.timeLimit(.minutes(5))) struct PathSpellingTests {
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
    ]) func `A target has the expected readings, the literal one first`(_ target: String, _ paths: [String]) {
        let readings = PathReadings(target: target).paths
        #expect(readings.first?.description == paths.first)
        #expect(Set(readings.map(\.description)) == Set(paths))
    }

    @Test(arguments: [
        "/api/\u{212A}ey", "/api/v1/a b", "/\u{301}api", "//\u{E9}/x",
        "/a/b/" + String(repeating: "%2F;", count: 1_000),
        "/a/b/c/..;\\..%2F%252e%252e;/x%3F", "/a/b/c/d/e/f/g/..;x\\%2E%252F;y%3Fz",
        "/;" + String(repeating: "a", count: 2_048), "/" + String(repeating: "a", count: 8_192),
    ]) func `A target that is too long or has too many readings has no key, and its scopes are its own paths`(
        _ target: String
    ) {
        #expect(KeyPolicy().key(of: .get(target), user: nil) == nil)
        let paths = PathReadings(target: target).paths
        #expect((1...240).contains(paths.count))
        for host in ["h", nil] {
            let request = HTTPRequest(method: .post, scheme: "http", authority: host, path: target)
            let policy = host == nil ? KeyPolicy() : CachePolicy.gateway.keys
            let scopes = policy.scopes(of: target, for: request)
            #expect(scopes.count == paths.count)
            #expect(scopes.allSatisfy { if case .path = $0 { true } else { false } })
        }
    }

    @Test func `Bytes that no target may have are read like encoded ones`() {
        #expect(PathReadings(target: "/caf\u{E9}/a b").paths == [CachePath("/caf%C3%A9/a%20b")])
        #expect(PathReadings(target: "/caf\u{E9}/../a").paths.contains("/a"))
        // Swift takes these characters for "K", ";" and "`".
        #expect(PathReadings(target: "/\u{212A}eys").paths == ["/%E2%84%AAeys", "/keys"])
        #expect(PathReadings(target: "/a/..\u{37E}x/\u{1FEF}").paths.contains("/`"))
    }

    @Test func `The longest targets are read in linear time, and into short readings alone`() {
        // The text has a meaning in every manner of reading, repeated up to 64 KiB.
        let odd = "/a/..;b\\.%2F%252e%3Fc//%2e%2e;%5C"
        let long = String(repeating: odd, count: (64 << 10) / odd.utf8.count)
        var paths: [CachePath] = []
        let time = ContinuousClock().measure { paths = PathReadings(target: "//h" + long + "/posts").paths }
        #expect(paths.count > 8 && paths.count <= 240)
        #expect(time < .seconds(20), "\(time)")
        let slashes = String(repeating: "/", count: 64 << 10)
        #expect(PathReadings(target: slashes + ";%3F%252e..\\").paths.contains("/"))
        let climbing = String(repeating: "/a/..", count: 10_000) + "/posts"
        #expect(PathReadings(target: climbing).paths.dropFirst() == ["/posts"])
        #expect(PathReadings(target: "/posts;" + String(repeating: "a", count: 60_000)).paths.contains("/posts"))
    }

    @Test func `A path made from segments is never another path`() {
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
            // A client's target with this ID belongs to the path.
            let target = "/products/" + id.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(PathReadings(target: target).paths.contains(path), "\(id)")
        }
    }

    @Test func `A path made from a text is the path of that text in a URL`() {
        #expect(CachePath("/api/posts?page=2") == "/api/posts")
        #expect(CachePath("/api/posts#x") == "/api/posts")
        #expect(CachePath("api/posts/") == "/api/posts")
        #expect(CachePath("/api/x/.././posts") == "/api/posts")
        #expect(CachePath("/../../x") == "/x")
        #expect(CachePath("https://example.org/api/posts") == "/api/posts")
        #expect(CachePath("") == "/" && CachePath("?") == "/" && CachePath("..") == "/")
    }

    @Test func `A path is bounded, and two long paths differ`() {
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

/// A server that reads paths in a known way: the segments that a request is for.
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

    /// Returns true if a write to one target invalidates a response for another.
    private func isInvalidated(_ stored: String, byWriteTo written: String, under policy: CachePolicy) -> Bool {
        func request(_ target: String) -> HTTPRequest {
            HTTPRequest(method: .get, scheme: "http", authority: "example.org", path: target)
        }
        // A target without a key is not stored.
        guard let result = policy.keys.key(of: request(stored), user: nil) else { return true }
        let location = EntryLocation(key: result.key, target: result.target ?? stored)
        let scopes = Set(location.scopes().map(\.fingerprint))
        return policy.keys.scopes(of: written, for: request(written)).contains { scopes.contains($0.fingerprint) }
    }

    @Test(arguments: PathServer.all, 1...2)
    fileprivate func `Two targets that a server takes for one resource invalidate each other`(
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
    func `A write invalidates its path in every spelling, and a write to a spelling invalidates the path`(
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
    func `A write to another path does not invalidate a response`(_ written: String) {
        for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
            #expect(!isInvalidated("/api/posts", byWriteTo: written, under: policy))
        }
    }

    @Test(arguments: [
        "/a/..;\\..%2F%252e%252e;/x%3F", "/;" + String(repeating: "a", count: 2_049), "/\u{E9}",
        "//x/..;/%5C%252F%3F", "/" + String(repeating: "%2F;", count: 10_000),
    ])
    func `A write with many readings invalidates these, and nothing else on its host`(_ written: String) {
        let others = ["/p", "/api/posts", "/b", "/q/a"]
        for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
            for stored in others { #expect(!isInvalidated(stored, byWriteTo: written, under: policy), "\(stored)") }
        }
    }

    /// A response is stored with some of the readings of its own target, and a write to that target names all of them.
    @Test(arguments: 1...2) func `A write names every reading that a response for its target is stored with`(
        _ seed: Int
    ) {
        var random = SeededRandom(seed: UInt64(seed))
        var stored = 0
        for _ in 0..<500 {
            let target = target(using: &random)
            for policy in [CachePolicy.gateway, .fresh(for: .seconds(60))] {
                let request = HTTPRequest(method: .get, scheme: "http", authority: "example.org", path: target)
                guard let result = policy.keys.key(of: request, user: nil) else { continue }
                stored += 1
                let location = EntryLocation(key: result.key, target: result.target ?? target)
                let written = Set(policy.keys.scopes(of: target, for: request))
                let paths = location.scopes().filter { scope in
                    guard case .path(let path) = scope else { return false }
                    return path.hasHost == (policy.keys.spelling == .verbatim)
                }
                #expect(!paths.isEmpty && written.isSuperset(of: paths), "\(target)")
                #expect(paths.count <= PathReadings.maximumCount)
            }
        }
        #expect(stored > 300)
    }
}
