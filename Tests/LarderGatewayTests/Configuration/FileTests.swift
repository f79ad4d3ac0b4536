import HTTPCaching
import Larder
import TestHelpers
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct FileTests {
    /// A file, with the diagnostics or warnings that are expected for it.
    struct Case: CustomTestStringConvertible {
        let text: String
        let diagnostics: [String]

        init(_ text: String, _ diagnostics: String...) { (self.text, self.diagnostics) = (text, diagnostics) }

        var testDescription: String { text }
    }

    static func route(_ lines: String) -> String { "origin: http://o\nroutes:\n  - path: /a\n    \(lines)\n" }

    static let wrong: [Case] = [
        Case(
            "origin: http://o\ncolour: red",
            "2:1: unknown key `colour`: docs/gateway.md and `larder serve --help` list the settings"
        ),
        Case("origin: [a]", "1:9: `origin` is a list: expected one value"),
        Case("origin: http://o\nname:", "2:6: `name` is empty: leave it out, or give a token"),
        Case("- a", "1:1: the file is a list: expected keys with values"),
        Case("hello", "1:1: the file is the text \"hello\": expected keys"),
        Case("", "1:1: `origin` is missing; expected the server"),
        Case("# nothing\n", "1:1: `origin` is missing; expected the server"),
        // A misspelled key is not reported as missing, too.
        Case("orign: http://o", "1:1: unknown key `orign`: did you mean `origin`?"),
        Case(
            "orgins: {a: 'http://a'}\nroutes: [{path: /x, origin: a}]",
            "1:1: unknown key `orgins`: did you mean `origins`?"
        ),
        Case(
            "origin: http://o\ncertificate: /c\nprivat-key: /k",
            "3:1: unknown key `privat-key`: did you mean `private-key`?"
        ),
        Case("origin: http://o\nroutes:\n  - pth: /a", "3:5: unknown key `pth`: did you mean `path`?"),
        Case(route("tll: 5s"), "4:5: unknown key `tll`: did you mean `ttl`?"),
        Case(route("error-ttl: 5"), "4:16: `error-ttl`: \"5\" is invalid: it has no unit: did you mean `5s`?"),
        Case(route("force_ttl: 5s"), "4:5: unknown key `force_ttl`: did you mean `force-ttl`?"),
        Case(route("colour: red"), "4:5: unknown key `colour`: docs/gateway.md lists the keys of a route"),
        Case(route("query: {drop: a}"), "4:13: unknown key `drop`: the only key of `query` is `ignore`"),
        Case(route("ttl: 5"), "4:10: `ttl`: \"5\" is invalid: it has no unit: did you mean `5s`?"),
        Case(route("ttl: soon"), "4:10: `ttl`: \"soon\" is invalid: expected a number and a unit"),
        Case(route("ttl: [5s]"), "4:10: `ttl` is a list: expected a number and a unit"),
        Case(route("ttl:"), "4:9: `ttl` is empty: leave it out, or give a number and a unit"),
        Case(route("cache: no"), "4:12: `cache`: \"no\" is invalid: expected `on` or `off`"),
        Case(
            route("cookies: igonre"),
            "4:14: `cookies`: \"igonre\" is invalid: expected `forward`, `ignore`, `bypass` or `drop`"
        ),
        Case(route("credentials: {cookie: a}"), "4:19: unknown key `cookie`: did you mean `cookies`?"),
        Case(route("credentials: {cookies: [a, 'b=c']}"), "4:32: `credentials: cookies`: \"b=c\" is invalid"),
        Case(route("credentials: {fields: ['a b']}"), "4:28: `credentials: fields`: \"a b\" is invalid"),
        Case(route("host: example.org:80"), "4:11: `host`: \"example.org:80\" is invalid: expected a host"),
        Case(route("vary: [Accept, 'a b']"), "4:20: `vary`: \"a b\" is invalid: expected the name of a field"),
        Case(route("vary: x-real-ip"), "4:11: `vary`: `x-real-ip` is the client's address: responses that depend"),
        Case(route("vary: Cookie"), "4:11: `vary`: `Cookie` is a secret, and keys are visible"),
        Case(route("bypass: {cookie: a}"), "4:14: unknown key `cookie`: did you mean `cookies`?"),
        Case(route("bypass: {cookies: [a, 'b=c']}"), "4:27: `bypass: cookies`: \"b=c\" is invalid: expected names"),
        Case(route("bypass: session"), "4:13: `bypass` is the text \"session\": expected keys with values"),
        Case(route("query: {ignore: ['*a']}"), "4:22: `query: ignore`: \"*a\" is invalid"),
        Case(route("tags: ['%FF']"), "4:12: `tags`: \"%FF\" is invalid: expected a tag of 1 to 256 bytes of UTF-8"),
        Case(route("tags: {a: b}"), "4:11: `tags` is a mapping: expected a tag of 1 to 256 bytes"),
        Case(route("invalidates: '%FF'"), "4:18: `invalidates`: \"%FF\" is invalid: expected a tag, a path"),
        Case(route("tag-limit: many"), "4:16: `tag-limit`: \"many\" is invalid: expected a number from 0 to 10000"),
        Case(route("tag-limit: 10001"), "4:16: `tag-limit`: \"10001\" is invalid: expected a number from 0 to 10000"),
        Case(route("invalidates: [/a/*/b]"), "4:19: `invalidates`: \"/a/*/b\" is invalid: expected a tag, a path"),
        Case(
            route("invalidates: [feed/**]"),
            "4:19: `invalidates`: \"feed/**\" looks like a path, and paths begin with /: did you mean `/feed/**`?"
        ),
        Case(
            route("invalidates: a/*/b"),
            "4:18: `invalidates`: \"a/*/b\" looks like a path, and paths begin with /: expected a tag, a path"
        ),
        Case(route("body-limit: 1MB"), "4:17: `body-limit`: \"1MB\" is invalid: expected a size"),
        Case(route("allow-set-cookie: on"), "4:23: `allow-set-cookie`: \"on\" is invalid: expected `true` or `false`"),
        Case(
            route("invalidate-on-error: 5xx"),
            "4:26: `invalidate-on-error`: \"5xx\" is invalid: expected `true` or `false`"
        ),
        Case(
            route("origin: api"),
            "4:13: `origin`: there is no origin `api`: define it under `origins:`".replacing("4:13", with: "4:5")
        ),
        Case(
            "origin: http://o\norigins: {api: 'http://a', img: ftp}\nroutes:\n- {path: /x, origin: apj}\n- {path: /y, origin: img}",
            "2:33: `img`: \"ftp\" is invalid: expected a URL",
            "4:14: `origin`: there is no origin `apj`: did you mean `api`?"
        ),
        Case(
            "origin: http://o\nroutes: {path: /a}",
            "2:9: `routes` is a mapping: expected a list of routes, each with a `path`"
        ),
        Case("origin: http://o\nroutes: [/a]", "2:10: a route is the text \"/a\": expected keys with values"),
        Case("origin: http://o\nroutes: [{}]", "2:10: the route is empty: it needs a `path`"),
        Case("origin: http://o\nroutes:\n  - ttl: 5s", "3:5: `path` is missing; expected the paths"),
        Case("origin: http://o\nroutes:\n  - path: /a/**/b", "3:11: `path`: \"/a/**/b\" has `**` before its end"),
        // These routes never match.
        Case(
            "origin: http://o\nroutes:\n  - path: /api/**\n  - path: /other\n  - path: /api/*/x\n",
            "5:5: the route `/api/*/x` never matches: `/api/**` in line 3 matches all of its requests"
        ),
        Case(
            "origin: http://o\nroutes:\n  - {path: /a, host: '*.b.c'}\n  - {path: /a/, host: x.b.c}\n  - {path: /a}\n  - path: /%61",
            "4:6: the route `x.b.c/a/` never matches: `*.b.c/a` in line 3",
            "6:5: the route `/%61` never matches: `/a` in line 5"
        ),
        // These files have several faults.
        Case(
            route("ttl: 5\n    coalescing-timeout: x\n    tags: ''") + "  - path: b\nlisten: x\n",
            "4:10: `ttl`:",
            "5:25: `coalescing-timeout`:",
            "6:11: `tags` is empty",
            "7:11: `path`: \"b\" does not begin with `/`",
            "8:9: `listen`: \"x\" is invalid"
        ),
        // Repeated keys do not hide other faults.
        Case(
            route("ttl: 5s\n    tll: 1\n    ttl: 6s") + "origin: http://p\n",
            "5:5: unknown key `tll`",
            "6:5: `ttl` is given twice: the first time in line 4",
            "7:1: `origin` is given twice: the first time in line 1"
        ),
        Case("origin: http://o\nroutes: [{path: /a, path: /b}]", "2:11: `path` is given twice"),
        // These texts are not YAML.
        Case(
            "origin: http://o\n\tname: x",
            "2:1: not YAML: found a tab character that violates indentation; indent with"
        ),
        Case(
            route("host: *.example.org"),
            "4:12: not YAML: did not find expected alphabetic or numeric character; a text that begins with `*` or"
        ),
        Case(
            route("host: *example"),
            "4:11: not YAML: found undefined alias; a text that begins with `*` needs"
        ),
        Case(
            "origin: http://o\nname: a: b",
            "2:8: not YAML: mapping values are not allowed in this context; a text"
        ),
        Case(
            "origin: \"http://o\nname: x",
            "2:8: not YAML: found unexpected end of stream; a quote"
        ),
        Case(
            "origin: http://o\n---\norigin: http://p\n",
            "2:1: not YAML: but found another document"
        ),
        Case(
            "origin: http://o\nname: a\u{1}b\n",
            "2:8: not YAML: control characters are not allowed"
        ),
        Case("? [a, b]\n: c\norigin: http://o", "1:3: a key must be plain text: this is a list"),
        Case(
            route("client-directives: maybe"),
            "4:24: `client-directives`: \"maybe\" is invalid: expected `honor`, `coalesce` or `ignore`"
        ),
    ]

    @Test(arguments: wrong) func `Each fault has a diagnostic with its location`(_ example: Case) {
        let lines = GatewayCheck.run(example.text).lines
        #expect(lines.count == example.diagnostics.count, "\(lines)")
        for (line, expected) in zip(lines, example.diagnostics) { #expect(line.hasPrefix(expected)) }
    }

    static let doubtful: [Case] = [
        Case(route("force-ttl: 1h"), "4:5: `force-ttl` stores responses to requests with cookies for all clients"),
        Case(route("force-ttl: 1h\n    cookies: drop")), Case(route("force-ttl: 1h\n    cookies: bypass")),
        Case(route("force-ttl: 1h\n    bypass: {cookies: session}")),
        Case(route("force-ttl: 1h\n    credentials: {cookies: session}")),
        Case(
            route("force-ttl: 1h\n    cookies: drop\n    ttl: 1m\n    allow-set-cookie: true"),
            "6:5: `ttl` is for responses that declare no lifetime",
            "7:5: with `force-ttl`, a cookie that is set"
        ),
        Case(route("allow-set-cookie: true"), "4:5: a cookie that is set for one client"),
        Case(route("cache: off\n    ttl: 5s"), "5:5: `ttl` has no effect if `cache` is off"),
        Case(route("cache: off\n    error-ttl: 5s"), "5:5: `error-ttl` has no effect if `cache` is off"),
        Case(route("cache: off\n    invalidates: x")),
        Case(route("stale-after: 1s"), "4:5: `stale-after` applies only to responses with `stale-if-error`"),
        Case(route("stale-after: 1s\n    stale-if-error: 1h")),
        Case(
            route("cookies: bypass\n    credentials: {cookies: session}"),
            "5:5: the `cookies` of `credentials` have no effect with `cookies: bypass`"
        ),
        Case(route("cookies: ignore\n    credentials: {cookies: session}")),
        Case("origin: http://o\nroutes:\n  - path: /users/:id", "3:11: `path`: \"/users/:id\" has a placeholder"),
        Case("origin: http://o\nroutes:\n  - path: /users/{id}", "3:11: `path`: \"/users/{id}\" has a placeholder"),
        Case("origin: a\norigins: {a: 'http://a', b: 'http://b'}", "2:26: the origin `b` is not used by any route"),
        Case(
            "origin: http://o\nroutes: [{path: /A/**}, {path: /a/b}, {path: /a/**, ttl: 1s}]",
            "2:40: `/a/**` differs from `/A/**` only"
        ),
    ]

    @Test(arguments: doubtful) func `A valid value that may not be intended causes a warning`(_ example: Case) {
        let check = GatewayCheck.run(example.text)
        #expect(check.diagnostics.isEmpty && check.hints.count == example.diagnostics.count, "\(check)")
        for (line, expected) in zip(check.hints, example.diagnostics) { #expect(line.hasPrefix(expected)) }
    }

    @Test func `A value that is merged into a route applies unless the route has the key`() throws {
        let table = try RouteTable(
            """
            x-one: &one {ttl: 1m, coalescing-timeout: 1s}
            x-two: &two {<<: *one, coalescing-timeout: 2s}
            routes:
              - {path: /a, <<: *two}
              - {path: /b, <<: [*one, *two], ttl: 5s}
            """
        )
        let (a, b) = (table.route(host: nil, path: "/a").policy, table.route(host: nil, path: "/b").policy)
        #expect(a.rules.defaultLifetime == .seconds(60) && a.coalescingTimeout == .seconds(2))
        #expect(b.rules.defaultLifetime == .seconds(5) && b.coalescingTimeout == .seconds(1))
    }

    @Test(arguments: [
        ("lsten", "listen"), ("memory_limit", "memory-limit"), ("memroy-limit", "memory-limit"), ("xyzzy", nil),
    ])
    func `A suggestion is made for a misspelled name if a similar name exists`(_ written: String, _ meant: String?) {
        #expect(SpellingSuggestion.name(like: written, among: GatewaySetting.allCases.map(\.rawValue)) == meant)
    }

    @Test func `At most three names are suggested, all of them equally similar`() {
        let names = ["ttl", "path", "tta", "ttb", "ttc"]
        #expect(SpellingSuggestion.names(like: "tt", among: names) == ["ttl", "tta", "ttb"])
        #expect(SpellingSuggestion.names(like: "ttl", among: ["ttls", "ttl"]) == ["ttl"])
        #expect(SpellingSuggestion.names(like: "ttl", among: []).isEmpty)
    }

    @Test(arguments: [([String](), ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
    func `Alternatives are separated by commas except the last one`(_ texts: [String], _ expected: String) {
        #expect(texts.alternatives == expected)
    }
}
