import TestHelpers
import Testing

/// Checks that the figures of the README are those of `docs/benchmarks.md`.
@Suite(.timeLimit(.minutes(5))) struct BenchmarkFigureTests {
    /// A row of the table of ratios.
    struct Row {
        let work: String
        let rival: String
        /// The median of the ratio; nil if it was not measured.
        let ratio: Substring?
        let hasGoal: Bool
    }

    /// Returns the rows of the tables that `make bench-peers` writes.
    private static func rows() throws -> [Row] {
        let page = try PackageFolder.text(of: "docs/benchmarks.md")
        let section = try #require(page.firstMatch(of: /<!-- peers:begin -->([\s\S]*)<!-- peers:end -->/)).1
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingSpaces }
            guard cells.count == 7, !cells[4].hasPrefix("ratio"), !cells[4].hasPrefix("-") else { return nil }
            return Row(
                work: String(cells[0]),
                rival: String(cells[1]),
                ratio: cells[4].prefixMatch(of: /[0-9.]+(?= \()/)?.0,
                hasGoal: !cells[5].isEmpty
            )
        }
    }

    @Test func `The README states the measured ratios of small hits`() throws {
        let paragraphs = try PackageFolder.text(of: "README.md").split(separator: "\n\n")
        let paragraph = try #require(paragraphs.first { $0.hasPrefix("Hits of 40 B per CPU-second") })
            .split(separator: "\n").joined(separator: " ")
        let works = ["gateway hit, 40 B", "example API, 40 B"]
        let rows = try Self.rows().filter { $0.hasGoal && works.contains($0.work) }
        #expect(!rows.isEmpty)
        for row in rows {
            if let ratio = row.ratio {
                #expect(paragraph.contains("\(ratio)× \(row.rival)"), "\(row.work)")
            } else {
                #expect(!paragraph.contains("× \(row.rival)"), "\(row.work)")
            }
        }
        #expect(paragraph.count { $0 == "×" } == rows.count { $0.ratio != nil })
    }

    @Test func `The chart of the README exists`() throws {
        #expect(try PackageFolder.text(of: "README.md").contains("(docs/benchmarks.svg)"))
        #expect(try PackageFolder.text(of: "docs/benchmarks.svg").hasPrefix("<svg "))
    }
}

extension Substring {
    /// The text without the spaces around it.
    fileprivate var trimmingSpaces: Substring {
        let start = drop { $0 == " " }
        guard let end = start.lastIndex(where: { $0 != " " }) else { return "" }
        return start[...end]
    }
}
