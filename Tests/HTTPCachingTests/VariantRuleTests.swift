import HTTPTypes
import TestHelpers
import Testing

@testable import HTTPCaching

/// The requests that a response may answer, by the fields it varies by and by its content coding.
@Suite(.timeLimit(.minutes(5))) struct VariantRuleTests {
    private static let codings = ["gzip", "deflate", "br", "zstd", "identity", "*", "foo"]
    private static let plain = VariantRule([.vary: "Accept-Encoding"])
    private static let gzip = VariantRule([.contentEncoding: "gzip"])

    /// Returns a random field: the weight in thousandths of each of its codings.
    private func members(_ random: inout SeededGenerator) -> [String: Int] {
        var members: [String: Int] = [:]
        for coding in Self.codings where Bool.random(using: &random) {
            members[coding] = [0, 1, 10, 100, 250, 500, 999, 1_000, 1_000, 1_000].randomElement(using: &random)
        }
        return members
    }

    /// Returns a random spelling of a field.
    private func spelling(of members: [String: Int], _ random: inout SeededGenerator) -> String {
        func space() -> String { ["", " ", "\t", "  "].randomElement(using: &random) ?? "" }
        let texts = members.shuffled(using: &random).map { coding, weight in
            var name = Bool.random(using: &random) ? coding : coding.uppercased()
            if coding == "gzip", Bool.random(using: &random) { name = "x-gzip" }
            var digits = String(1_000 + weight % 1_000).dropFirst()
            while digits.last == "0", Bool.random(using: &random) { digits.removeLast() }
            let number = (weight == 1_000 ? "1" : "0") + (digits.isEmpty ? "" : ".\(digits)")
            if weight == 1_000, Bool.random(using: &random) { return name }
            return name + space() + ";" + space() + (Bool.random(using: &random) ? "q=" : "Q=") + number
        }
        return texts.joined(separator: space() + "," + space())
    }

    @Test func `Spellings of one Accept-Encoding match each other and no other field`() {
        var random = SeededGenerator(for: "spellings")
        for _ in 0..<2_000 {
            let (first, second) = (members(&random), members(&random))
            let request: HTTPFields = [.acceptEncoding: spelling(of: first, &random)]
            let same: HTTPFields = [.acceptEncoding: spelling(of: first, &random)]
            let other: HTTPFields = [.acceptEncoding: spelling(of: second, &random)]
            for rule in [Self.plain, Self.gzip] {
                #expect(rule.fields(of: request) == rule.fields(of: same), "\(request) \(same)")
            }
            #expect((Self.gzip.fields(of: request) == Self.gzip.fields(of: other)) == (first == second))
            let (known, others) = (first.filter { $0.key != "foo" }, second.filter { $0.key != "foo" })
            #expect((Self.plain.fields(of: request) == Self.plain.fields(of: other)) == (known == others))
        }
    }

    @Test func `A response matches its own request unless the request does not accept it`() {
        var random = SeededGenerator(for: "own requests")
        let responses: [HTTPFields] = [
            [:], [.vary: "Accept-Encoding"], [.vary: "Foo"], [.contentEncoding: "gzip"], [.contentEncoding: "br, gzip"],
            [.contentEncoding: "gzip", .vary: "Foo"], [.contentEncoding: "identity"],
        ]
        for _ in 0..<2_000 {
            let members = members(&random)
            let request: HTTPFields = [.acceptEncoding: spelling(of: members, &random)]
            for response in responses {
                let rule = VariantRule(response)
                let selecting = rule.selectingFields(of: request)
                let accepted = rule.codings.allSatisfy { (members[$0] ?? members["*"] ?? 0) > 0 }
                #expect((selecting != nil) == accepted, "\(request) \(response)")
                if let selecting { #expect(rule.matches(request, stored: selecting)) }
            }
        }
    }

    @Test func `A response that answers a request with preferred codings answers requests that prefer fewer`() {
        var random = SeededGenerator(for: "preferences")
        let rule = VariantRule([:])
        for _ in 0..<2_000 {
            let members = members(&random)
            let request: HTTPFields = [.acceptEncoding: spelling(of: members, &random)]
            guard let selecting = rule.selectingFields(of: request) else { continue }
            var fewer = members
            if let coding = members.keys.filter({ !["identity", "*"].contains($0) }).randomElement(using: &random) {
                fewer[coding] = nil
            }
            #expect(rule.matches([.acceptEncoding: spelling(of: fewer, &random)], stored: selecting))
            let more: HTTPFields = [.acceptEncoding: spelling(of: ["compress": 1_000], &random)]
            #expect(!rule.matches(more, stored: selecting))
            #expect(SelectingFields(text: selecting.text) == selecting)
        }
    }

    @Test(
        arguments: [
            ("", false), ("caf\u{E9}", false), ("\u{FFFD}", true), ("a\u{FFFD}b", true), ("\u{FFFC}", false),
            ("\u{F8FF}\u{FFFD}", true), ("\u{1FFFD}", false),
        ]
    ) func `Altered bytes are found in every part of a head`(_ text: String, _ isAltered: Bool) {
        #expect(AlteredBytes.occur(in: text) == isAltered)
        #expect(AlteredBytes.occur(in: HTTPField(name: .contentType, value: text)) == isAltered)
        let response = HTTPResponse(status: .init(code: 200, reasonPhrase: "OK"), headerFields: [.location: text])
        #expect(AlteredBytes.occur(in: response) == isAltered)
    }

    @Test func `Altered bytes are found after bytes that begin like them`() {
        for bytes in [[0xEF, 0xEF, 0xBF, 0xBD], [0xEF, 0xBF, 0xEF, 0xBF, 0xBD]] as [[UInt8]] {
            #expect(AlteredBytes.occur(inBytes: bytes))
        }
        #expect(!AlteredBytes.occur(inBytes: [0xEF, 0xBF] as [UInt8]))
    }
}
