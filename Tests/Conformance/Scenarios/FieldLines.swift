public import HTTPCaching
public import HTTPTypes

extension HTTPFields {
    /// Creates fields from text, one a line: `Cache-Control: max-age=60`. `{60}` means the date 60 s after `moment`.
    public init(lines: String, at moment: Timestamp) {
        self.init()
        for line in lines.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else {
                preconditionFailure("A line that is no field: \(line)")
            }
            self.append(HTTPField(name: name, value: Self.fillDates(parts[1].drop { $0 == " " }, at: moment)))
        }
    }

    private static func fillDates(_ value: Substring, at moment: Timestamp) -> String {
        var parts = value.split(separator: "{", omittingEmptySubsequences: false)
        var text = String(parts.removeFirst())
        for part in parts {
            let halves = part.split(separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let seconds = Int(halves[0]) else {
                preconditionFailure("A date that is no number of seconds: {\(part)")
            }
            text += HTTPDate.format(moment.advanced(by: .seconds(seconds))) + halves[1]
        }
        return text
    }
}
