import Foundation
import LarderSimulation
import Testing

@testable import LarderCLI

/// The texts and tables that commands print.
@Suite(.timeLimit(.minutes(5))) struct PrintedTextTests {
    @Test(arguments: [
        ("GET:/a?b=c#d", "GET:/a?b=c#d"), ("a\nb\tc\rd", #"a\nb\tc\rd"#), ("\u{1B}[2J", #"\u{1B}[2J"#),
        ("\u{9B}2J", #"\u{9B}2J"#), ("a\u{202E}b", #"a\u{202E}b"#), ("\u{2028}", #"\u{2028}"#), ("日本 é", "日本 é"),
        ("\u{7F}", #"\u{7F}"#), ("\u{FEFF}", #"\u{FEFF}"#),
    ]) func `Characters that control a terminal are escaped`(_ text: String, _ expected: String) {
        #expect(PrintedText.escaped(text) == expected)
    }

    @Test(arguments: [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abc", 0, ""), ("abc", 1, "…"), ("日本語", 6, "日本語"), ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"), ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
    ]) func `A text is cut by the columns that it takes`(_ text: String, _ columns: Int, _ expected: String) {
        #expect(PrintedText.cut(text, to: columns) == expected)
        #expect(PrintedText.width(expected) <= columns)
    }

    private static let columns: [TextTable.Column] = [
        .text("NAME", isFlexible: true), .number("SIZE"), .text("TAGS", isFlexible: true),
    ]

    @Test func `Columns are aligned, numbers on the right`() {
        var table = TextTable(Self.columns, width: nil, indentation: "  ")
        let lines = table.lines([["a", "1", "x"], ["abcdef", "12,345", ""]])
        #expect([table.header] + lines == ["  NAME      SIZE  TAGS", "  a            1  x", "  abcdef  12,345"])
    }

    @Test func `A table is as wide as the terminal at most, and its longest texts are cut`() {
        for width in [10, 20, 30, 40, 100] {
            var table = TextTable(Self.columns, width: width)
            let rows = [
                [String(repeating: "n", count: 50), "1,234", String(repeating: "t", count: 20)], ["a", "1", "b"],
            ]
            let lines = table.lines(rows)
            #expect(([table.header] + lines).allSatisfy { PrintedText.width($0) <= width }, "\(lines)")
        }
        var table = TextTable(Self.columns, width: 40)
        let line = table.lines([[String(repeating: "n", count: 50), "1,234", "tag"]])[0]
        #expect(line == String(repeating: "n", count: 26) + "…  1,234  tag")
    }

    @Test func `Rows of later pages are below those of the first`() {
        var table = TextTable(Self.columns, width: 60)
        let first = table.lines([["abc", "100", "t"]])
        let second = table.lines([["a", "1", "t"]])
        #expect(first[0].firstIndex(of: "t") == second[0].firstIndex(of: "t"))
    }

    @Test func `Without a terminal nothing is cut, and one long key does not move all others`() {
        var table = TextTable(Self.columns, width: nil)
        let long = String(repeating: "n", count: 500)
        let lines = table.lines([[long, "1", "t"], ["a", "1", "t"]])
        #expect(lines[0].hasPrefix(long + "     1  t") && lines[1].count < 80)
    }

    @Test(arguments: [
        (0, "0.00 µs"), (0.00000034, "0.34 µs"), (0.0000123, "12.3 µs"), (0.00034, "340 µs"), (0.000999999, "1.00 ms"),
        (0.0123, "12.3 ms"), (0.9996, "1.00 s"), (1.5, "1.50 s"), (99.99, "100 s"), (12_345, "12,345 s"), (-1, "-"),
        (.nan, "-"), (.infinity, "-"),
    ]) func `A measured time has three digits`(_ seconds: Double, _ expected: String) {
        #expect(NumberText.latency(seconds) == expected)
    }

    @Test(arguments: [(30, "30 s"), (0, "0 s"), (-90, "stale 1 min 30 s"), (7_384, "2 h 3 min")])
    func `Freshness is a time`(_ ttl: Int, _ expected: String) {
        #expect(EntryText.freshness(ttl) == expected)
    }
}
