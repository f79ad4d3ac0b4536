import HTTPCaching
import HTTPTypes
import Testing

/// A request for a range, and the range that it gets.
struct RangeCase: Sendable, CustomTestStringConvertible {
    let anchor: String
    let request: String
    let expected: ByteRange
    var length = 1_000
    var method = HTTPRequest.Method.get
    var status = 200
    var stored = ""

    init(
        _ anchor: String,
        _ request: String,
        of length: Int = 1_000,
        _ expected: ByteRange,
        method: HTTPRequest.Method = .get,
        status: Int = 200,
        stored: String = ""
    ) {
        (self.anchor, self.request, self.expected, self.length) = (anchor, request, expected, length)
        (self.method, self.status, self.stored) = (method, status, stored)
    }

    var testDescription: String { "\(request) of \(length) (\(anchor))" }
}

@Suite(.timeLimit(.minutes(5))) struct ByteRangeTests {
    private static let r = "Range: bytes="

    static let ranges: [RangeCase] = [
        RangeCase("9110 §14.1.2", "", .whole),
        RangeCase("9110 §14.1.2", r + "0-499", .part(0..<500)),
        RangeCase("9110 §14.1.2", r + "500-999", .part(500..<1_000)),
        RangeCase("9110 §14.1.2", r + "0-0", .part(0..<1)),
        RangeCase("9110 §14.1.2", r + "999-999", .part(999..<1_000)),
        RangeCase("9110 §14.1.2", r + "500-", .part(500..<1_000)),
        RangeCase("9110 §14.1.2", r + "0-", .part(0..<1_000)),
        RangeCase("9110 §14.1.2: a last-pos beyond the end means the end", r + "999-1000", .part(999..<1_000)),
        RangeCase("9110 §14.1.2", r + "0-99999999999999999999999", .part(0..<1_000)),
        RangeCase("9110 §14.1.2", r + "0000-0001", .part(0..<2)),
        RangeCase("9110 §14.1.2: beyond the end", r + "1000-", .unsatisfiable),
        RangeCase("9110 §14.1.2", r + "1000-1001", .unsatisfiable),
        RangeCase("9110 §14.1.2", r + "99999999999999999999-", .unsatisfiable),
        RangeCase("9110 §14.1.2", r + "99999999999999999999-99999999999999999999", .unsatisfiable),
        RangeCase("9110 §14.1.2: the last bytes", r + "-500", .part(500..<1_000)),
        RangeCase("9110 §14.1.2", r + "-1", .part(999..<1_000)),
        RangeCase("9110 §14.1.2: a longer suffix is the whole", r + "-5000", .part(0..<1_000)),
        RangeCase("9110 §14.1.2", r + "-99999999999999999999", .part(0..<1_000)),
        RangeCase("9110 §14.1.2: no suffix of nothing", r + "-0", .unsatisfiable),
        RangeCase("9110 §14.1.2", r + "-000", .unsatisfiable),
        RangeCase("9110 §14.1.2: empty content has no first byte", r + "0-", of: 0, .unsatisfiable),
        RangeCase("9110 §14.1.2", r + "0-0", of: 0, .unsatisfiable),
        RangeCase("9110 §14.1.2: but its suffix is the whole", r + "-1", of: 0, .whole),
        RangeCase("9110 §14.1.2", r + "-0", of: 0, .unsatisfiable),
        RangeCase("9110 §14.1: range units are case-insensitive", "Range: BYTES=0-1", .part(0..<2)),
        RangeCase("9110 §5.6.1: empty members of a list", r + ", 0-1 ,,", .part(0..<2)),
        RangeCase("9110 §14.2: the server may ignore several", r + "0-1,5-6", .whole),
        RangeCase("9110 §14.2", r + "0-1,", .part(0..<2)),
        RangeCase("9110 §14.2", "Range: bytes=0-1\nRange: bytes=5-6", .whole),
    ]

    static let malformed: [RangeCase] = [
        "items=0-1", "bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=1--2", "bytes=1", "bytes=a-b", "bytes=0-b",
        "bytes=0x0-1", "bytes=+0-1", "bytes=0-+1", "bytes=0 -1", "bytes=0- 1", "bytes =0-1", "bytes=1.0-2", "0-1",
        "bytes:0-1", "bytes=\"0-1\"", "bytes=0-1-2", "bytes=5-4", "bytes=0\u{2013}1", "bytes=\u{0661}-", "=0-1", "",
        "bytes=0-1;q=1", "bytes==0-1",
    ].map { RangeCase("9110 §14.2: an invalid one is ignored", "Range: \($0)", .whole) }

    static let circumstances: [RangeCase] =
        [
            RangeCase("9110 §14.2: of GET only", r + "0-1", .whole, method: .head),
            RangeCase("9110 §14.2", r + "0-1", .whole, method: .post),
            RangeCase("9110 §14.2", r + "5000-", .whole, method: .head),
        ]
        + [203, 204, 206, 301, 304, 404, 410, 500].map {
            RangeCase("9110 §14.2: of a 200 only", r + "0-1", .whole, status: $0)
        }

    private static let tagged = "ETag: \"a\"\nLast-Modified: {-60}\nDate: {0}"

    static let conditions: [RangeCase] = [
        RangeCase("9110 §13.1.5: the same strong tag", r + "0-1\nIf-Range: \"a\"", .part(0..<2), stored: tagged),
        RangeCase("9110 §13.1.5: another tag", r + "0-1\nIf-Range: \"b\"", .whole, stored: tagged),
        RangeCase("9110 §13.1.5: false hides what cannot be", r + "5000-\nIf-Range: \"b\"", .whole, stored: tagged),
        RangeCase("9110 §13.1.5", r + "5000-\nIf-Range: \"a\"", .unsatisfiable, stored: tagged),
        RangeCase("9110 §8.8.3.2: weak tags match nothing", r + "0-1\nIf-Range: W/\"a\"", .whole, stored: tagged),
        RangeCase("9110 §8.8.3.2", r + "0-1\nIf-Range: W/\"a\"", .whole, stored: "ETag: W/\"a\""),
        RangeCase("9110 §8.8.3.2", r + "0-1\nIf-Range: \"a\"", .whole, stored: "ETag: W/\"a\""),
        RangeCase("9110 §13.1.5", r + "0-1\nIf-Range: \"a\"", .whole),
        RangeCase("9110 §13.1.5: one tag, no list", r + "0-1\nIf-Range: \"a\", \"b\"", .whole, stored: tagged),
        RangeCase("9110 §13.1.5", r + "0-1\nIf-Range: \"a\"\nIf-Range: \"a\"", .whole, stored: tagged),
        RangeCase("9110 §13.1.5", r + "0-1\nIf-Range: *", .whole, stored: tagged),
        RangeCase("9110 §13.1.5", r + "0-1\nIf-Range: ", .whole, stored: tagged),
        RangeCase("9110 §13.1.5: nothing to ignore", "If-Range: \"b\"", .whole, stored: tagged),
        RangeCase("9110 §13.1.5: the same date", r + "0-1\nIf-Range: {-60}", .part(0..<2), stored: tagged),
        RangeCase("9110 §13.1.5: a later date is another", r + "0-1\nIf-Range: {0}", .whole, stored: tagged),
        RangeCase("9110 §13.1.5: an earlier one too", r + "0-1\nIf-Range: {-61}", .whole, stored: tagged),
        RangeCase(
            "9110 §8.8.2.2: a date is weak within its second",
            r + "0-1\nIf-Range: {0}",
            .whole,
            stored: "Last-Modified: {0}\nDate: {0}"
        ),
        RangeCase(
            "9110 §8.8.2.2: and strong a second later",
            r + "0-1\nIf-Range: {0}",
            .part(0..<2),
            stored: "Last-Modified: {0}\nDate: {1}"
        ),
        RangeCase(
            "9110 §8.8.2.2: from the future",
            r + "0-1\nIf-Range: {9}",
            .whole,
            stored: "Last-Modified: {9}\nDate: {0}"
        ),
        RangeCase("9110 §8.8.2.2: without a Date", r + "0-1\nIf-Range: {0}", .whole, stored: "Last-Modified: {0}"),
        RangeCase(
            "9110 §5.6.7: a date in another form",
            r + "0-1\nIf-Range: Sun Nov  6 08:49:37 1994",
            .part(0..<2),
            stored: "Last-Modified: {0}\nDate: {60}"
        ),
        RangeCase("9110 §13.1.5: no date at all", r + "0-1\nIf-Range: yesterday", .whole, stored: tagged),
    ]

    @Test(arguments: ranges + malformed + circumstances + conditions)
    func `A range request gets a part, the whole, or 416`(_ test: RangeCase) {
        let found = ByteRange.evaluate(
            HTTPRequest(test.method, lines: test.request),
            stored: HTTPResponse(test.status, lines: test.stored),
            length: test.length
        )
        #expect(found == test.expected)
    }

    @Test func `Content-Range names the part that is sent, or only the length (9110 §14.4)`() {
        #expect(ByteRange.part(0..<500).contentRange(length: 1_234) == "bytes 0-499/1234")
        #expect(ByteRange.part(1_233..<1_234).contentRange(length: 1_234) == "bytes 1233-1233/1234")
        #expect(ByteRange.unsatisfiable.contentRange(length: 1_234) == "bytes */1234")
        #expect(ByteRange.unsatisfiable.contentRange(length: 0) == "bytes */0")
        #expect(ByteRange.whole.contentRange(length: 1_234) == nil)
    }

    /// Compares the results with those of a second reader for the grammar of RFC 9110 §14.1.
    @Test func `Every short range is read according to its grammar`() {
        for text in allTexts(over: ["0", "2", "5", "-", ",", " "], upTo: 5) {
            let found = ByteRange.evaluate(
                HTTPRequest(lines: "Range: bytes=\(text)"),
                stored: .init(lines: ""),
                length: 4
            )
            #expect(found == Self.naive(text, length: 4), "\"\(text)\"")
        }
    }

    private static func naive(_ text: String, length: Int) -> ByteRange {
        let members = text.split(separator: ",").map { member in
            String(member.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
        guard members.count == 1 else { return .whole }
        let parts = members[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy(\.isNumber) }), parts != ["", ""] else {
            return .whole
        }
        guard let first = Int(parts[0]) else {
            let count = Int(parts[1]) ?? 0
            return count == 0 ? .unsatisfiable : .part(max(0, length - count)..<length)
        }
        let last = Int(parts[1]) ?? Int.max - 1
        guard first <= last else { return .whole }
        return first < length ? .part(first..<min(last + 1, length)) : .unsatisfiable
    }
}
