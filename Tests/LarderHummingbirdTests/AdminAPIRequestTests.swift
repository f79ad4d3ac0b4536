import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import Logging
import NIOCore
import TestHelpers
import Testing

/// What the admin API refuses, its document and its page.
@Suite(.timeLimit(.minutes(5))) struct AdminAPIRequestTests {
    @Test func `The token is needed for every operation, and not for the document and its page`() async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            let operations: [(HTTPRequest.Method, String, String?)] = [
                (.get, "v1/entries", nil), (.get, "v1/entry?key=a", nil), (.post, "v1/purge", #"{"everything":true}"#),
                (.post, "v1/warm", #"{"paths":["/plain"]}"#),
            ]
            for (method, target, content) in operations {
                let refused = try await client.api(method, target, content, headers: [:])
                expectEqual(refused.status, 401)
                expectTrue(refused.headers[.wwwAuthenticate] == "Bearer" && refused.problem != nil)
                let site: HTTPFields = [
                    .authorization: "Bearer \(AdminAPISite.token)", .origin: "http://elsewhere.example",
                ]
                expectEqual(try await client.api(method, target, content, headers: site).status, 403)
            }
            for target in ["openapi.json", "docs"] {
                expectEqual(try await client.api(.get, target, headers: [:]).status, 200)
            }
        }
    }

    @Test(arguments: [
        ("v1/entries?limit=0", "the parameter limit has to be a whole number from 1 to 1000"),
        ("v1/entries?limit=1001", "the parameter limit has to be a whole number from 1 to 1000"),
        ("v1/entries?limit=+5", "the parameter limit has to be a whole number from 1 to 1000"),
        ("v1/entries?prefx=/a", "\"prefx\" is not a parameter of this route"),
        ("v1/entries?tag=a&tag=b", "The parameter tag was given twice"),
        ("v1/entries?path=a", "the parameter path has to be a path such as /api/posts"),
        ("v1/entries?match=", "the parameter match has to be a text of 1 to 512 characters"),
        ("v1/entries?match=%FF", "The query has to be percent-encoded UTF-8"),
        ("v1/entries?cursor=x", "the parameter cursor has to be the cursor of a page"),
        ("v1/entry", "The parameter key is missing"),
        ("v1/entry?key=%C3%A9", "the parameter key has to be a key such as GET:/api/posts/"),
        ("v1/entry?key=%0A", "the parameter key has to be a key such as GET:/api/posts/"),
        ("v1/entry?key=a%0A", "the parameter key has to be a key such as GET:/api/posts/"),
        ("v1/entry?key=a&url=http://a", "\"url\" is not a parameter of this route"),
        ("v1/entry?key=a&field=x", "the parameter field[0] has to be a field such as Accept-Language: de"),
    ]) func `A wrong query is a 400 that says what was expected`(_ target: String, _ sentence: String) async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            let answer = try await client.api(.get, target)
            expectEqual(answer.status, 400)
            expectTrue(answer.problem?.hasPrefix(sentence) == true)
        }
    }

    @Test(arguments: [
        ("", "The content is empty: a JSON object was expected"),
        ("{", "The content is not JSON (RFC 8259)"),
        ("\u{FF}", "The content is not JSON (RFC 8259)"),
        ("[]", "the content has to be an object with keys, paths, prefixes"),
        ("{}", "the content needs one of the members keys, paths, prefixes, tags, all_tags or everything"),
        (#"{"tgas":["a"]}"#, "\"tgas\" is not a member of the content, which may have keys, paths"),
        (#"{"urls":["http://a/"]}"#, "\"urls\" is not a member of the content"),
        (#"{"tags":"a"}"#, "tags has to be an array"),
        (#"{"tags":[1]}"#, "tags[0] has to be a text"),
        (#"{"tags":["a",""]}"#, "tags[1] has to be a text of 1 to 1024 characters"),
        (#"{"keys":["\#u{E9}"]}"#, "keys[0] has to be a key such as GET:/api/posts/"),
        (#"{"keys":["a\n"]}"#, "keys[0] has to be a key such as GET:/api/posts/"),
        (#"{"paths":["a"]}"#, "paths[0] has to be a path such as /api/posts"),
        (#"{"all_tags":[["a"]]}"#, "all_tags[0] has to be an array of 2 to 8 elements"),
        (#"{"all_tags":["a"]}"#, "all_tags[0] has to be an array"),
        (#"{"tags":["a"],"mode":"gentle"}"#, "mode has to be \"hard\" or \"soft\""),
        (#"{"tags":["a"],"dry_run":"yes"}"#, "dry_run has to be true or false"),
        (#"{"everything":null}"#, "everything has to be true or false"),
        (String(repeating: "[", count: 100_000), "The content is n"),
        (
            #"{"tags":"# + String(repeating: "[", count: 60) + String(repeating: "]", count: 60) + "}",
            "The content is nested"
        ),
    ]) func `Wrong content is a 400 that says what was expected`(_ content: String, _ sentence: String) async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            _ = try await client.get("/plain")
            let answer = try await client.purge(content)
            expectEqual(answer.status, 400)
            expectTrue(answer.problem?.hasPrefix(sentence) == true)
            expectEqual(try await client.list(), ["GET:/plain"])
        }
    }

    @Test(arguments: [
        "Authorization: Bearer x", "cookie: a=b", "Content-Length: 5", "Transfer-Encoding: chunked", "Host: other",
    ]) func `Requests that fill the cache have no credentials, no content and no other host`(
        _ field: String
    ) async throws {
        try await AdminAPISite.run(on: .memory) { client, _, calls in
            let answer = try await client.api(.post, "v1/warm", #"{"paths":["/plain"],"fields":["\#(field)"]}"#)
            expectTrue(answer.status == 400 && answer.problem?.contains("cannot be given") == true)
            expectEqual(calls.value, 0)
        }
    }

    @Test func `Content is JSON of at most 1 MiB`() async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            for type in ["text/plain", "application/x-www-form-urlencoded", nil] {
                let answer = try await client.api(.post, "v1/purge", #"{"everything":true}"#, type: type)
                expectTrue(answer.status == 415 && answer.problem?.contains("application/json") == true)
            }
            let typed = try await client.api(
                .post,
                "v1/purge",
                #"{"tags":[]}"#,
                type: "Application/JSON; charset=utf-8"
            )
            expectEqual(typed.status, 200)
            let large = #"{"tags":[]"# + String(repeating: " ", count: 1_048_576 - 11)
            expectEqual(try await client.purge(large + "}").status, 200)
            let answer = try await client.purge(large + " }")
            expectTrue(answer.status == 413 && answer.problem?.contains("1048576") == true)
        }
    }

    @Test func `HEAD and OPTIONS are answered, and other methods refused`() async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            let head = try await client.api(.head, "v1/entries")
            expectTrue(head.status == 200 && head.text.isEmpty)
            expectTrue(head.headers[.contentType]?.hasPrefix("application/json") == true)
            let options = try await client.api(.options, "v1/purge")
            expectTrue(options.status == 204 && options.headers[.allow] == "OPTIONS, POST")
            for (method, target, allowed) in [
                (HTTPRequest.Method.delete, "v1/entries", "GET, HEAD, OPTIONS"), (.get, "v1/purge", "OPTIONS, POST"),
                (.head, "v1/purge", "OPTIONS, POST"), (.put, "docs", "GET, HEAD, OPTIONS"),
                (.trace, "v1/warm", "OPTIONS, POST"),
            ] {
                let answer = try await client.api(method, target)
                expectTrue(answer.status == 405 && answer.headers[.allow] == allowed)
                if method != .head { expectEqual(answer.problem, "This route accepts \(allowed)") }
            }
        }
    }

    @Test func `The document describes the routes that exist, and is complete`() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(1)))
        let router = Router()
        let token = try #require(BearerToken(AdminAPISite.token))
        router.addCacheAPI(of: cache, access: .token(token), at: "larder", warming: CacheWarming())
        let offered = Set(
            router.routes.filter { [.get, .post].contains($0.method) }.map { "\($0.method.rawValue) \($0.path)" }
        )
        try await AdminAPISite.run(with: cache) { client, _, _ in
            let document = try await client.api(.get, "openapi.json").json
            expectEqual(document["openapi"]?.text, "3.1.0")
            var refused: Set<String> = []
            var described: Set<String> = []
            for path in document["paths"]?.names ?? [] {
                for method in ["get", "post"] {
                    let name = "\(method.uppercased()) /larder\(path)"
                    if document["paths"]?[path]?[method] == nil { refused.insert(name) } else { described.insert(name) }
                }
            }
            // The routes that the document does not have refuse the method.
            expectEqual(described.union(refused), offered)
            for name in refused {
                let parts = name.split(separator: " ")
                let method = parts[0] == "GET" ? HTTPRequest.Method.get : .post
                expectEqual(try await client.api(method, String(parts[1].dropFirst("/larder/".count))).status, 405)
            }
            // Every schema that is named exists.
            let text = try await client.api(.get, "openapi.json").text
            let schemas = Set(document["components"]?["schemas"]?.names ?? [])
            for match in text.matches(of: /#\/components\/schemas\/([A-Za-z]+)/) {
                expectTrue(schemas.contains(String(match.1)))
            }
        }
    }

    @Test func `The page shows the document without a script or anything from elsewhere`() async throws {
        try await AdminAPISite.run(on: .memory) { client, _, _ in
            let page = try await client.api(.get, "docs", headers: [:])
            expectEqual(page.headers[.contentType], "text/html; charset=utf-8")
            let policy = page.headers[try #require(HTTPField.Name("Content-Security-Policy"))] ?? ""
            expectTrue(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
            for operation in ["GET v1/entries", "GET v1/entry", "POST v1/purge", "POST v1/warm"] {
                expectTrue(page.text.contains("<h3><code>\(operation)</code></h3>"))
            }
            for word in ["<script", "http://", "https://", "@import", "url("] {
                let outside = page.text.replacing("http://shop.example/api/posts?page=2", with: "")
                expectTrue(!outside.contains(word))
            }
        }
    }

    @Test func `Every request is logged, with what was to be purged`() async throws {
        let log = LogRecord()
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(1)))
        let router = Router()
        let token = try #require(BearerToken(AdminAPISite.token))
        router.addCacheAPI(of: cache, access: .token(token), at: "larder")
        try await Application(router: router, logger: log.logger).test(.router) { client in
            _ = try await client.api(.get, "v1/entries?tag=x")
            _ = try await client.purge(#"{"tags":["x"],"all_tags":[["a","b c"]],"mode":"soft"}"#)
            _ = try await client.api(.get, "v1/entries", headers: [:])
            _ = try await client.api(.get, "docs")
        }
        expectEqual(
            log.lines.filter { $0.contains("dmin request") },
            [
                "info Admin request request=GET /larder/v1/entries?tag=x status=200",
                "info Admin request content=soft,tags:x,all_tags:a&b%20c removed=0 request=POST /larder/v1/purge status=200",
                "warning An admin request was refused request=GET /larder/v1/entries status=401",
            ]
        )
    }
}
