import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

@Suite(.timeLimit(.minutes(5))) struct KeyTests {
    struct Case: CustomTestStringConvertible {
        let target: String
        let key: String?
        var rule = KeyPolicy(trailingSlash: .dropped, bypassParameter: "nocache")
        var user: String?
        var testDescription: String { "\(target) \(user ?? "")" }
    }

    static let slashed = KeyPolicy(trailingSlash: .added, bypassParameter: "nocache")

    @Test(arguments: [
        Case(target: "/api/users/1", key: "GET:/api/users/1"),
        Case(target: "/api/users/1/", key: "GET:/api/users/1"),
        Case(target: "//api///users/1", key: "GET:/api/users/1"),
        Case(target: "/", key: "GET:/"),
        Case(target: "/api/posts", key: "GET:/api/posts/", rule: slashed),
        Case(target: "//api///posts/", key: "GET:/api/posts/", rule: slashed),
        Case(target: "/api/posts/?b=2&a=1", key: "GET:/api/posts/?a=1&b=2", rule: slashed),
        Case(target: "/p?a=2&a=1", key: "GET:/p?a=2&a=1"),
        Case(target: "/p?", key: "GET:/p"),
        Case(target: "/p?nocache=false", key: "GET:/p"),
        Case(target: "/p?nocacheable=1", key: "GET:/p?nocacheable=1"),
        Case(target: "/p/%7euser", key: "GET:/p/%7euser"),
        Case(target: "/p/%31", key: "GET:/p/%31"),
        Case(target: "/p/%%31", key: "GET:/p/%%31"),
        Case(target: "/p/%2f", key: "GET:/p/%2f"),
        Case(target: "/p#user=2", key: nil),
        Case(target: "/p?a#user=2", key: nil),
        Case(target: "/p\u{E9}", key: nil),
        Case(target: "http://host/p", key: nil),
        Case(target: "*", key: nil),
        Case(target: "/me", key: "GET:/me#user=42", user: "42"),
        Case(target: "/me", key: "GET:/me#user=a%26user%3Db", user: "a&user=b"),
        Case(target: "/me", key: "GET:/me#user=%2523", user: "%23"),
        Case(target: "/me", key: "GET:/me#user=", user: ""),
    ]) func `A target has the expected key`(_ example: Case) {
        #expect(example.rule.key(of: .get(example.target), user: example.user)?.key.description == example.key)
    }

    @Test(arguments: [
        ("/p?nocache=true", true), ("/p?nocache=false", false), ("/p?nocache=TRUE", false), ("/p?nocache", false),
        ("/p?nocache=true1", false), ("/p?a=1&nocache=true", true), ("/p?xnocache=true", false), ("/p", false),
    ]) func `Only the value true of the parameter causes a bypass`(_ target: String, _ asks: Bool) {
        #expect(KeyPolicy(bypassParameter: "nocache").key(of: .get(target), user: nil)?.asksForBypass == asks)
    }

    @Test func `A key over the limit keeps its beginning and differs by its end`() throws {
        let head = "/" + String(repeating: "a", count: 600)
        let keys = ["1", "2"].compactMap { KeyPolicy().key(of: .get(head + $0), user: nil)?.key }
        #expect(keys.count == 2 && keys[0] != keys[1])
        #expect(keys.allSatisfy { $0.description.utf8.count == CacheKey.maximumLength })
        #expect(keys.allSatisfy { $0.description.hasPrefix("GET:/aaa") })
        #expect(CacheKey(keys[0].description) == keys[0])
    }

    @Test(arguments: [
        ("/api/posts", "/api/posts"), ("//API///Posts/", "/api/posts"), ("/api/p%6Fsts", "/api/posts"), ("/", "/"),
        ("", "/"), ("/a%2Fb", "/a%2Fb"), ("/a%zz", "/a%25zz"), ("/a%00", "/a%00"), ("/caf\u{E9}", "/caf%C3%A9"),
    ]) func `A path is compared in one spelling`(_ text: String, _ spelling: String) {
        #expect(CachePath(text).description == spelling)
        #expect(CachePath(CachePath(text).description).description == spelling)
    }

    @Test func `A path has every path above it as prefix, up to sixteen segments`() {
        #expect(("/a/b/c" as CachePath).prefixes.map(\.description) == ["/", "/a", "/a/b", "/a/b/c"])
        let deep = CachePath(String(repeating: "/s", count: 40))
        #expect(deep.prefixes.count == CachePath.maximumPrefixDepth + 1)
    }

    @Test(arguments: [
        ("http://host/api/x?q", "/api/x"), ("/api/x?http://a/b", "/api/x"), ("foo?x=://", "/foo"), ("http://h", "/"),
    ]) func `A target's path is found in every form`(_ target: String, _ path: String) {
        #expect(CachePath(target: target).description == path)
    }

    @Test func `A target with any bytes does not trap`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? Array("/%?#&=:.a1nocache".utf8).randomElement(using: &random) ?? 0
                    : UInt8.random(in: .min ... .max, using: &random)
            }
            let target = String(decoding: bytes, as: UTF8.self)
            let path = CachePath(target: target)
            #expect(CachePath(path.description) == path, "\(bytes)")
            if let key = KeyPolicy(trailingSlash: .added, bypassParameter: "nocache").key(of: .get(target), user: nil) {
                #expect(CacheKey(key.key.description) == key.key, "\(bytes)")
            }
        }
    }
}
