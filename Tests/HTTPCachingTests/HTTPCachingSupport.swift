import ConformanceTables
import HTTPCaching
import HTTPTypes
import TestHelpers
import Testing

/// The time at which the tests start: Sun, 06 Nov 1994 08:49:37 GMT.
let start = Scenario.beginning

/// Returns the time that is this number of seconds after ``start``.
func at(_ seconds: Int) -> Timestamp {
    start.advanced(by: .seconds(seconds))
}

extension HTTPFields {
    /// Creates fields from text, one a line: `Cache-Control: max-age=60`. `{60}` means the date 60 s after ``start``.
    init(lines: String) {
        self.init(lines: lines, at: start)
    }

    /// The fields in the format that ``init(lines:)`` reads, sorted for comparison.
    var lines: [String] { self.map { "\($0.name): \($0.value)" }.sorted() }
}

extension HTTPField.Name {
    /// Returns the field name for a name in a test.
    static func named(_ name: String) -> Self {
        guard let name = Self(name) else { preconditionFailure("not a field name: \(name)") }
        return name
    }
}

extension HTTPRequest {
    init(_ method: Method = .get, _ path: String = "/", lines: String = "") {
        self.init(
            method: method,
            scheme: "https",
            authority: "example.org",
            path: path,
            headerFields: HTTPFields(lines: lines)
        )
    }
}

extension HTTPResponse {
    init(_ code: Int = 200, lines: String) {
        self.init(status: Status(code: code), headerFields: HTTPFields(lines: lines))
    }
}

extension SeededGenerator {
    /// Returns `text` with up to four bytes changed, doubled, removed or inserted, and sometimes cut short.
    mutating func mutated(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &self)
            let byte = Self.interesting.randomElement(using: &self) ?? 0
            switch Int.random(in: 0..<5, using: &self) {
            case 0: if !bytes.isEmpty { bytes[index] = byte }
            case 1: if !bytes.isEmpty { bytes.remove(at: index) }
            case 2: bytes.insert(byte, at: index)
            case 3: bytes.insert(contentsOf: bytes.prefix(index), at: index)
            default: bytes = Array(bytes.prefix(index + 1))
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let interesting = Array("\",;=\\ \t-/*:@?%()09azAZ.{}é\u{301}".utf8) + [0, 0x7F, 0xFF, 0x0D, 0x0A]
}

/// Returns all texts over `alphabet` with at most `length` elements.
func allTexts(over alphabet: [String], upTo length: Int) -> [String] {
    var all = [""]
    var longest = [""]
    for _ in 0..<length {
        longest = longest.flatMap { text in alphabet.map { text + $0 } }
        all += longest
    }
    return all
}
