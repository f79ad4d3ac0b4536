import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
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
        Scenario("retention-end", "9111 §4.2.4", cc + "max-age=60", after: 60 + 86_400, .gone),
        Scenario("retention-before-end", "9111 §4.2.4", cc + "max-age=60", after: 59 + 86_400, .asks(.expired)),
        Scenario(
            "retention-of-a-tag-and-s-maxage",
            "9111 §4.3",
            cc + "s-maxage=60\nETag: \"a\"",
            after: 70,
            .asks(.expired)
        ),
        Scenario("no-retention-of-s-maxage", "9111 §5.2.2.10", cc + "s-maxage=60", after: 70, .gone),
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
}
