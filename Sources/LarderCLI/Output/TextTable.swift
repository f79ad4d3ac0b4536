/// A table of texts with aligned columns.
struct TextTable {
    /// A column of a table.
    struct Column {
        /// The side of a column on which its texts begin or end.
        enum Side {
            case left
            case right
        }

        let title: String
        let side: Side
        /// True if texts of the column are cut where the table is wider than the terminal.
        let isFlexible: Bool

        /// Creates a column of numbers, on the right.
        static func number(_ title: String) -> Column { Column(title: title, side: .right, isFlexible: false) }

        /// Creates a column of texts.
        static func text(_ title: String, isFlexible: Bool = false) -> Column {
            Column(title: title, side: .left, isFlexible: isFlexible)
        }
    }

    /// The columns that a flexible column keeps however narrow the terminal is.
    private static let narrowest = 8
    private static let gap = "  "

    let columns: [Column]
    /// The width of the terminal; nil if lines are not cut.
    let width: Int?
    /// The text before each line.
    var indentation = ""
    private var widths: [Int]

    /// Creates a table.
    /// - Parameters:
    ///   - width: The width of the terminal; nil if lines are not cut.
    ///   - indentation: The text before each line.
    init(_ columns: [Column], width: Int?, indentation: String = "") {
        self.columns = columns
        self.width = width
        self.indentation = indentation
        widths = columns.map { PrintedText.width($0.title) }
    }

    /// The line of the titles, as wide as the rows that were aligned so far.
    var header: String { line(columns.map(\.title)) }

    /// Returns the lines of rows, below those of earlier ones: a column never becomes narrower.
    mutating func lines(_ rows: [[String]]) -> [String] {
        align(to: rows)
        return rows.map(line)
    }

    /// Makes the columns as wide as the texts of rows, as far as the terminal is wide enough.
    mutating func align(to rows: [[String]]) {
        for (place, column) in columns.enumerated() {
            let widest = rows.reduce(widths[place]) { max($0, PrintedText.width($1[place])) }
            // Without a terminal, one long text would move the columns of all rows after it.
            widths[place] = width == nil && column.isFlexible ? min(widest, max(widths[place], 60)) : widest
        }
        guard let width else { return }
        let used = PrintedText.width(indentation) + widths.reduce(0, +) + Self.gap.count * (columns.count - 1)
        var excess = used - width
        // The widest of the flexible columns is cut first.
        while excess > 0,
            let place = columns.indices.filter({ columns[$0].isFlexible && widths[$0] > Self.narrowest })
                .max(by: { widths[$0] < widths[$1] })
        {
            let others = columns.indices.filter { columns[$0].isFlexible && $0 != place }.map { widths[$0] }
            let step = max(1, min(excess, widths[place] - max(others.max() ?? 0, Self.narrowest)))
            widths[place] -= step
            excess -= step
        }
    }

    private func line(_ cells: [String]) -> String {
        var line = indentation
        for (place, column) in columns.enumerated() {
            let isLast = place == columns.count - 1
            let isCut = width != nil && column.isFlexible
            let cell = isCut ? PrintedText.cut(cells[place], to: widths[place]) : cells[place]
            let space = String(repeating: " ", count: max(0, widths[place] - PrintedText.width(cell)))
            line += column.side == .right ? space + cell : isLast ? cell : cell + space
            if !isLast { line += Self.gap }
        }
        let end = line.lastIndex { $0 != " " }
        let trimmed = end.map { String(line[...$0]) } ?? ""
        return width.map { PrintedText.cut(trimmed, to: $0) } ?? trimmed
    }
}
