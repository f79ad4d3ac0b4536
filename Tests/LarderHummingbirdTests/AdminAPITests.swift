import HTTPCaching
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

/// The admin API of an application: listing, showing, purging and filling, on the memory store and on Redis.
@Suite(.timeLimit(.minutes(5))) struct AdminAPITests {
    private static func fill(_ client: any TestClientProtocol, _ names: [String]) async throws {
        for name in names { _ = try await client.get("/a/\(name)") }
    }

    @Test(arguments: StoreChoice.allCases)
    func `Entries are listed in pages, by path, prefix, tag and text`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, _, _ in
            try await Self.fill(client, ["x", "x-y", "y", "z?page=2"])
            _ = try await client.get("/plain")
            let all = ["GET:/a/x", "GET:/a/x-y", "GET:/a/y", "GET:/a/z?page=2", "GET:/plain"]
            expectEqual(try await client.list(), all)
            expectEqual(try await client.list("limit=2"), all)
            expectEqual(try await client.list("prefix=/a"), all.dropLast())
            expectEqual(try await client.list("path=/a/z"), ["GET:/a/z?page=2"])
            expectEqual(try await client.list("tag=x"), ["GET:/a/x", "GET:/a/x-y"])
            expectEqual(try await client.list("tag=y&match=x"), ["GET:/a/x-y"])
            expectEqual(try await client.list("match=page%3D2"), ["GET:/a/z?page=2"])
            expectEqual(try await client.list("tag=none"), [])
            _ = try await client.get("/a/x")
            let page = try await client.api(.get, "v1/entries?path=/a/x-y")
            let entry = try #require(page.json["entries"]?[0])
            expectEqual(entry["target"]?.text, "/a/x-y")
            expectEqual(entry["variants"]?.number, 1)
            expectEqual(entry["tags"]?.texts, ["all", "x", "y"])
            expectTrue((entry["age"]?.number ?? 99) < 30 && (entry["ttl"]?.number ?? 0) > 30)
            expectTrue((entry["size"]?.number ?? 0) > 3 && (entry["stored_for"]?.number ?? 0) > 30)
            expectEqual(entry["requests"]?.number, 1)
            expectEqual(page.json["cursor"], nil)
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `An entry is shown with its variants and without credentials`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, _, _ in
            _ = try await client.get("/a/x", [.acceptLanguage: "de"])
            _ = try await client.get("/a/x", [.acceptLanguage: "en"])
            _ = try await client.get("/a/x")
            let answer = try await client.api(.get, "v1/entry?key=GET:/a/x&field=Accept-Language:+en")
            expectEqual(answer.status, 200)
            expectTrue(!answer.text.contains("secret"))
            expectEqual(answer.json["variants"]?.elements.count, 3)
            expectEqual(answer.json["decision"]?["result"]?.text, "hit")
            expectEqual(answer.json["requests"]?.number, 3)
            let plain = try #require(answer.json["variants"]?[0])
            expectEqual(plain["decision"]?["reason"]?.text, "vary-miss")
            expectEqual(plain["selecting_fields"]?[0]?.names, ["name"])
            let variant = try #require(answer.json["variants"]?[1])
            expectEqual(variant["selecting_fields"]?[0]?["value"]?.text, "en")
            expectEqual(variant["vary"]?.texts, ["accept-language"])
            expectTrue(variant["status"]?.number == 200 && variant["body_size"]?.number == 3)
            let sentence = variant["decision"]?["sentence"]?.text ?? ""
            expectTrue(sentence.hasPrefix("It is served: it is fresh for another "))
            expectEqual(variant["lifetime_source"]?.text, "rules")
            let cookie = variant["fields"]?.elements.first { $0["name"]?.text?.lowercased() == "set-cookie" }
            expectTrue(cookie?["hidden"]?.bool == true && cookie?["value"] == nil)
            let other = try await client.api(.get, "v1/entry?key=GET:/a/x&field=Accept-Language:fr")
            expectEqual(other.json["decision"]?["reason"]?.text, "vary-miss")
            let credentials = try await client.api(.get, "v1/entry?key=GET:/a/x&field=Cookie:+user%3D1")
            expectEqual(credentials.json["decision"]?["reason"]?.text, "cookie")
            let none = try await client.api(.get, "v1/entry?key=GET:/a/none")
            expectTrue(none.status == 404 && none.problem == "Nothing is stored under this key")
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `Several selectors are purged at once, with counts`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, _, _ in
            let names = ["x", "x-y", "y", "z", "z-y"]
            try await Self.fill(client, names)
            _ = try await client.get("/plain")
            let body = #"{"keys":["GET:/plain"],"paths":["/a/z"],"tags":["y","none"],"all_tags":[["x","y"]]}"#
            let dry = try await client.purge(String(body.dropLast()) + #","dry_run":true}"#)
            expectEqual(dry.json["result"]?.text, "counted")
            expectEqual(try await client.list().count, 6)
            let answer = try await client.purge(body)
            for answer in [dry, answer] {
                expectEqual(answer.status, 200)
                expectEqual(answer.json["matched"]?.number, 5)
                expectEqual(answer.json["selectors"]?.elements.compactMap { $0["matched"]?.number }, [1, 1, 3, 0, 1])
                expectEqual(answer.json["complete"]?.bool, true)
            }
            expectEqual(answer.json["result"]?.text, "acknowledged")
            expectEqual(answer.json["selectors"]?[4]?["values"]?.texts, ["x", "y"])
            expectEqual(try await client.list(), ["GET:/a/x"])
            let uncounted = try await client.purge(#"{"prefixes":["/a"],"count":false}"#)
            expectTrue(uncounted.json["matched"] == nil && uncounted.json["result"]?.text == "acknowledged")
            expectEqual(try await client.list(), [])
            try await Self.fill(client, names)
            expectEqual(try await client.purge(#"{"everything":true}"#).json["matched"]?.number, 5)
            expectEqual(try await client.list(), [])
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `All tags of a list have to match, with or without pairs of tags`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, _, _ in
            try await Self.fill(client, ["x", "x-y", "x-y-z", "y-z"])
            let three = try await client.purge(#"{"all_tags":[["x","y","z"]]}"#)
            expectEqual(three.json["matched"]?.number, 1)
            expectEqual(try await client.list(), ["GET:/a/x", "GET:/a/x-y", "GET:/a/y-z"])
            expectEqual(try await client.purge(#"{"all_tags":[["y","x"]]}"#).json["matched"]?.number, 1)
            expectEqual(try await client.list(), ["GET:/a/x", "GET:/a/y-z"])
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `What is purged softly is served while it is refreshed, or fetched again`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, cache, _ in
            for path in ["/a/x", "/plain"] { _ = try await client.get(path) }
            let answer = try await client.purge(#"{"prefixes":["/"],"mode":"soft"}"#)
            expectTrue(answer.json["mode"]?.text == "soft" && answer.json["matched"]?.number == 2)
            expectEqual(answer.json["result"]?.text, "acknowledged")
            expectEqual(try await client.list(), ["GET:/a/x", "GET:/plain"])
            let entry = try await client.api(.get, "v1/entry?key=GET:/a/x")
            expectEqual(entry.json["decision"]?["reason"]?.text, "stale-while-revalidate")
            let missing = try await client.api(.get, "v1/entry?key=GET:/plain")
            expectEqual(missing.json["decision"]?["reason"]?.text, "stale")
            let stale = try await client.get("/a/x")
            expectTrue(stale.isStale && stale.text == "1 x")
            expectTrue(try await client.get("/plain").isMiss)
            await cache.idle()
            let fresh = try await client.get("/a/x")
            expectTrue(fresh.isHit && !fresh.isStale && fresh.text != "1 x")
            // A write invalidates what was made stale, as anything else.
            _ = try await client.purge(#"{"tags":["x"],"mode":"soft"}"#)
            await cache.invalidate(.tag("x"))
            expectTrue(try await client.get("/a/x").isMiss)
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `Targets are requested through the cache, and what was purged again`(store: StoreChoice) async throws {
        try await AdminAPISite.run(on: store) { client, _, calls in
            let body = #"{"paths":["/a/x","/plain","/failing","/none"],"concurrency":2,"rate":1000}"#
            let answer = try await client.api(.post, "v1/warm", body)
            expectEqual(answer.status, 200)
            let results = try #require(answer.json["results"]?.elements)
            expectEqual(results.compactMap { $0["target"]?.text }, ["/a/x", "/plain", "/failing", "/none"])
            expectEqual(results.map { $0["stored"]?.bool }, [true, true, false, false])
            expectEqual(results.map { $0["result"]?.text }, ["miss", "miss", "failed", "failed"])
            expectEqual(results.map { $0["status"]?.number }, [200, 200, 500, 404])
            expectTrue(answer.json["stored"]?.number == 2 && answer.json["failed"]?.number == 2)
            let again = try await client.api(.post, "v1/warm", #"{"paths":["/plain"]}"#)
            expectEqual(again.json["results"]?[0]?["result"]?.text, "hit")
            expectTrue(try await client.get("/a/x").isHit)
            let german = try await client.api(.post, "v1/warm", #"{"paths":["/a/x"],"fields":["Accept-Language: de"]}"#)
            expectEqual(german.json["stored"]?.number, 1)
            expectTrue(try await client.get("/a/x", [.acceptLanguage: "de"]).isHit)
            let count = calls.value
            let purged = try await client.purge(#"{"paths":["/a/x"],"keys":["GET:/plain"],"warm":true}"#)
            expectEqual(purged.json["warm"]?["stored"]?.number, 2)
            expectEqual(calls.value, count + 2)
            expectTrue(try await client.get("/a/x").isHit)
            expectTrue(try await client.get("/plain").isHit)
        }
    }

    @Test func `Without a responder nothing can be requested, and the document does not say so`() async throws {
        try await AdminAPISite.run(on: .memory, warms: false) { client, _, _ in
            let document = try await client.api(.get, "openapi.json")
            expectEqual(
                document.json["paths"]?.names,
                [
                    "/docs", "/openapi.json", "/v1/entries", "/v1/entry", "/v1/events", "/v1/purge", "/v1/statistics",
                    "/v1/top",
                ]
            )
            expectEqual(try await client.api(.post, "v1/warm", #"{"paths":[]}"#).status, 404)
            let purge = try await client.purge(#"{"tags":["x"],"warm":true}"#)
            expectTrue(purge.status == 400 && purge.problem?.contains("no responder") == true)
        }
    }

    @Test func `While the store is away listing is a 503, and a purge is pending`() async throws {
        let store = UnreliableStore(MemoryStore(limit: .mebibytes(16)))
        try await AdminAPISite.run(with: ResponseCache(store: store)) { client, _, _ in
            try await Self.fill(client, ["x", "y"])
            store.condition = .unavailable
            for target in ["v1/entries", "v1/entry?key=GET:/a/x"] {
                let answer = try await client.api(.get, target)
                expectTrue(answer.status == 503 && answer.problem?.contains("cannot be reached") == true)
            }
            expectEqual(try await client.purge(#"{"tags":["x"],"mode":"soft"}"#).status, 503)
            expectEqual(try await client.purge(#"{"all_tags":[["x","y"]]}"#).status, 503)
            let pending = try await client.purge(#"{"tags":["x"]}"#)
            expectEqual(pending.status, 503)
            expectEqual(pending.json["purge"]?["result"]?.text, "pending")
            expectTrue(pending.problem?.contains("queued") == true)
            store.condition = .available
            expectEqual(try await client.list(), ["GET:/a/y"])
        }
    }

    @Test func `A store that does not list its keys is a 501, and can be purged`() async throws {
        let memory = MemoryStore(limit: .mebibytes(16))
        try await AdminAPISite.run(with: ResponseCache(store: PlainStore(memory))) { client, _, _ in
            try await Self.fill(client, ["x"])
            for target in ["v1/entries", "v1/entry?key=GET:/a/x"] {
                expectEqual(try await client.api(.get, target).status, 501)
            }
            expectEqual(try await client.purge(#"{"tags":["x"],"dry_run":true}"#).status, 501)
            let purged = try await client.purge(#"{"tags":["x"]}"#)
            expectTrue(purged.status == 200 && purged.json["matched"] == nil)
            expectTrue(try await client.get("/a/x").isMiss)
        }
    }

    @Test func `A value can be listed, shown and purged`() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16)))
        try await AdminAPISite.run(with: cache) { client, cache, _ in
            try await cache.set(1, "number", for: .seconds(60), tagged: ["t"])
            expectEqual(try await client.list("tag=t"), ["value:number"])
            let entry = try await client.api(.get, "v1/entry?key=value:number")
            expectEqual(entry.json["decision"]?["result"]?.text, "hit")
            expectEqual(try await client.purge(#"{"keys":["value:number"]}"#).json["matched"]?.number, 1)
            expectEqual(await cache.get("number", as: Int.self), nil)
        }
    }
}

/// A store that has only the required functions of another one.
private final class PlainStore: CacheStore {
    private let store: MemoryStore

    init(_ store: MemoryStore) { self.store = store }

    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        await store.load(location, for: query, at: now)
    }

    func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity { await store.save(entry, at: now) }
    func discard(_ entry: CacheEntry) async { await store.discard(entry) }

    func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        await store.validity(of: readVersion, scopes: scopes)
    }

    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult { await store.invalidate(scopes) }
    func count(at now: Timestamp) async -> Int { await store.count(at: now) }
}
