import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// Keys cannot be forged: two requests that differ have different keys, whatever a client sends.
@Suite(.timeLimit(.minutes(5))) struct KeyForgeryTests {
    /// The parts of a request that a key is made from.
    struct Parts: Hashable, CustomTestStringConvertible {
        var target = "/p"
        var user: String?
        var fields: [String: [String]] = [:]
        var names: [String] = []
        var authority = "example.org"
        var rule = KeyPolicy(bypassParameter: "nocache")

        var key: CacheKey? {
            var rule = rule
            rule.fields = names.compactMap { HTTPField.Name($0) }
            var request = HTTPRequest.get(target)
            request.scheme = "http"
            request.authority = authority
            for (name, values) in fields {
                for value in values {
                    request.headerFields.append(HTTPField(name: HTTPField.Name(name)!, value: value))
                }
            }
            return rule.key(of: request, user: user)?.key
        }

        var testDescription: String { "\(target.suffix(90)) \(user?.suffix(90) ?? "-") \(fields)" }

        static func == (left: Parts, right: Parts) -> Bool { left.testDescription == right.testDescription }
        func hash(into hasher: inout Hasher) { hasher.combine(testDescription) }
    }

    private static let long = "/x?q=" + String(repeating: "a", count: 600)
    private static let verbatim = KeyPolicy(spelling: .verbatim)

    static let pairs: [(String, Parts, Parts)] = [
        ("a path and a query", Parts(target: "/a/b"), Parts(target: "/a?b")),
        ("a query and its encoding", Parts(target: "/a?b"), Parts(target: "/a%3Fb")),
        ("a user and an encoded part", Parts(target: "/p", user: "42"), Parts(target: "/p%23user=42")),
        ("a user and a query", Parts(target: "/p", user: "42"), Parts(target: "/p?%23user=42")),
        ("a user and none", Parts(user: ""), Parts()),
        ("two users", Parts(user: "a"), Parts(user: "b")),
        ("a user with a separator", Parts(user: "a&user=b"), Parts(user: "a")),
        ("a user in two Unicode forms", Parts(user: "\u{E9}"), Parts(user: "e\u{301}")),
        ("a user and a letter that equals it", Parts(user: "K"), Parts(user: "\u{212A}")),
        ("a user and a field called user", Parts(user: "42"), Parts(fields: ["user": ["42"]], names: ["user"])),
        ("a field and the user's part", Parts(user: "42&a:b"), Parts(user: "42", fields: ["a": ["b"]], names: ["a"])),
        ("an absent field and an empty one", Parts(names: ["a"]), Parts(fields: ["a": [""]], names: ["a"])),
        ("no field and an absent one", Parts(), Parts(names: ["a"])),
        (
            "an empty field and two", Parts(fields: ["a": [""]], names: ["a"]),
            Parts(fields: ["a": ["", ""]], names: ["a"])
        ),
        (
            "two lines and one", Parts(fields: ["a": ["b", "c"]], names: ["a"]),
            Parts(fields: ["a": ["b, c"]], names: ["a"])
        ),
        (
            "a value with a separator", Parts(fields: ["a": ["x&b:y"]], names: ["a", "b"]),
            Parts(fields: ["a": ["x"], "b": ["y"]], names: ["a", "b"])
        ),
        (
            "a value and two fields", Parts(fields: ["a": ["b"]], names: ["a", "c"]),
            Parts(fields: ["c": ["b"]], names: ["a", "c"])
        ),
        ("a field called sha256", Parts(fields: ["sha256": ["00"]], names: ["sha256"]), Parts(user: "sha256=00")),
        ("two hosts", Parts(names: ["host"]), Parts(names: ["host"], authority: "example.com")),
        ("two verbatim hosts", Parts(rule: verbatim), Parts(authority: "example.com", rule: verbatim)),
        (
            "a host in the path", Parts(target: "//b/p", authority: "a", rule: verbatim),
            Parts(target: "/p", authority: "a//b", rule: verbatim)
        ),
        ("two long queries", Parts(target: long + "1"), Parts(target: long + "2")),
        ("a long query of two users", Parts(target: long, user: "1"), Parts(target: long, user: "2")),
        ("a long query and none", Parts(target: long, user: "1"), Parts(target: long)),
        ("two long users", Parts(user: long + "1"), Parts(user: long + "2")),
        (
            "two long field values", Parts(fields: ["a": [long + "1"]], names: ["a"]),
            Parts(fields: ["a": [long + "2"]], names: ["a"])
        ),
    ]

    @Test(arguments: pairs) func `Two requests that differ have two keys`(_ name: String, _ one: Parts, _ other: Parts)
    {
        #expect(one.key == nil || one.key != other.key, "\(name)")
        #expect(one.key != nil || other.key != nil, "\(name)")
    }

    @Test func `A long key keeps its beginning and ends in a digest that no target can spell`() throws {
        let key = try #require(Parts(target: Self.long).key)
        #expect(key.description.utf8.count == CacheKey.maximumLength)
        #expect(key.description.hasPrefix("GET:/x?q=aaaa"))
        let digest = try #require(key.description.split(separator: "#").last)
        #expect(digest.hasPrefix("sha256=") && digest.utf8.count == 7 + 64)
        for target in forgeries(of: key) {
            #expect(Parts(target: target).key != key, "\(target)")
            #expect(Parts(target: target, user: "").key != key, "\(target)")
        }
        #expect(Parts(target: String(target(of: key).prefix { $0 != "#" }), user: String(digest)).key != key)
    }

    /// Returns the target that would have this key.
    private func target(of key: CacheKey) -> String { String(key.description.dropFirst("GET:".count)) }

    /// Returns targets that a client could send in the attempt to get a key.
    private func forgeries(of key: CacheKey) -> [String] {
        let target = target(of: key)
        return [
            target, target.replacing("#", with: "%23"), target.replacing("#", with: "~"),
            target.replacing("#sha256=", with: "~"), target.replacing("#", with: "&"),
        ]
    }

    @Test(arguments: 505...520) func `A key has at most 512 bytes, and is whole up to them`(_ length: Int) throws {
        let text = "GET:/" + String(repeating: "a", count: length - 5)
        let key = try #require(CacheKey(text))
        #expect(Parts(target: "/" + String(repeating: "a", count: length - 5)).key == key)
        #expect(key.description.utf8.count == min(length, 512))
        #expect((key.description == text) == (length <= 512))
    }

    @Test(arguments: 1...8) func `Keys of random requests do not collide, at any length`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        func text(_ length: Int, _ alphabet: String) -> String {
            let letters = Array(alphabet)
            return String((0..<length).map { _ in letters.randomElement(using: &random) ?? "a" })
        }
        var known: [CacheKey: (String, String?, String?)] = [:]
        for _ in 0..<4_000 {
            // The targets are of a small alphabet, with lengths around the limit, or are made from an earlier key.
            var target =
                "/"
                + text([0, 1, 2, 3, 430, 435, 505, 506, 507, 508, 509, 520].randomElement(using: &random) ?? 0, "a")
            target += text(.random(in: 0...3, using: &random), "ab%?&=~")
            if let key = known.keys.randomElement(using: &random), Bool.random(using: &random) {
                target = forgeries(of: key).randomElement(using: &random) ?? target
            }
            let user = Bool.random(using: &random) ? nil : text(.random(in: 0...4, using: &random), "a&=:#%")
            let field = Bool.random(using: &random) ? nil : text(.random(in: 0...4, using: &random), "a&=:#,%")
            let parts = Parts(target: target, user: user, fields: field.map { ["a": [$0]] } ?? [:], names: ["a"])
            guard let key = parts.key else { continue }
            // The canonical form of the target is not tested here (`KeyTests`).
            let plain = KeyPolicy(bypassParameter: "nocache").key(of: .get(target), user: nil)?.key.description ?? ""
            let mine = (plain, user, field?.trimmingPrefix(" ").description)
            if let other = known[key] {
                #expect(other == mine, "seed \(seed): \(key)")
            }
            known[key] = mine
            #expect(key.description.utf8.count <= CacheKey.maximumLength)
            #expect(CacheKey(key.description) == key)
        }
    }

    @Test(arguments: [nil, "42"]) func `A request for a forged target is a miss`(_ user: String?) async throws {
        let bench = Bench()
        let origin = TestOrigin { TestResponse("of \($0.path?.utf8.count ?? 0)") }
        _ = try await bench.get(Self.long, for: user, from: origin)
        let key = try #require(bench.cache.statistics.snapshot().topKeys.first?.key)
        #expect(try await bench.get(Self.long, for: user, from: origin).isHit)
        for target in forgeries(of: key) {
            for other in [user, "43", "sha256=" + String(key.description.suffix(64))] {
                let response = try await bench.get(target, for: other, from: origin)
                #expect(!response.isHit, "\(target)")
            }
        }
    }

    @Test func `A long key is deleted by its whole text and by its shortened one`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        for text in ["GET:" + Self.long, nil] {
            _ = try await bench.get(Self.long, from: origin)
            let shown = try #require(bench.cache.statistics.snapshot().topKeys.first?.key.description)
            let key = try #require(CacheKey(text ?? shown))
            #expect(await bench.cache.remove(key).wasStored)
            #expect(await bench.cache.count() == 0)
        }
    }

    @Test func `Policies that share a store do not share keys`() async throws {
        let bench = Bench()
        let byUser = CachePolicy.fresh(for: .seconds(60))
        let byField = CachePolicy.fresh(for: .seconds(60)).varying(by: HTTPField.Name("user")!)
        let secret = TestOrigin { _ in TestResponse("secret") }
        _ = try await bench.get("/me", for: "42", under: byUser, from: secret)
        let origin = TestOrigin { _ in TestResponse("public") }
        let response = try await bench.get("/me", [HTTPField.Name("user")!: "42"], under: byField, from: origin)
        #expect(try await response.text == "public")
    }
}
