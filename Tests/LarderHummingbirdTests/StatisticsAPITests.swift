import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import TestHelpers
import Testing

/// The operations of the admin API on the numbers of the cache.
@Suite(.timeLimit(.minutes(5))) struct StatisticsAPITests {
    private static let right = ["Authorization: Bearer 0123456789abcdef"]

    private struct Bench {
        let clock = ManualClock()
        let cache: ResponseCache
        let router: Router<BasicRequestContext>

        init() throws {
            let store = MemoryStore(limit: .mebibytes(16), clock: clock.clock)
            cache = ResponseCache(store: store, name: "Bench", clock: clock.clock)
            router = Router(options: .autoGenerateHeadEndpoints)
            let policy = CachePolicy.fresh(for: .seconds(60)).tagged("pages")
            router.group("pages/:id").cached(by: cache, policy).get { _, context in
                String(repeating: "x", count: context.parameters.get("id", as: Int.self) ?? 0)
            }
            router.group("private").cached(by: cache, for: .seconds(60)).get { _, _ in
                Response(status: .ok, headers: [.cacheControl: "no-store"])
            }
            let token = try #require(BearerToken("0123456789abcdef"))
            router.addCacheAPI(of: cache, access: .token(token), at: "larder")
        }
    }

    private static func get(_ target: String, _ port: Int) async throws -> (status: Int, json: [String: Any]) {
        let answer = try await Wire.send("GET", "/larder/v1/" + target, right, to: port)
        let json = try JSONSerialization.jsonObject(with: Data(answer.body))
        return (answer.status, try #require(json as? [String: Any]))
    }

    @Test func `Statistics count what happened in the window, and say why`() async throws {
        let bench = try Bench()
        let clock = bench.clock
        try await serve(bench.router) { port in
            for target in ["/pages/10", "/pages/10", "/pages/20", "/private", "/pages/10?nocache=true"] {
                _ = try await Wire.send("GET", target, to: port)
            }
            clock.advance(by: .seconds(1))
            let (status, json) = try await Self.get("statistics?window=60&points=5", port)
            #expect(status == 200)
            let requests = try #require(json["requests"] as? [String: Int])
            #expect(requests["hit"] == 1 && requests["miss"] == 3 && requests["bypass"] == 1 && requests["write"] == 0)
            #expect(json["hit_ratio"] as? Double == 0.25)
            #expect(json["seconds"] as? Double == 1 && json["requests_per_second"] as? Double == 5)
            #expect(json["name"] as? String == "Bench" && json["stored"] as? Int == 2)
            let reasons = try #require(json["reasons"] as? [String: [String: Int]])
            #expect(reasons["bypasses"] == ["nocache": 1] && reasons["not_stored"] == ["no-store": 1])
            let store = try #require(json["store"] as? [String: Any])
            #expect(store["entries"] as? Int == 2 && store["limit_bytes"] as? Int == 16 << 20)
            let times = try #require(json["times"] as? [String: [String: Double]])
            #expect(times["hit"]?["count"] == 1 && times["miss"]?["count"] == 3)
            #expect(json["redis"] == nil && json["origins"] == nil)
        }
    }

    @Test func `Top lists keys, routes and tags in the order that is asked for`() async throws {
        let bench = try Bench()
        try await serve(bench.router) { port in
            for target in ["/pages/300", "/pages/10", "/pages/10", "/pages/10", "/private", "/private"] {
                _ = try await Wire.send("GET", target, to: port)
            }
            let expected = [
                "of=keys&limit=1": ["GET:/pages/10"],
                "of=keys&by=bytes": ["GET:/pages/300", "GET:/pages/10", "GET:/private"],
                "of=keys&by=misses&limit=1": ["GET:/private"],
                "of=routes&by=requests": ["/pages/{id}", "/private"],
                "of=tags&by=misses": ["pages"],
            ]
            for (query, names) in expected {
                let rows = try await Self.get("top?\(query)", port).json["rows"] as? [[String: Any]]
                #expect(rows?.map { $0["name"] as? String } == names, "\(query)")
            }
            let tags = try await Self.get("top?of=tags&by=bytes", port).json["rows"] as? [[String: Any]]
            #expect(tags?.first?["misses"] as? Int == 2 && tags?.first?["bytes"] as? Int == 310)
            #expect(tags?.first?["requests"] == nil)
        }
    }

    @Test(arguments: [
        ("statistics?window=4", "5 to 3600"), ("statistics?points=121", "0 to 120"),
        ("statistics?windows=60", "windows"), ("top?limit=0", "1 to 100"),
        ("top?of=users", "\"keys\", \"routes\""), ("top?of=tags&by=requests", "misses, bytes"),
    ])
    func `A wrong parameter gets an error that says what was expected`(
        target: String,
        expected: String
    ) async throws {
        try await serve(try Bench().router) { port in
            let (status, json) = try await Self.get(target, port)
            #expect(status == 400)
            #expect((json["detail"] as? String)?.contains(expected) == true, "\(json)")
        }
    }

    @Test func `The numbers need the token`() async throws {
        try await serve(try Bench().router) { port in
            for name in ["statistics", "top", "events"] {
                let answer = try await Wire.send("GET", "/larder/v1/\(name)", to: port)
                #expect(answer.status == 401)
            }
        }
    }

    @Test func `Events have the statistics, and come by themselves`() async throws {
        let bench = try Bench()
        try await serve(bench.router) { port in
            try await Wire.open(to: port) { wire in
                try await wire.send("GET", "/larder/v1/events?window=60", Self.right)
                let head = try await wire.head()
                #expect(head.status == 200 && head.fields[.contentType] == "text/event-stream")
                var text = ""
                while text.components(separatedBy: "event: statistics\ndata: {").count < 3 {
                    text += String(decoding: try #require(try await wire.chunk()), as: UTF8.self)
                }
                #expect(text.contains("\"requests_per_second\":"))
            }
        }
    }
}
