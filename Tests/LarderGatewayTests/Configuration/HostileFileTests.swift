import LarderTestSupport
import Testing

@testable import LarderGateway

/// Tests of files that are made to exhaust the reader. They are serialized, because the texts are large and a test that
/// may run at the same time measures the memory of the process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HostileFileTests {
    /// Returns a text with ten levels of ten aliases each, which stand for 10^10 values.
    static func bomb(_ last: String) -> String {
        var text = "origin: http://o\nx-0: &x0 [a,a,a,a,a,a,a,a,a,a]\n"
        for level in 1...10 {
            let aliases = Array(repeating: "*x\(level - 1)", count: 10).joined(separator: ",")
            text += "x-\(level): &x\(level) [\(aliases)]\n"
        }
        return text + last
    }

    @Test(arguments: [
        "", "routes: *x10", "routes: [{path: /a, tags: *x10}]", "x: *x10", "origins: *x10", "name: *x10",
        "routes: [{path: /a, <<: *x10}]", "? *x10\n: a", "? [*x10]\n: a", "*x10 : a", "{*x10: a}", "{[*x10]: a}",
        "{ {a: *x10}:b}", "? a\n: b\n? *x10\n: c", "- ? *x10", "x: {?*x10 : a}", "{*x10?b: c}",
    ]) func `Aliases of aliases do not exhaust the reader`(_ last: String) {
        let lines = GatewayCheck.run(Self.bomb(last)).lines
        #expect(lines.count <= 101)
        if last.contains("?") || last.contains("{") && !last.contains("routes") {
            #expect(lines.first?.contains("a key must be plain text") == true, "\(lines)")
        }
    }

    @Test func `Merges of merges do not exhaust the reader`() {
        var text = "origin: http://o\nx-0: &x0 {ttl: 5s}\n"
        for level in 1...12 {
            let aliases = Array(repeating: "*x\(level - 1)", count: 20).joined(separator: ", ")
            text += "x-\(level): &x\(level) {<<: [\(aliases)]}\n"
        }
        let lines = GatewayCheck.run(text + "routes: [{path: /a, <<: *x12}]\n").lines
        #expect(!lines.isEmpty && lines.count <= 101)
    }

    @Test(arguments: [
        "[", "{", "{a: ", "[a: ", "- ", "? ", ": ", "&a ", "!t ", "'", "\"", "|\n ", "#", "\n", "a: b\n",
        "- {a: [b, c]}\n", "*a ", "<<: ", "%", "é",
    ])
    func `Repeated text does not exhaust the reader`(_ text: String) {
        for count in [10, 999, 1_200] {
            #expect(GatewayCheck.run(String(repeating: text, count: count)).lines.count <= 101)
        }
    }

    @Test func `The number of keys within keys is limited`() {
        let text = String(repeating: "? ", count: 900) + "[" + String(repeating: "a,", count: 1_000) + "]"
        #expect(
            GatewayCheck.run(text).lines.first == "1:1: a key must be plain text, without aliases or other YAML syntax"
        )
        let questions = "origin: http://o # why? no ?\n" + String(repeating: "# why? no ?\n", count: 30)
        #expect(GatewayCheck.run(questions).diagnostics.isEmpty)
    }

    @Test func `The size of a file and the number of its routes and list items are limited`() {
        let large = GatewayCheck.run("#" + String(repeating: "x", count: YAMLText.sizeLimit))
        #expect(large.lines.first == "1:1: the file is larger than 1 MiB")
        let routes = (0...1_000).map { "  - path: /\($0)\n" }.joined()
        #expect(
            GatewayCheck.run("origin: http://o\nroutes:\n" + routes).lines.first?.contains("at most 1000 are allowed")
                == true
        )
        let tags = (0...256).map { "t\($0)" }.joined(separator: ",")
        let text = "origin: http://o\nroutes: [{path: /a, tags: [\(tags)]}]"
        #expect(GatewayCheck.run(text).lines == ["2:27: `tags` has 257 items: at most 256 are allowed"])
    }

    @Test(arguments: [4_711, 4_712, 4_713] as [UInt64])
    func `A changed file does not crash the reader, and diagnostics have locations in the file`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var right = 0
        for round in 0..<200 {
            let text = Self.mutated(
                round.isMultiple(of: 3) ? Self.bomb("routes: [{path: /a}]") : Sample.everything,
                &random
            )
            let check = GatewayCheck.run(text)
            let lines = text.utf8.count { $0 == 0x0A || $0 == 0x0D } + 3
            #expect(check.diagnostics.allSatisfy { ($0.line ?? 1) <= lines && ($0.line ?? 1) > 0 }, "\(round)")
            #expect(check.diagnostics.allSatisfy { !$0.description.contains("\n") }, "\(round)")
            right += check.diagnostics.isEmpty ? 1 : 0
        }
        #expect(right > 0)
    }

    private static let pieces = [
        "\n", "\t", " ", "  - ", ": ", "'", "\"", "[", "]", "{", "}", "*x3", "&y ", "?", "#", "|", ">", "%", "!", "<<",
        ",",
        "é", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{0}", "\r", "\\u", "ttl: 5s\n", "path: /**\n", "~", "---\n", "...",
    ]

    private static func mutated(_ text: String, _ random: inout SeededRandom) -> String {
        var scalars = Array(text.unicodeScalars)
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let place = Int.random(in: 0..<scalars.count, using: &random)
            let end = min(scalars.count, place + Int.random(in: 0...30, using: &random))
            let piece = Array((pieces.randomElement(using: &random) ?? "").unicodeScalars)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars.replaceSubrange(place..<min(end, place + 1), with: piece)
            case 1: scalars.insert(contentsOf: piece, at: place)
            case 2:
                scalars.insert(
                    contentsOf: Array(scalars[place..<end]),
                    at: Int.random(in: 0...place, using: &random)
                )
            default: scalars.removeSubrange(place..<end)
            }
            if scalars.isEmpty { scalars = ["a"] }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
