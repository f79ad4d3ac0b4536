import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
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
}
