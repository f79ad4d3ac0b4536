private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""
private let byFoo = "Vary: Foo"

extension Conversation {
    // MARK: Vary

    static let variants: [Conversation] = [
        Conversation(
            "vary-stores-two",
            "9111 §4.1",
            .get("/a", "Foo: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 1").gets(from: 1),
            .get("/a", "Foo: 2").gets(from: 2)
        ),
        Conversation(
            "vary-distinguishes-empty-from-absent",
            "9111 §4.1",
            .get().answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo:").answered(200, fresh, byFoo).asked(),
            .get().gets(from: 1),
            .get("/a", "Foo:").gets(from: 2)
        ),
        Conversation(
            "vary-by-three",
            "9111 §4.1",
            .get("/a", "A: 1", "C: 3").answered(200, fresh, "Vary: A, B, C").asked(),
            .get("/a", "C: 3", "A: 1").gets(from: 1),
            .get("/a", "A: 1", "B: 2", "C: 3").answered(200, fresh, "Vary: A, B, C").asked()
        ),
        Conversation(
            "vary-other-fields-do-not-count",
            "9111 §4.1",
            .get("/a", "Foo: 1", "Bar: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 1", "Bar: 2").gets(from: 1)
        ),
        Conversation(
            "vary-lines-combine",
            "9111 §4.1",
            .get("/a", "Foo: 1, 2").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 1", "Foo: 2").gets(from: 1),
            .get("/a", "Foo: 1,2").gets(from: 1),
            .get("/a", "Foo: 2,1").answered(200, fresh, byFoo).asked()
        ),
        Conversation(
            "vary-language-space-and-case",
            "9110 §12.5.4",
            .get("/a", "Accept-Language: en, de").answered(200, fresh, "Vary: Accept-Language").asked(),
            .get("/a", "Accept-Language: EN ,  de").gets(from: 1)
        ),
        Conversation(
            "vary-star",
            "9111 §4.1",
            .get().answered(200, fresh, "Vary: *").asked(),
            .get().answered(200, fresh, "Vary: Foo, *").asked(),
            .get().answered(200, fresh, "Vary: Foo", "Vary: *").asked(),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "vary-validates-the-matching-variant",
            "9111 §4.3.1",
            .get("/a", "Foo: 1").answered(200, brief, byFoo, tagA).asked(),
            .get("/a", "Foo: 2").answered(200, brief, byFoo, "ETag: \"b\"").asked(without: ["If-None-Match"]),
            .get("/a", "Foo: 1").after(15).answered(304, tagA).asked(with: "If-None-Match: \"a\"", "Foo: 1")
                .gets(from: 1),
            .get("/a", "Foo: 1").after(5).gets(from: 1),
            .get("/a", "Foo: 2").answered(304, "ETag: \"b\"").asked(with: "If-None-Match: \"b\"").gets(from: 2)
        ),
        Conversation(
            "vary-is-preferred-to-no-vary",
            "9111 §4.1",
            .get("/a", "Foo: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2").answered(200, fresh).asked(),
            .get("/a", "Foo: 1").gets(from: 1),
            .get("/a", "Foo: 2").gets(from: 2),
            .get("/a", "Foo: 3").gets(from: 2)
        ),
        Conversation(
            "vary-the-newest-of-those-that-match",
            "9111 §4.1",
            .get("/a", "Foo: 1", "Bar: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2", "Bar: 1").answered(200, fresh, "Vary: Bar").asked(),
            .get("/a", "Foo: 1", "Bar: 1").gets(from: 2),
            .get("/a", "Foo: 1", "Bar: 2").gets(from: 1)
        ),
        Conversation(
            "vary-that-is-replaced-does-not-come-back",
            "9111 §4.1",
            .get("/a", "Foo: 1").answered(200, brief, byFoo, tagA).asked(),
            .get("/a", "Foo: 1").after(15).answered(200, fresh).asked(with: "If-None-Match: \"a\""),
            .get("/a", "Foo: 1").gets(from: 2)
        ),
        Conversation(
            "vary-that-is-replaced-removes-older-ones",
            "9111 §4.1",
            .get("/a", "Foo: 1", "Bar: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2", "Bar: 1").answered(200, fresh, "Vary: Bar").asked(),
            .get("/a", "Foo: 1", "Bar: 1", "Cache-Control: no-cache").answered(200, fresh).asked(),
            .get("/a", "Foo: 1", "Bar: 1").gets(from: 3),
            .get("/a", "Foo: 2", "Bar: 1").gets(from: 3)
        ),
        Conversation(
            "vary-that-is-no-longer-stored-removes-older-ones",
            "9111 §4.1",
            .get("/a", "Foo: 1", "Bar: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2", "Bar: 1").answered(200, fresh, "Vary: Bar").asked(),
            .get("/a", "Foo: 1", "Bar: 1", "Cache-Control: no-cache").answered(200, "Cache-Control: private").asked(),
            .get("/a", "Foo: 1", "Bar: 1").answered(200, fresh).asked()
        ),
        Conversation(
            "vary-miss-without-an-origin",
            "9111 §4.1",
            .get("/a", "Foo: 1").answered(200, fresh, byFoo).asked(),
            .get("/a", "Foo: 2").closed().asked().gets(502)
        ),
        Conversation(
            "vary-in-a-304",
            "9110 §15.4.5",
            .get("/a", "Foo: 1").answered(200, fresh, byFoo, tagA).asked(),
            .get("/a", "Foo: 1", "If-None-Match: \"a\"").gets(304).having(byFoo),
            .get("/a", "Foo: 2", "If-None-Match: \"b\"").answered(200, fresh, byFoo, "ETag: \"b\"").asked().gets(304)
        ),
    ]

    // MARK: Ranges

    static let ranges: [Conversation] = [
        range("bytes=0-1", 206, "01", "Content-Range: bytes 0-1/10"),
        range("bytes=1-", 206, "123456789", "Content-Range: bytes 1-9/10"),
        range("bytes=-1", 206, "9", "Content-Range: bytes 9-9/10"),
        range("bytes=-99", 206, digits, "Content-Range: bytes 0-9/10"),
        range("bytes=8-99", 206, "89", "Content-Range: bytes 8-9/10"),
        range("BYTES=0-1", 206, "01", "Content-Range: bytes 0-1/10"),
        range("bytes=10-", 416, "", "Content-Range: bytes */10"),
        range("bytes=-0", 416, "", "Content-Range: bytes */10"),
        range("bytes=0-1,4-5", 200, digits, "Content-Length: 10"),
        range("bytes=1-0", 200, digits, "Content-Length: 10"),
        range("lines=0-1", 200, digits, "Content-Length: 10"),
        range("bytes=0-1\nIf-Range: \"a\"", 206, "01", tagA),
        range("bytes=0-1\nIf-Range: \"b\"", 200, digits, tagA),
        range("bytes=0-1\nIf-Range: W/\"a\"", 200, digits, tagA),
        range("bytes=0-1\nIf-Range: {-99}", 206, "01", "Content-Range: bytes 0-1/10"),
        range("bytes=0-1\nIf-Range: {-98}", 200, digits, "Content-Length: 10"),
        range("bytes=0-1\nIf-None-Match: \"a\"", 304, "", tagA),
        Conversation(
            "range-of-a-miss",
            "9111 §3.3",
            .get("/a", "Range: bytes=2-3").answered(200, fresh, saying: digits).asked(without: ["Range"])
                .gets(206, saying: "23"),
            .get().gets(from: 1)
        ),
        Conversation(
            "range-of-a-stale-response",
            "9111 §4.3",
            .get().answered(200, brief, tagA, "Test-Header: 1", saying: digits).asked(),
            .get("/a", "Range: bytes=2-3").after(15).answered(304, tagA, "Test-Header: 2")
                .asked(with: "If-None-Match: \"a\"", without: ["Range"]).gets(206, saying: "23")
                .having("Test-Header: 2")
        ),
        Conversation(
            "range-of-a-response-that-is-not-stored",
            "9110 §14.2",
            .get().answered(200, "Cache-Control: no-store").asked(),
            .get("/a", "Range: bytes=0-1").answered(206, "Content-Range: bytes 0-1/8", saying: "an")
                .asked(with: "Range: bytes=0-1")
        ),
        Conversation(
            "206-is-not-stored",
            "9111 §3.3",
            .get("/a", "Range: bytes=0-1").answered(206, fresh, "Content-Range: bytes 0-1/10", saying: "01").asked(),
            .get("/a", "Range: bytes=0-1").answered(206, fresh, "Content-Range: bytes 0-1/10", saying: "01").asked(),
            .get().answered(200, fresh, saying: digits).asked()
        ),
        Conversation(
            "range-of-a-404",
            "9110 §14.2",
            .get().answered(404, fresh).asked(),
            .get("/a", "Range: bytes=0-1").gets(404, from: 1)
        ),
        Conversation(
            "range-of-a-head",
            "9110 §14.2",
            .get().answered(200, fresh).asked(),
            .head("/a", "Range: bytes=0-1").gets(from: 1).having("Content-Length: 8").lacking("Content-Range")
        ),
        Conversation(
            "416-is-not-stored",
            "9110 §15.5.17",
            .get().answered(416, fresh).asked(),
            .get().answered(200, fresh).asked()
        ),
    ]

    private static let digits = "0123456789"

    /// Creates a conversation with a request for a range of ten fresh digits.
    private static func range(_ range: String, _ status: Int, _ text: String, _ line: String) -> Conversation {
        let stored = Step.get().answered(
            200,
            fresh,
            tagA,
            "Last-Modified: {-99}",
            "Test-Header: 1",
            saying: digits
        )
        return Conversation(
            "range \(range.replacing("\n", with: " and "))",
            status == 304 ? "9110 §13.2.2" : "9110 §14.2",
            stored.asked(),
            .get("/a", "Range: " + range).gets(status, saying: text).having(line)
        )
    }
}
