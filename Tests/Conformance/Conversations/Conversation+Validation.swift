private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""
private let ifA = "If-None-Match: \"a\""

extension Conversation {
    /// All conversations.
    public static let all =
        validation + updates + heads + conditions + invalidation + locations + variants + codings + ranges + failures
        + staleness
        + sharing + demands + fields + concurrency

    // MARK: Validation of stored responses

    static let validation: [Conversation] = [
        Conversation(
            "304-freshens",
            "9111 §4.3.4",
            .get().answered(200, brief, tagA).asked(without: ["If-None-Match"]),
            .get().after(15).answered(304, tagA).asked(with: ifA).gets(from: 1),
            .get().after(9).gets(from: 1).having("Age: 9"),
            .get().after(1).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "304-by-date",
            "9111 §4.3.1",
            .get().answered(200, brief, "Last-Modified: {-99}").asked(),
            .get().after(15).answered(304).asked(with: "If-Modified-Since: {-99}", without: ["If-None-Match"])
                .gets(from: 1)
        ),
        Conversation(
            "304-by-both",
            "9111 §4.3.1",
            .get().answered(200, brief, tagA, "Last-Modified: {-99}").asked(),
            .get().after(15).answered(304, tagA).asked(with: ifA, "If-Modified-Since: {-99}").gets(from: 1)
        ),
        Conversation(
            "304-by-weak-tag",
            "9111 §4.3.1",
            .get().answered(200, brief, "ETag: W/\"a\"").asked(),
            .get().after(15).answered(304, "ETag: W/\"a\"").asked(with: "If-None-Match: W/\"a\"").gets(from: 1),
            .get().after(9).gets(from: 1).having("ETag: W/\"a\"")
        ),
        Conversation(
            "304-without-validator",
            "9110 §15.4.5",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304).asked(with: ifA).gets(from: 1).having(tagA)
        ),
        Conversation(
            "304-about-another-tag",
            "9111 §4.3.4",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, "ETag: \"b\"").andThen(200, brief, "ETag: \"c\"").asked(times: 2),
            .get().gets(from: 2).having("ETag: \"c\"")
        ),
        Conversation(
            "304-about-another-date",
            "9111 §4.3.4",
            .get().answered(200, brief, "Last-Modified: {-99}").asked(),
            .get().after(15).answered(304, "Last-Modified: {-9}").andThen(200, brief).asked(times: 2),
            .get().gets(from: 2)
        ),
        Conversation(
            "no-validator-no-condition",
            "9111 §4.3.1",
            .get().answered(200, brief).asked(),
            .get().after(15).answered(200, brief).asked(without: ["If-None-Match", "If-Modified-Since"])
        ),
        Conversation(
            "broken-tag-no-condition",
            "9110 §8.8.3",
            .get().answered(200, brief, "ETag: a").asked(),
            .get().after(15).answered(200, brief).asked(without: ["If-None-Match"])
        ),
        Conversation(
            "200-replaces",
            "9111 §4.3.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(200, brief, "ETag: \"b\"").asked(with: ifA),
            .get().gets(from: 2).having("ETag: \"b\""),
            .get().after(15).answered(304, "ETag: \"b\"").asked(with: "If-None-Match: \"b\"").gets(from: 2)
        ),
        Conversation(
            "404-replaces",
            "9111 §4.3.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(404, brief).asked(with: ifA),
            .get().gets(404, from: 2)
        ),
        Conversation(
            "404-that-is-not-stored-replaces",
            "9111 §4.3.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(404, "Cache-Control: no-store").asked(with: ifA),
            .get().answered(200, brief).asked(without: ["If-None-Match"])
        ),
        Conversation(
            "500-replaces-nothing",
            "9111 §4.3.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(500).asked(with: ifA),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "404-is-not-validated",
            "9110 §13.2.1",
            .get().answered(404, brief, tagA).asked(),
            .get().after(15).answered(404, brief).asked(without: ["If-None-Match"])
        ),
        Conversation(
            "no-cache-asks-each-time",
            "9111 §5.2.2.4",
            .get().answered(200, "Cache-Control: no-cache, max-age=60", tagA).asked(),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "max-age-0-asks-each-time",
            "9111 §5.2.2.1",
            .get().answered(200, "Cache-Control: max-age=0", tagA).asked(),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1),
            .get().answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "must-revalidate-asks",
            "9111 §5.2.2.2",
            .get().answered(200, "Cache-Control: max-age=10, must-revalidate", tagA).asked(),
            .get().after(5).gets(from: 1),
            .get("/a", "Cache-Control: max-stale").after(10).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "request-no-cache-asks",
            "9111 §5.2.1.4",
            .get().answered(200, fresh, tagA).asked(),
            .get("/a", "Cache-Control: no-cache").answered(304, tagA).asked(with: ifA).gets(from: 1),
            .get("/a", "Pragma: no-cache").answered(200, fresh, "ETag: \"b\"").asked(with: ifA),
            .get().gets(from: 3)
        ),
        Conversation(
            "request-max-age-0-asks",
            "9111 §5.2.1.1",
            .get().answered(200, fresh, tagA).asked(),
            .get("/a", "Cache-Control: max-age=0").answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "heuristic-validates-by-date",
            "9111 §4.2.2",
            .get().answered(200, "Last-Modified: {-1000}").asked(),
            .get().after(99).gets(from: 1),
            .get().after(1).answered(304).asked(with: "If-Modified-Since: {-1000}").gets(from: 1)
        ),
        Conversation(
            "condition-of-the-client-is-replaced",
            "9111 §4.3.1",
            .get().answered(200, brief, tagA).asked(),
            .get("/a", "If-None-Match: \"b\"").after(15).answered(304, tagA).asked(with: ifA).gets(from: 1),
            .get("/a", ifA).after(15).answered(304, tagA).asked(with: ifA).gets(304).having(tagA)
        ),
    ]

    // MARK: Updates by a 304

    static let updates: [Conversation] = [
        update("Test-Header: 1", by: "Test-Header: 2", "Test-Header: 2"),
        update("Test-Header: 1", by: "", "Test-Header: 1"),
        update("", by: "Test-Header: 2", "Test-Header: 2"),
        update("Test-Header: 1\nTest-Header: 2", by: "Test-Header: 3", "Test-Header: 3"),
        update("X-Frame-Options: deny", by: "X-Frame-Options: sameorigin", "X-Frame-Options: sameorigin"),
        update("Content-Foo: 1", by: "Content-Foo: 2", "Content-Foo: 2"),
        update("Content-Type: text/plain", by: "Content-Type: text/html", "Content-Type: text/html"),
        update("Content-Location: /1", by: "Content-Location: /2", "Content-Location: /2"),
        update("Expires: {60}", by: "Expires: {90}", "Expires: {90}"),
        update("Content-Length: 8", by: "Content-Length: 77", "Content-Length: 8"),
        update("Content-Encoding: gzip", by: "Content-Encoding: br", "Content-Encoding: gzip"),
        update("Content-Range: bytes 0-7/8", by: "Content-Range: bytes 0-8/9", "Content-Range: bytes 0-7/8"),
        update("", by: "Set-Cookie: a=2", once: "Set-Cookie"),
        update("", by: "Proxy-Authenticate: Basic", once: "Proxy-Authenticate"),
        update("", by: "Keep-Alive: timeout=5", lacking: "Keep-Alive"),
        update("", by: "Connection: X-Own\nX-Own: 1", lacking: "X-Own"),
        Conversation(
            "304-lengthens",
            "9111 §3.2",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, tagA, "Cache-Control: max-age=100").asked().gets(from: 1),
            .get().after(99).gets(from: 1).having("Cache-Control: max-age=100"),
            .get().after(1).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "304-updates-the-date",
            "9111 §4.2.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, tagA).asked().gets(from: 1).having("Date: {15}").lacking("Age"),
            .get().after(5).gets(from: 1).having("Date: {15}", "Age: 5")
        ),
        Conversation(
            "304-has-an-age",
            "9111 §4.2.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, tagA, "Age: 8").asked().gets(from: 1).having("Age: 8"),
            .get().after(1).gets(from: 1).having("Age: 9"),
            .get().after(1).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "304-forbids-storing",
            "9111 §3.2",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, tagA, "Cache-Control: no-store").asked(with: ifA).gets(from: 1),
            .get().answered(200, brief).asked(without: ["If-None-Match"])
        ),
        Conversation(
            "304-weak-tag-of-strong",
            "9111 §4.3.4",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).answered(304, "ETag: W/\"a\"").asked(with: ifA).gets(from: 1).having(tagA)
        ),
    ]

    /// Creates a conversation in which a 304 changes the fields of its own response and of later ones to these lines.
    private static func update(_ stored: String, by update: String, _ lines: String) -> Conversation {
        let name = [stored, update, lines].map { $0.replacing("\n", with: " and ") }.joined(separator: " | ")
        return Conversation(
            "304-update: \(name)",
            "9111 §3.2",
            .get().answered(200, brief, tagA, stored).asked(),
            .get().after(15).answered(304, tagA, update).asked(with: ifA).gets(from: 1).having(lines),
            .get().after(5).gets(from: 1).having(lines)
        )
    }

    /// Creates a conversation in which a field of a 304 is not added to the response.
    private static func update(_ stored: String, by update: String, lacking name: String) -> Conversation {
        Conversation(
            "304-brings-no \(name)",
            "9110 §7.6.1",
            .get().answered(200, brief, tagA, stored).asked(),
            .get().after(15).answered(304, tagA, update).asked(with: ifA).gets(from: 1).lacking(name),
            .get().after(5).gets(from: 1).lacking(name)
        )
    }

    /// Creates a conversation in which a field of a 304 reaches only the client whose request was validated.
    private static func update(_ stored: String, by update: String, once name: String) -> Conversation {
        Conversation(
            "304-brings-once \(name)",
            "9111 §3.1",
            .get().answered(200, brief, tagA, stored).asked(),
            .get().after(15).answered(304, tagA, update).asked(with: ifA).gets(from: 1).having(name),
            .get().after(5).gets(from: 1).lacking(name)
        )
    }
}
