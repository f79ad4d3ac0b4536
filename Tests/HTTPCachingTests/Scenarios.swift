import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
    static let all =
        freshness + expires + age + heuristics + statuses + sharing + directives + requests + stale
        + validation + variants + targeted + presets + forced

    // MARK: How long a response is fresh

    static let freshness: [Scenario] = [
        Scenario("max-age-fresh", "9111 §5.2.2.1", cc + "max-age=60", after: 59, .hit),
        Scenario("max-age-end", "9111 §4.2", cc + "max-age=60", after: 60, .asks(.expired)),
        Scenario("max-age-zero", "9111 §5.2.2.1", cc + "max-age=0", .refused(.noFreshness)),
        Scenario("max-age-zero-tag", "9111 §5.2.2.1", cc + "max-age=0\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-leading-zeros", "9111 §1.2.2", cc + "max-age=0060", after: 59, .hit),
        Scenario("max-age-2^31", "9111 §1.2.2", cc + "max-age=2147483648", after: 1_000_000, .hit),
        Scenario("max-age-2^31+1", "9111 §1.2.2", cc + "max-age=2147483649", after: 1_000_000, .hit),
        Scenario("max-age-2^63", "9111 §1.2.2", cc + "max-age=9223372036854775808", after: 1_000_000, .hit),
        Scenario("max-age-100-digits", "9111 §1.2.2", cc + "max-age=" + String(repeating: "9", count: 100), .hit),
        Scenario("max-age-quoted", "9111 §5.2", cc + "max-age=\"60\"", after: 59, .hit),
        Scenario("max-age-escaped", "9110 §5.6.4", cc + "max-age=\"6\\0\"", after: 59, .hit),
        Scenario("max-age-single-quoted", "9111 §4.2.1", cc + "max-age='60'\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-negative", "9111 §4.2.1", cc + "max-age=-60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-signed", "9111 §4.2.1", cc + "max-age=+60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-decimal", "9111 §4.2.1", cc + "max-age=60.0\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-letters-after", "9111 §4.2.1", cc + "max-age=60s\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-letters-before", "9111 §4.2.1", cc + "max-age=a60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-hex", "9111 §4.2.1", cc + "max-age=0x3C\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-empty", "9111 §4.2.1", cc + "max-age=\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-empty-quoted", "9111 §4.2.1", cc + "max-age=\"\"\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-without-argument", "9111 §4.2.1", cc + "max-age\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-space-before-equals", "9111 §5.2", cc + "max-age =60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-space-after-equals", "9111 §5.2", cc + "max-age= 60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-unclosed-quote", "9110 §5.6.4", cc + "max-age=\"60\nETag: \"a\"", .asks(.expired)),
        Scenario("max-age-any-case", "9111 §5.2", cc + "MaX-aGe=60", after: 59, .hit),
        Scenario("max-age-in-another-word", "9111 §5.2.3", cc + "x-max-age=60", .refused(.noFreshness)),
        Scenario("max-age-underscore", "9111 §5.2.3", cc + "max_age=60", .refused(.noFreshness)),
        Scenario("max-age-in-quotes", "9111 §5.2.3", cc + "x=\"max-age=60\"", .refused(.noFreshness)),
        Scenario("max-age-in-quotes-after-comma", "9110 §5.6.4", cc + "x=\"a, max-age=60\"", .refused(.noFreshness)),
        Scenario("max-age-after-quoted-comma", "9110 §5.6.4", cc + "x=\"a, max-age=1\", max-age=60", after: 59, .hit),
        Scenario("max-age-after-escaped-quote", "9110 §5.6.4", cc + "x=\"\\\", y\", max-age=60", after: 59, .hit),
        Scenario("max-age-after-unknown", "9111 §5.2.3", cc + "foobar, max-age=60", after: 59, .hit),
        Scenario("max-age-after-empty-members", "9110 §5.6.1", cc + ",, ,max-age=60,", after: 59, .hit),
        Scenario("max-age-tabs", "9110 §5.6.3", cc + "public\t,\tmax-age=60", after: 59, .hit),
        Scenario("max-age-second-line", "9110 §5.3", cc + "public\n" + cc + "max-age=60", after: 59, .hit),
        Scenario("max-age-twice-first-short", "9111 §4.2.1", cc + "max-age=10, max-age=60", after: 30, .asks(.expired)),
        Scenario("max-age-twice-first-long", "9111 §4.2.1", cc + "max-age=60, max-age=10", after: 30, .hit),
        Scenario(
            "max-age-twice-two-lines",
            "9111 §4.2.1",
            cc + "max-age=10\n" + cc + "max-age=60",
            after: 30,
            .asks(.expired)
        ),
        Scenario(
            "max-age-twice-first-broken",
            "9111 §4.2.1",
            cc + "max-age=x, max-age=60\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("max-age-fractions-of-seconds", "9111 §4.2", cc + "max-age=1\nETag: \"a\"", after: 1, .asks(.expired)),
        Scenario("s-maxage-longer", "9111 §5.2.2.10", cc + "max-age=10, s-maxage=60", after: 30, .hit),
        Scenario(
            "s-maxage-shorter",
            "9111 §5.2.2.10",
            cc + "s-maxage=10, max-age=60\nETag: \"a\"",
            after: 30,
            .asks(.expired)
        ),
        Scenario("s-maxage-alone", "9111 §5.2.2.10", cc + "s-maxage=60", after: 59, .hit),
        Scenario("s-maxage-any-case", "9111 §5.2", cc + "S-MaxAge=60", after: 59, .hit),
        Scenario("s-maxage-broken", "9111 §4.2.1", cc + "s-maxage=x, max-age=60\nETag: \"a\"", .asks(.expired)),
        Scenario("s-maxage-hyphenated", "9111 §5.2.3", cc + "s-max-age=60", .refused(.noFreshness)),
        Scenario("s-maxage-over-expires", "9111 §5.3", cc + "s-maxage=60\nExpires: {-60}", after: 59, .hit),
        Scenario("nothing-said", "9111 §3", "Content-Type: text/plain", .refused(.noFreshness)),
    ]

    // MARK: Expires

    static let expires: [Scenario] = [
        Scenario("expires-future", "9111 §5.3", "Expires: {60}", after: 59, .hit),
        Scenario("expires-reached", "9111 §5.3", "Expires: {60}", after: 60, .asks(.expired)),
        Scenario("expires-past", "9111 §5.3", "Expires: {-60}", .refused(.noFreshness)),
        Scenario("expires-past-tag", "9111 §5.3", "Expires: {-60}\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-equals-date", "9111 §4.2", "Expires: {0}\nETag: \"a\"", after: 0, .asks(.expired)),
        Scenario("expires-zero", "9111 §5.3", "Expires: 0\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-minus-one", "9111 §5.3", "Expires: -1\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-empty", "9111 §5.3", "Expires: \nETag: \"a\"", .asks(.expired)),
        Scenario("expires-word", "9111 §5.3", "Expires: never\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-under-max-age", "9111 §5.3", cc + "max-age=60\nExpires: {-60}", after: 59, .hit),
        Scenario(
            "expires-over-max-age-zero",
            "9111 §5.3",
            cc + "max-age=0\nExpires: {60}\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("expires-zero-under-max-age", "9111 §5.3", cc + "max-age=60\nExpires: 0", after: 59, .hit),
        Scenario(
            "expires-broken-max-age",
            "9111 §4.2.1",
            cc + "max-age=x\nExpires: {60}\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario(
            "expires-twice-first-past",
            "9111 §4.2.1",
            "Expires: {-60}\nExpires: {60}\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("expires-twice-first-future", "9111 §4.2.1", "Expires: {60}\nExpires: {-60}", after: 59, .hit),
        Scenario("expires-list", "9111 §5.3", "Expires: {60}, {90}\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-rfc850", "9110 §5.6.7", "Expires: Sunday, 06-Nov-94 08:50:37 GMT", after: 59, .hit),
        Scenario("expires-asctime", "9110 §5.6.7", "Expires: Sun Nov  6 08:50:37 1994", after: 59, .hit),
        Scenario("expires-lower-case", "9111 §4.2", "Expires: sun, 06 nov 1994 08:50:37 gmt", after: 59, .hit),
        Scenario("expires-utc", "9111 §4.2", "Expires: Sun, 06 Nov 1994 08:50:37 UTC\nETag: \"a\"", .asks(.expired)),
        Scenario(
            "expires-offset",
            "9111 §4.2",
            "Expires: Sun, 06 Nov 1994 08:50:37 +0000\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("expires-est", "9111 §4.2", "Expires: Sun, 06 Nov 1994 08:50:37 EST\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-no-zone", "9110 §5.6.7", "Expires: Sun, 06 Nov 1994 08:50:37\nETag: \"a\"", .asks(.expired)),
        Scenario("expires-iso", "9110 §5.6.7", "Expires: 1994-11-06T08:50:37Z\nETag: \"a\"", .asks(.expired)),
        Scenario(
            "expires-one-digit-day",
            "9110 §5.6.7",
            "Expires: Sun, 6 Nov 1994 08:50:37 GMT\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("expires-dots", "9110 §5.6.7", "Expires: Sun, 06 Nov 1994 08.50.37 GMT\nETag: \"a\"", .asks(.expired)),
        Scenario(
            "expires-no-comma",
            "9110 §5.6.7",
            "Expires: Sun 06 Nov 1994 08:50:37 GMT\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario(
            "expires-long-month",
            "9110 §5.6.7",
            "Expires: Sun, 06 November 1994 08:50:37 GMT\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("expires-year-9999", "9111 §5.3", "Expires: Fri, 31 Dec 9999 23:59:59 GMT", after: 1_000_000, .hit),
        Scenario("expires-year-2038", "9111 §5.3", "Expires: Tue, 19 Jan 2038 03:14:08 GMT", after: 1_000_000, .hit),
        Scenario("expires-minus-date-behind", "9111 §4.2.1", "Date: {-30}\nExpires: {30}", after: 29, .hit),
        Scenario(
            "expires-minus-date-behind-end",
            "9111 §4.2.1",
            "Date: {-30}\nExpires: {30}",
            after: 30,
            .asks(.expired)
        ),
        Scenario("expires-minus-date-ahead", "9111 §4.2.1", "Date: {3600}\nExpires: {3660}", after: 59, .hit),
        Scenario(
            "expires-minus-date-ahead-end",
            "9111 §4.2.1",
            "Date: {3600}\nExpires: {3660}",
            after: 60,
            .asks(.expired)
        ),
        Scenario("expires-without-date", "9110 §6.6.1", "Date: none\nExpires: {60}", after: 59, .hit),
        Scenario("expires-broken-date", "9110 §6.6.1", "Date: yesterday\nExpires: {60}", after: 59, .hit),
        Scenario("expires-two-dates", "9110 §6.6.1", "Date: {-90}\nDate: {0}\nExpires: {60}", after: 59, .hit),
    ]

    // MARK: Age

    static let age: [Scenario] = [
        Scenario("age-counts", "9111 §4.2.3", cc + "max-age=60\nAge: 50", after: 9, .hit),
        Scenario("age-counts-end", "9111 §4.2.3", cc + "max-age=60\nAge: 50", after: 10, .asks(.expired)),
        Scenario("age-beyond", "9111 §4.2.3", cc + "max-age=60\nAge: 90", .asks(.expired)),
        Scenario("age-of-expires", "9111 §4.2.3", "Expires: {60}\nAge: 50", after: 10, .asks(.expired)),
        Scenario("age-huge", "9111 §1.2.2", cc + "max-age=60\nAge: 99999999999999999999", .refused(.noFreshness)),
        Scenario("age-2^31-of-2^31", "9111 §1.2.2", cc + "max-age=2147483648\nAge: 2147483648", .asks(.expired)),
        Scenario("age-zero", "9111 §5.1", cc + "max-age=60\nAge: 0", after: 59, .hit),
        Scenario("age-word", "9111 §5.1", cc + "max-age=60\nAge: old", after: 59, .hit),
        Scenario("age-negative", "9111 §5.1", cc + "max-age=60\nAge: -50", after: 59, .hit),
        Scenario("age-decimal", "9111 §5.1", cc + "max-age=60\nAge: 50.5", after: 59, .hit),
        Scenario("age-parameter", "9111 §5.1", cc + "max-age=60\nAge: 50;x=1", after: 59, .hit),
        Scenario("age-list-first", "9111 §5.1", cc + "max-age=60\nAge: 50, 0", after: 10, .asks(.expired)),
        Scenario("age-list-first-zero", "9111 §5.1", cc + "max-age=60\nAge: 0, 50", after: 59, .hit),
        Scenario("age-lines-first", "9111 §5.1", cc + "max-age=60\nAge: 50\nAge: 0", after: 10, .asks(.expired)),
        Scenario("age-lines-first-zero", "9111 §5.1", cc + "max-age=60\nAge: 0\nAge: 50", after: 59, .hit),
        Scenario("age-lines-first-broken", "9111 §5.1", cc + "max-age=60\nAge: x\nAge: 50", after: 59, .hit),
        Scenario("date-old", "9111 §4.2.3", "Date: {-50}\n" + cc + "max-age=60", after: 9, .hit),
        Scenario("date-old-end", "9111 §4.2.3", "Date: {-50}\n" + cc + "max-age=60", after: 10, .asks(.expired)),
        Scenario(
            "date-older-than-age",
            "9111 §4.2.3",
            "Date: {-50}\n" + cc + "max-age=60\nAge: 5",
            after: 10,
            .asks(.expired)
        ),
        Scenario(
            "date-younger-than-age",
            "9111 §4.2.3",
            "Date: {-5}\n" + cc + "max-age=60\nAge: 50",
            after: 10,
            .asks(.expired)
        ),
        Scenario("date-future", "9111 §4.2.3", "Date: {3600}\n" + cc + "max-age=60", after: 59, .hit),
        Scenario("date-future-end", "9111 §4.2.3", "Date: {3600}\n" + cc + "max-age=60", after: 60, .asks(.expired)),
        Scenario("date-missing", "9110 §6.6.1", "Date: none\n" + cc + "max-age=60", after: 59, .hit),
        Scenario("date-broken", "9110 §6.6.1", "Date: 0\n" + cc + "max-age=60", after: 59, .hit),
        Scenario("delay-counts", "9111 §4.2.3", cc + "max-age=60\nDate: {10}", after: 59, .hit, delay: 10),
        Scenario(
            "delay-counts-end",
            "9111 §4.2.3",
            cc + "max-age=60\nDate: {10}",
            after: 60,
            .asks(.expired),
            delay: 10
        ),
        Scenario(
            "delay-adds-to-age",
            "9111 §4.2.3",
            cc + "max-age=60\nDate: {10}\nAge: 40",
            after: 20,
            .asks(.expired),
            delay: 10
        ),
        Scenario(
            "delay-of-s-maxage",
            "9111 §4.2.3",
            cc + "s-maxage=60\nETag: \"a\"\nDate: {30}",
            after: 60,
            .asks(.expired),
            delay: 30
        ),
    ]

    // MARK: Guessing

    static let heuristics: [Scenario] =
        [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501].map { status in
            Scenario("guess-\(status)", "9110 §15.1", "Last-Modified: {-1000}", after: 99, .hit, status: status)
        }
        + [201, 202, 205, 302, 303, 307, 400, 401, 403, 409, 421, 429, 451, 500, 502, 503, 504, 599].map { status in
            Scenario(
                "no-guess-\(status)",
                "9111 §4.2.2",
                "Last-Modified: {-1000}",
                .refused(.noFreshness),
                status: status
            )
        }
        + [201, 302, 403, 429, 500, 503, 599].map { status in
            Scenario(
                "guess-public-\(status)",
                "9111 §5.2.2.9",
                cc + "public\nLast-Modified: {-1000}",
                after: 99,
                .hit,
                status: status
            )
        }
        + [
            Scenario("guess-tenth", "9111 §4.2.2", "Last-Modified: {-1000}", after: 100, .asks(.expired)),
            Scenario("guess-limit", "9111 §4.2.2", "Last-Modified: {-100000000}", after: 86_399, .hit),
            Scenario("guess-limit-end", "9111 §4.2.2", "Last-Modified: {-100000000}", after: 86_400, .asks(.expired)),
            Scenario("guess-not-modified-yet", "9111 §4.2.2", "Last-Modified: {1000}", .asks(.expired)),
            Scenario("guess-modified-now", "9111 §4.2.2", "Last-Modified: {0}", .asks(.expired)),
            Scenario("guess-broken", "9111 §4.2.2", "Last-Modified: long ago", .refused(.noFreshness)),
            Scenario(
                "guess-two-dates",
                "9111 §4.2.2",
                "Last-Modified: {-9}\nLast-Modified: {-1000}",
                .refused(.noFreshness)
            ),
            Scenario(
                "guess-under-max-age",
                "9111 §4.2.2",
                cc + "max-age=1\nLast-Modified: {-1000}",
                after: 50,
                .asks(.expired)
            ),
            Scenario(
                "guess-under-expires",
                "9111 §4.2.2",
                "Expires: {1}\nLast-Modified: {-1000}",
                after: 50,
                .asks(.expired)
            ),
            Scenario(
                "guess-under-broken-expires",
                "9111 §4.2.2",
                "Expires: 0\nLast-Modified: {-1000}",
                .asks(.expired)
            ),
            Scenario("guess-by-tag", "9111 §4.2.2", "ETag: \"a\"", .asks(.expired)),
            Scenario(
                "guess-no-cache",
                "9111 §5.2.2.4",
                cc + "no-cache\nLast-Modified: {-1000}",
                .asks(.responseNoCache)
            ),
            Scenario(
                "guess-off",
                "9111 §4.2.2",
                "Last-Modified: {-1000}",
                .asks(.expired),
                rules: .gateway.with { $0.heuristics = false }
            ),
            Scenario("guess-age-counts", "9111 §4.2.3", "Last-Modified: {-1000}\nAge: 100", .asks(.expired)),
        ]

    // MARK: Status codes

    static let statuses: [Scenario] =
        [
            200, 201, 202, 203, 204, 205, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 402, 403, 404,
            405,
            406, 407, 408, 409, 410, 411, 413, 414, 415, 417, 418, 421, 422, 423, 425, 428, 429, 431, 451, 499, 500,
            501,
            502, 503, 504, 505, 511, 599,
        ].map { status in
            Scenario("explicit-\(status)", "9111 §3", cc + "max-age=60", after: 59, .hit, status: status)
        }
        + [206, 304, 412, 416].map { status in
            Scenario("never-\(status)", "9111 §3", cc + "public, max-age=60", .refused(.partial), status: status)
        }
        + [100, 101, 103, 199, 600, 999].map { status in
            Scenario("not-final-\(status)", "9111 §3", cc + "max-age=60", .refused(.status), status: status)
        }
        + [200, 204, 301, 404, 410, 500, 503].map { status in
            Scenario(
                "understood-\(status)",
                "9111 §5.2.2.3",
                cc + "max-age=60, must-understand, no-store",
                after: 59,
                .hit,
                status: status
            )
        }
        + [226, 299, 399, 418, 425, 429, 499, 511, 599].map { status in
            Scenario(
                "not-understood-\(status)",
                "9111 §5.2.2.3",
                cc + "max-age=60, must-understand",
                .refused(.notUnderstood),
                status: status
            )
        }

    // MARK: Who may share a response

    static let sharing: [Scenario] = [
        Scenario("no-store", "9111 §5.2.2.5", cc + "no-store, max-age=60", .refused(.noStore)),
        Scenario("no-store-any-case", "9111 §5.2", cc + "No-StOrE, max-age=60", .refused(.noStore)),
        Scenario("no-store-argument", "9111 §5.2", cc + "no-store=1, max-age=60", .refused(.noStore)),
        Scenario("no-store-second-line", "9110 §5.3", cc + "max-age=60\n" + cc + "no-store", .refused(.noStore)),
        Scenario(
            "no-store-after-unclosed-quote",
            "9110 §5.6.4",
            cc + "max-age=60, x=\"a, no-store",
            .refused(.noStore)
        ),
        Scenario(
            "no-store-line-after-unclosed-quote",
            "9110 §5.6.4",
            cc + "max-age=60, x=\"\n" + cc + "no-store",
            .refused(.noStore)
        ),
        Scenario("no-store-in-quotes", "9110 §5.6.4", cc + "max-age=60, x=\"no-store\"", .hit),
        Scenario("no-store-semicolon", "9111 §5.2", cc + "no-store; max-age=60", .refused(.noStore)),
        Scenario("no-store-word-in-word", "9111 §5.2.3", cc + "no-storex, max-age=60", .hit),
        Scenario(
            "request-no-store",
            "9111 §5.2.1.5",
            cc + "max-age=60",
            .refused(.requestNoStore),
            first: cc + "no-store"
        ),
        Scenario("request-no-store-reuse", "9111 §5.2.1.5", cc + "max-age=60", .hit, then: cc + "no-store"),
        Scenario("private", "9111 §5.2.2.7", cc + "private, max-age=60", .refused(.private)),
        Scenario("private-s-maxage", "9111 §5.2.2.7", cc + "private, s-maxage=60", .refused(.private)),
        Scenario("private-public", "9111 §4.2.1", cc + "public, private, max-age=60", .refused(.private)),
        Scenario("private-any-case", "9111 §5.2", cc + "PRIVATE, max-age=60", .refused(.private)),
        Scenario("private-field", "9111 §5.2.2.7", cc + "private=\"x-user\", max-age=60", .hit),
        Scenario("private-field-token", "9111 §5.2.2.7", cc + "private=x-user, max-age=60", .hit),
        Scenario("private-fields", "9111 §5.2.2.7", cc + "private=\"x-user, x-more\", max-age=60", .hit),
        Scenario(
            "private-field-and-all",
            "9111 §4.2.1",
            cc + "private=\"x-user\", private, max-age=60",
            .refused(.private)
        ),
        Scenario("private-no-field", "9111 §5.2.2.7", cc + "private=\"\", max-age=60", .refused(.private)),
        Scenario("private-broken-field", "9111 §5.2.2.7", cc + "private=\"x user\", max-age=60", .refused(.private)),
        Scenario(
            "private-encoding",
            "9111 §5.2.2.7",
            cc + "private=\"content-encoding\", max-age=60",
            .refused(.private)
        ),
        Scenario("private-semicolon", "9111 §5.2", cc + "private; max-age=60", .refused(.private)),
        Scenario("private-unclosed", "9110 §5.6.4", cc + "max-age=60, private=\"x-user", .refused(.private)),
        Scenario(
            "authorization",
            "9111 §3.5",
            cc + "max-age=60",
            .refused(.authorization),
            first: "Authorization: Basic a"
        ),
        Scenario("authorization-public", "9111 §3.5", cc + "public, max-age=60", .hit, first: "Authorization: Basic a"),
        Scenario("authorization-s-maxage", "9111 §3.5", cc + "s-maxage=60", .hit, first: "Authorization: Basic a"),
        Scenario(
            "authorization-must-revalidate",
            "9111 §3.5",
            cc + "max-age=60, must-revalidate",
            .hit,
            first: "Authorization: Basic a"
        ),
        Scenario(
            "authorization-proxy-revalidate",
            "9111 §3.5",
            cc + "max-age=60, proxy-revalidate",
            .refused(.authorization),
            first: "Authorization: Basic a"
        ),
        Scenario(
            "authorization-public-argument",
            "9111 §3.5",
            cc + "public=1, max-age=60",
            .refused(.authorization),
            first: "Authorization: Basic a"
        ),
        Scenario(
            "authorization-keyed",
            "9111 §3.5",
            cc + "max-age=60",
            .hit,
            first: "Authorization: Basic a",
            rules: .gateway.with { $0.allowsAuthorization = true }
        ),
        Scenario("authorization-later", "9111 §3.5", cc + "max-age=60", .hit, then: "Authorization: Basic a"),
        Scenario("cookie", "9111 §7.3", cc + "max-age=60\nSet-Cookie: a=b", .refused(.setCookie)),
        Scenario("cookie-public", "9111 §7.3", cc + "public, max-age=60\nSet-Cookie: a=b", .refused(.setCookie)),
        Scenario(
            "cookie-allowed",
            "9111 §7.3",
            cc + "max-age=60\nSet-Cookie: a=b",
            .hit,
            rules: .gateway.with { $0.allowsSetCookie = true }
        ),
        Scenario(
            "cookie-withheld-no-cache",
            "9111 §5.2.2.4",
            cc + "max-age=60, no-cache=\"set-cookie\"\nSet-Cookie: a=b",
            .hit
        ),
        Scenario(
            "cookie-withheld-private",
            "9111 §5.2.2.7",
            cc + "max-age=60, private=\"Set-Cookie\"\nSet-Cookie: a=b",
            .hit
        ),
        Scenario("post", "9111 §3", cc + "max-age=60", .refused(.method), method: .post),
        Scenario("head", "9111 §3", cc + "max-age=60", .refused(.method), method: .head),
        Scenario("options", "9111 §3", cc + "max-age=60", .refused(.method), method: .options),
        Scenario(
            "event-stream",
            "HTML §9.2",
            cc + "max-age=60\nContent-Type: text/event-stream",
            .refused(.eventStream)
        ),
        Scenario(
            "event-stream-charset",
            "HTML §9.2",
            cc + "max-age=60\nContent-Type: Text/Event-Stream ; charset=utf-8",
            .refused(.eventStream)
        ),
        Scenario("pragma-response", "9111 §5.4", cc + "max-age=60\nPragma: no-cache", .hit),
    ]

    // MARK: Directives of responses

    static let directives: [Scenario] = [
        Scenario("no-cache", "9111 §5.2.2.4", cc + "no-cache, max-age=60\nETag: \"a\"", .asks(.responseNoCache)),
        Scenario("no-cache-no-validator", "9111 §5.2.2.4", cc + "no-cache, max-age=60", .refused(.noCache)),
        Scenario("no-cache-any-case", "9111 §5.2", cc + "No-Cache, max-age=60\nETag: \"a\"", .asks(.responseNoCache)),
        Scenario("no-cache-field", "9111 §5.2.2.4", cc + "no-cache=\"x-user\", max-age=60", .hit),
        Scenario(
            "no-cache-field-expired",
            "9111 §5.2.2.4",
            cc + "no-cache=\"x-user\", max-age=60",
            after: 60,
            .asks(.expired)
        ),
        Scenario("no-cache-type", "9111 §5.2.2.4", cc + "no-cache=\"content-type\", max-age=60", .refused(.noCache)),
        Scenario(
            "no-cache-max-stale",
            "9111 §4.2.4",
            cc + "no-cache, max-age=60\nETag: \"a\"",
            .asks(.responseNoCache),
            then: cc + "max-stale"
        ),
        Scenario("must-revalidate-fresh", "9111 §5.2.2.2", cc + "must-revalidate, max-age=60", after: 59, .hit),
        Scenario(
            "must-revalidate-stale",
            "9111 §5.2.2.2",
            cc + "must-revalidate, max-age=60\nETag: \"a\"",
            after: 60,
            .asks(.expired),
            then: cc + "max-stale"
        ),
        Scenario(
            "must-revalidate-stale-no-validator",
            "9111 §5.2.2.2",
            cc + "must-revalidate, max-age=60",
            after: 60,
            .gone,
            then: cc + "max-stale"
        ),
        Scenario(
            "must-revalidate-swr",
            "9111 §4.2.4",
            cc + "must-revalidate, max-age=60, stale-while-revalidate=60\nETag: \"a\"",
            after: 60,
            .asks(.expired)
        ),
        Scenario(
            "proxy-revalidate-stale",
            "9111 §5.2.2.8",
            cc + "proxy-revalidate, max-age=60\nETag: \"a\"",
            after: 60,
            .asks(.expired),
            then: cc + "max-stale"
        ),
        Scenario(
            "s-maxage-stale",
            "9111 §5.2.2.10",
            cc + "s-maxage=60\nETag: \"a\"",
            after: 60,
            .asks(.expired),
            then: cc + "max-stale"
        ),
        Scenario(
            "immutable-reload",
            "8246 §2.1",
            cc + "max-age=60, immutable",
            after: 30,
            .hit,
            then: cc + "max-age=0"
        ),
        Scenario(
            "immutable-argument",
            "8246 §2",
            cc + "max-age=60, immutable=0",
            after: 30,
            .hit,
            then: cc + "max-age=0"
        ),
        Scenario(
            "immutable-no-cache",
            "8246 §2.1",
            cc + "max-age=60, immutable",
            after: 30,
            .asks(.requestNoCache),
            then: cc + "no-cache"
        ),
        Scenario("immutable-stale", "8246 §2", cc + "max-age=60, immutable", after: 60, .asks(.expired)),
        Scenario("immutable-alone", "8246 §2", cc + "immutable", .refused(.noFreshness)),
        Scenario("no-transform", "9111 §5.2.2.6", cc + "no-transform, max-age=60", .hit),
        Scenario("unknown-directive", "9111 §5.2.3", cc + "community=\"UCI\", max-age=60", .hit),
        Scenario("request-directive-in-response", "9111 §5.2", cc + "only-if-cached, min-fresh=99, max-age=60", .hit),
    ]

    // MARK: Directives of requests

    static let requests: [Scenario] = [
        Scenario("request-no-cache", "9111 §5.2.1.4", cc + "max-age=60", .asks(.requestNoCache), then: cc + "no-cache"),
        Scenario(
            "request-no-cache-argument",
            "9111 §5.2",
            cc + "max-age=60",
            .asks(.requestNoCache),
            then: cc + "no-cache=x"
        ),
        Scenario("request-pragma", "9111 §5.4", cc + "max-age=60", .asks(.requestNoCache), then: "Pragma: no-cache"),
        Scenario(
            "request-pragma-any-case",
            "9111 §5.4",
            cc + "max-age=60",
            .asks(.requestNoCache),
            then: "Pragma: x, No-Cache"
        ),
        Scenario("request-pragma-other", "9111 §5.4", cc + "max-age=60", .hit, then: "Pragma: cache"),
        Scenario(
            "request-pragma-beside",
            "9111 §5.4",
            cc + "max-age=60",
            .hit,
            then: "Pragma: no-cache\n" + cc + "max-age=99"
        ),
        Scenario(
            "request-max-age-older",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 31,
            .asks(.requestMaxAge),
            then: cc + "max-age=30"
        ),
        Scenario("request-max-age-equal", "9111 §5.2.1.1", cc + "max-age=60", after: 30, .hit, then: cc + "max-age=30"),
        Scenario(
            "request-max-age-zero",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 0,
            .asks(.requestMaxAge),
            then: cc + "max-age=0"
        ),
        Scenario(
            "request-max-age-with-age",
            "9111 §5.2.1.1",
            cc + "max-age=60\nAge: 30",
            .asks(.requestMaxAge),
            then: cc + "max-age=30"
        ),
        Scenario(
            "request-max-age-broken",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            .asks(.requestMaxAge),
            then: cc + "max-age=x"
        ),
        Scenario(
            "request-max-age-twice",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 20,
            .asks(.requestMaxAge),
            then: cc + "max-age=50, max-age=10"
        ),
        Scenario(
            "request-max-age-huge",
            "9111 §1.2.2",
            cc + "max-age=60",
            after: 59,
            .hit,
            then: cc + "max-age=99999999999999999999"
        ),
        Scenario(
            "request-max-age-longer-than-fresh",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 60,
            .asks(.expired),
            then: cc + "max-age=90"
        ),
        Scenario(
            "request-max-age-and-max-stale",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 70,
            .stale,
            then: cc + "max-age=90, max-stale=20"
        ),
        Scenario(
            "request-max-age-beyond-max-stale",
            "9111 §5.2.1.1",
            cc + "max-age=60",
            after: 95,
            .asks(.requestMaxAge),
            then: cc + "max-age=90, max-stale=60"
        ),
        Scenario("request-min-fresh", "9111 §5.2.1.3", cc + "max-age=60", after: 30, .hit, then: cc + "min-fresh=30"),
        Scenario(
            "request-min-fresh-short",
            "9111 §5.2.1.3",
            cc + "max-age=60",
            after: 31,
            .asks(.requestMinFresh),
            then: cc + "min-fresh=30"
        ),
        Scenario(
            "request-min-fresh-age",
            "9111 §5.2.1.3",
            cc + "max-age=60\nAge: 20",
            after: 11,
            .asks(.requestMinFresh),
            then: cc + "min-fresh=30"
        ),
        Scenario(
            "request-min-fresh-broken",
            "9111 §5.2.1.3",
            cc + "max-age=60",
            .asks(.requestMinFresh),
            then: cc + "min-fresh=soon"
        ),
        Scenario(
            "request-min-fresh-stale",
            "9111 §5.2.1.3",
            cc + "max-age=60",
            after: 60,
            .asks(.expired),
            then: cc + "min-fresh=0, max-stale"
        ),
        Scenario("request-max-stale", "9111 §5.2.1.2", cc + "max-age=60", after: 600, .stale, then: cc + "max-stale"),
        Scenario(
            "request-max-stale-limit",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 70,
            .stale,
            then: cc + "max-stale=10"
        ),
        Scenario(
            "request-max-stale-beyond",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 71,
            .asks(.expired),
            then: cc + "max-stale=10"
        ),
        Scenario(
            "request-max-stale-age",
            "9111 §5.2.1.2",
            cc + "max-age=60\nAge: 90",
            .stale,
            then: cc + "max-stale=60"
        ),
        Scenario(
            "request-max-stale-fresh",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 59,
            .hit,
            then: cc + "max-stale=10"
        ),
        Scenario(
            "request-max-stale-empty",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 70,
            .asks(.expired),
            then: cc + "max-stale="
        ),
        Scenario(
            "request-max-stale-broken",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 70,
            .asks(.expired),
            then: cc + "max-stale=x"
        ),
        Scenario(
            "request-max-stale-quoted",
            "9111 §5.2",
            cc + "max-age=60",
            after: 70,
            .stale,
            then: cc + "max-stale=\"10\""
        ),
        Scenario(
            "request-max-stale-twice",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 71,
            .asks(.expired),
            then: cc + "max-stale=99, max-stale=10"
        ),
        Scenario(
            "request-max-stale-any-and-some",
            "9111 §5.2.1.2",
            cc + "max-age=60",
            after: 71,
            .asks(.expired),
            then: cc + "max-stale, max-stale=10"
        ),
        Scenario("request-unknown", "9111 §5.2.3", cc + "max-age=60", .hit, then: cc + "s-maxage=0, private, foo=bar"),
        Scenario("request-only-if-cached", "9111 §5.2.1.7", cc + "max-age=60", .hit, then: cc + "only-if-cached"),
    ]

    // MARK: Serving stale

    static let stale: [Scenario] = [
        Scenario("swr", "5861 §3", cc + "max-age=60, stale-while-revalidate=60", after: 119, .staleAndRefreshed),
        Scenario("swr-fresh", "5861 §3", cc + "max-age=60, stale-while-revalidate=60", after: 59, .hit),
        Scenario("swr-end", "5861 §3", cc + "max-age=60, stale-while-revalidate=60", after: 120, .asks(.expired)),
        Scenario("swr-broken", "5861 §3", cc + "max-age=60, stale-while-revalidate=x", after: 60, .asks(.expired)),
        Scenario("swr-no-argument", "5861 §3", cc + "max-age=60, stale-while-revalidate", after: 60, .asks(.expired)),
        Scenario(
            "swr-twice",
            "5861 §3",
            cc + "max-age=60, stale-while-revalidate=5, stale-while-revalidate=60",
            after: 70,
            .asks(.expired)
        ),
        Scenario(
            "swr-max-age-zero",
            "5861 §3",
            cc + "max-age=0, stale-while-revalidate=60",
            after: 30,
            .staleAndRefreshed
        ),
        Scenario(
            "swr-of-expires",
            "5861 §3",
            "Expires: {60}\n" + cc + "stale-while-revalidate=60",
            after: 90,
            .staleAndRefreshed
        ),
        Scenario(
            "swr-of-s-maxage",
            "9111 §5.2.2.10",
            cc + "s-maxage=60, stale-while-revalidate=60\nETag: \"a\"",
            after: 90,
            .asks(.expired)
        ),
        Scenario(
            "swr-of-s-maxage-allowed",
            "5861 §3",
            cc + "s-maxage=60, stale-while-revalidate=60",
            after: 90,
            .staleAndRefreshed,
            rules: .gateway.with { $0.allowsStaleBesideSMaxAge = true }
        ),
        Scenario(
            "swr-of-s-maxage-allowed-not-must-revalidate",
            "9111 §5.2.2.2",
            cc + "s-maxage=60, must-revalidate, stale-while-revalidate=60\nETag: \"a\"",
            after: 90,
            .asks(.expired),
            rules: .gateway.with { $0.allowsStaleBesideSMaxAge = true }
        ),
        Scenario(
            "swr-no-cache",
            "9111 §5.2.2.4",
            cc + "no-cache, stale-while-revalidate=60\nETag: \"a\"",
            .asks(.responseNoCache)
        ),
        Scenario(
            "swr-request-no-cache",
            "9111 §5.2.1.4",
            cc + "max-age=60, stale-while-revalidate=60",
            after: 90,
            .asks(.requestNoCache),
            then: cc + "no-cache"
        ),
        Scenario(
            "swr-request-max-age",
            "9111 §5.2.1.1",
            cc + "max-age=60, stale-while-revalidate=60",
            after: 90,
            .asks(.expired),
            then: cc + "max-age=600"
        ),
        Scenario(
            "swr-request-min-fresh",
            "9111 §5.2.1.3",
            cc + "max-age=60, stale-while-revalidate=60",
            after: 90,
            .asks(.expired),
            then: cc + "min-fresh=1"
        ),
        Scenario(
            "swr-request-max-stale-less",
            "9111 §5.2.1.2",
            cc + "max-age=60, stale-while-revalidate=60",
            after: 90,
            .asks(.expired),
            then: cc + "max-stale=10"
        ),
        Scenario(
            "swr-request-max-stale-more",
            "9111 §5.2.1.2",
            cc + "max-age=60, stale-while-revalidate=60",
            after: 90,
            .staleAndRefreshed,
            then: cc + "max-stale=40"
        ),
        Scenario(
            "swr-request-max-stale-beyond",
            "9111 §5.2.1.2",
            cc + "max-age=60, stale-while-revalidate=10",
            after: 90,
            .stale,
            then: cc + "max-stale=40"
        ),
        Scenario(
            "swr-by-rule",
            "9111 §4.2.4",
            cc + "max-age=60",
            after: 90,
            .staleAndRefreshed,
            rules: .gateway.with { $0.staleWhileRevalidate = .seconds(60) }
        ),
        Scenario(
            "swr-zero-beats-rule",
            "5861 §3",
            cc + "max-age=60, stale-while-revalidate=0",
            after: 90,
            .asks(.expired),
            rules: .gateway.with { $0.staleWhileRevalidate = .seconds(60) }
        ),
        Scenario(
            "swr-by-rule-not-s-maxage",
            "9111 §5.2.2.10",
            cc + "s-maxage=60\nETag: \"a\"",
            after: 90,
            .asks(.expired),
            rules: .gateway.with {
                $0.staleWhileRevalidate = .seconds(60); $0.allowsStaleBesideSMaxAge = true
            }
        ),
        Scenario("keep-end", "9111 §4.2.4", cc + "max-age=60", after: 60 + 86_400, .gone),
        Scenario("keep-before-end", "9111 §4.2.4", cc + "max-age=60", after: 59 + 86_400, .asks(.expired)),
        Scenario("keep-tag-of-s-maxage", "9111 §4.3", cc + "s-maxage=60\nETag: \"a\"", after: 70, .asks(.expired)),
        Scenario("keep-nothing-of-s-maxage", "9111 §5.2.2.10", cc + "s-maxage=60", after: 70, .gone),
    ]

    // MARK: Conditions of clients

    static let validation: [Scenario] = [
        Scenario(
            "if-none-match",
            "9111 §4.3.2",
            cc + "max-age=60\nETag: \"a\"",
            .notModified,
            then: "If-None-Match: \"a\""
        ),
        Scenario(
            "if-none-match-other",
            "9111 §4.3.2",
            cc + "max-age=60\nETag: \"a\"",
            .hit,
            then: "If-None-Match: \"b\""
        ),
        Scenario(
            "if-none-match-expired",
            "9111 §4.3.2",
            cc + "max-age=60\nETag: \"a\"",
            after: 60,
            .asks(.expired),
            then: "If-None-Match: \"a\""
        ),
        Scenario(
            "if-none-match-then-since",
            "9110 §13.1.3",
            cc + "max-age=60\nETag: \"a\"\nLast-Modified: {-9}",
            .hit,
            then: "If-None-Match: \"b\"\nIf-Modified-Since: {0}"
        ),
        Scenario(
            "if-modified-since",
            "9111 §4.3.2",
            cc + "max-age=60\nLast-Modified: {-9}",
            .notModified,
            then: "If-Modified-Since: {-9}"
        ),
        Scenario(
            "if-modified-since-older",
            "9111 §4.3.2",
            cc + "max-age=60\nLast-Modified: {-9}",
            .hit,
            then: "If-Modified-Since: {-10}"
        ),
        Scenario("if-match", "9110 §13.1.1", cc + "max-age=60\nETag: \"a\"", .forwarded, then: "If-Match: \"a\""),
        Scenario(
            "if-unmodified-since",
            "9110 §13.1.4",
            cc + "max-age=60\nLast-Modified: {-9}",
            .forwarded,
            then: "If-Unmodified-Since: {0}"
        ),
        Scenario(
            "if-none-match-404",
            "9111 §4.3.2",
            cc + "max-age=60\nETag: \"a\"",
            .hit,
            status: 404,
            then: "If-None-Match: \"a\""
        ),
        Scenario(
            "fill-was-conditional",
            "9111 §3",
            cc + "max-age=60\nETag: \"a\"",
            .hit,
            first: "If-None-Match: \"b\""
        ),
    ]

    // MARK: Vary

    static let variants: [Scenario] = [
        Scenario("vary-equal", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit, first: "Foo: 1", then: "Foo: 1"),
        Scenario("vary-differs", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo: 1", then: "Foo: 2"),
        Scenario(
            "vary-case-differs",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: a",
            then: "Foo: A"
        ),
        Scenario("vary-gone", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo: 1"),
        Scenario("vary-new", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, then: "Foo: 1"),
        Scenario("vary-absent", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit),
        Scenario("vary-empty-is-not-absent", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo:"),
        Scenario("vary-other-field", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit, first: "Bar: 1", then: "Bar: 2"),
        Scenario(
            "vary-two",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .hit,
            first: "Foo: 1\nBar: 2",
            then: "Bar: 2\nFoo: 1"
        ),
        Scenario(
            "vary-two-second-differs",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 1\nBar: 3"
        ),
        Scenario(
            "vary-two-swapped",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 2\nBar: 1"
        ),
        Scenario(
            "vary-two-lines",
            "9110 §5.3",
            cc + "max-age=60\nVary: Foo\nVary: Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 1\nBar: 3"
        ),
        Scenario(
            "vary-combined-lines",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .hit,
            first: "Foo: 1\nFoo: 2",
            then: "Foo: 1, 2"
        ),
        Scenario(
            "vary-order-of-lines",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: 1\nFoo: 2",
            then: "Foo: 2\nFoo: 1"
        ),
        Scenario("vary-star", "9111 §4.1", cc + "max-age=60\nVary: *", .refused(.varyStar)),
        Scenario("vary-star-among", "9111 §4.1", cc + "max-age=60\nVary: Foo, *", .refused(.varyStar)),
        Scenario("vary-star-second-line", "9111 §4.1", cc + "max-age=60\nVary: Foo\nVary: *", .refused(.varyStar)),
        Scenario("vary-broken", "9111 §4.1", cc + "max-age=60\nVary: Foo Bar", .refused(.varyStar)),
        Scenario("vary-empty", "9110 §12.5.5", cc + "max-age=60\nVary:", .hit, first: "Foo: 1", then: "Foo: 2"),
        Scenario("vary-any-case", "9110 §5.1", cc + "max-age=60\nVary: fOO", .varies, first: "Foo: 1", then: "Foo: 2"),
        Scenario(
            "vary-language-case",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .hit,
            first: "Accept-Language: en-GB",
            then: "Accept-Language: EN-gb"
        ),
        Scenario(
            "vary-language-space",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .hit,
            first: "Accept-Language: en,de",
            then: "Accept-Language: en , de"
        ),
        Scenario(
            "vary-language-order",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .varies,
            first: "Accept-Language: en, de",
            then: "Accept-Language: de, en"
        ),
    ]

    // MARK: Targeted fields

    static let targeted: [Scenario] = [
        Scenario("target-longer", "9213 §2.2", "CDN-Cache-Control: max-age=60\n" + cc + "max-age=1", after: 59, .hit),
        Scenario(
            "target-shorter",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=1\n" + cc + "max-age=60",
            after: 30,
            .asks(.expired)
        ),
        Scenario(
            "target-over-no-store",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=60\n" + cc + "no-store",
            after: 59,
            .hit
        ),
        Scenario(
            "target-over-private",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=60\n" + cc + "private",
            after: 59,
            .hit
        ),
        Scenario(
            "target-no-store",
            "9213 §2.2",
            "CDN-Cache-Control: no-store\n" + cc + "max-age=60",
            .refused(.noStore)
        ),
        Scenario("target-private", "9213 §2.2", "CDN-Cache-Control: private\n" + cc + "max-age=60", .refused(.private)),
        Scenario(
            "target-over-expires",
            "9213 §2.2",
            "CDN-Cache-Control: no-transform\nExpires: {60}\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario("target-over-past-expires", "9213 §2.2", "CDN-Cache-Control: max-age=60\nExpires: 0", after: 59, .hit),
        Scenario(
            "target-broken",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60, &\n" + cc + "max-age=1",
            after: 30,
            .asks(.expired)
        ),
        Scenario(
            "target-broken-unclosed",
            "9213 §2.1",
            "CDN-Cache-Control: x=\"\n" + cc + "max-age=60",
            after: 59,
            .hit
        ),
        Scenario(
            "target-trailing-comma",
            "9213 §2.1",
            "CDN-Cache-Control: no-store,\n" + cc + "max-age=60",
            after: 59,
            .hit
        ),
        Scenario(
            "target-upper-case",
            "9213 §2.1",
            "CDN-Cache-Control: Max-Age=1\n" + cc + "max-age=60",
            after: 59,
            .hit
        ),
        Scenario("target-empty", "9213 §2.1", "CDN-Cache-Control:\n" + cc + "max-age=60", after: 59, .hit),
        Scenario(
            "target-parameters",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60;x=1\n" + cc + "max-age=1",
            after: 59,
            .hit
        ),
        Scenario(
            "target-decimal",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60.0\n" + cc + "max-age=60\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario(
            "target-string",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=\"60\"\n" + cc + "max-age=60\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario(
            "target-negative",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=-1\n" + cc + "max-age=60\nETag: \"a\"",
            .asks(.expired)
        ),
        Scenario(
            "target-too-many-digits",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=1234567890123456\n" + cc + "max-age=60",
            after: 59,
            .hit
        ),
        Scenario("target-large", "9111 §1.2.2", "CDN-Cache-Control: max-age=999999999999999", after: 1_000_000, .hit),
        Scenario("target-last-wins", "9651 §4.2.2", "CDN-Cache-Control: max-age=1, max-age=60", after: 59, .hit),
        Scenario("target-false", "9213 §2.1", "CDN-Cache-Control: no-store=?0, max-age=60", after: 59, .hit),
        Scenario(
            "target-two-lines",
            "9651 §4.2",
            "CDN-Cache-Control: max-age=60\nCDN-Cache-Control: no-store",
            .refused(.noStore)
        ),
        Scenario(
            "target-unknown-only",
            "9213 §2.2",
            "CDN-Cache-Control: foo\n" + cc + "max-age=60",
            .refused(.noFreshness)
        ),
        Scenario(
            "target-private-field",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60, private=\"x-user\"",
            after: 59,
            .hit
        ),
        Scenario("target-private-token", "9213 §2.1", "CDN-Cache-Control: max-age=60, private=x-user", after: 59, .hit),
        Scenario(
            "target-private-list",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60, private=(a b)",
            .refused(.private)
        ),
        Scenario(
            "target-no-cache",
            "9213 §2.1",
            "CDN-Cache-Control: max-age=60, no-cache\nETag: \"a\"",
            .asks(.responseNoCache)
        ),
        Scenario(
            "target-swr",
            "5861 §3",
            "CDN-Cache-Control: max-age=60, stale-while-revalidate=60",
            after: 90,
            .staleAndRefreshed
        ),
        Scenario(
            "target-not-configured",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=60\n" + cc + "no-store",
            .refused(.noStore),
            rules: .gateway.with { $0.targetedFields = [] }
        ),
        Scenario(
            "target-order",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=1\nLarder-Cache-Control: max-age=60",
            after: 59,
            .hit,
            rules: .gateway.with { $0.targetedFields = [.named("Larder-Cache-Control"), .cdnCacheControl] }
        ),
        Scenario(
            "target-order-first-broken",
            "9213 §2.2",
            "Larder-Cache-Control: =\nCDN-Cache-Control: max-age=60",
            after: 59,
            .hit,
            rules: .gateway.with { $0.targetedFields = [.named("Larder-Cache-Control"), .cdnCacheControl] }
        ),
        Scenario(
            "target-authorization",
            "9111 §3.5",
            "CDN-Cache-Control: max-age=60, public",
            .hit,
            first: "Authorization: Basic a"
        ),
    ]

    // MARK: The two presets

    private static let route = CachingRules.decoratedRoute(ttl: .seconds(90))
    private static let application = CachingRules.decoratedRoute(ttl: nil).with { $0.requiresExplicitPermission = true }

    static let presets: [Scenario] =
        [
            Scenario("route-ttl", "preset", "Content-Type: text/plain", after: 89, .hit, rules: route),
            Scenario("route-ttl-end", "preset", "Content-Type: text/plain", after: 90, .gone, rules: route),
            Scenario("route-ttl-public", "preset", cc + "public", after: 89, .hit, rules: route),
            Scenario("route-max-age-beats-ttl", "preset", cc + "max-age=10", after: 30, .gone, rules: route),
            Scenario("route-max-age-longer", "preset", cc + "max-age=600", after: 500, .hit, rules: route),
            Scenario("route-s-maxage-beats-ttl", "preset", cc + "s-maxage=10", after: 30, .gone, rules: route),
            Scenario("route-expires-beats-ttl", "preset", "Expires: {10}", after: 30, .gone, rules: route),
            Scenario("route-expires-zero", "preset", "Expires: 0", .refused(.noFreshness), rules: route),
            Scenario("route-max-age-zero", "preset", cc + "max-age=0", .refused(.noFreshness), rules: route),
            Scenario("route-no-store", "preset", cc + "no-store", .refused(.noStore), rules: route),
            Scenario("route-private", "preset", cc + "private", .refused(.private), rules: route),
            Scenario("route-no-cache", "preset", cc + "no-cache", .refused(.noCache), rules: route),
            Scenario("route-cookie", "preset", "Set-Cookie: a=b", .refused(.setCookie), rules: route),
            Scenario(
                "route-authorization",
                "preset",
                "Foo: bar",
                .refused(.authorization),
                first: "Authorization: Basic a",
                rules: route
            ),
            Scenario("route-modified-no-guess", "preset", "Last-Modified: {-1000000}", after: 90, .gone, rules: route),
            Scenario(
                "route-swr",
                "preset",
                "Foo: bar",
                after: 100,
                .staleAndRefreshed,
                rules: route.with { $0.staleWhileRevalidate = .seconds(300) }
            ),
            Scenario("route-no-ttl", "preset", "Foo: bar", .refused(.noFreshness), rules: .decoratedRoute(ttl: nil)),
            Scenario(
                "route-cdn-field-is-not-ours",
                "preset",
                "CDN-Cache-Control: max-age=1",
                after: 60,
                .hit,
                rules: route
            ),
            Scenario("application-silent", "preset", cc + "max-age=60", .refused(.notPublic), rules: application),
            Scenario("application-public", "preset", cc + "public, max-age=60", .hit, rules: application),
            Scenario(
                "application-public-no-lifetime",
                "preset",
                cc + "public",
                .refused(.noFreshness),
                rules: application
            ),
            Scenario("application-s-maxage", "preset", cc + "s-maxage=60", .hit, rules: application),
            Scenario(
                "application-private",
                "preset",
                cc + "private, s-maxage=60",
                .refused(.private),
                rules: application
            ),
            Scenario(
                "gateway-ttl-of-a-rule",
                "preset",
                "Foo: bar",
                after: 59,
                .hit,
                rules: .gateway.with { $0.defaultLifetime = .seconds(60) }
            ),
            Scenario(
                "gateway-ttl-of-a-rule-not-of-500",
                "preset",
                "Foo: bar",
                .refused(.noFreshness),
                status: 500,
                rules: .gateway.with { $0.defaultLifetime = .seconds(60) }
            ),
        ]
        + [201, 204, 301, 404, 500].map { status in
            Scenario(
                "route-\(status)",
                "preset",
                cc + "public, max-age=60",
                .refused(.status),
                status: status,
                rules: route
            )
        }

    // MARK: A lifetime that the rules force

    private static let anHour = CachingRules.gateway.with { $0.forcedLifetime = .seconds(3_600) }

    static let forced: [Scenario] = [
        Scenario("forced-nothing-said", "9111 §4.2.1", "", after: 3_599, .hit, rules: anHour),
        Scenario("forced-end", "9111 §4.2", "ETag: \"a\"", after: 3_600, .asks(.expired), rules: anHour),
        Scenario("forced-over-zero", "9111 §4.2.1", cc + "max-age=0", after: 3_599, .hit, rules: anHour),
        Scenario(
            "forced-over-longer",
            "9111 §4.2.1",
            cc + "max-age=9999",
            after: 3_600,
            .asks(.expired),
            rules: anHour
        ),
        Scenario("forced-over-s-maxage", "9111 §4.2.1", cc + "s-maxage=1", after: 3_599, .hit, rules: anHour),
        Scenario("forced-over-expires", "9111 §4.2.1", "Expires: {-60}", after: 3_599, .hit, rules: anHour),
        Scenario(
            "forced-over-must-revalidate",
            "9111 §4.2.1",
            cc + "must-revalidate",
            after: 3_599,
            .hit,
            rules: anHour
        ),
        Scenario("forced-from-arrival", "9111 §4.2.3", "Age: 9999", after: 3_599, .hit, rules: anHour),
        Scenario("forced-from-arrival-late", "9111 §4.2.3", "Date: {-9999}", after: 3_599, .hit, rules: anHour),
        Scenario("forced-not-found", "9111 §4.2.2", "", after: 3_599, .hit, status: 404, rules: anHour),
        Scenario("forced-not-error", "9111 §4.2.2", "", .refused(.noFreshness), status: 500, rules: anHour),
        Scenario("forced-not-error-its-own", "9111 §4.2.2", cc + "max-age=9", .hit, status: 503, rules: anHour),
        Scenario(
            "forced-not-error-own-end",
            "9111 §4.2.2",
            cc + "max-age=9",
            after: 9,
            .asks(.expired),
            status: 503,
            rules: anHour
        ),
        Scenario("forced-not-no-store", "9111 §5.2.2.5", cc + "no-store", .refused(.noStore), rules: anHour),
        Scenario("forced-not-private", "9111 §5.2.2.7", cc + "private", .refused(.private), rules: anHour),
        Scenario("forced-not-no-cache", "9111 §5.2.2.4", cc + "no-cache", .refused(.noCache), rules: anHour),
        Scenario(
            "forced-not-no-cache-tag",
            "9111 §5.2.2.4",
            cc + "no-cache\nETag: \"a\"",
            .asks(.responseNoCache),
            rules: anHour
        ),
        Scenario("forced-not-set-cookie", "9111 §7.3", "Set-Cookie: a=b", .refused(.setCookie), rules: anHour),
        Scenario(
            "forced-not-authorization",
            "9111 §3.5",
            "",
            .refused(.authorization),
            first: "Authorization: Basic YTpi",
            rules: anHour
        ),
        Scenario("forced-not-vary-star", "9111 §4.1", "Vary: *", .refused(.varyStar), rules: anHour),
    ]
}
