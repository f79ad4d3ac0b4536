import HTTPCaching
import HTTPTypes
import Testing

/// A conditional request to the origin for stored responses.
struct ConditionCase: Sendable, CustomTestStringConvertible {
    let anchor: String
    let request: String
    let stored: [String]
    /// The fields of the request that is sent.
    let expected: String

    init(_ anchor: String, _ stored: [String], insteadOf request: String = "", asks expected: String) {
        (self.anchor, self.request, self.stored, self.expected) = (anchor, request, stored, expected)
    }

    var testDescription: String { "\(anchor): \(stored)" }
}

/// A 304 and the stored response that it is about.
struct NotModifiedCase: Sendable, CustomTestStringConvertible {
    let anchor: String
    let answer: String
    let stored: [String]
    let expected: Int?

    init(_ anchor: String, _ answer: String, of stored: [String], _ expected: Int?) {
        (self.anchor, self.answer, self.stored, self.expected) = (anchor, answer, stored, expected)
    }

    var testDescription: String { "\(anchor): \(answer) of \(stored)" }
}

/// The fields of a stored response after an update.
struct UpdateCase: Sendable, CustomTestStringConvertible {
    let anchor: String
    let stored: String
    let update: String
    let expected: String
    let allowsSetCookie: Bool

    init(_ anchor: String, _ stored: String, by update: String, _ expected: String, allowsSetCookie: Bool = false) {
        (self.anchor, self.stored, self.update) = (anchor, stored, update)
        (self.expected, self.allowsSetCookie) = (expected, allowsSetCookie)
    }

    var testDescription: String { anchor }
}

/// A response to HEAD and its meaning for a stored response of 10 bytes.
struct HeadCase: Sendable, CustomTestStringConvertible {
    let anchor: String
    let head: String
    let stored: String
    let expected: Revalidation.HeadComparison
    let status: Int

    init(
        _ anchor: String,
        _ head: String,
        on stored: String = "ETag: \"a\"\nLast-Modified: {0}",
        _ expected: Revalidation.HeadComparison,
        status: Int = 200
    ) {
        (self.anchor, self.head, self.stored, self.expected, self.status) = (anchor, head, stored, expected, status)
    }

    var testDescription: String { "\(anchor): \(head)" }
}

@Suite(.timeLimit(.minutes(5))) struct RevalidationTests {
    static let conditions: [ConditionCase] = [
        ConditionCase("9111 §4.3.1", ["ETag: \"a\""], asks: "If-None-Match: \"a\""),
        ConditionCase("9111 §4.3.1", ["ETag: W/\"a\""], asks: "If-None-Match: W/\"a\""),
        ConditionCase("9111 §4.3.1", ["Last-Modified: {0}"], asks: "If-Modified-Since: {0}"),
        ConditionCase(
            "9111 §4.3.1: both where there are both",
            ["ETag: \"a\"\nLast-Modified: {0}"],
            asks: "If-None-Match: \"a\"\nIf-Modified-Since: {0}"
        ),
        ConditionCase(
            "9110 §13.1.3: the text as the origin wrote it",
            ["Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT"],
            asks: "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"
        ),
        ConditionCase(
            "9111 §4.3.1: the tags of all, the newest first, and a date of one only",
            ["ETag: \"b\"\nLast-Modified: {0}", "ETag: \"a\"\nLast-Modified: {-60}"],
            asks: "If-None-Match: \"b\", \"a\""
        ),
        ConditionCase(
            "9111 §4.3.1",
            ["Last-Modified: {0}", "ETag: \"a\"", ""],
            asks: "If-None-Match: \"a\""
        ),
        ConditionCase("9111 §4.3.1", ["Last-Modified: {0}", "Last-Modified: {-60}"], asks: ""),
        ConditionCase("9111 §4.3.1", ["ETag: \"a\"", "ETag: \"a\""], asks: "If-None-Match: \"a\""),
        ConditionCase("9111 §4.3.1", ["ETag: \"a\"", "ETag: W/\"a\""], asks: "If-None-Match: \"a\", W/\"a\""),
        ConditionCase("9111 §4.3.1: nothing to ask with", [""], asks: ""),
        ConditionCase("9111 §4.3.1", [], asks: ""),
        ConditionCase("9110 §8.8.3: no tag", ["ETag: a"], asks: ""),
        ConditionCase("9110 §8.8.3: a tag, no list", ["ETag: \"a\", \"b\""], asks: ""),
        ConditionCase("9110 §8.8.3", ["ETag: \"a\"\nETag: \"a\""], asks: ""),
        ConditionCase("9110 §8.8.3: nothing gets out of the quotes", ["ETag: \"a\" \"b\""], asks: ""),
        ConditionCase("9110 §8.8.3", ["ETag: *"], asks: ""),
        ConditionCase("9110 §5.6.7: no date", ["Last-Modified: yesterday"], asks: ""),
        ConditionCase("9110 §8.8.2", ["Last-Modified: {0}\nLast-Modified: {1}"], asks: ""),
        ConditionCase(
            "9111 §4.3.1: a limit to what is sent",
            (0..<100).map { "ETag: \"\($0)\"" },
            asks: "If-None-Match: " + (0..<16).map { "\"\($0)\"" }.joined(separator: ", ")
        ),
        ConditionCase(
            "9111 §4.3.2: in place of what the client asked",
            ["ETag: \"a\""],
            insteadOf: """
                If-None-Match: "client"
                If-Match: "client"
                If-Modified-Since: {9}
                If-Unmodified-Since: {9}
                If-Range: "client"
                Range: bytes=0-1
                Accept: text/plain
                """,
            asks: "If-None-Match: \"a\"\nAccept: text/plain"
        ),
        ConditionCase("9111 §4.3.2", [""], insteadOf: "If-None-Match: *\nRange: bytes=0-1\nX: y", asks: "X: y"),
    ]

    @Test(arguments: conditions) func `The origin is asked about the stored responses`(_ test: ConditionCase) {
        var fields = HTTPFields(lines: test.request)
        let stored = test.stored.map { HTTPFields(lines: $0) }
        let asks = Revalidation.makeConditional(&fields, validating: stored)
        #expect(fields.lines == HTTPFields(lines: test.expected).lines)
        #expect(asks == (fields.contains(.ifNoneMatch) || fields.contains(.ifModifiedSince)))
        // The request is conditional if the only stored response has a validator. If several are stored, dates alone do
        // not count.
        let haveValidators = stored.map { Revalidation.hasValidator($0) }
        if stored.count == 1 { #expect([asks] == haveValidators) }
        if asks { #expect(haveValidators.contains(true)) }
    }

    static let answers: [NotModifiedCase] = [
        NotModifiedCase("9111 §4.3.4: a strong tag", "ETag: \"a\"", of: ["ETag: \"b\"", "ETag: \"a\""], 1),
        NotModifiedCase("9111 §4.3.4: of two the newest", "ETag: \"a\"", of: ["ETag: \"a\"", "ETag: \"a\""], 0),
        NotModifiedCase("9111 §4.3.4: none has it", "ETag: \"c\"", of: ["ETag: \"b\"", "ETag: \"a\""], nil),
        NotModifiedCase("9111 §4.3.4: not even if it is alone", "ETag: \"c\"", of: ["ETag: \"a\""], nil),
        NotModifiedCase("9111 §4.3.4", "ETag: \"a\"", of: ["Last-Modified: {0}"], nil),
        NotModifiedCase("9110 §8.8.3.2: strong is not weak", "ETag: \"a\"", of: ["ETag: W/\"a\"", "ETag: \"a\""], 1),
        NotModifiedCase("9110 §8.8.3.2", "ETag: \"a\"", of: ["ETag: W/\"a\""], nil),
        NotModifiedCase("9111 §4.3.4: a weak tag", "ETag: W/\"a\"", of: ["ETag: W/\"b\"", "ETag: W/\"a\""], 1),
        NotModifiedCase(
            "9111 §4.3.4: the newest of weak ones",
            "ETag: W/\"a\"",
            of: ["ETag: W/\"a\"", "ETag: \"a\""],
            0
        ),
        NotModifiedCase("9111 §4.3.4", "ETag: W/\"c\"", of: ["ETag: W/\"a\""], nil),
        NotModifiedCase(
            "9111 §4.3.4: a strong tag outweighs the date",
            "ETag: \"c\"\nLast-Modified: {0}",
            of: ["ETag: \"a\"\nLast-Modified: {0}"],
            nil
        ),
        NotModifiedCase("9111 §4.3.4: by the date", "Last-Modified: {0}", of: ["Last-Modified: {0}"], 0),
        NotModifiedCase(
            "9110 §5.6.7: the same date in another form",
            "Last-Modified: Sun Nov  6 08:49:37 1994",
            of: ["Last-Modified: {0}"],
            0
        ),
        NotModifiedCase("9111 §4.3.4: by another date", "Last-Modified: {1}", of: ["Last-Modified: {0}"], nil),
        NotModifiedCase(
            "9111 §4.3.4",
            "Last-Modified: {0}",
            of: ["ETag: \"a\"", "ETag: \"b\"\nLast-Modified: {0}"],
            1
        ),
        NotModifiedCase("9111 §4.3.4: no validator, of the only one", "", of: ["ETag: \"a\""], 0),
        NotModifiedCase("9111 §4.3.4", "", of: [""], 0),
        NotModifiedCase("9111 §4.3.4: no validator, of two", "", of: ["ETag: \"a\"", "ETag: \"b\""], nil),
        NotModifiedCase("9111 §4.3.4: of nothing", "ETag: \"a\"", of: [], nil),
        NotModifiedCase("9111 §4.3.4", "", of: [], nil),
        NotModifiedCase(
            "9110 §8.8.3: a broken tag is no validator",
            "ETag: a",
            of: ["ETag: \"b\"", "ETag: \"c\""],
            nil
        ),
    ]

    @Test(arguments: answers) func `A 304 is about the response whose validator it has`(_ test: NotModifiedCase) {
        let stored = test.stored.map { HTTPFields(lines: $0) }
        #expect(Revalidation.index(of: HTTPFields(lines: test.answer), among: stored) == test.expected)
    }

    /// Updates that all arrive 100 s after ``start``.
    static let updates: [UpdateCase] = [
        UpdateCase("9111 §3.2: replaced", "X: 1\nY: 2", by: "X: 3\nDate: {90}", "X: 3\nY: 2\nDate: {90}"),
        UpdateCase("9111 §3.2: added", "Y: 2", by: "X: 3\nDate: {90}", "X: 3\nY: 2\nDate: {90}"),
        UpdateCase(
            "9111 §3.2: all lines",
            "X: 1\nX: 2",
            by: "X: 3\nX: 4\nX: 5\nDate: {90}",
            "X: 3\nX: 4\nX: 5\nDate: {90}"
        ),
        UpdateCase("9111 §3.2: whatever the case", "x-name: 1", by: "X-NAME: 2\nDate: {90}", "X-NAME: 2\nDate: {90}"),
        UpdateCase(
            "9111 §3.2: the lifetime is a new one",
            "Cache-Control: max-age=1\nExpires: {1}\nDate: {0}",
            by: "Cache-Control: max-age=60\nDate: {90}",
            "Cache-Control: max-age=60\nExpires: {1}\nDate: {90}"
        ),
        UpdateCase("9111 §4.2.3: not the old age", "Age: 5\nDate: {0}", by: "Date: {90}", "Date: {90}"),
        UpdateCase("9111 §4.2.3: but that of the update", "Age: 5", by: "Age: 7\nDate: {90}", "Age: 7\nDate: {90}"),
        UpdateCase("9110 §6.6.1: without a Date, when it came", "Date: {0}", by: "X: 1", "X: 1\nDate: {100}"),
        UpdateCase("9110 §6.6.1", "Date: {0}", by: "Date: today", "Date: {100}"),
        UpdateCase("9110 §6.6.1", "Date: {0}", by: "Date: {90}\nDate: {91}", "Date: {100}"),
        UpdateCase(
            "9111 §3.2: not the length",
            "Content-Length: 10",
            by: "Content-Length: 0\nDate: {90}",
            "Content-Length: 10\nDate: {90}"
        ),
        UpdateCase("9111 §3.2", "", by: "Content-Length: 0\nDate: {90}", "Date: {90}"),
        UpdateCase(
            "9111 §3.2: not how the stored bytes are read",
            "Content-Encoding: gzip",
            by: "Content-Encoding: br\nContent-Range: bytes 0-1/2\nDate: {90}",
            "Content-Encoding: gzip\nDate: {90}"
        ),
        UpdateCase(
            "9111 §3.1: nothing of the connection",
            "X: 1",
            by: """
                Connection: X-Hop, keep-alive
                X-Hop: 1
                Keep-Alive: timeout=5
                TE: trailers
                Transfer-Encoding: chunked
                Upgrade: h2c
                Proxy-Connection: close
                Trailer: X
                Date: {90}
                """,
            "X: 1\nDate: {90}"
        ),
        UpdateCase(
            "9111 §3.1: nothing of a proxy",
            "X: 1",
            by: "Proxy-Authenticate: Basic\nProxy-Authentication-Info: a\nProxy-Authorization: b\nDate: {90}",
            "X: 1\nDate: {90}"
        ),
        UpdateCase("9111 §7.3: no cookies", "X: 1", by: "Set-Cookie: a=b\nDate: {90}", "X: 1\nDate: {90}"),
        UpdateCase(
            "9111 §7.3: but where they are allowed",
            "Set-Cookie: a=1",
            by: "Set-Cookie: a=2\nSet-Cookie: b=3\nDate: {90}",
            "Set-Cookie: a=2\nSet-Cookie: b=3\nDate: {90}",
            allowsSetCookie: true
        ),
        UpdateCase(
            "9111 §4.3.4: a weak tag takes no strong one's place",
            "ETag: \"a\"",
            by: "ETag: W/\"a\"\nDate: {90}",
            "ETag: \"a\"\nDate: {90}"
        ),
        UpdateCase(
            "9111 §3.2: a tag that was missing",
            "X: 1",
            by: "ETag: \"a\"\nDate: {90}",
            "X: 1\nETag: \"a\"\nDate: {90}"
        ),
    ]

    @Test(arguments: updates)
    func `A stored response takes the fields of the update, with exceptions`(_ test: UpdateCase) {
        var rules = CachingRules.gateway
        rules.allowsSetCookie = test.allowsSetCookie
        let stored = HTTPFields(lines: test.stored)
        let update = HTTPFields(lines: test.update)
        let updated = Revalidation.updatedFields(of: stored, from: update, rules: rules, receivedAt: at(100))
        #expect(updated.lines == HTTPFields(lines: test.expected).lines)
        let again = Revalidation.updatedFields(of: updated, from: update, rules: rules, receivedAt: at(100))
        #expect(again.lines == updated.lines, "twice is once")
    }

    static let heads: [HeadCase] =
        [
            HeadCase("9111 §4.3.5: all the same", "ETag: \"a\"\nLast-Modified: {0}\nContent-Length: 10", .updates),
            HeadCase("9111 §4.3.5: no validator", "", .nothing),
            HeadCase("9111 §4.3.5: no validator", "", on: "", .nothing),
            HeadCase("9110 §8.8.3: no tag, though the same", "ETag: a", on: "ETag: a", .nothing),
            HeadCase("9110 §8.8.2: no date, though the same", "Last-Modified: x", on: "Last-Modified: x", .nothing),
            HeadCase("9111 §4.3.5: two weak ones", "ETag: W/\"a\"", on: "ETag: W/\"a\"", .updates),
            HeadCase("9111 §4.3.5: a date where there was none", "Last-Modified: {0}", on: "ETag: \"a\"", .invalidates),
            HeadCase("altered bytes", "ETag: \"\u{FFFD}\"", on: "ETag: \"\u{FFFD}\"", .invalidates),
            HeadCase("9111 §4.3.5: of received validators only", "ETag: \"a\"", .updates),
            HeadCase("9111 §4.3.5", "Last-Modified: {0}", .updates),
            HeadCase("9111 §4.3.5: another tag", "ETag: \"b\"", .invalidates),
            HeadCase("9111 §4.3.5: a weak one", "ETag: W/\"a\"", .invalidates),
            HeadCase("9111 §4.3.5: a tag where there was none", "ETag: \"a\"", on: "Last-Modified: {0}", .invalidates),
            HeadCase("9111 §4.3.5: another date", "ETag: \"a\"\nLast-Modified: {1}", .invalidates),
            HeadCase("9111 §4.3.5: the same length alone", "Content-Length: 10", on: "", .nothing),
            HeadCase("9111 §4.3.5: another length", "ETag: \"a\"\nContent-Length: 11", .invalidates),
            HeadCase("9111 §4.3.5", "Content-Length: 0", .invalidates),
            HeadCase("9110 §8.6: no length", "Content-Length: ten", .invalidates),
            HeadCase("9110 §8.6", "Content-Length: -10", .invalidates),
            HeadCase("9110 §8.6", "Content-Length: 99999999999999999999999", .invalidates),
        ]
        + [204, 206, 301, 304, 404, 500, 503].map {
            HeadCase("9111 §4.3.5: a 200 only", "ETag: \"b\"\nContent-Length: 99", .nothing, status: $0)
        }

    @Test(arguments: heads)
    func `A response to HEAD updates or invalidates the stored response, or has no effect`(_ test: HeadCase) {
        let head = HTTPResponse(test.status, lines: test.head)
        let comparison = Revalidation.comparison(of: head, on: HTTPFields(lines: test.stored), storedLength: 10)
        #expect(comparison == test.expected)
    }

    @Test func `A 304 with a tag that cannot be read confirms only a response with the same text`() {
        func index(_ update: String, _ stored: String) -> Int? {
            Revalidation.index(of: HTTPFields(lines: update), among: [HTTPFields(lines: stored)])
        }
        #expect(index("ETag: a", "ETag: a\nLast-Modified: {0}") == 0)
        #expect(index("ETag: b", "ETag: a\nLast-Modified: {0}") == nil)
        #expect(index("ETag: \"\u{FFFD}\"", "ETag: \"a\"") == nil)
        #expect(index("ETag: \"\u{FFFD}\"", "ETag: \"\u{FFFD}\"\nLast-Modified: {0}") == nil)
    }

    @Test func `A 304 with the validators that were sent is about the response that has them`() {
        let stored = ["ETag: \"a\"", "ETag: W/\"b\"", "Last-Modified: {0}", "ETag: \"c\"\nLast-Modified: {-9}"]
        for lines in stored {
            let fields = HTTPFields(lines: lines)
            var request = HTTPFields()
            #expect(Revalidation.makeConditional(&request, validating: [fields]))
            #expect(Revalidation.index(of: fields, among: [fields]) == 0)
        }
        let all = stored.map { HTTPFields(lines: $0) }
        for (place, fields) in all.enumerated() {
            #expect(Revalidation.index(of: fields, among: all) == place)
        }
    }
}
