import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
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
            Scenario("route-expires-zero", "preset", "Expires: 0", .notStorable(.noFreshness), rules: route),
            Scenario("route-max-age-zero", "preset", cc + "max-age=0", .notStorable(.noFreshness), rules: route),
            Scenario("route-no-store", "preset", cc + "no-store", .notStorable(.noStore), rules: route),
            Scenario("route-private", "preset", cc + "private", .notStorable(.private), rules: route),
            Scenario("route-no-cache", "preset", cc + "no-cache", .notStorable(.noCache), rules: route),
            Scenario("route-cookie", "preset", "Set-Cookie: a=b", .notStorable(.setCookie), rules: route),
            Scenario(
                "route-authorization",
                "preset",
                "Foo: bar",
                .notStorable(.authorization),
                first: "Authorization: Basic a",
                rules: route
            ),
            Scenario(
                "route-modified-no-heuristic",
                "preset",
                "Last-Modified: {-1000000}",
                after: 90,
                .gone,
                rules: route
            ),
            Scenario(
                "route-swr",
                "preset",
                "Foo: bar",
                after: 100,
                .staleAndRefreshed,
                rules: route.with { $0.staleWhileRevalidate = .seconds(300) }
            ),
            Scenario(
                "route-no-ttl",
                "preset",
                "Foo: bar",
                .notStorable(.noFreshness),
                rules: .decoratedRoute(ttl: nil)
            ),
            Scenario(
                "route-cdn-field-is-not-ours",
                "preset",
                "CDN-Cache-Control: max-age=1",
                after: 60,
                .hit,
                rules: route
            ),
            Scenario("application-silent", "preset", cc + "max-age=60", .notStorable(.notPublic), rules: application),
            Scenario("application-public", "preset", cc + "public, max-age=60", .hit, rules: application),
            Scenario(
                "application-public-no-lifetime",
                "preset",
                cc + "public",
                .notStorable(.noFreshness),
                rules: application
            ),
            Scenario("application-s-maxage", "preset", cc + "s-maxage=60", .hit, rules: application),
            Scenario(
                "application-private",
                "preset",
                cc + "private, s-maxage=60",
                .notStorable(.private),
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
                .notStorable(.noFreshness),
                status: 500,
                rules: .gateway.with { $0.defaultLifetime = .seconds(60) }
            ),
        ]
        + [201, 204, 301, 404, 500].map { status in
            Scenario(
                "route-\(status)",
                "preset",
                cc + "public, max-age=60",
                .notStorable(.status),
                status: status,
                rules: route
            )
        }
}
