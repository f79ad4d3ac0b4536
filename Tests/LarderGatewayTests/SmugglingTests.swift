import LarderTestSupport
import TestHelpers
import Testing

/// Requests whose bytes two servers could read differently: they are refused, or forwarded with one meaning (RFC 9112
/// §11.2).
@Suite(.timeLimit(.minutes(5))) struct SmugglingTests {
    /// The bytes of a request, the responses that the client gets, and the requests that the origin sees.
    struct Row: Sendable {
        /// The name of the row, with the section of RFC 9112 or 9110 that decides it.
        let id: String
        /// The bytes, one for each Unicode scalar.
        let text: String
        /// The statuses of the responses, without that to `next`, which follows if the connection continues.
        let statuses: [Int]
        /// The method, target and content of the requests that the origin sees, without `next`.
        let seen: [String]
        /// True if the connection continues, so that `next` is answered.
        let goesOn: Bool
        /// The texts that the head must have.
        let has: [String]
        /// The texts that the head must not have, in lower case.
        let lacks: [String]

        /// Returns a row that is refused, and of which nothing reaches the origin.
        static func refused(_ id: String, _ text: String, _ status: Int = 400) -> Row {
            Row(id: id, text: text, statuses: [status], seen: [], goesOn: false, has: [], lacks: [])
        }

        /// Returns a row that gets an error response, after which the connection continues.
        static func answered(_ id: String, _ text: String, _ status: Int) -> Row {
            Row(id: id, text: text, statuses: [status], seen: [], goesOn: true, has: [], lacks: [])
        }

        /// Returns a row that is forwarded.
        static func passes(
            _ id: String,
            _ text: String,
            _ seen: String...,
            goesOn: Bool = true,
            has: [String] = [],
            lacks: [String] = []
        ) -> Row {
            Row(
                id: id,
                text: text,
                statuses: seen.map { _ in 200 },
                seen: seen,
                goesOn: goesOn,
                has: has,
                lacks: lacks
            )
        }
    }

    /// Rows of one kind.
    struct Table: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let rows: [Row]

        static let all = [
            Table(testDescription: "framing", rows: framing), Table(testDescription: "chunks", rows: chunks),
            Table(testDescription: "lines", rows: lines), Table(testDescription: "targets", rows: targets),
            Table(testDescription: "methods", rows: methods), Table(testDescription: "pipelines", rows: pipelines),
        ]
    }

    private static func get(_ target: String, _ fields: String...) -> String {
        (["GET \(target) HTTP/1.1", "Host: localhost"] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static func post(_ fields: String..., content: String) -> String {
        (["POST / HTTP/1.1", "Host: localhost"] + fields).map { $0 + "\r\n" }.joined() + "\r\n" + content
    }

    private static let chunked = "Transfer-Encoding: chunked"
    private static let hello = "5\r\nhello\r\n0\r\n\r\n"
    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// Two lengths, or none (RFC 9112 §6).
    static let framing: [Row] = [
        .refused("CL.TE, 9112 §6.1", post("Content-Length: 6", chunked, content: "0\r\n\r\nG")),
        .refused("TE.CL, 9112 §6.1", post(chunked, "Content-Length: 4", content: hello)),
        .refused("CL.0, 9112 §6.1", post("Content-Length: 0", chunked, content: hello)),
        .refused("TE twice", post(chunked, chunked, content: hello)),
        .refused("TE twice, the last another one", post(chunked, "Transfer-Encoding: identity", content: hello)),
        .refused("TE chunked, identity, 9112 §6.1", post("Transfer-Encoding: chunked, identity", content: hello)),
        .refused("TE identity, chunked", post("Transfer-Encoding: identity, chunked", content: hello)),
        .refused("TE identity", post("Transfer-Encoding: identity", content: hello)),
        .refused("TE gzip, chunked", post("Transfer-Encoding: gzip, chunked", content: hello)),
        .refused("TE chunked twice in one", post("Transfer-Encoding: chunked, chunked", content: hello)),
        .refused("TE xchunked", post("Transfer-Encoding: xchunked", content: hello)),
        .refused("TE chunkedx", post("Transfer-Encoding: chunkedx", content: hello)),
        .refused("TE quoted", post("Transfer-Encoding: \"chunked\"", content: hello)),
        .refused("TE with a parameter", post("Transfer-Encoding: chunked;a=b", content: hello)),
        .refused("TE with a comma behind it", post("Transfer-Encoding: chunked,", content: hello)),
        .refused("TE with a comma before it", post("Transfer-Encoding: ,chunked", content: hello)),
        .refused("TE empty", post("Transfer-Encoding:", content: hello)),
        .refused("TE with a vertical tab", post("Transfer-Encoding: \u{B}chunked", content: hello)),
        .refused("TE with a form feed", post("Transfer-Encoding: chunked\u{C}", content: hello)),
        .refused("TE with a NUL", post("Transfer-Encoding: chunked\0", content: hello)),
        .refused("TE folded, 9112 §5.2", post("Transfer-Encoding:", " chunked", content: hello)),
        .refused("TE with a space before the colon, 9112 §5.1", post("Transfer-Encoding : chunked", content: hello)),
        .refused("TE with a tab before the colon", post("Transfer-Encoding\t: chunked", content: hello)),
        .refused("TE behind a space", post("X-First: a", " Transfer-Encoding: chunked", content: hello)),
        .refused("TE behind a bare CR", post("X-First: a\rTransfer-Encoding: chunked", content: hello)),
        .refused("TE behind a bare LF", post("X-First: a\nTransfer-Encoding: chunked", content: hello)),
        .passes("TE in another case, 9112 §7", post("transfer-ENCODING: Chunked", content: hello), "POST / hello"),
        .refused("TE with a tab behind it", post("Transfer-Encoding: chunked\t", content: hello)),
        .passes(
            "TE misspelt is no TE",
            post("Transfer_Encoding: chunked", content: ""),
            "POST / ",
            has: ["Content-Length: 0"]
        ),
        .refused("TE with HTTP/1.0, 9112 §6.1", "POST / HTTP/1.0\r\nHost: localhost\r\n\(chunked)\r\n\r\n" + hello),
        .refused("CL twice, differing, 9110 §8.6", post("Content-Length: 5", "Content-Length: 0", content: "hello")),
        .refused("CL twice, the same", post("Content-Length: 5", "Content-Length: 5", content: "hello")),
        .refused("CL a list of the same", post("Content-Length: 5, 5", content: "hello")),
        .refused("CL with a sign", post("Content-Length: +5", content: "hello")),
        .refused("CL negative", post("Content-Length: -5", content: "hello")),
        .refused("CL with a space inside", post("Content-Length: 5 5", content: "hello")),
        .refused("CL with a comma", post("Content-Length: 5,", content: "hello")),
        .refused("CL hexadecimal", post("Content-Length: 0x5", content: "hello")),
        .refused("CL a fraction", post("Content-Length: 5.0", content: "hello")),
        .refused("CL empty", post("Content-Length:", content: "hello")),
        .refused("CL a word", post("Content-Length: five", content: "hello")),
        .refused("CL past all numbers", post("Content-Length: 18446744073709551621", content: "hello")),
        .refused("CL folded", post("Content-Length: 5", " 0", content: "hello")),
        .refused("CL with a space before the colon", post("Content-Length : 5", content: "hello")),
        .refused("CL with a NUL", post("Content-Length: 5\0", content: "hello")),
        .refused("CL with a bare CR", post("Content-Length: 5\r0", content: "hello")),
        .passes("CL with spaces before it, 9110 §5.5", post("Content-Length:   5", content: "hello"), "POST / hello"),
        .refused("CL with spaces behind it", post("Content-Length: 5  ", content: "hello")),
        .passes(
            "CL with zeros",
            post("Content-Length: 0005", content: "hello"),
            "POST / hello",
            has: ["Content-Length: 5"]
        ),
        .passes("no CL is no content, 9112 §6.3", post(content: ""), "POST / ", has: ["Content-Length: 0"]),
        .passes(
            "content of GET, 9110 §9.3.1",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n" + smuggled,
            "GET / " + smuggled
        ),
        .passes("chunks of GET", "GET / HTTP/1.1\r\nHost: localhost\r\n\(chunked)\r\n\r\n" + hello, "GET / hello"),
        .passes(
            "content of DELETE",
            "DELETE / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
            "DELETE / hello"
        ),
        .passes(
            "a CRLF behind the content, 9112 §2.2",
            post("Content-Length: 5", content: "hello\r\n"),
            "POST / hello"
        ),
    ]

    /// Chunks (RFC 9112 §7.1).
    static let chunks: [Row] =
        [
            .passes(
                "extensions go no further, 9112 §7.1.1",
                post(chunked, content: "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"),
                "POST / hello"
            ),
            .passes(
                "trailers go no further, 9110 §6.5.1",
                post(chunked, content: "5\r\nhello\r\n0\r\nX-Trailer: a\r\nHost: evil\r\n\r\n"),
                "POST / hello",
                lacks: ["x-trailer", "evil"]
            ),
            .passes(
                "a trailer without a value",
                post(chunked, content: "5\r\nhello\r\n0\r\nX-Trailer:\r\n\r\n"),
                "POST / hello"
            ),
            .passes("zeros before a size", post(chunked, content: "0005\r\nhello\r\n000\r\n\r\n"), "POST / hello"),
            .passes(
                "a size in another case",
                post(chunked, content: "A\r\n0123456789\r\n0\r\n\r\n"),
                "POST / 0123456789"
            ),
            .passes(
                "chunks of one byte",
                post(chunked, content: "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"),
                "POST / abc"
            ),
        ]

    /// Malformed chunks.
    static let malformed: [(id: String, content: String)] = [
        ("a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("an empty size", "\r\nhello\r\n0\r\n\r\n"),
        ("a space before a size", " 5\r\nhello\r\n0\r\n\r\n"),
        ("a space behind a size", "5 \r\nhello\r\n0\r\n\r\n"),
        ("a tab behind a size", "5\t\r\nhello\r\n0\r\n\r\n"),
        ("a NUL in a size", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("a size past all numbers", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("a bare LF behind a size, 9112 §2.2", "5\nhello\r\n0\r\n\r\n"),
        ("a bare CR behind a size", "5\rhello\r\n0\r\n\r\n"),
        ("a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"),
        ("a bare LF behind a chunk", "5\r\nhello\n0\r\n\r\n"),
        ("no CRLF behind a chunk", "5\r\nhello0\r\n\r\n"),
        ("a chunk too long", "5\r\nhello!\r\n0\r\n\r\n"),
        ("two bytes in place of the CRLF", "5\r\nhelloXX0\r\n\r\n"),
        ("a bare LF behind the last chunk", "5\r\nhello\r\n0\n\n"),
        ("a trailer without a colon", "5\r\nhello\r\n0\r\nX\r\n\r\n"),
        ("a folded trailer", "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"),
        ("a NUL in a trailer", "5\r\nhello\r\n0\r\nX: \0\r\n\r\n"),
    ]

    /// Lines (RFC 9112 §2.2, §3, §5).
    static let lines: [Row] = [
        .refused("bare LF behind the request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
        .refused("bare LF behind a field", "GET / HTTP/1.1\r\nHost: localhost\n\r\n"),
        .refused("bare LF before the end", "GET / HTTP/1.1\r\nHost: localhost\r\n\n"),
        .refused("bare LF everywhere", "GET / HTTP/1.1\nHost: localhost\n\n"),
        .refused("bare CR behind the request line", "GET / HTTP/1.1\rHost: localhost\r\n\r\n"),
        .refused("bare CR in a value, 9112 §2.2", get("/", "X-First: a\rb")),
        .refused("bare CR before the CRLF", "GET / HTTP/1.1\r\nHost: localhost\r\r\n\r\n"),
        .refused("NUL in a value, 9110 §5.5", get("/", "X-First: a\0b")),
        .refused("control character in a value", get("/", "X-First: a\u{1}b")),
        .refused("DEL in a value", get("/", "X-First: a\u{7F}b")),
        .refused("NUL in a name", get("/", "X-Fi\0rst: a")),
        .refused("space in a name", get("/", "X First: a")),
        .refused("space before the colon, 9112 §5.1", get("/", "X-First : a")),
        .refused("no colon", get("/", "X-First")),
        .refused("no name", get("/", ": a")),
        .refused("name that is no token, 9110 §5.1", get("/", "X(First): a")),
        .refused("name that is no ASCII", get("/", "X-Fïrst: a")),
        .refused("folded line, 9112 §5.2", get("/", "X-First: a", " b")),
        .refused("line folded by a tab", get("/", "X-First: a", "\tb")),
        .refused("space before the first field, 9112 §2.2", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        .passes("two spaces before the target, 9112 §3", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / "),
        .passes("two spaces behind the target", "GET /  HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / "),
        .refused("tab before the target", "GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("tab behind the target", "GET /\tHTTP/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("space before the method", " GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("space behind the version", "GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n"),
        .refused("no target", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("no version, HTTP/0.9", "GET /\r\n\r\n"),
        .refused("HTTP/0.9 named", "GET / HTTP/0.9\r\nHost: localhost\r\n\r\n"),
        .refused("HTTP/1.2", "GET / HTTP/1.2\r\nHost: localhost\r\n\r\n"),
        .refused("HTTP/1.10", "GET / HTTP/1.10\r\nHost: localhost\r\n\r\n"),
        .refused("HTTP/2.0", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"),
        .refused("http/1.1 in lower case, 9112 §2.3", "GET / http/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("ICY/1.1", "GET / ICY/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("HTTP/2 preface, 9113 §3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        .refused("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{FC}\u{3}\u{3}"),
        .refused("method in lower case, 9110 §9.1", "get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        .refused("method that the parser does not know", "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        .refused("no method", "/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        .refused("target of 100,000 bytes", get("/" + String(repeating: "a", count: 100_000)), 414),
        .refused("target of 200,000 bytes", get("/" + String(repeating: "a", count: 200_000)), 414),
        .refused("field of 100,000 bytes", get("/", "X-First: " + String(repeating: "a", count: 100_000)), 431),
        .refused("field of 200,000 bytes", get("/", "X-First: " + String(repeating: "a", count: 200_000)), 431),
        .refused(
            "1,001 fields",
            "GET / HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "X: a\r\n", count: 1_001) + "\r\n",
            431
        ),
        .passes(
            "900 fields",
            "GET / HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "X: a\r\n", count: 900) + "\r\n",
            "GET / "
        ),
        .passes(
            "target of 20,000 bytes",
            get("/" + String(repeating: "a", count: 20_000)),
            "GET /" + String(repeating: "a", count: 20_000) + " "
        ),
        .passes("empty lines before it, 9112 §2.2", "\r\n\r\n" + get("/"), "GET / "),
        .passes("tab in a value", get("/", "X-First: a\tb"), "GET / ", has: ["X-First: a\tb"]),
        .passes("empty value", get("/", "X-First:"), "GET / ", has: ["X-First: \r\n"]),
    ]

    /// Targets and hosts (RFC 9112 §3.2).
    static let targets: [Row] =
        [
            .refused("no Host, 9112 §3.2", "GET / HTTP/1.1\r\n\r\n"),
            .refused("Host twice", get("/", "Host: localhost")),
            .refused("Host twice, differing", get("/", "Host: evil")),
            .refused("Host twice, in other cases", get("/", "hOST: evil")),
            .refused("Host folded", "GET / HTTP/1.1\r\nHost: localhost\r\n evil\r\n\r\n"),
            .passes(
                "no Host with HTTP/1.0",
                "GET / HTTP/1.0\r\n\r\n",
                "GET / ",
                goesOn: false,
                has: ["Host: 127.0.0.1:"]
            ),
            .passes(
                "absolute form without Host, HTTP/1.0",
                "GET http://other/a HTTP/1.0\r\n\r\n",
                "GET /a ",
                goesOn: false,
                has: ["Host: other\r\n"]
            ),
            .passes("HTTP/1.0, 9112 §9.3", "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", "GET / ", goesOn: false),
            .passes(
                "HTTP/1.0 that would stay, 9112 §9.3",
                "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
                "GET / "
            ),
            .passes(
                "HTTP/1.0 that expects, 9110 §10.1.1",
                "PUT / HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
                "PUT / hello",
                goesOn: false
            ),
            .passes(
                "absolute form, another Host, 9112 §3.2.2",
                "GET http://other/a?b HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET /a?b ",
                has: ["Host: other\r\n", "X-Forwarded-Host: other\r\n"],
                lacks: ["evil"]
            ),
            .passes(
                "absolute form, scheme in another case",
                "GET HTTP://other/a HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET /a ",
                has: ["Host: other\r\n"]
            ),
            .passes(
                "absolute form, https",
                "GET https://other/a HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET /a ",
                has: ["Host: other\r\n", "X-Forwarded-Proto: http\r\n"]
            ),
            .passes(
                "absolute form, no path",
                "GET http://other HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET / ",
                has: ["Host: other\r\n"]
            ),
            .passes(
                "absolute form, a query alone",
                "GET http://other?a HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET /?a ",
                has: ["Host: other\r\n"]
            ),
            .passes(
                "absolute form, a port",
                "GET http://other:81/ HTTP/1.1\r\nHost: evil\r\n\r\n",
                "GET / ",
                has: ["Host: other:81\r\n", "X-Forwarded-Port: 81\r\n"]
            ),
            .refused("absolute form, a user, 9110 §4.2.4", "GET http://user@other/ HTTP/1.1\r\nHost: other\r\n\r\n"),
            .refused("absolute form, no host, 9110 §4.2.1", "GET http:///a HTTP/1.1\r\nHost: other\r\n\r\n"),
            .refused("absolute form, no Host", "GET http://other/ HTTP/1.1\r\n\r\n"),
            .refused("absolute form, another scheme", "GET ftp://other/ HTTP/1.1\r\nHost: other\r\n\r\n"),
            .refused("absolute form, a backslash", "GET http://other\\@evil/ HTTP/1.1\r\nHost: other\r\n\r\n"),
            .refused("authority form, 9112 §3.2.3", "GET other:80 HTTP/1.1\r\nHost: other\r\n\r\n"),
            .refused("CONNECT", "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n"),
            .answered("asterisk form, 9112 §3.2.4", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
            .refused("asterisk form without Host", "OPTIONS * HTTP/1.1\r\n\r\n"),
            .refused("asterisk form of GET", get("*")),
            .refused("no slash", get("a")),
            .refused("question mark", get("?a")),
            .refused("space in the target", get("/a b")),
            .refused("bytes that are no ASCII", get("/caf\u{E9}")),
            .refused("bytes that are UTF-8", get("/caf\u{C3}\u{A9}")),
            .refused("NUL in the target", get("/a\0b")),
            .refused("DEL in the target", get("/a\u{7F}b")),
            .answered("fragment, 9112 §3.2", get("/a#b"), 400),
            .refused("fragment in absolute form", get("http://other#@evil/")),
        ]
        + [
            "", "a b", "local host", "evil/", "evil?", "evil#", "user@evil", "a,b", "[::1", "::1]", "evil:80:80",
            "evil:x", "evil:-1", "evil:123456", "[::1]evil", "\"evil\"", "evil\\", "ev\u{EF}l", "<evil>", ":80", "[]",
        ]
        .map { .refused("Host \($0)", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n") }
        + [
            ("localhost:", "localhost"), ("LOCALHOST", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"),
            ("a_b", "a_b"), ("a.b.", "a.b"), ("1.2.3.4:5", "1.2.3.4:5"),
        ]
        .map { .passes("Host \($0)", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", "GET / ", has: ["Host: \($1)\r\n"]) }
        + [
            "//evil/", "///", "/caf%E9", "/caf%C3%A9", "/%7C", "/|", "/a/../b", "/..", "/./a", "/%2e%2e/a", "/a\\b",
            "/a%5Cb", "/\\evil", "/%", "/%z", "/%00", "/a%0d%0aX:%20b", "/?", "/??", "/?a=b&a=b", "/?/..", "/a;b=c",
            "/a:80", "/@evil", "/*", "/\"<>^`{|}", "/http://evil/", "/a?http://evil", "/[a]", "/~", "/a+b", "/,",
            "/a%23b", "/%3F",
        ]
        .map { .passes("target \($0)", get($0), "GET \($0) ") }

    /// Methods, and fields that ask for more than a response (RFC 9110).
    static let methods: [Row] = [
        .answered("TRACE, 9110 §9.3.8", "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        .passes("M-SEARCH", "M-SEARCH / HTTP/1.1\r\nHost: localhost\r\n\r\n", "M-SEARCH / "),
        .passes("QUERY", "QUERY / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "QUERY / hello"),
        .passes("PROPFIND", "PROPFIND / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PROPFIND / "),
        .answered("Expect, 9110 §10.1.1", get("/", "Expect: the-unexpected"), 417),
        .answered("Expect twice", get("/", "Expect: 100-continue", "Expect: 100-continue"), 417),
        .passes("Expect without content", get("/", "Expect: 100-continue"), "GET / ", lacks: ["expect"]),
        .answered(
            "OPTIONS that goes no further, 9110 §7.6.2",
            "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n",
            200
        ),
        .passes(
            "OPTIONS that goes one further",
            "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 1\r\n\r\n",
            "OPTIONS / ",
            has: ["Max-Forwards: 0\r\n"]
        ),
        .passes(
            "OPTIONS that goes far",
            "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 10\r\n\r\n",
            "OPTIONS / ",
            has: ["Max-Forwards: 9\r\n"]
        ),
        .passes(
            "Max-Forwards of GET means nothing",
            get("/", "Max-Forwards: 0"),
            "GET / ",
            has: ["Max-Forwards: 0\r\n"]
        ),
        .passes(
            "WebSocket, 9110 §7.8",
            get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: a"),
            "GET / ",
            goesOn: false,
            lacks: ["upgrade"]
        ),
        .passes(
            "h2c",
            get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: a"),
            "GET / ",
            goesOn: false,
            lacks: ["upgrade", "settings"]
        ),
        .passes(
            "Upgrade without Connection",
            get("/", "Upgrade: websocket"),
            "GET / ",
            goesOn: false,
            lacks: ["upgrade"]
        ),
        .passes(
            "Upgrade with content",
            post("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5", content: "hello"),
            "POST / hello",
            goesOn: false
        ),
        .passes("Connection: close, 9112 §9.6", get("/", "Connection: close") + smuggled, "GET / ", goesOn: false),
        .passes("Connection: Close", get("/", "Connection: Close") + smuggled, "GET / ", goesOn: false),
        .passes(
            "Connection: close among others, 9110 §7.6.1",
            get("/", "Connection: X-Secret, close", "X-Secret: a"),
            "GET / ",
            goesOn: false,
            lacks: ["secret"]
        ),
        .passes(
            "Connection twice",
            get("/", "Connection: X-Secret", "Connection: close", "X-Secret: a"),
            "GET / ",
            goesOn: false,
            lacks: ["secret"]
        ),
        .passes(
            "Connection names a field",
            get("/", "Connection: x-secret, X-Other", "X-Secret: a", "x-other: b"),
            "GET / ",
            lacks: ["secret", "other"]
        ),
        .passes(
            "Connection names the length",
            post("Connection: Content-Length", "Content-Length: \(smuggled.utf8.count)", content: smuggled),
            "POST / " + smuggled
        ),
        .passes(
            "Connection names the length, and close",
            post("Connection: close, Content-Length", "Content-Length: 5", content: "hello"),
            "POST / hello",
            goesOn: false
        ),
        .passes(
            "Connection names the chunks, and close",
            post("Connection: transfer-encoding, close", chunked, content: hello),
            "POST / hello",
            goesOn: false
        ),
        .passes("Connection names the host", get("/", "Connection: Host"), "GET / ", has: ["Host: localhost"]),
        .passes(
            "fields of the connection, 9110 §7.6.1",
            get("/", "Keep-Alive: 5", "Proxy-Connection: close", "TE: trailers", "Trailer: X"),
            "GET / ",
            goesOn: false,
            lacks: ["keep-alive", "proxy-connection", "\r\nte:", "trailer"]
        ),
    ]

    /// Pipelined requests (RFC 9112 §9.3.2).
    static let pipelines: [Row] = [
        .passes(
            "three",
            get("/1") + post("Content-Length: 5", content: "hello") + get("/3"),
            "GET /1 ",
            "POST / hello",
            "GET /3 "
        ),
        .passes("behind chunks", post(chunked, content: hello) + get("/2"), "POST / hello", "GET /2 "),
        .passes(
            "behind content of GET",
            get("/1", "Content-Length: 5") + "hello" + get("/2"),
            "GET /1 hello",
            "GET /2 "
        ),
        Row(
            id: "the second is no HTTP",
            text: get("/1") + "nonsense\r\n\r\n",
            statuses: [200, 400],
            seen: ["GET /1 "],
            goesOn: false,
            has: [],
            lacks: []
        ),
        Row(
            id: "the second has two lengths",
            text: get("/1") + post("Content-Length: 6", chunked, content: "0\r\n\r\nG"),
            statuses: [200, 400],
            seen: ["GET /1 "],
            goesOn: false,
            has: [],
            lacks: []
        ),
        Row(
            id: "the second has no Host",
            text: get("/1") + "GET /2 HTTP/1.1\r\n\r\n",
            statuses: [200, 400],
            seen: ["GET /1 "],
            goesOn: false,
            has: [],
            lacks: []
        ),
        Row(
            id: "the third is bad",
            text: get("/1") + get("/2") + "GET /3 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            statuses: [200, 200, 400],
            seen: ["GET /1 ", "GET /2 "],
            goesOn: false,
            has: [],
            lacks: []
        ),
        Row(
            id: "content longer than it says",
            text: post("Content-Length: 4", content: "hello") + smuggled,
            statuses: [200, 400],
            seen: ["POST / hell"],
            goesOn: false,
            has: [],
            lacks: []
        ),
    ]

    @Test(arguments: Table.all)
    func `Ambiguous bytes are refused, or forwarded with one meaning`(_ table: Table) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.method == "HEAD" ? "" : "seen")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for row in table.rows { try await check(row, gateway, origin) }
            }
        }
    }

    private func check(_ row: Row, _ gateway: RunningGateway, _ origin: ScriptedOrigin) async throws {
        let next = "GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let bytes = (row.text + next).unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
        let count = origin.requests.count
        let exchange = try await Exchange.send(bytes, to: gateway.port)
        let seen = origin.requests.dropFirst(count)
        let requests = seen.map { "\($0.method) \($0.target) \($0.content ?? "~")" }
        let id: Comment = "\(row.id): \(exchange.answers), the origin saw \(requests)"
        #expect(exchange.isEnded, id)
        #expect(exchange.statuses == row.statuses + (row.goesOn ? [200] : []), id)
        #expect(requests == row.seen + (row.goesOn ? ["GET /next "] : []), id)
        guard let head = seen.first?.head else { return }
        for text in row.has { #expect(head.contains(text), "\(row.id) should have \(text): \(head)") }
        for text in row.lacks { #expect(!head.lowercased().contains(text), "\(row.id) should lack \(text): \(head)") }
        #expect(!head.contains("attempt"), id)
    }

    @Test func `Malformed chunks are a 400, and never look complete to the origin`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for (id, content) in Self.malformed {
                    let text = Self.post(Self.chunked, content: content) + Self.smuggled
                    let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                    #expect(exchange.isEnded && exchange.statuses == [400], "\(id): \(exchange)")
                }
                #expect(origin.requests.allSatisfy { $0.method == "POST" && $0.content == nil })
            }
        }
    }

    @Test func `A target of visible characters reaches the origin byte for byte, or is refused`() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed: seed)
        let targets = (0..<600).map { _ in
            let count = Int.random(in: 0..<24, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0x21...0x7E, using: &random) }
            return (Int.random(in: 0..<10, using: &random) == 0 ? "" : "/") + String(decoding: bytes, as: UTF8.self)
        }
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                var passed = 0
                for target in targets where !target.isEmpty {
                    let count = origin.requests.count
                    let status = try await gateway.exchange(target: target).status
                    let seen = origin.requests.dropFirst(count).map(\.target)
                    passed += seen.count
                    let isGood = status == 400 ? seen.isEmpty : status == 200 && seen == [target]
                    #expect(isGood, "\(target) got \(status), the origin saw \(seen); seed \(seed)")
                }
                #expect(passed > 300, "seed \(seed)")
            }
        }
    }

    @Test func `A request that the gateway forwarded itself is rejected as a loop`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                _ = try await gateway.send("GET", "/")
                let via = try #require(origin.requests.first?["Via"])
                let loop = try await gateway.send("GET", "/", ["Via: 1.0 elsewhere, \(via)"])
                #expect(loop.status == 508 && loop["Proxy-Status"] == "Larder; error=proxy_loop_detected")
                #expect(try await gateway.send("GET", "/", ["Via: 1.1 elsewhere"]).status == 200)
                #expect(origin.requests.map { $0["Via"] ?? "" } == [via, "1.1 elsewhere, " + via])
            }
        }
    }
}
