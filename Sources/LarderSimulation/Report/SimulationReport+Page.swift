import Larder

extension SimulationReport {
    /// The report as an HTML page that needs nothing else: no script, no font and no picture is loaded.
    package var page: String {
        let files = HTMLText.escaped(files.joined(separator: ", "))
        let answer = summary.map { "<p>\(HTMLText.escaped($0))</p>" }.joined(separator: "\n")
        let notes = (notes + warnings.map { "Warning: " + $0 }).map { "<li>\(HTMLText.escaped($0))</li>" }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>Would a cache pay? \(files)</title>
            <style>
            \(Self.style)
            </style>
            </head>
            <body>
            <main>
            <header>
            <h1>Would a cache pay?</h1>
            <p class="files">\(files)</p>
            </header>
            <section class="answer">
            \(answer)
            </section>
            <section>
            <h2>Hit ratio</h2>
            \(chart("hits", "Hit ratio by memory", \.hitRatio))
            </section>
            \(byteChart)<section>
            <h2>All figures</h2>
            \(table)
            </section>
            <section>
            <h2>What the prediction assumes</h2>
            <ul>
            \(notes.joined(separator: "\n"))
            </ul>
            </section>
            </main>
            </body>
            </html>

            """
    }

    private var byteChart: String {
        guard !isOfKeys else { return "" }
        return """
            <section>
            <h2>Byte hit ratio</h2>
            \(chart("bytes", "Byte hit ratio by memory", \.byteHitRatio))
            </section>

            """
    }

    private func chart(_ id: String, _ title: String, _ ratio: KeyPath<Row, Double>) -> String {
        let lines = policies.map { policy in
            LineChart.Line(
                name: policy.rawValue,
                points: rows(of: policy).map { (memory: $0.memory.bytes, ratio: $0[keyPath: ratio]) }
            )
        }
        let description = lines.map { line in
            let points = line.points.map { "\(NumberText.percent($0.ratio)) with \(memoryText($0.memory))" }
            return "\(line.name): \(points.joined(separator: ", "))."
        }
        let chart = LineChart(
            id: id,
            title: title,
            description: description.joined(separator: " "),
            lines: lines,
            label: memoryText
        )
        return "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"\(title)\">\n\(chart.svg)\n</div>"
    }

    private var table: String {
        let head = Self.columns.map { "<th scope=\"col\">\($0)</th>" }.joined()
        let body = cells().map { row in
            "<tr>" + row.map { "<td>\(HTMLText.escaped($0))</td>" }.joined() + "</tr>"
        }
        return """
            <div class="wide" tabindex="0" role="region" aria-label="All figures">
            <table>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(body.joined(separator: "\n"))
            </tbody>
            </table>
            </div>
            """
    }

    private static let style = """
        :root { --ground: #fff; --text: #1c1e21; --quiet: #5c6370; --rule: #d9dde3; --panel: #f2f5f9;
          --line-0: #0b63c5; --line-1: #b3400a; --line-2: #5b6472; --line-3: #7a3fb0; }
        @media (prefers-color-scheme: dark) { :root { --ground: #15181c; --text: #e8eaed; --quiet: #a0a8b4;
          --rule: #353b44; --panel: #1f242b; --line-0: #6fb1ff; --line-1: #ff9d6b; --line-2: #aab4c2;
          --line-3: #c9a0f5; } }
        body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 64rem; margin: 0 auto; padding: 2rem 1rem; }
        h1 { margin: 0; font-size: 1.75rem; }
        h2 { margin: 2.5rem 0 .5rem; font-size: 1.2rem; }
        .files { margin: 0; color: var(--quiet); overflow-wrap: anywhere; }
        .answer { margin-top: 1.5rem; padding: .25rem 1.25rem; background: var(--panel); border-radius: .5rem;
          border-left: .25rem solid var(--line-0); font-size: 1.1rem; }
        svg { display: block; width: 100%; min-width: 36rem; height: auto; }
        svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
        svg .tick, svg .axis { fill: var(--quiet); }
        .grid { stroke: var(--rule); }
        .line polyline, .line line { fill: none; stroke-width: 2; }
        .line-0 { stroke: var(--line-0); fill: var(--line-0); }
        .line-1 { stroke: var(--line-1); fill: var(--line-1); }
        .line-2 { stroke: var(--line-2); fill: var(--line-2); }
        .line-3 { stroke: var(--line-3); fill: var(--line-3); }
        .line text { stroke: none; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
        th, td { padding: .35rem .5rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
        th { color: var(--quiet); font-weight: 600; }
        th:nth-child(2), td:nth-child(2) { text-align: left; }
        li { margin: .25rem 0; }
        """
}
