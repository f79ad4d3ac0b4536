import HTTPCaching

private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""
private let anna = "Authorization: Basic anna"
private let bob = "Authorization: Basic bob"

extension Conversation {
    // MARK: Sharing between clients

    static let sharing: [Conversation] =
        [400, 403, 404, 410, 413, 414, 421, 429, 431, 500, 503].map { status in
            Conversation(
                "one-request-and-a-fresh-response-\(status)",
                "errors",
                .get().answered(200, fresh).asked(),
                .get("/a", "Cache-Control: no-cache", "X-Large: 1").answered(status, fresh).asked(with: "X-Large: 1"),
                .get().gets(from: 1)
            )
        }
        + [400, 403, 431].map { status in
            Conversation(
                "one-request-and-a-stale-response-\(status)",
                "errors",
                .get().answered(200, fresh, tagA).asked(),
                .get("/a", "X-Large: 1").after(61).answered(status, fresh).asked(with: "X-Large: 1"),
                .get().answered(200, fresh).asked()
            )
        }
        + ["Cache-Control: private", "Set-Cookie: a=1", "Vary: *"].map { field in
            Conversation(
                "one-request-and-a-fresh-response-\(field)",
                "9111 §4",
                .get().answered(200, fresh).asked(),
                .get("/a", "Cache-Control: no-cache", "Cookie: vip").answered(200, fresh, field).asked(),
                // The requests join one flight.
                .get().byClients(4).answered(200, fresh).asked()
            )
        }
        + [
            Conversation(
                "connection-names-vary",
                "9110 §7.6.1",
                .get("/a", "X-Lang: de").answered(200, fresh, "Vary: X-Lang", "Connection: vary").asked(),
                .get("/a", "X-Lang: en").answered(200, fresh, "Vary: X-Lang", "Connection: vary").asked(),
                .get("/a", "X-Lang: de").gets(from: 1)
            )
        ]
        + ["public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"].map { directives in
            Conversation(
                "authorization-and \(directives)",
                "9111 §3.5",
                .get("/a", anna).answered(200, "Cache-Control: " + directives).asked(with: anna),
                .get().gets(from: 1),
                .get("/a", bob).gets(from: 1)
            )
        }
        + [
            Conversation(
                "authorization-is-not-shared",
                "9111 §3.5",
                .get("/a", anna).answered(200, fresh).asked(with: anna),
                .get("/a", bob).answered(200, fresh).asked(with: bob),
                .get().answered(200, fresh).asked(without: ["Authorization"]),
                .get("/a", anna).gets(from: 3)
            ),
            Conversation(
                "private-is-not-shared",
                "9111 §5.2.2.7",
                .get().answered(200, "Cache-Control: private, max-age=60").asked(),
                .get().answered(200, fresh).asked()
            ),
            Conversation(
                "private-field-is-withheld",
                "9111 §5.2.2.7",
                .get().answered(200, "Cache-Control: private=\"x-user\", max-age=60", "X-User: anna", "X-All: 1")
                    .asked().having("X-User: anna", "X-All: 1"),
                .get().gets(from: 1).having("X-All: 1").lacking("X-User")
            ),
            Conversation(
                "no-cache-field-is-withheld",
                "9111 §5.2.2.4",
                .get().answered(200, "Cache-Control: no-cache=\"a, b\"", fresh, "A: 1", "B: 2", "C: 3").asked()
                    .having("A: 1", "B: 2", "C: 3"),
                .get().gets(from: 1).having("C: 3").lacking("A", "B")
            ),
            Conversation(
                "cookie-of-a-request",
                "9111 §7.3",
                .get("/a", "Cookie: a=1").answered(200, fresh).asked(with: "Cookie: a=1"),
                .get("/a", "Cookie: a=2").gets(from: 1)
            ),
            Conversation(
                "set-cookie",
                "9111 §7.3",
                .get().answered(200, fresh, "Set-Cookie: a=1", "Set-Cookie: b=2").asked().having("Set-Cookie"),
                .get().answered(200, fresh).asked().lacking("Set-Cookie"),
                .get().gets(from: 2).lacking("Set-Cookie")
            ),
            Conversation(
                "set-cookie-allowed",
                "9111 §7.3",
                rules: .gateway.with { $0.allowsSetCookie = true },
                .get().answered(200, fresh, "Set-Cookie: a=1", "Set-Cookie: b=2").asked().having("Set-Cookie"),
                .get().gets(from: 1).having("Set-Cookie")
            ),
            Conversation(
                "no-store-replaces",
                "9111 §5.2.2.5",
                .get().answered(200, brief).asked(),
                .get().after(15).answered(200, "Cache-Control: no-store").asked(),
                .get().closed().asked().gets(502)
            ),
            Conversation(
                "request-no-store",
                "9111 §5.2.1.5",
                .get("/a", "Cache-Control: no-store").answered(200, fresh).asked(),
                .get().answered(200, fresh).asked(),
                .get("/a", "Cache-Control: no-store").gets(from: 2)
            ),
            Conversation(
                "targets-have-different-keys",
                "9111 §2",
                .get("/a?test=1").answered(200, fresh).asked(),
                .get("/a?test=2").answered(200, fresh).asked(),
                .get("/a?test=1").gets(from: 1),
                .get("/a/?test=1").answered(200, fresh).asked(),
                .get("/A?test=1").answered(200, fresh).asked()
            ),
        ]

    // MARK: Directives of requests

    static let demands: [Conversation] = [
        Conversation(
            "only-if-cached",
            "9111 §5.2.1.7",
            .get("/a", "Cache-Control: only-if-cached").gets(504),
            .get().answered(200, brief).asked(),
            .get("/a", "Cache-Control: only-if-cached").after(5).gets(from: 2),
            .get("/a", "Cache-Control: only-if-cached").after(10).gets(504),
            .get("/a", "Cache-Control: only-if-cached, max-stale").gets(from: 2)
        ),
        Conversation(
            "request-max-age",
            "9111 §5.2.1.1",
            .get().answered(200, fresh, "Age: 20").asked(),
            .get("/a", "Cache-Control: max-age=30").after(10).gets(from: 1),
            .get("/a", "Cache-Control: max-age=30").after(1).answered(200, fresh).asked(),
            .get().gets(from: 3)
        ),
        Conversation(
            "request-min-fresh",
            "9111 §5.2.1.3",
            .get().answered(200, fresh).asked(),
            .get("/a", "Cache-Control: min-fresh=50").after(10).gets(from: 1),
            .get("/a", "Cache-Control: min-fresh=50").after(1).answered(200, fresh).asked(),
            .get().gets(from: 3)
        ),
        Conversation(
            "request-nothing-special",
            "9111 §5.2.3",
            .get("/a", "Pragma: foo", "Cache-Control: nothing-to-see-here").answered(200, fresh)
                .asked(with: "Pragma: foo", "Cache-Control: nothing-to-see-here"),
            .get("/a", "Pragma: no-cache", "Cache-Control: nothing-to-see-here").gets(from: 1)
        ),
        Conversation(
            "directives-are-forwarded",
            "9111 §5.2",
            .get("/a", "Cache-Control: no-cache, no-transform").answered(200, fresh)
                .asked(with: "Cache-Control: no-cache, no-transform")
        ),
        Conversation(
            "immutable",
            "8246 §2.1",
            .get().answered(200, "Cache-Control: max-age=60, immutable", tagA).asked(),
            .get("/a", "Cache-Control: max-age=0").after(5).gets(from: 1),
            .get("/a", "Cache-Control: no-cache").answered(304, tagA).asked(with: "If-None-Match: \"a\"")
                .gets(from: 1),
            .get().after(60).answered(304, tagA).asked(with: "If-None-Match: \"a\"").gets(from: 1)
        ),
    ]

    // MARK: The stored fields of a response

    static let fields: [Conversation] = [
        Conversation(
            "age-counts",
            "9111 §5.1",
            .get().answered(200, fresh).asked().lacking("Age"),
            .get().gets(from: 1).having("Age: 0"),
            .get().after(3).gets(from: 1).having("Age: 3")
        ),
        Conversation(
            "age-of-others-counts",
            "9111 §4.2.3",
            .get().answered(200, fresh, "Age: 30").asked().having("Age: 30"),
            .get().after(3).gets(from: 1).having("Age: 33"),
            .get().after(27).answered(200, fresh).asked()
        ),
        Conversation(
            "age-of-a-delay-counts",
            "9111 §4.2.3",
            .get().answered(200, fresh, within: 5).asked().having("Age: 5"),
            .get().after(3).gets(from: 1).having("Age: 8")
        ),
        Conversation(
            "date-and-expires-stay",
            "9110 §6.6.1",
            .get().answered(200, "Expires: {60}", "Date: {0}").asked(),
            .get().after(5).gets(from: 1).having("Date: {0}", "Expires: {60}")
        ),
        Conversation(
            "date-is-added",
            "9110 §6.6.1",
            .get().answered(200, fresh, "Date: none").asked().having("Date: {0}"),
            .get().after(5).gets(from: 1).having("Date: {0}")
        ),
        Conversation(
            "date-that-is-invalid",
            "9110 §6.6.1",
            .get().answered(200, "Expires: {60}", "Date: foo").asked(),
            .get().after(5).gets(from: 1)
        ),
        Conversation(
            "connection-fields-are-removed",
            "9110 §7.6.1",
            .get().answered(200, fresh, "Connection: A, B", "A: 1", "B: 2", "C: 3", "Keep-Alive: timeout=5").asked()
                .having("C: 3").lacking("A", "B", "Connection", "Keep-Alive"),
            .get().gets(from: 1).having("C: 3").lacking("A", "B", "Connection", "Keep-Alive")
        ),
        Conversation(
            "proxy-fields-are-not-stored",
            "9111 §3.1",
            .get().answered(200, fresh, "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: a").asked(),
            .get().gets(from: 1).lacking("Proxy-Authenticate", "Proxy-Authentication-Info")
        ),
        Conversation(
            "unknown-fields-are-stored",
            "9111 §3.1",
            .get().answered(200, fresh, "X-One: 1", "Clear-Site-Data: cache", "Content-MD5: abc").asked(),
            .get().gets(from: 1).having("X-One: 1", "Clear-Site-Data: cache", "Content-MD5: abc")
        ),
        Conversation(
            "204-has-no-length",
            "9110 §8.6",
            .get().answered(204, fresh).asked(),
            .get().gets(204).lacking("Content-Length"),
            .head().gets(204).lacking("Content-Length")
        ),
        Conversation(
            "599-is-stored",
            "9111 §3",
            .get().answered(599, fresh).asked(),
            .get().gets(599, from: 1)
        ),
        Conversation(
            "302-is-stored-with-its-location",
            "9111 §3",
            .get().answered(302, fresh, "Location: /b").asked(),
            .get().gets(302, from: 1).having("Location: /b")
        ),
        Conversation(
            "targeted-field-counts-and-stays",
            "9213 §2.2",
            .get().answered(200, "CDN-Cache-Control: max-age=60", "Cache-Control: max-age=1").asked()
                .having("CDN-Cache-Control: max-age=60"),
            .get().after(59).gets(from: 1).having("CDN-Cache-Control: max-age=60", "Age: 59")
        ),
        Conversation(
            "no-lifetime-is-not-stored",
            "9111 §3",
            .get().answered(200, "Content-Type: text/plain").asked(),
            .get().answered(200, fresh).asked()
        ),
    ]

    // MARK: Concurrent requests

    static let concurrency: [Conversation] = [
        Conversation(
            "concurrent-asks-once",
            "9111 §4",
            .get().byClients(4).answered(200, fresh).asked(),
            .get().byClients(4).gets(from: 1)
        ),
        Conversation(
            "concurrent-validates-once",
            "9111 §4.3",
            .get().answered(200, brief, tagA).asked(),
            .get().after(15).byClients(4).answered(304, tagA).asked(with: "If-None-Match: \"a\"").gets(from: 1)
        ),
        Conversation(
            "concurrent-refreshes-once",
            "5861 §3",
            .get().answered(200, "Cache-Control: max-age=10, stale-while-revalidate=60").asked(),
            .get().after(15).answered(200, fresh).refreshed().gets(from: 1),
            .get().byClients(4).gets(from: 2)
        ),
        Conversation(
            "concurrent-shares-nothing-private",
            "9111 §5.2.2.7",
            .get().byClients(4).answered(200, "Cache-Control: private").asked(times: 4)
        ),
        Conversation(
            "concurrent-shares-a-failure",
            "9110 §15.6.3",
            .get().byClients(4).closed().asked(times: 2).gets(502)
        ),
        Conversation(
            "concurrent-gets-504",
            "9111 §5.2.2.2",
            .get().answered(200, "Cache-Control: max-age=10, must-revalidate", tagA).asked(),
            .get().after(15).byClients(4).closed().asked(times: 2, with: "If-None-Match: \"a\"").gets(504)
        ),
        Conversation(
            "concurrent-gets-stale",
            "9111 §4.2.4",
            .get().answered(200, brief).asked(),
            .get().after(15).byClients(4).closed().asked().gets(from: 1)
        ),
        Conversation(
            "concurrent-ranges-ask-once",
            "9110 §14.2",
            .get("/a", "Range: bytes=0-1").byClients(4).answered(200, fresh, saying: "0123456789").asked()
                .gets(206, saying: "01")
        ),
        Conversation(
            "concurrent-asks-again-after-a-write",
            "9111 §4.4",
            .get().byClients(3).answered(200, fresh).asked(),
            .send("POST").answered().asked(),
            .get().byClients(3).answered(200, fresh).asked()
        ),
    ]
}
