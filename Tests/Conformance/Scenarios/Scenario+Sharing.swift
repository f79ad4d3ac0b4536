import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: Sharing of responses

    static let sharing: [Scenario] = [
        Scenario("no-store", "9111 §5.2.2.5", cc + "no-store, max-age=60", .notStorable(.noStore)),
        Scenario("no-store-any-case", "9111 §5.2", cc + "No-StOrE, max-age=60", .notStorable(.noStore)),
        Scenario("no-store-argument", "9111 §5.2", cc + "no-store=1, max-age=60", .notStorable(.noStore)),
        Scenario("no-store-second-line", "9110 §5.3", cc + "max-age=60\n" + cc + "no-store", .notStorable(.noStore)),
        Scenario(
            "no-store-after-unclosed-quote",
            "9110 §5.6.4",
            cc + "max-age=60, x=\"a, no-store",
            .notStorable(.noStore)
        ),
        Scenario(
            "no-store-line-after-unclosed-quote",
            "9110 §5.6.4",
            cc + "max-age=60, x=\"\n" + cc + "no-store",
            .notStorable(.noStore)
        ),
        Scenario("no-store-in-quotes", "9110 §5.6.4", cc + "max-age=60, x=\"no-store\"", .hit),
        Scenario("no-store-semicolon", "9111 §5.2", cc + "no-store; max-age=60", .notStorable(.noStore)),
        Scenario("no-store-word-in-word", "9111 §5.2.3", cc + "no-storex, max-age=60", .hit),
        Scenario(
            "request-no-store",
            "9111 §5.2.1.5",
            cc + "max-age=60",
            .notStorable(.requestNoStore),
            first: cc + "no-store"
        ),
        Scenario("request-no-store-reuse", "9111 §5.2.1.5", cc + "max-age=60", .hit, then: cc + "no-store"),
        Scenario("private", "9111 §5.2.2.7", cc + "private, max-age=60", .notStorable(.private)),
        Scenario("private-s-maxage", "9111 §5.2.2.7", cc + "private, s-maxage=60", .notStorable(.private)),
        Scenario("private-public", "9111 §4.2.1", cc + "public, private, max-age=60", .notStorable(.private)),
        Scenario("private-any-case", "9111 §5.2", cc + "PRIVATE, max-age=60", .notStorable(.private)),
        Scenario("private-field", "9111 §5.2.2.7", cc + "private=\"x-user\", max-age=60", .hit),
        Scenario("private-field-token", "9111 §5.2.2.7", cc + "private=x-user, max-age=60", .hit),
        Scenario("private-fields", "9111 §5.2.2.7", cc + "private=\"x-user, x-more\", max-age=60", .hit),
        Scenario(
            "private-field-and-all",
            "9111 §4.2.1",
            cc + "private=\"x-user\", private, max-age=60",
            .notStorable(.private)
        ),
        Scenario("private-no-field", "9111 §5.2.2.7", cc + "private=\"\", max-age=60", .notStorable(.private)),
        Scenario(
            "private-broken-field",
            "9111 §5.2.2.7",
            cc + "private=\"x user\", max-age=60",
            .notStorable(.private)
        ),
        Scenario(
            "private-encoding",
            "9111 §5.2.2.7",
            cc + "private=\"content-encoding\", max-age=60",
            .notStorable(.private)
        ),
        Scenario("private-semicolon", "9111 §5.2", cc + "private; max-age=60", .notStorable(.private)),
        Scenario("private-unclosed", "9110 §5.6.4", cc + "max-age=60, private=\"x-user", .notStorable(.private)),
        Scenario(
            "authorization",
            "9111 §3.5",
            cc + "max-age=60",
            .notStorable(.authorization),
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
            .notStorable(.authorization),
            first: "Authorization: Basic a"
        ),
        Scenario(
            "authorization-public-argument",
            "9111 §3.5",
            cc + "public=1, max-age=60",
            .notStorable(.authorization),
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
        Scenario("cookie", "9111 §7.3", cc + "max-age=60\nSet-Cookie: a=b", .notStorable(.setCookie)),
        Scenario("cookie-public", "9111 §7.3", cc + "public, max-age=60\nSet-Cookie: a=b", .notStorable(.setCookie)),
        Scenario("cookie-heuristic", "9111 §7.3", "Last-Modified: {-9000}\nSet-Cookie: a=b", .notStorable(.setCookie)),
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
        Scenario("post", "9111 §3", cc + "max-age=60", .notStorable(.method), method: .post),
        Scenario("head", "9111 §3", cc + "max-age=60", .notStorable(.method), method: .head),
        Scenario("options", "9111 §3", cc + "max-age=60", .notStorable(.method), method: .options),
        Scenario(
            "event-stream",
            "HTML §9.2",
            cc + "max-age=60\nContent-Type: text/event-stream",
            .notStorable(.eventStream)
        ),
        Scenario(
            "event-stream-charset",
            "HTML §9.2",
            cc + "max-age=60\nContent-Type: Text/Event-Stream ; charset=utf-8",
            .notStorable(.eventStream)
        ),
        Scenario("pragma-response", "9111 §5.4", cc + "max-age=60\nPragma: no-cache", .hit),
    ]

    // MARK: Directives of responses

    static let directives: [Scenario] = [
        Scenario("no-cache", "9111 §5.2.2.4", cc + "no-cache, max-age=60\nETag: \"a\"", .asks(.responseNoCache)),
        Scenario("no-cache-no-validator", "9111 §5.2.2.4", cc + "no-cache, max-age=60", .notStorable(.noCache)),
        Scenario("no-cache-any-case", "9111 §5.2", cc + "No-Cache, max-age=60\nETag: \"a\"", .asks(.responseNoCache)),
        Scenario("no-cache-field", "9111 §5.2.2.4", cc + "no-cache=\"x-user\", max-age=60", .hit),
        Scenario(
            "no-cache-field-expired",
            "9111 §5.2.2.4",
            cc + "no-cache=\"x-user\", max-age=60",
            after: 60,
            .asks(.expired)
        ),
        Scenario(
            "no-cache-type",
            "9111 §5.2.2.4",
            cc + "no-cache=\"content-type\", max-age=60",
            .notStorable(.noCache)
        ),
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
        Scenario("immutable-alone", "8246 §2", cc + "immutable", .notStorable(.noFreshness)),
        Scenario("no-transform", "9111 §5.2.2.6", cc + "no-transform, max-age=60", .hit),
        Scenario("unknown-directive", "9111 §5.2.3", cc + "community=\"UCI\", max-age=60", .hit),
        Scenario("request-directive-in-response", "9111 §5.2", cc + "only-if-cached, min-fresh=99, max-age=60", .hit),
    ]
}
