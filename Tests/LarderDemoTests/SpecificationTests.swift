import HTTPTypes
import Hummingbird
import HummingbirdTesting
import LarderTestSupport
import TestHelpers
import Testing

/// Tests of the user's specification, row by row, over a live server: with entries in memory, and in Redis.
///
/// The two rows that advance a clock are tested with Redis, which uses its server's clock, in `RedisLifetimeTests`.
@Suite(.timeLimit(.minutes(5))) struct SpecificationTests {
    static let user = #"{"user":{"id":1,"name":"Cached User A"}}"#
    static let posts = #"{"posts":["Cached post A","Cached post B"]}"#

    @Test func `GET users returns the user and stores it for 120 seconds`() async throws {
        try await withAPI { client, clock in
            let first = try await client.send(.get, "/api/users/1")
            #expect(first.status == .ok && first.text == Self.user && !first.isHit)
            clock.advance(by: .seconds(119))
            #expect(try await client.send(.get, "/api/users/1").isHit)
            clock.advance(by: .seconds(1))
            #expect(try await client.metrics().totalCachedKeys == 0)
            #expect(try await !client.send(.get, "/api/users/1").isHit)
        }
    }

    @Test func `GET posts returns the posts and stores them for 90 seconds`() async throws {
        try await withAPI { client, clock in
            let first = try await client.send(.get, "/api/posts/")
            #expect(first.status == .ok && first.text == Self.posts && !first.isHit)
            #expect(first.headers[.cacheControl] == nil)
            clock.advance(by: .seconds(89))
            #expect(try await client.send(.get, "/api/posts/").isHit)
            clock.advance(by: .seconds(1))
            #expect(try await !client.send(.get, "/api/posts/").isHit)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `PUT changes the user and invalidates the cached responses with it`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            for path in ["/api/users/1", "/api/users/1?x=1", "/api/users/2"] { _ = try await client.send(.get, path) }
            let put = try await client.send(.put, "/api/users/1", body: #"{"name":"Updated User A"}"#)
            #expect(put.status == .ok && put.text == #"{"message":"User updated"}"#)
            #expect(try await client.send(.get, "/api/users/1").text.contains("Updated User A"))
            #expect(try await client.send(.get, "/api/users/1?x=1").text.contains("Updated User A"))
            #expect(try await client.send(.get, "/api/users/2").isHit)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `POST adds the post and invalidates the list`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            _ = try await client.send(.get, "/api/posts/")
            let post = try await client.send(.post, "/api/posts/", body: #"{"title":"New Post A"}"#)
            #expect(post.status == .ok && post.text == #"{"message":"Post created"}"#)
            #expect(
                try await client.send(.get, "/api/posts/").text
                    == #"{"posts":["Cached post A","Cached post B","New Post A"]}"#
            )
        }
    }

    @Test(
        arguments: [
            "/api/invalidate/GET:/api/posts/", "/api/invalidate/GET:%2Fapi%2Fposts%2F",
            "/api/invalidate/GET%3A%2Fapi%2Fposts%2F",
        ],
        StoreKind.allCases
    )
    func `DELETE removes exactly one key, however its slashes are written`(
        _ path: String,
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            _ = try await client.send(.get, "/api/posts/")
            _ = try await client.send(.get, "/api/posts/?page=2")
            let delete = try await client.send(.delete, path)
            #expect(delete.status == .ok && delete.text == #"{"message":"Cache key deleted","removed":1}"#)
            #expect(try await client.send(.get, "/api/posts/?page=2").isHit)
            #expect(try await client.send(.delete, path).status == .notFound)
            #expect(try await !client.send(.get, "/api/posts/").isHit)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `DELETE accepts the query of a key after %3F, and not after a question mark`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            _ = try await client.send(.get, "/api/posts/?page=2")
            #expect(try await client.send(.delete, "/api/invalidate/GET:/api/posts/?page=2").status == .badRequest)
            #expect(try await client.send(.delete, "/api/invalidate/GET:/api/posts").status == .notFound)
            #expect(try await client.send(.delete, "/api/invalidate/GET:/api/posts/%3Fpage=2").status == .ok)
        }
    }

    @Test(arguments: ["/api/users/1", "/api/posts/"], StoreKind.allCases)
    func `The parameter nocache=true bypasses every cached route, and other values do not`(
        _ path: String,
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            for value in ["true", "true"] {
                let bypass = try await client.send(.get, path + "?nocache=\(value)")
                #expect(bypass.cacheStatusText.contains("detail=nocache"))
            }
            #expect(try await client.metrics() == .init(hits: 0, misses: 0, topKeys: [], total: 0))
            for value in ["false", "1", "TRUE", ""] { _ = try await client.send(.get, path + "?nocache=\(value)") }
            let metrics = try await client.metrics()
            #expect(metrics.hits == 3 && metrics.misses == 1 && metrics.totalCachedKeys == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `The metrics count hits, misses, top keys and cached keys`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            for _ in 0..<7 { _ = try await client.send(.get, "/api/posts/") }
            _ = try await client.send(.get, "/api/users/1")
            let response = try await client.send(.get, "/metrics/cache")
            #expect(
                response.text
                    == #"{"hits":6,"misses":2,"stale":0,"top_keys":[["GET:/api/posts/",7],["GET:/api/users/1",1]],"#
                    + #""total_cached_keys":2}"#
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `Hits and misses are exact over many connections`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<100 {
                    group.addTask { _ = try await client.send(.get, "/api/users/\(worker % 5 + 1)") }
                }
                try await group.waitForAll()
            }
            let metrics = try await client.metrics()
            #expect(metrics.hits + metrics.misses == 100)
            #expect(metrics.topKeys.map(\.count) == [20, 20, 20, 20, 20])
            #expect(metrics.totalCachedKeys == 5)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `Every spelling of the path is one entry under the key of the specification`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            for path in ["/api/posts", "/api/posts/", "//api///posts", "/api/posts/?nocache=no"] {
                _ = try await client.send(.get, path)
            }
            let metrics = try await client.metrics()
            #expect(metrics.topKeys == [.init(key: "GET:/api/posts/", count: 4)])
            #expect(metrics.hits == 3)
        }
    }

    @Test(arguments: ["/api/users/1", "/api/posts/", "/metrics/cache"], StoreKind.allCases)
    func `HEAD returns the fields of GET without a body`(
        _ path: String,
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            let head = try await client.send(.head, path)
            let get = try await client.send(.get, path)
            #expect(head.status == .ok && head.text.isEmpty)
            #expect(head.headers[.contentType] == get.headers[.contentType])
            #expect(head.headers[.eTag] == get.headers[.eTag])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `Every positive ID is a user`(
        _ kind: StoreKind
    ) async throws {
        try await withAPI(kind) { client in
            let second = try await client.send(.get, "/api/users/2")
            #expect(second.text == #"{"user":{"id":2,"name":"Cached User B"}}"#)
            #expect(try await client.send(.get, "/api/users/27").text.contains("Cached User AA"))
            #expect(try await client.send(.get, "/api/users/\(Int.max)").status == .ok)
        }
    }
}

extension Metrics {
    init(hits: Int, misses: Int, topKeys: [Pair], total: Int) {
        self.hits = hits
        self.misses = misses
        self.topKeys = topKeys
        self.totalCachedKeys = total
    }
}

extension Metrics.Pair {
    init(key: String, count: Int) {
        self.key = key
        self.count = count
    }
}
