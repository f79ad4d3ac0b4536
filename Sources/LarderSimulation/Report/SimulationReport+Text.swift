import Larder

extension SimulationReport {
    /// The names of the columns of the table.
    static let columns = [
        "memory", "policy", "hit ratio", "byte hit ratio", "requests saved", "bytes saved", "peak memory", "entries",
        "evicted",
    ]

    /// The cells of the table, row by row.
    func cells() -> [[String]] {
        rows.map { row in
            let counts = row.counts
            return [
                memoryText(row.memory.bytes), row.policy.rawValue, NumberText.percent(row.hitRatio, places: 2),
                isOfKeys ? "-" : NumberText.percent(row.byteHitRatio, places: 2), NumberText.grouped(counts.hits),
                isOfKeys ? "-" : NumberText.traffic(counts.hitBytes), memoryText(counts.peakBytes),
                NumberText.grouped(counts.peakEntries), counts.evictions.map(NumberText.grouped) ?? "-",
            ]
        }
    }

    /// The report as text: the answer, the table, and what the prediction assumes.
    package var text: String {
        let cells = cells()
        let widths = Self.columns.indices.map { column in
            ([Self.columns] + cells).map { $0[column].count }.max() ?? 0
        }
        func line(_ row: [String]) -> String {
            let columns = row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - row[column].count)
                // Names are on the left of their columns, numbers on the right.
                return column == 1 ? row[column] + space : space + row[column]
            }
            return columns.joined(separator: "  ")
        }
        var lines = [summary.joined(separator: " "), "", line(Self.columns)]
        var memory = rows.first?.memory
        for (row, cells) in zip(rows, cells) {
            if row.memory != memory, policies.count > 1 { lines.append("") }
            memory = row.memory
            lines.append(line(cells))
        }
        return (lines + [""] + notes).joined(separator: "\n") + "\n"
    }
}
