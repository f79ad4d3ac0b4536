import HTTPCaching

private let varying = "Cache-Control: max-age=60\nVary: Accept-Encoding"
private let silent = "Cache-Control: max-age=60"
private let gzip = "\nContent-Encoding: gzip"

extension Scenario {
    // MARK: Content codings

    static let codings: [Scenario] = equal + different + encoded + noVary

    /// Spellings of `Accept-Encoding` with the same meaning.
    private static let equal: [Scenario] = [
        ("gzip, deflate", "gzip,deflate"), ("gzip, deflate", "deflate, gzip"), ("gzip", "gzip;q=1"),
        ("gzip", "gzip;q=1.0"), ("gzip", "gzip;q=1.000"), ("gzip", "GZIP"), ("gzip", "gzip;Q=1"),
        ("gzip", "gzip ;\tq=1"), ("gzip, deflate, br", "br,deflate , gzip"), ("gzip;q=0.5", "gzip;q=0.500"),
        ("gzip;q=0", "gzip;q=0.000"), ("gzip", "x-gzip"), ("compress", "X-Compress"), ("gzip, gzip", "gzip"),
        ("gzip", ", gzip,,"), ("gzip;q=0.5, *;q=0.1", "*;q=0.1, gzip;q=0.5"),
        ("gzip, deflate", "gzip\nAccept-Encoding: deflate"),
        ("gzip, identity;q=0", "identity;q=0.0, gzip"),
    ].flatMap { first, then in
        [
            coding("same \(first) and \(then)", varying, .hit, first, then),
            coding("same-encoded \(first) and \(then)", varying + "\nContent-Encoding: identity", .hit, first, then),
        ]
    }

    /// Fields with different meanings.
    private static let different: [Scenario] =
        [
            ("gzip", "gzip, deflate"), ("gzip;q=0.5", "gzip"), ("gzip", "gzip;q=0"), ("gzip;q=0", "deflate;q=0"),
            ("gzip;q=0.5, br", "gzip, br;q=0.5"), ("gzip", "*"), ("gzip", "identity"), ("", "gzip"),
            ("gzip, identity;q=0", "gzip"), ("gzip;q=2", "gzip"), ("gzip;q=.5", "gzip;q=0.5"),
            ("gzip;q=0.0001", "gzip;q=0"), ("gzip;foo=1", "gzip"), ("gzip;q=\"1\"", "gzip"),
            ("gzip, gzip;q=0", "gzip;q=0, gzip"), ("x-br", "br"), ("gzip;q=1;q=0", "gzip"),
            ("gzip deflate", "gzip, deflate"),
        ].map { first, then in coding("differs \(first) and \(then)", varying, .varies, first, then) }
        + [
            Scenario("coding-empty-is-not-absent", "9110 §12.5.3", varying, .varies, first: "Accept-Encoding:"),
            Scenario("coding-absent-is-not-empty", "9110 §12.5.3", varying, .varies, then: "Accept-Encoding:"),
            coding("unknown-ignored", varying, .hit, "gzip, sdch", "gzip"),
            coding("unknown-with-weight-ignored", varying, .hit, "sdch;q=0.3, gzip", "foo, gzip"),
            coding("unknown-counts-if-encoded", varying + gzip, .varies, "gzip, sdch", "gzip"),
            coding("unknown-alone-is-not-absent", varying, .hit, "sdch", ""),
        ]

    /// Responses with a coding, with `Vary` and without.
    private static let encoded: [Scenario] =
        [varying + gzip, silent + gzip, silent + "\nContent-Encoding: x-gzip", "Vary: Foo\n" + silent + gzip].flatMap {
            let name = $0.replacing("\n", with: " ")
            return [
                coding("encoded \(name)", $0, .hit, "gzip, deflate", "deflate,gzip;q=1.0"),
                coding("encoded-other \(name)", $0, .varies, "gzip, deflate", "gzip, deflate, br"),
                coding("encoded-none \(name)", $0, .varies, "gzip", "identity"),
                coding("encoded-excluded \(name)", $0, .varies, "gzip", "gzip;q=0"),
                Scenario("encoded-absent \(name)", "9110 §12.5.3", $0, .varies, first: "Accept-Encoding: gzip"),
                Scenario("encoded-for-absent \(name)", "9110 §12.5.3", $0, .hit),
                Scenario(
                    "encoded-for-absent-not-gzip \(name)",
                    "9110 §12.5.3",
                    $0,
                    .varies,
                    then: "Accept-Encoding: gzip"
                ),
                coding("encoded-star \(name)", $0, .hit, "*", "*"),
            ]
        }
        + ["identity", "", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "gzip;q=x", "gzip, gzip;q=0"].map {
            coding("not-accepted \($0)", silent + gzip, .notStorable(.unacceptedCoding), $0, $0)
        }
        + [
            coding("two-codings", silent + "\nContent-Encoding: br, gzip", .hit, "gzip, br", "br, gzip"),
            coding(
                "one-of-two",
                silent + "\nContent-Encoding: br, gzip",
                .notStorable(.unacceptedCoding),
                "gzip",
                "gzip"
            ),
            coding(
                "coding-of-two-lines",
                silent + gzip + "\nContent-Encoding: br",
                .notStorable(.unacceptedCoding),
                "gzip",
                "gzip"
            ),
            coding("coding-unknown", silent + "\nContent-Encoding: foo", .hit, "foo", "foo"),
            coding("coding-identity", silent + "\nContent-Encoding: Identity", .hit, "gzip", "identity"),
            coding("coding-empty", silent + "\nContent-Encoding:", .hit, "gzip", "identity"),
            coding(
                "coding-broken",
                silent + "\nContent-Encoding: g zip",
                .notStorable(.unacceptedCoding),
                "gzip",
                "gzip"
            ),
        ]

    /// Responses without a coding that do not declare that they vary by `Accept-Encoding`.
    private static let noVary: [Scenario] =
        ["identity", "", "gzip;q=0", "*;q=0, identity", "gzip;q=0.5, identity", "foo", "gzip;q=x"].map {
            coding("no-vary-none \($0)", silent, .varies, $0, "gzip")
        }
        + [
            Scenario("no-vary-absent", "9110 §12.5.5", silent, .varies, then: "Accept-Encoding: gzip"),
            Scenario("no-vary-absent-twice", "9111 §4", silent, .hit),
            Scenario(
                "no-vary-by-encoding",
                "9110 §12.5.5",
                silent + "\nVary: Foo",
                .varies,
                then: "Accept-Encoding: gzip"
            ),
            Scenario("no-vary-uncompressed", "9110 §12.5.5", silent, .hit, first: "Accept-Encoding: gzip"),
            coding("no-vary-uncompressed-for-none", silent, .hit, "gzip", "identity"),
            coding("no-vary-uncompressed-for-fewer", silent, .hit, "gzip, deflate, br", "br, gzip"),
            coding("no-vary-uncompressed-not-for-more", silent, .varies, "br", "gzip, br"),
            coding("no-vary-star-proves-nothing", silent, .varies, "*", "gzip"),
            coding("no-vary-star", silent, .hit, "*", "*"),
            coding("no-vary-none-and-none", silent, .hit, "identity", "gzip;q=0"),
            coding("no-vary-identity-excluded", silent, .varies, "gzip", "gzip, identity;q=0"),
            coding("no-vary-identity-excluded-by-star", silent, .varies, "gzip", "gzip, *;q=0"),
            coding("no-vary-identity-excluded-both", silent, .hit, "gzip, identity;q=0", "gzip"),
            coding("no-vary-ambiguous", silent, .varies, "gzip, gzip;q=0", "gzip"),
            coding("no-vary-weights", silent, .hit, "gzip;q=0.1", "gzip"),
        ]

    private static func coding(
        _ id: String,
        _ response: String,
        _ expected: Outcome,
        _ first: String,
        _ then: String
    ) -> Scenario {
        Scenario(
            "coding-\(id) \(first) then \(then)".replacing("\n", with: " "),
            "9110 §12.5.3",
            response,
            expected,
            first: "Accept-Encoding: " + first,
            then: "Accept-Encoding: " + then
        )
    }
}
