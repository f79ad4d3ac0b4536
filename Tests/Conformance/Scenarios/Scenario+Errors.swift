import HTTPCaching

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: The lifetime of errors

    static let errors: [Scenario] =
        [500, 501, 502, 503, 504, 511, 599].flatMap { status in
            [
                Scenario("error-\(status)", "errors", cc + "s-maxage=31536000", after: 9, .hit, status: status),
                Scenario("error-end-\(status)", "errors", cc + "s-maxage=31536000", after: 10, .gone, status: status),
            ]
        }
        + [
            "max-age=600", "public, s-maxage=600", "max-age=600, stale-while-revalidate=600",
            "max-age=600, stale-if-error=600", "max-age=600\nETag: \"a\"", "max-age=600, immutable",
            "public\nExpires: {600}", "public\nLast-Modified: {-100000}", "no-store\nCDN-Cache-Control: max-age=600",
        ].map { fields in
            Scenario("error-\(fields)", "errors", cc + fields, after: 10, .gone, status: 503, rules: lenient)
        }
        + [
            Scenario("error-short", "errors", cc + "max-age=5", after: 5, .gone, status: 500),
            Scenario(
                "error-max-stale",
                "errors",
                cc + "max-age=60",
                after: 10,
                .gone,
                status: 500,
                then: cc + "max-stale"
            ),
            Scenario("error-old", "9111 §4.2.3", cc + "max-age=60\nAge: 10", .notStorable(.noFreshness), status: 500),
            Scenario("error-age", "9111 §4.2.3", cc + "max-age=60\nAge: 8", after: 2, .gone, status: 500),
            Scenario("error-of-resource", "errors", cc + "max-age=60", after: 59, .hit, status: 410),
            Scenario("error-of-resource-451", "errors", cc + "max-age=60", after: 59, .hit, status: 451),
            Scenario("error-of-request", "errors", cc + "max-age=60", after: 9, .hit, status: 400),
            Scenario("error-of-request-end", "errors", cc + "max-age=60", after: 10, .gone, status: 400),
            Scenario("error-of-request-431", "errors", cc + "max-age=60", after: 10, .gone, status: 431),
            Scenario("error-default", "errors", cc + "public", after: 10, .gone, status: 500, rules: anHour),
            Scenario("error-default-501", "errors", "", after: 10, .gone, status: 501, rules: anHour),
            Scenario("error-forced", "errors", "", after: 10, .gone, status: 501, rules: forcedHour),
            Scenario("error-longer", "errors", cc + "max-age=90", after: 59, .hit, status: 500, rules: aMinute),
            Scenario("error-longer-end", "errors", cc + "max-age=90", after: 60, .gone, status: 500, rules: aMinute),
            Scenario("error-zero", "errors", cc + "max-age=90", .notStorable(.noFreshness), status: 500, rules: never),
            Scenario(
                "error-zero-tag",
                "errors",
                cc + "max-age=90\nETag: \"a\"",
                .notStorable(.noFreshness),
                status: 500,
                rules: never
            ),
        ]

    /// The rules of a gateway that allows long stale use.
    private static let lenient = CachingRules.gateway.with {
        ($0.staleWhileRevalidate, $0.staleIfError, $0.retention) = (.seconds(600), .seconds(600), .seconds(600))
    }
    private static let anHour = CachingRules.gateway.with { $0.defaultLifetime = .seconds(3_600) }
    private static let forcedHour = CachingRules.gateway.with { $0.forcedLifetime = .seconds(3_600) }
    private static let aMinute = CachingRules.gateway.with { $0.errorLifetimeLimit = .seconds(60) }
    private static let never = CachingRules.gateway.with { $0.errorLifetimeLimit = .zero }
}
