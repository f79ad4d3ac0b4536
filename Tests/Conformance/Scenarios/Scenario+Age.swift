import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: Age

    static let age: [Scenario] = [
        Scenario("age-counts", "9111 §4.2.3", cc + "max-age=60\nAge: 50", after: 9, .hit),
        Scenario("age-counts-end", "9111 §4.2.3", cc + "max-age=60\nAge: 50", after: 10, .asks(.expired)),
        Scenario("age-beyond", "9111 §4.2.3", cc + "max-age=60\nAge: 90", .asks(.expired)),
        Scenario("age-of-expires", "9111 §4.2.3", "Expires: {60}\nAge: 50", after: 10, .asks(.expired)),
        Scenario("age-huge", "9111 §1.2.2", cc + "max-age=60\nAge: 99999999999999999999", .notStorable(.noFreshness)),
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

    // MARK: Heuristic lifetimes

    static let heuristics: [Scenario] =
        [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501].map { status in
            Scenario(
                "heuristic-\(status)",
                "9110 §15.1",
                "Last-Modified: {-1000}",
                after: isLimited(status) ? 9 : 99,
                .hit,
                status: status
            )
        }
        + [201, 202, 205, 302, 303, 307, 400, 401, 403, 409, 421, 429, 451, 500, 502, 503, 504, 599].map { status in
            Scenario(
                "no-heuristic-\(status)",
                "9111 §4.2.2",
                "Last-Modified: {-1000}",
                .notStorable(.noFreshness),
                status: status
            )
        }
        + [201, 302, 403, 429, 500, 503, 599].map { status in
            Scenario(
                "heuristic-public-\(status)",
                "9111 §5.2.2.9",
                cc + "public\nLast-Modified: {-1000}",
                after: isLimited(status) ? 9 : 99,
                .hit,
                status: status
            )
        }
        + [
            Scenario("heuristic-tenth", "9111 §4.2.2", "Last-Modified: {-1000}", after: 100, .asks(.expired)),
            Scenario("heuristic-limit", "9111 §4.2.2", "Last-Modified: {-100000000}", after: 86_399, .hit),
            Scenario(
                "heuristic-limit-end",
                "9111 §4.2.2",
                "Last-Modified: {-100000000}",
                after: 86_400,
                .asks(.expired)
            ),
            Scenario("heuristic-not-modified-yet", "9111 §4.2.2", "Last-Modified: {1000}", .asks(.expired)),
            Scenario("heuristic-modified-now", "9111 §4.2.2", "Last-Modified: {0}", .asks(.expired)),
            Scenario("heuristic-broken", "9111 §4.2.2", "Last-Modified: long ago", .notStorable(.noFreshness)),
            Scenario(
                "heuristic-two-dates",
                "9111 §4.2.2",
                "Last-Modified: {-9}\nLast-Modified: {-1000}",
                .notStorable(.noFreshness)
            ),
            Scenario(
                "heuristic-under-max-age",
                "9111 §4.2.2",
                cc + "max-age=1\nLast-Modified: {-1000}",
                after: 50,
                .asks(.expired)
            ),
            Scenario(
                "heuristic-under-expires",
                "9111 §4.2.2",
                "Expires: {1}\nLast-Modified: {-1000}",
                after: 50,
                .asks(.expired)
            ),
            Scenario(
                "heuristic-under-broken-expires",
                "9111 §4.2.2",
                "Expires: 0\nLast-Modified: {-1000}",
                .asks(.expired)
            ),
            Scenario("heuristic-by-tag", "9111 §4.2.2", "ETag: \"a\"", .asks(.expired)),
            Scenario(
                "heuristic-no-cache",
                "9111 §5.2.2.4",
                cc + "no-cache\nLast-Modified: {-1000}",
                .asks(.responseNoCache)
            ),
            Scenario(
                "heuristic-off",
                "9111 §4.2.2",
                "Last-Modified: {-1000}",
                .asks(.expired),
                rules: .gateway.with { $0.heuristics = false }
            ),
            Scenario("heuristic-age-counts", "9111 §4.2.3", "Last-Modified: {-1000}\nAge: 100", .asks(.expired)),
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
            Scenario(
                "explicit-\(status)",
                "9111 §3",
                cc + "max-age=60",
                after: isLimited(status) ? 9 : 59,
                .hit,
                status: status
            )
        }
        + [206, 304, 412, 416].map { status in
            Scenario("never-\(status)", "9111 §3", cc + "public, max-age=60", .notStorable(.partial), status: status)
        }
        + [100, 101, 103, 199, 600, 999].map { status in
            Scenario("not-final-\(status)", "9111 §3", cc + "max-age=60", .notStorable(.status), status: status)
        }
        + [200, 204, 301, 404, 410, 500, 503].map { status in
            Scenario(
                "understood-\(status)",
                "9111 §5.2.2.3",
                cc + "max-age=60, must-understand, no-store",
                after: isLimited(status) ? 9 : 59,
                .hit,
                status: status
            )
        }
        + [226, 299, 399, 418, 425, 429, 499, 511, 599].map { status in
            Scenario(
                "not-understood-\(status)",
                "9111 §5.2.2.3",
                cc + "max-age=60, must-understand",
                .notStorable(.notUnderstood),
                status: status
            )
        }

    /// Returns true if the freshness of an error is limited, since a field of one request may have caused it.
    private static func isLimited(_ status: Int) -> Bool {
        status >= 400 && ![404, 405, 410, 414, 451].contains(status)
    }
}
