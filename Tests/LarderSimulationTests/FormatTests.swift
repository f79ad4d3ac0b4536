import HTTPCaching
import Larder
import Testing

@testable import LarderSimulation

/// The reading of lines, format by format.
@Suite(.timeLimit(.minutes(5))) struct FormatTests {
    /// 1994-11-06T08:49:37Z.
    private static let time: Int64 = 784_111_777_000_000_000

    private static func read(_ line: String, as format: LogFormat) throws(LineFault) -> Line {
        let bytes = Array(line.utf8)
        return Line(try format.read(bytes[...]), bytes)
    }

    /// The fields of a line as texts.
    private struct Line: Equatable {
        var time: Int64?
        var method = "GET"
        var target = ""
        var query = ""
        var host = ""
        var status: Int? = 200
        var size: Int?
        var hasUser = false
        var cacheControl = ""

        init(_ fields: LogFields, _ bytes: [UInt8]) {
            func text(_ text: LogFields.Text) -> String {
                switch text {
                case .absent: ""
                case .place(let place): String(decoding: bytes[place], as: UTF8.self)
                case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
                }
            }
            time = fields.time
            method = text(fields.method)
            target = text(fields.target)
            query = text(fields.query)
            host = text(fields.host)
            status = fields.status
            size = fields.size
            hasUser = fields.hasUser
            cacheControl = text(fields.cacheControl)
        }

        init(_ target: String, size: Int?, time: Int64 = FormatTests.time, _ change: (inout Line) -> Void = { _ in }) {
            (self.target, self.size, self.time) = (target, size, time)
            change(&self)
        }
    }

    private static let commonLines: [(String, Line)] = [
        ("192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b=1 HTTP/1.1\" 200 12", Line("/a?b=1", size: 12)),
        (
            "::1 - - [06/Nov/1994:09:49:37 +0100] \"GET /a HTTP/2.0\" 200 12 \"-\" \"curl/8.5.0\"",
            Line("/a", size: 12)
        ),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /a HTTP/1.1\" 200 - \"-\" \"-\"", Line("/a", size: 0)),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /a\" 200 3 extra fields", Line("/a", size: 3)),
        (
            "h - alice [06/Nov/1994:08:49:37 +0000] \"POST /a HTTP/1.1\" 303 0",
            Line("/a", size: 0) { ($0.method, $0.status, $0.hasUser) = ("POST", 303, true) }
        ),
        (
            "shop.example:443 h - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 5",
            Line("/", size: 5) { $0.host = "shop.example:443" }
        ),
        (
            #"h - - [06/Nov/1994:08:49:37 +0000] "GET /a\"b HTTP/1.1" 200 5 "\"" "x""#,
            Line(#"/a\"b"#, size: 5)
        ),
        (
            #"h - - [06/Nov/1994:08:49:37 +0000] "\x16\x03\x01" 400 150 "-" "-""#,
            Line("", size: 150) { ($0.method, $0.status) = ("", 400) }
        ),
        (
            "h - - [06/Nov/1994:08:49:37 +0000] \"-\" 408 0",
            Line("", size: 0) { ($0.method, $0.status) = ("", 408) }
        ),
    ]

    @Test(arguments: commonLines) private func `Lines of the Common and the Combined Log Format are read`(
        _ text: String,
        _ expected: Line
    ) throws {
        let line = try Self.read(text, as: .combined)
        #expect(line == expected)
    }

    private static let commonFaults: [(String, LineFault)] = [
        ("", LineFault.time), ("h - -", .time), ("h - - 06/Nov/1994:08:49:37 \"GET /\" 200 1", .time),
        ("h - - [32/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 1", .time),
        ("h - - [06/Foo/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 1", .time),
        ("h - - [06/Nov/1994:08:49:37 +0000", .time),
        ("h - - [06/Nov/1994:08:49:37 +0000] GET / 200 1", .request),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET / 200 1", .request),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\\", .request),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\" 20 1", .status),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\"", .status),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\" 200 x", .size),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\" 200 12x", .size),
        ("h - - [06/Nov/1994:08:49:37 +0000] \"GET /\" 200 99999999999999999999", .size),
    ]

    @Test(arguments: commonFaults) func `A line that is not in the Common Log Format says what was expected`(
        _ line: String,
        _ fault: LineFault
    ) {
        #expect(throws: fault) { try Self.read(line, as: .common) }
    }

    private static let jsonLines: [(String, Line)] = [
        // nginx, as its documentation proposes
        (
            #"{"time_iso8601":"1994-11-06T08:49:37+00:00","remote_user":"","request":"GET /a?b HTTP/1.1","#
                + #""status": "200","body_bytes_sent":"12","http_user_agent":"x \"y\""}"#,
            Line("/a?b", size: 12)
        ),
        (
            #"{"msec":784111777.000,"request_method":"GET","uri":"/a","args":"b=1","host":"H","status":200,"#
                + #""bytes_sent":12,"sent_http_cache_control":"max-age=60"}"#,
            Line("/a", size: 12) { ($0.query, $0.host, $0.cacheControl) = ("b=1", "H", "max-age=60") }
        ),
        // Caddy
        (
            #"{"level":"info","ts":784111777,"logger":"http.log.access","msg":"handled request","#
                + #""request":{"remote_ip":"::1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/a","#
                + #""headers":{"Host":["x"],"User-Agent":["{\"uri\":[}"]},"tls":{"version":772}},"bytes_read":0,"#
                + #""user_id":"","duration":0.0009,"size":10900,"status":200,"#
                + #""resp_headers":{"Content-Length":["1"],"Cache-Control":["max-age=9", "x"],"Status":["404"]}}"#,
            Line("/a", size: 10_900) { ($0.host, $0.cacheControl) = ("localhost", "max-age=9") }
        ),
        // Traefik
        (
            #"{"ClientUsername":"-","DownstreamContentSize":5,"DownstreamStatus":200,"RequestHost":"h","#
                + #""RequestMethod":"GET","RequestPath":"/a","time":"1994-11-06T08:49:37Z"}"#,
            Line("/a", size: 5) { $0.host = "h" }
        ),
        (
            #" { "time" : "06/Nov/1994:08:49:37 +0000" , "request" : "PUT \/a\u002Fb HTTP/1.1" , "status" : 204 , "#
                + #""user" : "bob", "list": [1, {"status": 500}], "empty": {}, "none": null } "#,
            Line("/a/b", size: nil) { ($0.method, $0.status, $0.hasUser) = ("PUT", 204, true) }
        ),
        (#"{"ts":7.84111777e+08,"method":"GET","url":"/\u00e9","status":200}"#, Line("/é", size: nil)),
        (#"{"ts":784111777000,"method":"GET","url":"/","status":200.0,"size":1}"#, Line("/", size: 1)),
    ]

    @Test(arguments: jsonLines) private func `Lines in JSON are read by the common names of fields`(
        _ text: String,
        _ expected: Line
    ) throws {
        #expect(try Self.read(text, as: .json) == expected)
    }

    private static let jsonFaults: [(String, LineFault)] = [
        ("", LineFault.json), ("[1]", .json), ("{", .json), (#"{"a"}"#, .json), (#"{"a":1"#, .json),
        (#"{"a":1,}"#, .json), (#"{"a":1} {"#, .json), (#"{"a":"b}"#, .json), (#"{"a":"\"#, .json), (#"{"a":}"#, .json),
        (#"{"a":[}"#, .json), (String(repeating: #"{"a":"#, count: 40), .json), ("{}", .jsonTime),
        (#"{"ts":"yesterday","uri":"/","status":200}"#, .jsonTime), (#"{"ts":1,"status":200}"#, .jsonRequest),
        (#"{"ts":1,"uri":"/"}"#, .jsonStatus), (#"{"ts":1,"uri":"/","status":20}"#, .jsonStatus),
    ]

    @Test(arguments: jsonFaults) func `A line that is not the JSON of a request says what was expected`(
        _ line: String,
        _ fault: LineFault
    ) {
        #expect(throws: fault) { try Self.read(line, as: .json) }
    }

    private static let rowLines: [(String, Line)] = [
        ("0,0,1024", Line("0", size: 1_024, time: 0) { ($0.method, $0.status) = ("", nil) }),
        ("12.5 abc 7", Line("abc", size: 7, time: 12_500_000_000) { ($0.method, $0.status) = ("", nil) }),
        ("3\tk\t0\textra", Line("k", size: 0, time: 3_000_000_000) { ($0.method, $0.status) = ("", nil) }),
        (
            "17",
            Line("17", size: 1) { ($0.time, $0.method, $0.status) = (nil, "", nil) }
        ),
    ]

    @Test(arguments: rowLines) private func `Rows are read, and a key alone counts as one byte`(
        _ text: String,
        _ expected: Line
    ) throws {
        #expect(try Self.read(text, as: .rows) == expected)
    }

    @Test(arguments: ["1,2", "a,b,3", "1,b,-3", "1,b,3x", "1,,3", ",", ""])
    func `A row without time, key and size is not one`(_ line: String) {
        #expect(throws: LineFault.row) { try Self.read(line, as: .rows) }
    }

    private static let times: [(String, Int64?)] = [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01 01:00:00.25+01:00", 250_000_000),
        ("1969-12-31T19:00:00-0500", 0), ("0", 0), ("1.5", 1_500_000_000), ("-1", -1_000_000_000),
        ("1700000000123", 1_700_000_000_123_000_000), ("1700000000123456", 1_700_000_000_123_456_000),
        ("1700000000123456789", 1_700_000_000_123_456_789), ("17000000001234567890", nil),
        ("1.7000000001234567e+09", 1_700_000_000_123_456_700),
        ("01/Jan/1970:00:00:01 +0000", 1_000_000_000), ("1970-13-01T00:00:00Z", nil), ("9e99", nil), ("x", nil),
        ("", nil), ("1.", nil), ("99999999999999999999", nil), ("9999-12-31T00:00:00Z", nil),
        ("1e+9", 1_000_000_000_000_000_000),
        ("01/Jan/1970:00:00:01 +00", nil), ("01/Jan/1970:24:00:01 +0000", nil), ("1970-01-01T00:00:00Zx", nil),
    ]

    @Test(arguments: times) func `Times are read in the forms that logs have`(_ text: String, _ expected: Int64?) {
        #expect(TimeReading.time(Array(text.utf8)[...]) == expected)
    }

    private static let detections: [([String], LogFormat?)] = [
        (["h - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 200 1"], LogFormat.combined),
        ([#"{"ts":1,"uri":"/","status":200}"#], .json), (["time,key,size", "0,0,5", "0,1,5"], .rows), (["5"], .rows),
        (["garbage in", "0,0,5", "0,1,5"], .rows), (["a b"], nil), (["a b", "c d", "5"], nil), ([], nil),
    ]

    @Test(arguments: detections) func `The format of a file is that of most of its first lines`(
        _ lines: [String],
        _ format: LogFormat?
    ) {
        #expect(LogFormat.detected(in: lines.map { Array($0.utf8) }) == format)
    }

    @Test func `The hash of a text does not depend on where it is in a line, and differs by length`() {
        let bytes = Array("xx/a/b/c/d/e/f".utf8)
        #expect(TextHash(bytes[2...]).value == TextHash(Array(bytes[2...])[...]).value)
        let hashes = (0..<300).map { TextHash(Array(repeating: UInt8(0), count: $0)[...]).value }
        #expect(Set(hashes).count == 300)
        let numbers = (0..<100_000).map { TextHash(Array("\($0)".utf8)[...]).value }
        #expect(Set(numbers).count == 100_000)
    }
}
