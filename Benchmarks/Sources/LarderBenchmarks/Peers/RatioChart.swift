import Foundation

/// A chart of ratios: bars that begin at 1 on a logarithmic scale, to the right where Larder needs less processor time.
struct RatioChart {
    private let rows: [Comparison]
    /// The exponents of 2 at the ends of the scale.
    private let scale: ClosedRange<Int>

    private static let width = 900
    private static let barsStart = 450.0
    private static let barsEnd = 830.0
    private static let top = 46
    private static let step = 22

    init(_ rows: [Comparison]) {
        self.rows = rows
        let values = rows.flatMap { [$0.ratio, $0.goal?.bound] }.compactMap(\.self)
        let least = Int(log2(values.min() ?? 1).rounded(.down)), most = Int(log2(values.max() ?? 1).rounded(.up))
        scale = min(least, -1)...max(most, 1)
    }

    /// The chart as a file, which is readable on a light and on a dark background.
    var svg: String {
        let bottom = Self.top + rows.count * Self.step
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(bottom + 44)" role="img"
                aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">
            <title id="title">Hits per CPU-second of Larder, as ratios to other servers</title>
            <desc id="desc">\(Self.escaped(rows.map(Self.sentence).joined(separator: " ")))</desc>
            <style>
            text { fill: #6e7781 } .line { stroke: #6e7781 } .grid { stroke: #8c959f; stroke-opacity: .35 }
            .bar { fill: #2f81f7 } .goal { stroke: #e5534b; stroke-width: 2 }
            @media (prefers-color-scheme: light) { text { fill: #1f2328 } .line { stroke: #1f2328 } }
            @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .line { stroke: #e6edf3 } }
            </style>
            <text x="10" y="20" font-weight="600">Hits per CPU-second, as a ratio to the other server (logarithmic)</text>
            \(grid(to: bottom).joined(separator: "\n"))
            \(rows.indices.map(bar).joined(separator: "\n"))
            <line class="line" x1="\(x(1))" y1="\(Self.top - 6)" x2="\(x(1))" y2="\(bottom)"/>
            <text x="10" y="\(bottom + 36)" font-size="12">Bars to the right: Larder needs less processor time. \
            Red lines: goals. Median of the rounds.</text>
            </svg>

            """
    }

    private func x(_ ratio: Double) -> String {
        let length = Double(scale.upperBound - scale.lowerBound)
        let share = (log2(ratio) - Double(scale.lowerBound)) / length
        return Figure.decimal(Self.barsStart + min(max(share, 0), 1) * (Self.barsEnd - Self.barsStart), 1)
    }

    private func grid(to bottom: Int) -> [String] {
        scale.map { exponent in
            let value = pow(2, Double(exponent))
            let label = value < 1 ? "1/\(Int(1 / value))" : "\(Int(value))"
            return """
                <line class="grid" x1="\(x(value))" y1="\(Self.top - 6)" x2="\(x(value))" y2="\(bottom)"/>
                <text x="\(x(value))" y="\(bottom + 16)" text-anchor="middle" font-size="11">\(label)</text>
                """
        }
    }

    private func bar(_ place: Int) -> String {
        let (row, y) = (rows[place], Self.top + place * Self.step)
        let ratio = row.ratio ?? 1
        let (start, end) = (Double(x(min(ratio, 1))) ?? 0, Double(x(max(ratio, 1))) ?? 0)
        var text = """
            <text x="10" y="\(y + 11)">\(Self.escaped("\(row.work), to \(row.rival)"))</text>
            <rect class="bar" x="\(Figure.decimal(start, 1))" y="\(y)" width="\(Figure.decimal(end - start, 1))" height="14"/>
            <text x="\(Self.width - 10)" y="\(y + 11)" text-anchor="end">\(Figure.ratio(ratio)) ×</text>
            """
        if let goal = row.goal?.bound {
            text += "\n<line class=\"goal\" x1=\"\(x(goal))\" y1=\"\(y - 2)\" x2=\"\(x(goal))\" y2=\"\(y + 16)\"/>"
        }
        return text
    }

    private static func sentence(_ row: Comparison) -> String {
        "\(row.work): \(Figure.ratio(row.ratio ?? 1)) times \(row.rival)."
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
