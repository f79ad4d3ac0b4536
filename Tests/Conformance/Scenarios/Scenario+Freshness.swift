import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: Freshness lifetimes

    static let freshness: [Scenario] = [
        Scenario("max-age-fresh", "9111 §5.2.2.1", cc + "max-age=60", after: 59, .hit),
        Scenario("max-age-end", "9111 §4.2", cc + "max-age=60", after: 60, .asks(.expired)),
        Scenario("max-age-zero", "9111 §5.2.2.1", cc + "max-age=0", .notStorable(.noFreshness)),
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
        Scenario("max-age-in-another-word", "9111 §5.2.3", cc + "x-max-age=60", .notStorable(.noFreshness)),
        Scenario("max-age-underscore", "9111 §5.2.3", cc + "max_age=60", .notStorable(.noFreshness)),
        Scenario("max-age-in-quotes", "9111 §5.2.3", cc + "x=\"max-age=60\"", .notStorable(.noFreshness)),
        Scenario(
            "max-age-in-quotes-after-comma",
            "9110 §5.6.4",
            cc + "x=\"a, max-age=60\"",
            .notStorable(.noFreshness)
        ),
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
        Scenario("s-maxage-hyphenated", "9111 §5.2.3", cc + "s-max-age=60", .notStorable(.noFreshness)),
        Scenario("s-maxage-over-expires", "9111 §5.3", cc + "s-maxage=60\nExpires: {-60}", after: 59, .hit),
        Scenario("no-lifetime", "9111 §3", "Content-Type: text/plain", .notStorable(.noFreshness)),
    ]

    // MARK: Expires

    static let expires: [Scenario] = [
        Scenario("expires-future", "9111 §5.3", "Expires: {60}", after: 59, .hit),
        Scenario("expires-reached", "9111 §5.3", "Expires: {60}", after: 60, .asks(.expired)),
        Scenario("expires-past", "9111 §5.3", "Expires: {-60}", .notStorable(.noFreshness)),
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
}
