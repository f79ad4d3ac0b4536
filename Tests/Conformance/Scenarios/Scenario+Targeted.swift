import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "
private let larderCacheControl = HTTPField.Name("Larder-Cache-Control")!

extension Scenario {
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
            .notStorable(.noStore)
        ),
        Scenario(
            "target-private",
            "9213 §2.2",
            "CDN-Cache-Control: private\n" + cc + "max-age=60",
            .notStorable(.private)
        ),
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
            .notStorable(.noStore)
        ),
        Scenario(
            "target-unknown-only",
            "9213 §2.2",
            "CDN-Cache-Control: foo\n" + cc + "max-age=60",
            .notStorable(.noFreshness)
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
            .notStorable(.private)
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
            .notStorable(.noStore),
            rules: .gateway.with { $0.targetedFields = [] }
        ),
        Scenario(
            "target-order",
            "9213 §2.2",
            "CDN-Cache-Control: max-age=1\nLarder-Cache-Control: max-age=60",
            after: 59,
            .hit,
            rules: .gateway.with { $0.targetedFields = [larderCacheControl, .cdnCacheControl] }
        ),
        Scenario(
            "target-order-first-broken",
            "9213 §2.2",
            "Larder-Cache-Control: =\nCDN-Cache-Control: max-age=60",
            after: 59,
            .hit,
            rules: .gateway.with { $0.targetedFields = [larderCacheControl, .cdnCacheControl] }
        ),
        Scenario(
            "target-authorization",
            "9111 §3.5",
            "CDN-Cache-Control: max-age=60, public",
            .hit,
            first: "Authorization: Basic a"
        ),
    ]
}
