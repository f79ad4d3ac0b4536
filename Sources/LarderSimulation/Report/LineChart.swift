/// A chart of lines over sizes of memory, as SVG within a page.
struct LineChart {
    /// A line of the chart.
    struct Line {
        let name: String
        /// The sizes of memory, and the ratios, 0 to 1, at them.
        let points: [(memory: Int, ratio: Double)]
    }

    let id: String
    let title: String
    let description: String
    let lines: [Line]
    /// Returns the label of a size.
    let label: (Int) -> String

    private static let width = 720.0
    private static let height = 380.0
    private static let left = 64.0
    private static let right = 696.0
    private static let top = 48.0
    private static let bottom = 320.0

    /// The shapes of the points, so that lines are told apart without colours.
    private static let shapes = ["circle", "square", "diamond", "triangle"]

    private var sizes: [Int] { Set(lines.flatMap { $0.points.map(\.memory) }).sorted() }

    /// The upper end of the ratios, in tenths.
    private var topTenth: Int {
        let largest = lines.flatMap { $0.points.map(\.ratio) }.max() ?? 0
        return min(10, max(1, Int((largest * 10 + 0.2).rounded(.up))))
    }

    /// The binary logarithm of a number, by halving: a chart needs no more.
    private static func logarithm(_ number: Int) -> Double {
        var (exponent, rest) = (0.0, Double(max(1, number)))
        while rest >= 2 { (exponent, rest) = (exponent + 1, rest / 2) }
        var bit = 0.5
        for _ in 0..<20 {
            rest *= rest
            if rest >= 2 { (exponent, rest) = (exponent + bit, rest / 2) }
            bit /= 2
        }
        return exponent
    }

    private func x(_ memory: Int) -> Double {
        guard let first = sizes.first, let last = sizes.last, first < last else { return (Self.left + Self.right) / 2 }
        let (low, high) = (Self.logarithm(first), Self.logarithm(last))
        // The first and the last size stand a little inside.
        return Self.left + 32 + (Self.logarithm(memory) - low) / (high - low) * (Self.right - Self.left - 64)
    }

    private func y(_ ratio: Double) -> Double {
        Self.bottom - ratio * 10 / Double(topTenth) * (Self.bottom - Self.top)
    }

    private static func text(_ number: Double) -> String { NumberText.fixed(number, places: 1) }

    /// The chart.
    var svg: String {
        var parts = [
            "<svg viewBox=\"0 0 720 380\" role=\"img\" aria-labelledby=\"\(id)-title \(id)-desc\">",
            "<title id=\"\(id)-title\">\(HTMLText.escaped(title))</title>",
            "<desc id=\"\(id)-desc\">\(HTMLText.escaped(description))</desc>",
        ]
        parts += axes
        // The first line is drawn last, above the others.
        for (number, line) in lines.enumerated().reversed() { parts += svg(of: line, number % Self.shapes.count) }
        parts += legend
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    private var axes: [String] {
        let (left, right) = (Self.text(Self.left), Self.text(Self.right))
        var parts: [String] = []
        let step = topTenth > 5 ? 2 : 1
        for tenth in stride(from: 0, through: topTenth, by: step) {
            let y = Self.text(y(Double(tenth) / 10))
            parts.append("<line class=\"grid\" x1=\"\(left)\" y1=\"\(y)\" x2=\"\(right)\" y2=\"\(y)\"/>")
            parts.append("<text class=\"tick\" x=\"56\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">\(tenth * 10) %</text>")
        }
        var previous = -Double.infinity
        for size in sizes where x(size) - previous >= 60 {
            previous = x(size)
            parts.append(
                "<text class=\"tick\" x=\"\(Self.text(previous))\" y=\"340\" text-anchor=\"middle\">"
                    + "\(HTMLText.escaped(label(size)))</text>"
            )
        }
        parts.append("<text class=\"axis\" x=\"380\" y=\"366\" text-anchor=\"middle\">memory, logarithmic</text>")
        return parts
    }

    private func svg(of line: Line, _ number: Int) -> [String] {
        let places = line.points.map { (x: x($0.memory), y: y($0.ratio)) }
        let path = places.map { "\(Self.text($0.x)),\(Self.text($0.y))" }.joined(separator: " ")
        var parts = ["<g class=\"line line-\(number)\">", "<polyline points=\"\(path)\"/>"]
        for (place, point) in zip(places, line.points) {
            let name = "\(line.name), \(label(point.memory)): \(NumberText.percent(point.ratio))"
            let title = "<title>\(HTMLText.escaped(name))</title>"
            parts.append(Self.mark(number, x: place.x, y: place.y, title))
        }
        return parts + ["</g>"]
    }

    private static func mark(_ number: Int, x: Double, y: Double, _ title: String) -> String {
        func points(_ offsets: [(Double, Double)]) -> String {
            let points = offsets.map { "\(text(x + $0)),\(text(y + $1))" }.joined(separator: " ")
            return "<polygon points=\"\(points)\">\(title)</polygon>"
        }
        switch shapes[number] {
        case "square": return points([(-4, -4), (4, -4), (4, 4), (-4, 4)])
        case "diamond": return points([(0, -6), (6, 0), (0, 6), (-6, 0)])
        case "triangle": return points([(0, -6), (6, 5), (-6, 5)])
        default: return "<circle cx=\"\(text(x))\" cy=\"\(text(y))\" r=\"4.5\">\(title)</circle>"
        }
    }

    private var legend: [String] {
        var x = Self.left
        return lines.enumerated().map { number, line in
            defer { x += 64 + Double(line.name.count) * 8 }
            return "<g class=\"line line-\(number % Self.shapes.count)\">"
                + "<line x1=\"\(Self.text(x))\" y1=\"20\" x2=\"\(Self.text(x + 28))\" y2=\"20\"/>"
                + Self.mark(number % Self.shapes.count, x: x + 14, y: 20, "")
                + "<text class=\"name\" x=\"\(Self.text(x + 36))\" y=\"24\">\(HTMLText.escaped(line.name))</text></g>"
        }
    }
}

/// Text within HTML.
enum HTMLText {
    /// Returns a text in which nothing is markup.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
