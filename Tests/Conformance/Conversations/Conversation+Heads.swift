import HTTPTypes

private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""
private let ifA = "If-None-Match: \"a\""

extension Conversation {
    // MARK: HEAD

    static let heads: [Conversation] = [
        Conversation(
            "head-of-a-fresh-get",
            "9110 §9.3.2",
            .get().answered(200, fresh).asked(),
            .head().after(5).gets(from: 1).having("Content-Length: 8", "Age: 5")
        ),
        Conversation(
            "head-is-forwarded-as-head",
            "9110 §9.3.2",
            .head().answered(200, fresh, "Content-Length: 8").asked(by: .head).having("Content-Length: 8"),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "head-freshens",
            "9111 §4.3.5",
            .get().answered(200, brief, tagA, "Test-Header: 1").asked(),
            .head().after(15).answered(200, tagA, "Cache-Control: max-age=100").asked(by: .head)
                .having("Test-Header: 1", "Content-Length: 8"),
            .get().after(99).gets(from: 1).having("Age: 99", "Test-Header: 1")
        ),
        Conversation(
            "head-without-validators-changes-nothing",
            "9111 §4.3.5",
            .get().answered(200, brief, "Test-Header: 1").asked(),
            .head().after(15).answered(200, brief, "Test-Header: 2").asked().having("Test-Header: 2"),
            .get().answered(200, brief, "Test-Header: 3").asked().having("Test-Header: 3")
        ),
        Conversation(
            "head-without-validators-leaves-those-stored",
            "9111 §4.3.5",
            .get().answered(200, brief, tagA).asked(),
            .head().after(15).answered(200, brief).asked(),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "head-of-the-same-length-changes-nothing",
            "9111 §4.3.5",
            .get().answered(200, brief).asked(),
            .head().after(15).answered(200, brief, "Content-Length: 8").asked(),
            .get().answered(200, brief).asked()
        ),
        Conversation(
            "head-of-another-length-without-validators",
            "9111 §4.3.5",
            .get().answered(200, fresh).asked(),
            .head("/a", "Cache-Control: no-cache").answered(200, fresh, "Content-Length: 9").asked(by: .head),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "head-of-another-tag",
            "9111 §4.3.5",
            .get().answered(200, fresh, tagA).asked(),
            .head("/a", "Cache-Control: no-cache").answered(200, fresh, "ETag: \"b\"").asked(by: .head),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "head-of-another-date",
            "9111 §4.3.5",
            .get().answered(200, fresh, "Last-Modified: {-99}").asked(),
            .head("/a", "Cache-Control: no-cache").answered(200, fresh, "Last-Modified: {-9}").asked(by: .head),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "head-of-another-length",
            "9111 §4.3.5",
            .get().answered(200, fresh, tagA).asked(),
            .head("/a", "Cache-Control: no-cache").answered(200, fresh, tagA, "Content-Length: 9").asked(by: .head),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "head-of-another-status",
            "9111 §4.3.5",
            .get().answered(200, brief, tagA).asked(),
            .head().after(15).answered(410, fresh, "Test-Header: 2").asked(by: .head),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1).lacking("Test-Header")
        ),
        Conversation(
            "head-if-none-match",
            "9111 §4.3.2",
            .get().answered(200, fresh, tagA).asked(),
            .head("/a", ifA).gets(304).having(tagA)
        ),
        Conversation(
            "head-without-an-origin",
            "9111 §4.2.4",
            .get().answered(200, brief, tagA).asked(),
            .head().after(15).closed().asked(by: .head).gets(from: 1).having("Age: 15")
        ),
    ]

    // MARK: The conditions of clients

    static let conditions: [Conversation] = [
        conditional("if-none-match", "\(tagA)", ifA, 304),
        conditional("if-none-match-other", "\(tagA)", "If-None-Match: \"b\"", 200),
        conditional("if-none-match-list", "\(tagA)", "If-None-Match: \"b\", \"a\", \"c\"", 304),
        conditional("if-none-match-lines", "\(tagA)", "If-None-Match: \"b\"\nIf-None-Match: \"a\"", 304),
        conditional("if-none-match-weak", "ETag: W/\"a\"", "If-None-Match: W/\"a\"", 304),
        conditional("if-none-match-weakly", "\(tagA)", "If-None-Match: W/\"a\"", 304),
        conditional("if-none-match-star", "\(tagA)", "If-None-Match: *", 304),
        conditional("if-none-match-star-of-no-tag", "Foo: bar", "If-None-Match: *", 304),
        conditional("if-none-match-unquoted", "\(tagA)", "If-None-Match: a", 200),
        conditional(
            "if-none-match-comes-first",
            "\(tagA)\nLast-Modified: {-9}",
            "\(ifA)\nIf-Modified-Since: {-99}",
            304
        ),
        conditional(
            "if-none-match-alone-counts",
            "\(tagA)\nLast-Modified: {-9}",
            "If-None-Match: \"b\"\nIf-Modified-Since: {0}",
            200
        ),
        conditional("if-modified-since", "Last-Modified: {-9}", "If-Modified-Since: {-9}", 304),
        conditional("if-modified-since-later", "Last-Modified: {-9}", "If-Modified-Since: {-8}", 304),
        conditional("if-modified-since-earlier", "Last-Modified: {-9}", "If-Modified-Since: {-10}", 200),
        conditional("if-modified-since-of-date", "Foo: bar", "If-Modified-Since: {0}", 304),
        conditional("if-modified-since-before-date", "Foo: bar", "If-Modified-Since: {-1}", 200),
        conditional(
            "if-modified-since-rfc850",
            "Last-Modified: {0}",
            "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
            304
        ),
        conditional("if-modified-since-broken", "Last-Modified: {-9}", "If-Modified-Since: now", 200),
        Conversation(
            "304-has-the-required-fields",
            "9110 §15.4.5",
            .get().answered(
                200,
                fresh,
                tagA,
                "Vary: Foo",
                "Content-Location: /b",
                "Expires: {60}",
                "Content-Type: text/plain",
                "Last-Modified: {-9}"
            ).asked(),
            .get("/a", ifA).after(5).gets(304)
                .having(fresh, tagA, "Vary: Foo", "Content-Location: /b", "Expires: {60}", "Date: {0}", "Age: 5")
                .lacking("Content-Type", "Content-Length", "Last-Modified")
        ),
        Conversation(
            "condition-on-a-404",
            "9111 §4.3.2",
            .get().answered(404, fresh, tagA).asked(),
            .get("/a", ifA).gets(404, from: 1)
        ),
        Conversation(
            "condition-on-a-miss",
            "9111 §4.3.2",
            .get("/a", ifA).answered(200, fresh, tagA).asked(without: ["If-None-Match"]).gets(304),
            .get().gets(from: 1)
        ),
        Conversation(
            "condition-on-a-response-that-is-not-stored",
            "9110 §13.1.2",
            .get().answered(200, "Cache-Control: no-store").asked(),
            .get("/a", ifA).answered(304, tagA).asked(with: ifA).gets(304)
        ),
        Conversation(
            "if-match-is-forwarded",
            "9111 §4.3.2",
            .get().answered(200, fresh, tagA).asked(),
            .get("/a", "If-Match: \"b\"").answered(412).asked(with: "If-Match: \"b\""),
            .get().gets(from: 1)
        ),
        Conversation(
            "if-unmodified-since-is-forwarded",
            "9111 §4.3.2",
            .get().answered(200, fresh, "Last-Modified: {-9}").asked(),
            .get("/a", "If-Unmodified-Since: {-10}").answered(412).asked(with: "If-Unmodified-Since: {-10}"),
            .get().gets(from: 1)
        ),
    ]

    /// Creates a conversation with a condition on a fresh response that has these fields.
    private static func conditional(_ id: String, _ stored: String, _ condition: String, _ status: Int) -> Conversation
    {
        Conversation(
            id,
            "9111 §4.3.2",
            .get().answered(200, fresh, stored).asked(),
            status == 304 ? .get("/a", condition).gets(304) : .get("/a", condition).gets(from: 1)
        )
    }
}
