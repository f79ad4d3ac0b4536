import HTTPCaching
import HTTPTypes

private let cc = "Cache-Control: "

extension Scenario {
    // MARK: Vary

    static let variants: [Scenario] = [
        Scenario("vary-equal", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit, first: "Foo: 1", then: "Foo: 1"),
        Scenario("vary-differs", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo: 1", then: "Foo: 2"),
        Scenario(
            "vary-case-differs",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: a",
            then: "Foo: A"
        ),
        Scenario("vary-gone", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo: 1"),
        Scenario("vary-new", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, then: "Foo: 1"),
        Scenario("vary-absent", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit),
        Scenario("vary-empty-is-not-absent", "9111 §4.1", cc + "max-age=60\nVary: Foo", .varies, first: "Foo:"),
        Scenario("vary-other-field", "9111 §4.1", cc + "max-age=60\nVary: Foo", .hit, first: "Bar: 1", then: "Bar: 2"),
        Scenario(
            "vary-two",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .hit,
            first: "Foo: 1\nBar: 2",
            then: "Bar: 2\nFoo: 1"
        ),
        Scenario(
            "vary-two-second-differs",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 1\nBar: 3"
        ),
        Scenario(
            "vary-two-swapped",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo, Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 2\nBar: 1"
        ),
        Scenario(
            "vary-two-lines",
            "9110 §5.3",
            cc + "max-age=60\nVary: Foo\nVary: Bar",
            .varies,
            first: "Foo: 1\nBar: 2",
            then: "Foo: 1\nBar: 3"
        ),
        Scenario(
            "vary-combined-lines",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .hit,
            first: "Foo: 1\nFoo: 2",
            then: "Foo: 1, 2"
        ),
        Scenario(
            "vary-space-around-commas",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .hit,
            first: "Foo: 1,2",
            then: "Foo: 1 ,\t2"
        ),
        Scenario(
            "vary-space-in-member",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: 1, 2 3",
            then: "Foo: 1, 23"
        ),
        Scenario(
            "vary-space-in-quotes",
            "9110 §5.6.4",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: \"a\\\", b\"",
            then: "Foo: \"a\\\",b\""
        ),
        Scenario(
            "vary-space-after-quotes",
            "9110 §5.6.1",
            cc + "max-age=60\nVary: Foo",
            .hit,
            first: "Foo: \"a, b\" , c",
            then: "Foo: \"a, b\",c"
        ),
        Scenario(
            "vary-space-after-unclosed-quote",
            "9110 §5.6.4",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: \"a, b",
            then: "Foo: \"a,b"
        ),
        Scenario(
            "vary-cookie-is-no-list",
            "6265 §4.2",
            cc + "max-age=60\nVary: Cookie",
            .varies,
            first: "Cookie: a=1, 2",
            then: "Cookie: a=1,2"
        ),
        Scenario(
            "vary-order-of-lines",
            "9111 §4.1",
            cc + "max-age=60\nVary: Foo",
            .varies,
            first: "Foo: 1\nFoo: 2",
            then: "Foo: 2\nFoo: 1"
        ),
        Scenario("vary-star", "9111 §4.1", cc + "max-age=60\nVary: *", .notStorable(.varyStar)),
        Scenario("vary-star-among", "9111 §4.1", cc + "max-age=60\nVary: Foo, *", .notStorable(.varyStar)),
        Scenario("vary-star-second-line", "9111 §4.1", cc + "max-age=60\nVary: Foo\nVary: *", .notStorable(.varyStar)),
        Scenario("vary-broken", "9111 §4.1", cc + "max-age=60\nVary: Foo Bar", .notStorable(.varyStar)),
        Scenario("vary-empty", "9110 §12.5.5", cc + "max-age=60\nVary:", .hit, first: "Foo: 1", then: "Foo: 2"),
        Scenario("vary-any-case", "9110 §5.1", cc + "max-age=60\nVary: fOO", .varies, first: "Foo: 1", then: "Foo: 2"),
        Scenario(
            "vary-language-case",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .hit,
            first: "Accept-Language: en-GB",
            then: "Accept-Language: EN-gb"
        ),
        Scenario(
            "vary-language-space",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .hit,
            first: "Accept-Language: en,de",
            then: "Accept-Language: en , de"
        ),
        Scenario(
            "vary-language-order",
            "9110 §12.5.4",
            cc + "max-age=60\nVary: Accept-Language",
            .varies,
            first: "Accept-Language: en, de",
            then: "Accept-Language: de, en"
        ),
    ]
}
