import HTTPTypes
import Larder
import LarderGateway
import LarderRedis
import LarderTestSupport
import TestHelpers
import Testing

/// The admin API of the gateway, on the memory store and on Redis.
@Suite(.timeLimit(.minutes(5))) struct AdminAPITests {
    enum Store: CaseIterable, CustomTestStringConvertible {
        case memory, redis
        var testDescription: String { self == .memory ? "memory" : "redis" }

        func run(_ body: @Sendable (any CacheStore) async throws -> Void) async throws {
            switch self {
            case .memory: try await body(MemoryStore(limit: .mebibytes(64)))
            case .redis:
                try await RedisProcess.run { redis in
                    try await body(try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .quiet))
                }
            }
        }
    }

    private static let routes = """
        origin: ORIGIN
        routes:
          - path: /private/**
            cache: off
          - path: /tagged/**
            vary: [X-Part]
        """

    private static func serving(
        _ store: Store,
        file: String? = nil,
        options: [String: String] = [:],
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await store.run { store in
            try await ScriptedOrigin.answering { request in
                let tag = request.target.contains("b") ? "b" : "a"
                let fields = [
                    "Cache-Control: max-age=60, stale-while-revalidate=30", "Cache-Tag: all, \(tag)", "Vary: X-Part",
                ]
                return answer("200 OK", fields, "\(request.host ?? "") \(request.target)")
            } _: { origin in
                let file = file?.replacing("ORIGIN", with: origin.url)
                try await RunningGateway.run(before: origin.url, store: store, file: file, options: options) {
                    gateway in
                    try await eventually("the store is connected") { store.isAvailable }
                    try await test(gateway, origin)
                }
            }
        }
    }

    private static func api(
        _ method: String = "GET",
        _ target: String,
        _ content: String? = nil,
        _ gateway: RunningGateway
    ) async throws -> (status: Int, json: JSONReading, answer: Wire.Answer) {
        let fields = content == nil ? [] : ["Content-Type: application/json"]
        let answer = try await gateway.send(method, "/-/larder/" + target, fields, body: content)
        return (answer.status, JSONReading(answer.body), answer)
    }

    private static func list(_ query: String = "", _ gateway: RunningGateway) async throws -> [String] {
        let page = try await api("GET", "v1/entries?\(query)", nil, gateway)
        #expect(page.status == 200, "\(page.answer.text)")
        return (page.json["entries"]?.elements ?? []).compactMap { $0["key"]?.text }.sorted()
    }

    @Test(arguments: Store.allCases)
    func `Entries are listed, shown and purged by URL, path, host and tag`(_ store: Store) async throws {
        try await Self.serving(store) { gateway, _ in
            for path in ["/a", "/a?page=2", "/b"] { _ = try await gateway.send("GET", path) }
            let host = "localhost"
            let keys = ["/a", "/a?page=2", "/b"].map { "GET:http://\(host)\($0)" }
            #expect(try await Self.list("", gateway) == keys)
            #expect(try await Self.list("tag=b", gateway) == [keys[2]])
            #expect(try await Self.list("path=/a", gateway) == Array(keys[..<2]))
            #expect(try await Self.list("path=//\(host)/a", gateway) == Array(keys[..<2]))
            #expect(try await Self.list("path=//other/a", gateway) == [])
            #expect(try await Self.list("prefix=//\(host)", gateway) == keys)

            let entry = try await Self.api("GET", "v1/entry?url=http://LOCALHOST/a&field=X-Part:1", nil, gateway)
            #expect(entry.json["key"]?.text == keys[0] && entry.json["target"]?.text == "http://\(host)/a")
            #expect(entry.json["decision"]?["reason"]?.text == "vary-miss")
            let hit = try await Self.api("GET", "v1/entry?key=\(keys[0])", nil, gateway)
            #expect(hit.json["decision"]?["result"]?.text == "hit", "\(hit.answer.text)")
            #expect(hit.json["variants"]?[0]?["tags"]?.texts == ["all", "a"])
            let newer = try await Self.api("GET", "v1/entry?key=\(keys[0])&field=Cache-Control:no-cache", nil, gateway)
            #expect(newer.json["decision"]?["reason"]?.text == "request")
            for query in ["", "?key=a&url=http://a/"] {
                let answer = try await Self.api("GET", "v1/entry\(query)", nil, gateway)
                #expect(answer.status == 400 && answer.answer["Content-Type"] == "application/problem+json")
            }
            #expect(try await Self.api("GET", "v1/entry?url=http://\(host)/none", nil, gateway).status == 404)

            let purge = #"{"urls":["https://\#(host)/a","http://\#(host)/none"],"tags":["b"],"prefixes":["//other"]}"#
            let answer = try await Self.api("POST", "v1/purge", purge, gateway)
            #expect(answer.status == 200 && answer.json["matched"]?.number == 2, "\(answer.answer.text)")
            #expect(answer.json["selectors"]?.elements.compactMap { $0["matched"]?.number } == [1, 0, 0, 1])
            #expect(try await Self.list("", gateway) == [keys[1]])
        }
    }

    @Test(arguments: Store.allCases)
    func `URLs are requested by the policy of their route, without the client`(_ store: Store) async throws {
        try await Self.serving(store, file: Self.routes) { gateway, origin in
            let urls = (["/a", "/private/x", "/tagged/x"].map { #""http://localhost\#($0)""# }).joined(separator: ",")
            let answer = try await Self.api("POST", "v1/warm", #"{"urls":[\#(urls)]}"#, gateway)
            #expect(answer.status == 200)
            let results = answer.json["results"]?.elements ?? []
            #expect(results.map { $0["stored"]?.bool } == [true, false, true], "\(answer.answer.text)")
            #expect(results.map { $0["result"]?.text } == ["miss", "bypass", "miss"])
            #expect(results[1]["reason"]?.text == "rule")
            #expect(origin.requests.allSatisfy { $0["X-Forwarded-For"] == "unknown" && $0.host == "localhost" })
            #expect(try await gateway.send("GET", "/a").isHit)
            let count = origin.requests.count
            let purged = try await Self.api(
                "POST",
                "v1/purge",
                #"{"urls":["http://localhost/a"],"paths":["/tagged/x"],"warm":true}"#,
                gateway
            )
            #expect(
                purged.json["warm"]?["results"]?.elements.compactMap { $0["target"]?.text } == ["http://localhost/a"]
            )
            #expect(purged.json["matched"]?.number == 2 && origin.requests.count == count + 1)
            #expect(try await gateway.send("GET", "/a").isHit)
        }
    }

    @Test func `URLs that the gateway does not serve are not requested`() async throws {
        try await Self.serving(.memory, options: ["hosts": "localhost"]) { gateway, origin in
            let body =
                #"{"urls":["http://elsewhere.example/a","http://localhost/%2e%2e/a","http://localhost/-/larder/v1/entries"]}"#
            let answer = try await Self.api("POST", "v1/warm", body, gateway)
            let statuses = answer.json["results"]?.elements.map { $0["status"]?.number }
            #expect(statuses?.first == 421 && answer.json["results"]?[0]?["stored"]?.bool == false)
            #expect(origin.requests.allSatisfy { $0.host == "localhost" })
        }
    }

    @Test(arguments: Store.allCases)
    func `A soft purge is served stale, while it is refreshed`(_ store: Store) async throws {
        try await Self.serving(store) { gateway, origin in
            _ = try await gateway.send("GET", "/a")
            #expect(try await gateway.send("GET", "/a").isHit)
            let answer = try await Self.api("POST", "v1/purge", #"{"tags":["a"],"mode":"soft"}"#, gateway)
            #expect(answer.json["matched"]?.number == 1)
            #expect(try await gateway.send("GET", "/a").isStale)
            await gateway.gateway.cache.idle()
            let fresh = try await gateway.send("GET", "/a")
            #expect(fresh.isHit && !fresh.isStale && origin.requests.count == 2)
        }
    }

    @Test func `The document and its page are below the prefix, and on the admin address alone if there is one`()
        async throws
    {
        try await Self.serving(.memory) { gateway, _ in
            for target in ["openapi.json", "docs"] {
                #expect(try await Self.api("GET", target, nil, gateway).status == 200)
                let head = try await gateway.send("HEAD", "/-/larder/\(target)")
                #expect(head.status == 200 && head.body.isEmpty)
            }
            let missing = try await Self.api("GET", "v1/nothing", nil, gateway)
            #expect(missing.status == 404 && missing.answer["Content-Type"] == "application/problem+json")
            #expect(try await gateway.send("OPTIONS", "/-/larder/v1/entries")["Allow"] == "GET, HEAD, OPTIONS")
        }
        try await Self.serving(.memory, options: ["admin-listen": "127.0.0.1:0"]) { gateway, _ in
            let port = try #require(gateway.adminPort)
            #expect(try await Self.api("GET", "docs", nil, gateway).status == 404)
            #expect(try await Self.api("GET", "v1/entries", nil, gateway).status == 404)
            #expect(try await Wire.send("GET", "/-/larder/docs", to: port).status == 200)
            let warm = try await Wire.send(
                "POST",
                "/-/larder/v1/warm",
                ["Content-Type: application/json"],
                body: #"{"urls":["http://localhost/a"]}"#,
                to: port
            )
            #expect(JSONReading(warm.body)["stored"]?.number == 1, "\(warm.text)")
        }
    }
}
