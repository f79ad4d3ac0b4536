private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let tagA = "ETag: \"a\""
private let ifA = "If-None-Match: \"a\""

extension Conversation {
    // MARK: Failures of the origin

    static let failures: [Conversation] =
        ["must-revalidate, max-age=10", "proxy-revalidate, max-age=10", "s-maxage=10", "no-cache"].map { directives in
            Conversation(
                "closed-and \(directives)",
                "9111 §5.2.2.2",
                .get().answered(200, "Cache-Control: " + directives, tagA).asked(),
                .get().after(15).closed().asked(with: ifA).gets(504),
                .get().brokenOff(brief, after: "").asked(with: ifA).gets(504),
                .get().answered(304, tagA).asked(with: ifA).gets(from: 1)
            )
        }
        + [500, 502, 503, 504].map { status in
            Conversation(
                "stale-if-error-\(status)",
                "5861 §4",
                .get().answered(200, "Cache-Control: max-age=10, stale-if-error=60", tagA).asked(),
                .get().after(15).answered(status).asked(with: ifA).gets(from: 1).having("Age: 15"),
                .get().after(54).answered(status).asked(with: ifA).gets(from: 1),
                .get().after(1).answered(status).asked(with: ifA)
            )
        }
        + [
            Conversation(
                "closed-serves-stale",
                "9111 §4.2.4",
                .get().answered(200, brief).asked(),
                .get().after(15).closed().asked().gets(from: 1).having("Age: 15"),
                .get().after(5).answered(200, brief).asked(),
                .get().gets(from: 3)
            ),
            Conversation(
                "closed-after-the-retention",
                "9111 §4.2.4",
                .get().answered(200, brief).asked(),
                .get().after(86_409).closed().asked().gets(from: 1),
                .get().after(1).closed().asked().gets(502)
            ),
            Conversation(
                "closed-and-nothing-stored",
                "9110 §15.6.3",
                .get().closed().asked().gets(502),
                .get().answered(200, brief).asked()
            ),
            Conversation(
                "closed-and-stale-on-arrival",
                "9111 §4.2.4",
                .get().answered(200, "Expires: {-5000}", "Last-Modified: {-9000}").asked(),
                .get().closed().asked().gets(from: 1)
            ),
            Conversation(
                "broken-off-serves-stale",
                "9111 §4.2.4",
                .get().answered(200, brief).asked(),
                .get().after(15).brokenOff(brief, after: "").asked().gets(from: 1)
            ),
            Conversation(
                "broken-off-once-begun",
                "9111 §3.3",
                .get().brokenOff(fresh, after: "beginning").asked().getsBroken(),
                .get().answered(200, fresh).asked()
            ),
            Conversation(
                "503-is-forwarded",
                "9111 §4.3.3",
                .get().answered(200, brief).asked(),
                .get().after(15).answered(503).asked(),
                .get().closed().asked().gets(from: 1)
            ),
            Conversation(
                "404-is-not-a-failure",
                "5861 §4",
                .get().answered(200, "Cache-Control: max-age=10, stale-if-error=60").asked(),
                .get().after(15).answered(404, "Cache-Control: no-store").asked(),
                .get().closed().asked().gets(502)
            ),
            Conversation(
                "stale-if-error-closed",
                "5861 §4",
                .get().answered(200, "Cache-Control: max-age=10, stale-if-error=60").asked(),
                .get().after(15).closed().asked().gets(from: 1)
            ),
            Conversation(
                "stale-if-error-must-revalidate",
                "9111 §5.2.2.2",
                .get().answered(200, "Cache-Control: max-age=10, stale-if-error=60, must-revalidate", tagA).asked(),
                .get().after(15).answered(503).asked(with: ifA)
            ),
            Conversation(
                "request-stale-if-error",
                "5861 §4",
                .get().answered(200, brief).asked(),
                .get("/a", "Cache-Control: stale-if-error=10").after(20).answered(503).asked().gets(from: 1),
                .get("/a", "Cache-Control: stale-if-error=10").after(1).answered(503).asked()
            ),
            Conversation(
                "request-no-cache-closed",
                "9111 §5.2.1.4",
                .get().answered(200, fresh).asked(),
                .get("/a", "Cache-Control: no-cache").closed().asked().gets(502),
                .get().gets(from: 1)
            ),
            Conversation(
                "request-max-age-0-closed",
                "9111 §5.2.1.1",
                .get().answered(200, fresh).asked(),
                .get("/a", "Cache-Control: max-age=0").closed().asked().gets(from: 1)
            ),
            Conversation(
                "503-that-is-fresh-is-stored",
                "9111 §3",
                .get().answered(503, brief).asked(),
                .get().after(5).gets(503, from: 1),
                .get().after(5).answered(200, brief).asked()
            ),
        ]

    // MARK: Permitted stale responses

    private static let revalidating = "Cache-Control: max-age=10, stale-while-revalidate=60"

    static let staleness: [Conversation] = [
        Conversation(
            "swr-refreshes",
            "5861 §3",
            .get().answered(200, revalidating, tagA).asked(),
            .get().after(15).answered(200, fresh, "ETag: \"b\"").refreshed(with: ifA).gets(from: 1).having("Age: 15"),
            .get().gets(from: 2).having("ETag: \"b\"")
        ),
        Conversation(
            "swr-confirms",
            "5861 §3",
            .get().answered(200, revalidating, tagA).asked(),
            .get().after(15).answered(304, tagA).refreshed(with: ifA).gets(from: 1),
            .get().after(9).gets(from: 1).having("Age: 9")
        ),
        Conversation(
            "swr-window",
            "5861 §3",
            .get().answered(200, revalidating, tagA).asked(),
            .get().after(70).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "swr-to-no-cache",
            "5861 §3",
            .get().answered(200, revalidating, tagA).asked(),
            .get().after(15).answered(200, "Cache-Control: no-cache", "ETag: \"b\"").refreshed().gets(from: 1),
            .get().answered(304, "ETag: \"b\"").asked(with: "If-None-Match: \"b\"").gets(from: 2)
        ),
        Conversation(
            "swr-to-no-store",
            "5861 §3",
            .get().answered(200, revalidating).asked(),
            .get().after(15).answered(200, "Cache-Control: no-store").refreshed().gets(from: 1),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "swr-fails",
            "5861 §3",
            .get().answered(200, revalidating).asked(),
            .get().after(15).closed().refreshed().gets(from: 1),
            .get().after(5).answered(500).refreshed().gets(from: 1),
            .get().after(5).answered(200, fresh).refreshed().gets(from: 1),
            .get().gets(from: 4)
        ),
        Conversation(
            "swr-must-revalidate",
            "9111 §4.2.4",
            .get().answered(200, revalidating + ", must-revalidate", tagA).asked(),
            .get().after(15).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "swr-of-s-maxage",
            "9111 §5.2.2.10",
            .get().answered(200, "Cache-Control: s-maxage=10, stale-while-revalidate=60", tagA).asked(),
            .get().after(15).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
        Conversation(
            "swr-head",
            "5861 §3",
            .get().answered(200, revalidating).asked(),
            .head().after(15).answered(200, fresh).refreshed().gets(from: 1),
            .get().gets(from: 2)
        ),
        Conversation(
            "swr-only-if-cached",
            "9111 §5.2.1.7",
            .get().answered(200, revalidating).asked(),
            .get("/a", "Cache-Control: only-if-cached").after(15).gets(from: 1),
            .get().answered(200, fresh).refreshed().gets(from: 1),
            .get().gets(from: 3)
        ),
        Conversation(
            "swr-if-none-match",
            "5861 §3",
            .get().answered(200, revalidating, tagA).asked(),
            .get("/a", ifA).after(15).answered(304, tagA).refreshed(with: ifA).gets(304)
        ),
        Conversation(
            "swr-range",
            "5861 §3",
            .get().answered(200, revalidating, saying: "0123456789").asked(),
            .get("/a", "Range: bytes=0-1").after(15).answered(200, fresh).refreshed().gets(206, saying: "01"),
            .get().gets(from: 2)
        ),
        Conversation(
            "max-stale",
            "9111 §5.2.1.2",
            .get().answered(200, brief).asked(),
            .get("/a", "Cache-Control: max-stale=5").after(15).gets(from: 1).having("Age: 15"),
            .get("/a", "Cache-Control: max-stale=5").after(1).answered(200, brief).asked(),
            .get("/a", "Cache-Control: max-stale").after(99).gets(from: 3)
        ),
        Conversation(
            "max-stale-s-maxage",
            "9111 §5.2.2.10",
            .get().answered(200, "Cache-Control: s-maxage=10", tagA).asked(),
            .get("/a", "Cache-Control: max-stale").after(15).answered(304, tagA).asked(with: ifA).gets(from: 1)
        ),
    ]
}
