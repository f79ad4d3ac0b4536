private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""

extension Conversation {
    // MARK: Invalidation by writes

    static let invalidation: [Conversation] =
        ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FROB"].map { write($0, 200, invalidates: true) }
        + [201, 202, 204, 301, 303].map { write("PUT", $0, invalidates: true) }
        + [400, 403, 404, 409, 412, 500, 503].map { write("POST", $0, invalidates: false) }
        + ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"].map { write($0, 200, invalidates: false) }
        + [
            Conversation(
                "write-invalidates-queries",
                "9111 §4.4",
                .get("/a?x=1").answered(200, fresh).asked(),
                .send("POST").answered().asked(),
                .get("/a?x=1").answered(200, fresh).asked()
            ),
            Conversation(
                "write-does-not-invalidate-other-paths",
                "9111 §4.4",
                .get("/b").answered(200, fresh).asked(),
                .send("POST").answered().asked(),
                .get("/b").gets(from: 1)
            ),
            Conversation(
                "write-invalidates-variants",
                "9111 §4.4",
                .get("/a", "Foo: 1").answered(200, fresh, "Vary: Foo").asked(),
                .get("/a", "Foo: 2").answered(200, fresh, "Vary: Foo").asked(),
                .send("DELETE").answered(204).asked(),
                .get("/a", "Foo: 1").answered(200, fresh, "Vary: Foo").asked(),
                .get("/a", "Foo: 2").answered(200, fresh, "Vary: Foo").asked()
            ),
            Conversation(
                "write-that-may-have-arrived",
                "9111 §4.4",
                .get().answered(200, fresh).asked(),
                .send("POST").closed().asked().gets(502),
                .get().answered(200, fresh).asked()
            ),
            Conversation(
                "post-is-not-stored",
                "9111 §3",
                .send("POST").answered(200, fresh).asked(),
                .get().answered(200, fresh).asked()
            ),
            Conversation(
                "post-is-not-answered-from-a-get",
                "9111 §4",
                .get().answered(200, fresh).asked(),
                .send("POST").answered(500).asked(),
                .send("POST").answered(200).asked()
            ),
            Conversation(
                "invalidated-is-not-validated",
                "9111 §4.4",
                .get().answered(200, brief, tagA).asked(),
                .send("PUT").answered(204).asked(),
                .get().after(15).answered(200, brief).asked(without: ["If-None-Match"])
            ),
            Conversation(
                "invalidated-is-not-served-stale",
                "9111 §4.4",
                .get().answered(200, brief, tagA).asked(),
                .send("PUT").answered(204).asked(),
                .get().after(15).closed().asked().gets(502)
            ),
        ]

    /// Creates a conversation with a stored response and a write to its URI.
    private static func write(_ method: String, _ status: Int, invalidates: Bool) -> Conversation {
        Conversation(
            "write-\(method.lowercased())-\(status)",
            "9111 §4.4",
            .get().answered(200, fresh).asked(),
            .send(method).answered(status).asked(),
            invalidates ? .get().answered(200, fresh).asked() : .get().gets(from: 1)
        )
    }

    // MARK: Targets in the response to a write

    static let locations: [Conversation] =
        [
            ("Location: /b", true), ("Content-Location: /b", true), ("Location: http://{host}/b", true),
            ("Location: HTTP://{host}:80/b", true), ("Location: //{host}/b", true), ("Location: b", true),
            ("Location: ../x/../b", true), ("Location: /b?x=1#y", true), ("Location: http://other.example/b", false),
            ("Location: https://{host}/b", false), ("Location: http://{host}:8080/b", false),
            ("Content-Location: http://other.example/b", false), ("Location: /c", false),
            ("Location: /b\nLocation: /c", false),
        ].map { line, invalidates in
            Conversation(
                "write-names \(line.replacing("\n", with: " and "))",
                "9111 §4.4",
                .get("/b").answered(200, fresh).asked(),
                .send("POST", "/a").answered(201, line).asked(),
                invalidates ? .get("/b").answered(200, fresh).asked() : .get("/b").gets(from: 1)
            )
        }
        + [
            Conversation(
                "failed-write-names",
                "9111 §4.4",
                .get("/b").answered(200, fresh).asked(),
                .send("POST", "/a").answered(404, "Location: /b").asked(),
                .get("/b").gets(from: 1)
            ),
            Conversation(
                "get-names",
                "9111 §4.4",
                .get("/b").answered(200, fresh).asked(),
                .get("/a").answered(200, "Content-Location: /b").asked(),
                .get("/b").gets(from: 1)
            ),
        ]
}
