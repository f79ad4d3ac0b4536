import HTTPCaching
import HTTPTypes
import RawStructuredFieldValues
import TestHelpers
import Testing

/// `Cache-Status` is a list of structured fields for any content, with the parameters of RFC 9211 §2.
@Suite(.timeLimit(.minutes(5))) struct CacheStatusTests {
    /// Parses the only member of a list as a structured field.
    private static func parse(_ text: String) throws -> (name: RFC9651BareItem, parameters: [String: RFC9651BareItem]) {
        var parser = StructuredFieldValueParser(Array(text.utf8))
        let list = try parser.parseListFieldValue()
        try #require(list.count == 1, "\(text)")
        guard case .item(let item) = list[0] else { throw NoItem() }
        var parameters: [String: RFC9651BareItem] = [:]
        for (name, value) in item.rfc9651Parameters { parameters[name] = value }
        return (item.rfc9651BareItem, parameters)
    }

    private struct NoItem: Error {}

    static let texts: [(status: CacheStatus, text: String)] = [
        (CacheStatus(cache: "Larder", .hit), "Larder; hit"),
        (CacheStatus(cache: "Larder", .hit, ttl: 376), "Larder; hit; ttl=376"),
        (CacheStatus(cache: "Larder", .hit, ttl: -412), "Larder; hit; ttl=-412"),
        (CacheStatus(cache: "Larder", .hit, key: "GET:/a"), "Larder; hit; key=\"GET:/a\""),
        (CacheStatus(cache: "Larder", .hit, detail: "memory"), "Larder; hit; detail=memory"),
        (CacheStatus(cache: "Larder", .hit, detail: "two words"), "Larder; hit; detail=\"two words\""),
        (CacheStatus(cache: "Larder", .forwarded(.uriMiss)), "Larder; fwd=uri-miss"),
        (CacheStatus(cache: "Larder", .forwarded(.stale, status: 304)), "Larder; fwd=stale; fwd-status=304"),
        (CacheStatus(cache: "Larder", .forwarded(.uriMiss, stored: true)), "Larder; fwd=uri-miss; stored"),
        (CacheStatus(cache: "Larder", .forwarded(.uriMiss, collapsed: true)), "Larder; fwd=uri-miss; collapsed"),
        (
            CacheStatus(cache: "Larder", .forwarded(.varyMiss, status: 200, stored: true, collapsed: true), ttl: 60),
            "Larder; fwd=vary-miss; fwd-status=200; ttl=60; stored; collapsed"
        ),
        (CacheStatus(cache: "", .hit), "\"\"; hit"),
        (CacheStatus(cache: "My Cache", .hit), "\"My Cache\"; hit"),
        (CacheStatus(cache: "cache.example.com:80/a", .hit), "cache.example.com:80/a; hit"),
        (CacheStatus(cache: "1st", .hit), "\"1st\"; hit"),
        (CacheStatus(cache: "*", .hit), "*; hit"),
    ]

    @Test(arguments: texts)
    func `The text has the form of the RFC's examples (9211 §2, §3)`(_ status: CacheStatus, _ text: String) {
        #expect(status.serialized() == text)
    }

    private static let hostile = [
        "", " ", "a", "a b", "\"", "\\", "\\\"", "a\"; hit", "a, b; hit", "a;b", "\r\nSet-Cookie: a=b", "\n", "\0",
        "\u{7F}",
        "\u{E9}", "\u{1F600}", "%", "%00", "?1", ":a:", "(a)", "@1", "-1", "1", "a=b", "\t", "GET:/a?b=c#\"d\"", "*",
        "*a",
        String(repeating: "\"", count: 1_000), "e\u{301}", "\u{2028}",
    ]

    @Test(arguments: hostile) func `A status is one list member for any name, key and detail`(_ text: String) throws {
        let status = CacheStatus(cache: text, .hit, key: text, detail: text)
        let serialized = status.serialized()
        #expect(serialized.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        let (name, parameters) = try Self.parse(serialized)
        #expect(Set(parameters.keys) == ["hit", "key", "detail"])
        #expect(Self.text(name) == Self.escaped(text))
        #expect(parameters["detail"].flatMap(Self.text) == Self.escaped(text))
        guard case .string(let key)? = parameters["key"] else {
            Issue.record("a key is a string (9211 §2.7)")
            return
        }
        #expect(key == Self.escaped(text))
    }

    /// Returns the text of a string or a token.
    private static func text(_ item: RFC9651BareItem) -> String? {
        switch item {
        case .string(let text), .token(let text): text
        default: nil
        }
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            (0x20...0x7E).contains(byte)
                ? String(UnicodeScalar(byte)) : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }

    static let outcomes: [CacheStatus.Outcome] =
        [.hit]
        + CacheStatus.ForwardReason.allCases.flatMap { reason in
            [nil, 200, 0, -1, Int.max, Int.min].flatMap { status in
                [false, true].flatMap { stored in
                    [false, true].map { .forwarded(reason, status: status, stored: stored, collapsed: $0) }
                }
            }
        }

    @Test(arguments: outcomes)
    func `The parameters have the types of the RFC (9211 §2.1 to §2.6)`(_ outcome: CacheStatus.Outcome) throws {
        for ttl in [nil, 0, 60, -60, Int.max, Int.min] {
            let status = CacheStatus(cache: "Larder", outcome, ttl: ttl)
            let (name, parameters) = try Self.parse(status.serialized())
            #expect(name == .token("Larder"))
            let limit = 999_999_999_999_999
            func integer(_ number: Int?) -> RFC9651BareItem? {
                number.map { .integer(Int64(min(max($0, -limit), limit))) }
            }
            #expect(parameters["ttl"] == integer(ttl))
            switch outcome {
            case .hit:
                #expect(parameters["hit"] == .bool(true))
                #expect(Set(parameters.keys).isSubset(of: ["hit", "ttl"]))
            case .forwarded(let reason, let status, let stored, let collapsed):
                // "If hit is true, fwd MUST NOT be present", and vice versa.
                #expect(parameters["hit"] == nil)
                #expect(parameters["fwd"] == .token(reason.rawValue))
                #expect(parameters["fwd-status"] == integer(status))
                #expect(parameters["stored"] == (stored ? .bool(true) : nil))
                #expect(parameters["collapsed"] == (collapsed ? .bool(true) : nil))
            }
        }
    }

    @Test func `The forward reasons are those of the registry (9211 §2.2)`() {
        #expect(
            Set(CacheStatus.ForwardReason.allCases.map(\.rawValue)) == [
                "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial",
            ]
        )
    }

    @Test func `The cache closest to the user comes last (9211 §2)`() throws {
        var fields: HTTPFields = [.cacheStatus: "Origin; hit, \"CDN, far\"; fwd=stale"]
        CacheStatus(cache: "Larder", .hit, detail: "a, b").append(to: &fields)
        var parser = StructuredFieldValueParser(Array((fields[.cacheStatus] ?? "").utf8))
        let names = try parser.parseListFieldValue().map { member -> String? in
            guard case .item(let item) = member else { return nil }
            return Self.text(item.rfc9651BareItem)
        }
        #expect(names == ["Origin", "CDN, far", "Larder"])
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `Random texts stay within their quotes`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let texts = (0..<3).map { _ in random.mutated(Self.hostile.randomElement(using: &random) ?? "") }
            let status = CacheStatus(cache: texts[0], .forwarded(.miss), key: texts[1], detail: texts[2])
            let (name, parameters) = try Self.parse(status.serialized())
            #expect(Set(parameters.keys) == ["fwd", "key", "detail"], "seed \(seed)")
            #expect(Self.text(name) == Self.escaped(texts[0]), "seed \(seed)")
            #expect(parameters["key"].flatMap(Self.text) == Self.escaped(texts[1]), "seed \(seed)")
            #expect(parameters["detail"].flatMap(Self.text) == Self.escaped(texts[2]), "seed \(seed)")
        }
    }

    // MARK: - Parsing

    @Test(arguments: texts)
    func `A status is parsed from the text that it is serialized to`(_ status: CacheStatus, _ text: String) {
        #expect(CacheStatus(of: status.cache, inFieldValue: text) == status)
    }

    @Test(arguments: outcomes) func `Every outcome is parsed from its text`(_ outcome: CacheStatus.Outcome) {
        let limit = 999_999_999_999_999
        for ttl in [nil, 0, 60, -60, limit, -limit] {
            let text = CacheStatus(cache: "Larder", outcome, ttl: ttl).serialized()
            let parsed = CacheStatus(of: "Larder", inFieldValue: text)
            #expect(parsed?.ttl == ttl)
            // Numbers of more than 15 digits are serialized as the nearest one that has 15.
            #expect(parsed?.serialized() == text)
        }
    }

    @Test(arguments: hostile) func `A status is found by any name of its cache`(_ text: String) {
        let status = CacheStatus(cache: text, .hit, key: text, detail: text)
        let parsed = CacheStatus(of: text, inFieldValue: "Other; fwd=miss, \(status.serialized()), Other; fwd=miss")
        #expect(parsed?.outcome == .hit)
        #expect(parsed?.key == Self.escaped(text) && parsed?.detail == Self.escaped(text))
    }

    static let lists: [(text: String, outcome: CacheStatus.Outcome?)] = [
        ("", nil), ("Larder", nil), ("Other; hit", nil), ("larder; hit", nil), ("Larder; hit", .hit),
        ("\"Larder\"; hit", .hit), ("Larder;hit;ttl=5", .hit), ("Larder; hit=?1", .hit),
        ("Larder; hit=?0", nil), ("Larder; hit=?0; fwd=miss", .forwarded(.miss)),
        ("Larder; hit=1", nil), ("Larder; hit=yes", nil), ("Larder; hit; fwd=miss", nil),
        ("Larder; fwd=bypass", .forwarded(.bypass)), ("Larder; fwd=\"bypass\"", nil), ("Larder; fwd=new-reason", nil),
        ("Larder; fwd", nil), ("Larder; fwd=Bypass", nil),
        ("Larder; fwd=miss; fwd-status=200.0; stored=?0", .forwarded(.miss)),
        ("Larder; fwd=miss; fwd-status=\"200\"; stored=1", .forwarded(.miss)),
        ("Larder; fwd=miss; detail=\"Larder; hit\"", .forwarded(.miss)),
        // The last member of the cache counts, wherever it is.
        ("Larder; hit, Larder; fwd=stale", .forwarded(.stale)), ("Larder; fwd=stale, Larder; hit", .hit),
        ("Larder; hit, Other; fwd=miss", .hit), ("Other; fwd=miss, Larder; hit", .hit),
        ("Larder; hit, Larder", nil), ("\"Larder, too\"; fwd=miss, Larder; hit", .hit),
        // Members that are not strings or tokens have no name.
        ("(Larder); hit", nil), ("1; hit, Larder; hit", .hit), ("Larder; hit, (Larder); fwd=miss", .hit),
        // The whole field is ignored if it cannot be parsed.
        ("Larder; hit,", nil), ("Larder; hit, ;", nil), ("Larder; hit; =", nil), ("Larder; hit, \"", nil),
        ("Larder hit", nil), ("\u{E9}, Larder; hit", nil),
    ]

    @Test(arguments: lists)
    func `The last member with the name of the cache counts`(_ text: String, _ outcome: CacheStatus.Outcome?) {
        #expect(CacheStatus(of: "Larder", inFieldValue: text)?.outcome == outcome, "\(text)")
    }

    @Test func `Several lines of the field are one list`() {
        var fields: HTTPFields = [:]
        #expect(CacheStatus(of: "Larder", in: fields) == nil)
        CacheStatus(cache: "Larder", .forwarded(.stale)).append(to: &fields)
        CacheStatus(cache: "CDN", .forwarded(.uriMiss)).append(to: &fields)
        CacheStatus(cache: "Larder", .hit, ttl: 9).append(to: &fields)
        #expect(CacheStatus(of: "Larder", in: fields) == CacheStatus(cache: "Larder", .hit, ttl: 9))
        #expect(CacheStatus(of: "CDN", in: fields)?.outcome == .forwarded(.uriMiss))
        fields.append(HTTPField(name: .cacheStatus, value: "not a list"))
        #expect(CacheStatus(of: "Larder", in: fields) == nil)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `Random values do not trap`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let text = random.mutated(Self.lists.randomElement(using: &random)?.text ?? "")
            guard let status = CacheStatus(of: "Larder", inFieldValue: text) else { continue }
            #expect(CacheStatus(of: "Larder", inFieldValue: status.serialized()) == status, "seed \(seed): \(text)")
        }
    }
}
