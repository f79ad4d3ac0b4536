import HTTPCaching

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: A lifetime that the rules force

    private static let anHour = CachingRules.gateway.with { $0.forcedLifetime = .seconds(3_600) }

    static let forced: [Scenario] = [
        Scenario("forced-no-lifetime", "9111 §4.2.1", "", after: 3_599, .hit, rules: anHour),
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
        Scenario("forced-not-error", "9111 §4.2.2", "", .notStorable(.noFreshness), status: 500, rules: anHour),
        Scenario("forced-not-error-its-own", "9111 §4.2.2", cc + "max-age=9", .hit, status: 503, rules: anHour),
        Scenario(
            "forced-not-error-own-end",
            "9111 §4.2.2",
            cc + "max-age=9",
            after: 9,
            .gone,
            status: 503,
            rules: anHour
        ),
        Scenario("forced-not-no-store", "9111 §5.2.2.5", cc + "no-store", .notStorable(.noStore), rules: anHour),
        Scenario("forced-not-private", "9111 §5.2.2.7", cc + "private", .notStorable(.private), rules: anHour),
        Scenario("forced-not-no-cache", "9111 §5.2.2.4", cc + "no-cache", .notStorable(.noCache), rules: anHour),
        Scenario(
            "forced-not-no-cache-tag",
            "9111 §5.2.2.4",
            cc + "no-cache\nETag: \"a\"",
            .asks(.responseNoCache),
            rules: anHour
        ),
        Scenario("forced-not-set-cookie", "9111 §7.3", "Set-Cookie: a=b", .notStorable(.setCookie), rules: anHour),
        Scenario(
            "forced-not-authorization",
            "9111 §3.5",
            "",
            .notStorable(.authorization),
            first: "Authorization: Basic YTpi",
            rules: anHour
        ),
        Scenario("forced-not-vary-star", "9111 §4.1", "Vary: *", .notStorable(.varyStar), rules: anHour),
    ]
}
