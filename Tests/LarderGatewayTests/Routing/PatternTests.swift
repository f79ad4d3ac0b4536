import HTTPCaching
import LarderTestSupport
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct PatternTests {
    static func matches(_ pattern: String, _ path: String) throws -> Bool {
        let bytes = RoutePath.bytes(of: path)
        return try bytes.withUnsafeBufferPointer { try PathPattern(pattern).matches($0, ignoringCase: false) }
    }

    @Test(arguments: [
        ("/api/posts", "/api/posts", true), ("/api/posts", "/api/posts/", true), ("/api/posts/", "/api/posts", true),
        ("/api/posts", "//api///posts//", true), ("/api/posts", "/api/posts?x=/y", true),
        ("/api/posts", "/api/%70osts", true), ("/api/%70osts", "/api/posts", true), ("/a%2fb", "/a%2Fb", true),
        ("/a/b", "/a%2Fb", false), ("/café", "/caf%C3%A9", true), ("/caf%c3%a9", "/caf%C3%A9", true),
        ("/api/posts", "/api/postsx", false), ("/api/posts", "/api/post", false), ("/api/posts", "/api/posts/1", false),
        ("/api/posts", "/API/posts", false), ("/api/*", "/api/1", true), ("/api/*", "/api/1/", true),
        ("/api/*", "/api", false), ("/api/*", "/api/1/2", false), ("/api/*/comments", "/api/1/comments", true),
        ("/api/*/comments", "/api/comments", false), ("/*/*", "/a/b", true), ("/api/**", "/api", true),
        ("/api/**", "/api/", true), ("/api/**", "/api/1/2/3", true), ("/api/**", "/apix", false), ("/**", "/", true),
        ("/**", "/a", true), ("/", "/", true), ("/", "/a", false), ("/a/%2A", "/a/*", true), ("/a/%2A", "/a/b", false),
        ("/a b", "/a%20b", true), ("/a", "/a%", false), ("/a;b", "/a;b", true), ("/a!", "/a%21", true),
    ]) func `A pattern matches whole segments of paths`(_ pattern: String, _ path: String, _ isTaken: Bool) throws {
        #expect(try Self.matches(pattern, path) == isTaken)
    }

    @Test(arguments: [
        ("api", "does not begin with `/`"), ("", "does not begin with `/`"), ("/a?b", "has a `?` or `#`"),
        ("/a#b", "has a `?` or `#`"), ("/**/a", "has `**` before its end"), ("/a*", "has a `*` next to other text"),
        ("/***", "has a `*` next to other text"), ("/a//b", "has an empty segment"), ("/a/../b", "has a dot segment"),
        ("/%2e%2E", "has a dot segment"), ("/a/.", "has a dot segment"), ("/a%2F..%2fb", "has a dot segment"),
        ("/a\\..", "has a dot segment"), ("/..;x", "has a dot segment"), ("/%zz", "has a `%` without two"),
        ("/%4", "has a `%` without two"), ("/%", "has a `%` without two"), ("/a%00", "has a control character"),
        ("/a\u{7F}", "has a control character"), ("/" + String(repeating: "a", count: 1_024), "is longer than 1024"),
    ]) func `An invalid pattern is rejected with the reason`(_ text: String, _ reason: String) {
        do {
            _ = try PathPattern(text)
            Issue.record("It was taken")
        } catch {
            #expect(error.description.hasPrefix(reason))
        }
    }

    @Test(arguments: [
        ("example.org", "example.org", true), ("example.org", "EXAMPLE.org:8080", true),
        ("example.org", "example.org.", true), ("Example.org", "example.org", true),
        ("example.org", "a.example.org", false), ("*.example.org", "a.example.org", true),
        ("*.example.org", "A.B.example.org:1", true), ("*.example.org", "example.org", false),
        ("*.example.org", ".example.org", false), ("*.example.org", "aexample.org", false),
        ("[::1]", "[::1]:80", true), ("[::1]", "::1", false), ("example.org", "", false),
    ]) func `A host is matched regardless of case and port`(_ pattern: String, _ host: String, _ isTaken: Bool) throws {
        let pattern = try #require(HostPattern(pattern))
        #expect(pattern.matches(HostPattern.host(in: host)) == isTaken)
    }

    @Test(arguments: [
        "", "*", "*.", "a:80", "a/b", "*.a:1", "a.*", "*a.org", "a b", ".a", "a.", "*.[::1]", "[::1", "é.fr",
    ])
    func `An invalid host pattern is rejected`(_ text: String) {
        #expect(HostPattern(text) == nil)
    }

    @Test func `Patterns match the same paths as a simple model`() throws {
        var random = SeededRandom(seed: 20_271)
        for _ in 0..<20_000 {
            let pattern = Naive.pattern(&random)
            let path = Naive.path(&random)
            let compiled = try PathPattern(pattern)
            for ignoresCase in [false, true] {
                let bytes = RoutePath.bytes(of: path).map { ignoresCase ? ASCII.lowercased($0) : $0 }
                let isTaken = bytes.withUnsafeBufferPointer { compiled.matches($0, ignoringCase: ignoresCase) }
                let expected = Naive.matches(
                    Naive.segments(pattern, ignoresCase, isPattern: true),
                    Naive.segments(path, ignoresCase)
                )
                #expect(isTaken == expected, "\(pattern) \(path) \(ignoresCase)")
            }
        }
    }

    @Test func `A pattern covers another if it matches all of its paths`() throws {
        var random = SeededRandom(seed: 31)
        var count = 0
        for _ in 0..<3_000 {
            let (one, other) = (Naive.pattern(&random), Naive.pattern(&random))
            let (left, right) = (try PathPattern(one), try PathPattern(other))
            let samples = (0..<40).map { _ in Naive.path(&random) } + Naive.members(of: other)
            let misses = samples.contains { path in
                let bytes = RoutePath.bytes(of: path)
                return bytes.withUnsafeBufferPointer {
                    right.matches($0, ignoringCase: false) && !left.matches($0, ignoringCase: false)
                }
            }
            // The members of a pattern distinguish it from every other pattern.
            #expect(left.covers(right) == !misses, "\(one) \(other)")
            count += misses ? 0 : 1
        }
        #expect(count > 100)
    }
}

/// A simple model of patterns and paths as lists of texts.
private enum Naive {
    static let literals = ["a", "b", "ab", "%61", "A", "a%2Fb", "a%2fb", "c;d", "x\\y", "%2A", "é"]

    static func pattern(_ random: inout SeededRandom) -> String {
        var segments = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            Int.random(in: 0..<3, using: &random) == 0 ? "*" : literals.randomElement(using: &random) ?? "a"
        }
        if Int.random(in: 0..<3, using: &random) == 0 { segments.append("**") }
        return "/" + segments.joined(separator: "/")
    }

    static func path(_ random: inout SeededRandom) -> String {
        let more =
            literals + ["", ".", "..", "%2e%2e", "..;x", ";", "%C3%A9", "*", "%2a", "%", "%4", "a%3Fb", "b%00", "%5c"]
        let segments = (0..<Int.random(in: 0...4, using: &random)).map { _ in more.randomElement(using: &random) ?? "" }
        return "/" + segments.joined(separator: "/") + (Bool.random(using: &random) ? "" : "?a/b")
    }

    /// Returns paths that a pattern matches. Wildcards are replaced with texts that are not literals of any pattern.
    static func members(of pattern: String) -> [String] {
        let parts = pattern.split(separator: "/").map(String.init)
        let fixed = parts.filter { $0 != "**" }.map { $0 == "*" ? "zzz" : $0 }
        let path = "/" + fixed.joined(separator: "/")
        return parts.last == "**" ? [path, path + "/yyy", path + "/yyy/xxx/www/vvv/uuu"] : [path]
    }

    static func decoded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }

    static func segments(_ text: String, _ ignoresCase: Bool, isPattern: Bool = false) -> [[UInt8]] {
        text.prefix { $0 != "?" }.split(separator: "/").map(String.init).map { segment in
            if isPattern, ["*", "**"].contains(segment) { return Array(segment.utf8) + [0] }
            let bytes = decoded(segment).flatMap { $0 == UInt8(ascii: "/") ? Array("%2F".utf8) : [$0] }
            return bytes.map { ignoresCase && (65...90).contains($0) ? $0 + 32 : $0 }
        }
    }

    static func matches(_ pattern: [[UInt8]], _ path: [[UInt8]]) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == Array("**".utf8) + [0] { return true }
        guard let segment = path.first else { return false }
        guard first == Array("*".utf8) + [0] || first == segment else { return false }
        return matches(Array(pattern.dropFirst()), Array(path.dropFirst()))
    }
}
