import HTTPTypes
import Testing

@testable import HTTPCaching

/// The fields by which a response is selected, and the match of two requests in them (RFC 9110 §12.5.5, RFC 9111 §4.1).
@Suite(.timeLimit(.minutes(5))) struct VaryTests {
    @Test(
        arguments: [
            ("", .nothing), ("Vary:", .nothing), ("Vary: ,", .nothing), ("Vary: Accept", .fields([.accept])),
            ("Vary: accept, ACCEPT", .fields([.accept])),
            ("Vary: Accept-Language, Accept", .fields([.accept, .acceptLanguage])),
            ("Vary: Accept-Language\nVary: Accept", .fields([.accept, .acceptLanguage])),
            ("Vary: *", .everything), ("Vary: Accept, *", .everything), ("Vary: *\nVary: Accept", .everything),
            ("Vary: a b", .everything), ("Vary: Accept, a:b", .everything), ("Vary: \"Accept\"", .everything),
            ("Vary: *, Accept\nContent-Encoding: gzip", .everything),
            ("Content-Encoding: gzip", .fields([.acceptEncoding])),
            ("Content-Encoding: gzip\nVary: Accept-Encoding", .fields([.acceptEncoding])),
            ("Content-Encoding: br\nVary: Cookie", .fields([.acceptEncoding, .cookie])),
            ("Content-Encoding: identity", .nothing), ("Content-Encoding: Identity\nVary: Accept", .fields([.accept])),
            ("Content-Encoding:", .nothing), ("Content-Encoding: identity, gzip", .fields([.acceptEncoding])),
        ] as [(String, VaryRule)]
    ) func `A response varies by the fields it names, and by its content coding`(
        _ response: String,
        _ rule: VaryRule
    ) {
        #expect(VaryRule(HTTPFields(lines: response)) == rule)
    }

    @Test func `A response that varies by more fields than the limit varies by everything`() {
        func rule(_ count: Int) -> VaryRule {
            VaryRule([.vary: (0..<count).map { "X-\($0)" }.joined(separator: ",")])
        }
        guard case .fields(let names) = rule(VaryRule.maximumFieldCount) else {
            Issue.record("the limit is too much")
            return
        }
        #expect(names.count == 32)
        #expect(rule(VaryRule.maximumFieldCount + 1) == .everything)
    }

    /// Pairs of requests that match, or do not, in a field that a response varies by.
    static let pairs: [(field: String, first: String, second: String, doMatch: Bool)] = [
        ("X-A", "", "", true), ("X-A", "X-A: 1", "X-A: 1", true), ("X-A", "X-A: 1", "X-A: 2", false),
        ("X-A", "X-A: 1\nX-B: 1", "X-A: 1\nX-B: 2", true), ("X-A", "x-a: 1", "X-A: 1", true),
        // "If […] a header field is absent from a request, it can only match another request if it is also absent".
        ("X-A", "X-A:", "", false), ("X-A", "X-A: 1", "", false), ("X-A", "X-A:", "X-A:", true),
        // "Adding or removing whitespace, where allowed", "combining multiple header field lines".
        ("X-A", "X-A: 1,2", "X-A: 1 ,\t2", true), ("X-A", "X-A: 1\nX-A: 2", "X-A: 1, 2", true),
        ("X-A", "X-A: 1,2", "X-A: 2,1", false), ("X-A", "X-A: 1 2", "X-A: 12", false),
        ("X-A", "X-A: 1,2", "X-A: 12", false), ("X-A", "X-A: 1,,2", "X-A: 1,2", false),
        ("X-A", "X-A: \"a, b\"", "X-A: \"a,b\"", false), ("X-A", "X-A: \"a\" , b", "X-A: \"a\",b", true),
        ("X-A", "X-A: \"a\\\" , b\"", "X-A: \"a\\\",b\"", false),
        ("X-A", "X-A: \"a\\\\\" , b", "X-A: \"a\\\\\",b", true),
        ("X-A", "X-A: v", "X-A: V", false), ("X-A", "X-A: 1%2", "X-A: 1%252", false),
        ("X-A", "X-A: a;q=1", "X-A: a; q=1", false),
        // The value of one field does not match that of another.
        ("X-A, X-B", "X-A: 1\nX-B: 2", "X-A: 2\nX-B: 1", false), ("X-A, X-B", "X-A: 1", "X-B: 1", false),
        ("X-A, X-B", "X-A: 1%0Ax-b:2", "X-A: 1\nX-B: 2", false),
        // Language tags are case-insensitive, and their order counts.
        ("Accept-Language", "Accept-Language: en-GB;q=0.5", "Accept-Language: EN-gb; Q=0.5", true),
        ("Accept-Language", "Accept-Language: en, de", "Accept-Language: en\nAccept-Language: de", true),
        ("Accept-Language", "Accept-Language: en, de", "Accept-Language: de, en", false),
        ("Accept-Language", "Accept-Language: en;q=0.5", "Accept-Language: en;q=0.6", false),
        ("Accept-Language", "Accept-Language:", "", false),
        // Type and subtype are case-insensitive (RFC 9110 §8.3.1); the values of parameters are compared with their
        // case.
        ("Accept", "Accept: text/HTML ; level=1", "Accept: TEXT/html;level=1", true),
        ("Accept", "Accept: text/html;level=a", "Accept: text/html;level=A", false),
        ("Accept", "Accept: text/html, */*", "Accept: */*, text/html", false),
        ("Accept", "Accept: a/b;c=\"x;y\"", "Accept: a/b;c=\"x; y\"", false),
        ("Accept", "Accept: A/b;c=\"x\"", "Accept: A/b;c=\"x\"", true),
        // Cookies are not a list.
        ("Cookie", "Cookie: a=1\nCookie: b=2", "Cookie: a=1; b=2", true),
        ("Cookie", "Cookie: a=1; b=2", "Cookie: b=2; a=1", false),
        ("Cookie", "Cookie: a=1, 2", "Cookie: a=1,2", false),
        // Codings are compared by their meaning.
        ("Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: BR;q=1.0,gzip", true),
        ("Accept-Encoding", "Accept-Encoding: gzip, foo", "Accept-Encoding: gzip", true),
        ("Accept-Encoding", "Accept-Encoding: gzip;q=0", "Accept-Encoding:", false),
        ("Accept-Encoding", "Accept-Encoding:", "", false),
    ]

    @Test(arguments: pairs) func `RFC 9111 4.1: requests match in the fields that a response varies by`(
        _ field: String,
        _ first: String,
        _ second: String,
        _ doMatch: Bool
    ) throws {
        let rule = VariantRule([.vary: field])
        let (first, second) = (HTTPFields(lines: first), HTTPFields(lines: second))
        for (asked, other) in [(first, second), (second, first)] {
            let stored = try #require(rule.selectingFields(of: asked))
            #expect(rule.matches(other, stored: stored) == doMatch)
            #expect(SelectingFields(text: stored.text) == stored)
            #expect(stored.text.utf8.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0A })
        }
    }

    @Test func `A response that varies by everything or by an altered value answers no request`() {
        #expect(VariantRule([.vary: "*"]).selectingFields(of: [:]) == nil)
        let rule = VariantRule([.vary: "X-A"])
        #expect(rule.selectingFields(of: HTTPFields(lines: "X-A: a\u{FFFD}")) == nil)
        #expect(rule.selectingFields(of: HTTPFields(lines: "X-B: a\u{FFFD}")) != nil)
        for request in ["", "X-A: 1"] {
            #expect(!rule.matches(HTTPFields(lines: request), stored: .unmatchable))
            #expect(!VariantRule([.vary: "*"]).matches(HTTPFields(lines: request), stored: .none))
        }
    }

    /// The fields of a stored response, `Accept-Encoding` of its request and of another request, and true if it answers
    /// it.
    @Test(arguments: [
        // "A response with a content coding […] answers only requests that accept its coding."
        ("Content-Encoding: gzip", "gzip", "gzip", true), ("Content-Encoding: gzip", "gzip", "", false),
        ("Content-Encoding: gzip", "gzip", "br", false), ("Content-Encoding: gzip", "gzip", "gzip;q=0", false),
        // A response without coding and `Vary` shows that its own request's codings are not sent, and nothing about
        // others.
        ("", "", "gzip", false), ("", "gzip", "", true), ("", "gzip", "gzip", true), ("", "gzip", "gzip, br", false),
        ("", "gzip, br", "br", true), ("", "*", "gzip", false), ("Vary: Accept", "", "gzip", false),
        ("Vary: Accept-Encoding", "", "gzip", false), ("Vary: Accept-Encoding", "gzip", "gzip;q=0.5", false),
    ]) func `RFC 9110 12.5.3: a response answers requests that accept its coding`(
        _ response: String,
        _ own: String,
        _ other: String,
        _ answers: Bool
    ) throws {
        let rule = VariantRule(HTTPFields(lines: response))
        let stored = try #require(rule.selectingFields(of: [.acceptEncoding: own]))
        #expect(rule.matches([.acceptEncoding: other], stored: stored) == answers)
    }

    @Test func `A response with a coding that its own request does not accept answers no request`() {
        for (coding, accepted) in [("gzip", "br"), ("gzip, br", "gzip"), ("foo", "gzip"), ("gzip", "gzip;q=0")] {
            #expect(VariantRule([.contentEncoding: coding]).selectingFields(of: [.acceptEncoding: accepted]) == nil)
        }
        #expect(VariantRule([.contentEncoding: "gzip"]).selectingFields(of: [:]) != nil)
    }
}
