import HTTPTypes
public import Larder
import LarderTestSupport
import NIOConcurrencyHelpers

/// A rule of cached values, as a check that can run on any store.
public struct ValueBehaviour: Sendable, CustomStringConvertible {
    /// The rule in plain words.
    public let description: String
    private let body: @Sendable (ValueBench) async throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (ValueBench) async throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Checks the rule on a bench whose store is empty.
    /// - Throws: A ``StoreFailure`` if the rule is broken.
    public func check(on bench: ValueBench) async throws {
        try await body(bench)
    }

    /// All rules.
    public static let all = making + invalidating + failing + setting
}

/// Two caches on one store, as two processes have them.
public struct ValueBench: Sendable {
    /// The cache under test.
    public let cache: ResponseCache
    /// A cache on the same store; the cache itself if the store cannot be shared.
    public let peer: ResponseCache
    private let move: @Sendable (Duration) async throws -> Void

    /// Creates a bench.
    /// - Parameter advance: A function that advances the clock of both caches: a manual clock jumps, the clock of a
    ///   server is waited for.
    public init(
        _ cache: ResponseCache,
        peer: ResponseCache? = nil,
        advance: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.cache = cache
        self.peer = peer ?? cache
        self.move = advance
    }

    func advance(by duration: Duration) async throws { try await move(duration) }

    /// Returns the text of a cached page.
    func page(from origin: TestOrigin) async throws -> String {
        let policy = CachePolicy.fresh(for: .seconds(60))
        let response = try await cache.respond(to: .get("/page"), under: policy, from: origin)
        return try await response.text
    }
}

/// A value that says how it was made.
struct Recipe: Codable, Hashable, Sendable {
    var title: String
    var steps: [String] = []
    var minutes: Double?
}

/// An error that may be stored in place of a value.
struct MissingRecipe: Error, Codable, Hashable {
    let id: Int
}

/// A counter of the calls of a function that makes values.
final class CallCounter: Sendable {
    private let calls = NIOLockedValueBox(0)

    var count: Int { calls.withLockedValue { $0 } }

    /// Counts a call, and returns its number, from 1.
    @discardableResult
    func add() -> Int {
        calls.withLockedValue { count in
            count += 1
            return count
        }
    }
}

extension ValueBehaviour {
    static let making: [ValueBehaviour] = [
        ValueBehaviour("A value is made once, and both caches have it until its lifetime ends") { bench in
            let calls = CallCounter()
            for cache in [bench.cache, bench.peer, bench.cache] {
                let soup = try await cache.value("recipe", parts: 7, for: .seconds(1)) {
                    Recipe(title: "soup \(calls.add())", steps: ["cut", "boil"], minutes: 12.5)
                }
                try expect(soup, is: Recipe(title: "soup 1", steps: ["cut", "boil"], minutes: 12.5), "the value")
            }
            try await bench.advance(by: .milliseconds(1_100))
            let soup = try await bench.cache.value("recipe", parts: 7, for: .seconds(1)) {
                Recipe(title: "soup \(calls.add())")
            }
            try expect(soup.title, is: "soup 2", "the value after its lifetime")
        },
        ValueBehaviour("Values with different names or parts are different values") { bench in
            let parts: [(String, [String])] = [
                ("a", []), ("a", [""]), ("a", ["b"]), ("a:b", []), ("a", ["b", "c"]), ("a", ["b:c"]), ("a", ["b", ""]),
                ("a", ["%62"]), ("A", ["b"]), ("a", ["/"]), ("/a", []), ("a", ["caf\u{E9}"]), ("a", ["cafe\u{301}"]),
                ("a", [String(repeating: "x", count: 600)]), ("a", [String(repeating: "x", count: 601)]),
            ]
            let calls = CallCounter()
            func value(_ name: String, _ parts: [String]) async throws -> Int {
                // A variadic parameter takes no array.
                switch parts.count {
                case 0: try await bench.cache.value(name, for: .seconds(60)) { calls.add() }
                case 1: try await bench.cache.value(name, parts: parts[0], for: .seconds(60)) { calls.add() }
                default: try await bench.cache.value(name, parts: parts[0], parts[1], for: .seconds(60)) { calls.add() }
                }
            }
            for (place, (name, parts)) in parts.enumerated() {
                try expect(try await value(name, parts), is: place + 1, "the value \(name) \(parts)")
            }
            for (place, (name, parts)) in parts.enumerated() {
                try expect(try await value(name, parts), is: place + 1, "the stored value \(name) \(parts)")
            }
        },
        ValueBehaviour("Values of any Codable type are stored, nil among them") { bench in
            let cache = bench.cache
            for _ in 0..<2 {
                try expect(
                    try await cache.value("string", for: .seconds(60)) { "caf\u{E9}\n" },
                    is: "caf\u{E9}\n",
                    "a text"
                )
                try expect(try await cache.value("list", for: .seconds(60)) { [1, 2] }, is: [1, 2], "a list")
                try expect(try await cache.value("flag", for: .seconds(60)) { true }, is: true, "a flag")
                try expect(
                    try await cache.value("map", for: .seconds(60)) { ["a": [1.5]] },
                    is: ["a": [1.5]],
                    "a dictionary"
                )
            }
            let calls = CallCounter()
            for _ in 0..<3 {
                let nothing: Recipe? = try await cache.value("nothing", for: .seconds(60)) {
                    calls.add()
                    return nil
                }
                try expect(nothing, is: nil, "nil")
            }
            try expect(calls.count, is: 1, "calls for nil")
        },
        ValueBehaviour("Tasks that ask at the same time wait for one call") { bench in
            let (calls, gate) = (CallCounter(), Gate())
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await bench.cache.value("slow", for: .seconds(60)) {
                            await gate.pass()
                            return calls.add()
                        }
                    }
                }
                try await eventually("all tasks wait") { bench.cache.waiterCount == 49 }
                gate.open()
                for try await value in group { try expect(value, is: 1, "the value of a waiting task") }
            }
        },
        ValueBehaviour("What is stored as another type is made again") { bench in
            _ = try await bench.peer.value("mixed", for: .seconds(60)) { "text" }
            let recipe = try await bench.cache.value("mixed", for: .seconds(60)) { Recipe(title: "soup") }
            try expect(recipe.title, is: "soup", "the value")
            let again = try await bench.peer.value("mixed", for: .seconds(60)) { Recipe(title: "bread") }
            try expect(again.title, is: "soup", "the value in the other cache")
        },
        ValueBehaviour("A value that is not JSON is an error, and nothing is stored") { bench in
            do {
                _ = try await bench.cache.value("nan", for: .seconds(60)) { Double.nan }
                throw StoreFailure("NaN was encoded", line: #line, of: #fileID)
            } catch is EncodingError {}
            let number = try await bench.cache.value("nan", for: .seconds(60)) { 1.0 }
            try expect(number, is: 1, "the value after it")
        },
    ]

    static let invalidating: [ValueBehaviour] = [
        ValueBehaviour("A value is invalidated by its key, its name, its tags and by everything, and by no path") {
            bench in
            let calls = CallCounter()
            func value() async throws -> Int {
                try await bench.cache.value("top list", parts: 42, for: .seconds(60), tagged: ["posts", "user-42"]) {
                    calls.add()
                }
            }
            let others: [InvalidationScope] = [
                .path("/"), .prefix("/"), .path("/value:top%20list"), .path("value:top%20list"), .tag("post"),
                .values("top"), .key(CacheKey(value: "top list", parts: [4])), .values("top list:42"),
            ]
            let scopes: [InvalidationScope] = [
                .key(CacheKey(value: "top list", parts: [42])), .values("top list"), .tag("posts"), .tag("user-42"),
                .everything,
            ]
            for (place, scope) in scopes.enumerated() {
                try expect(try await value(), is: place + 1, "the value before \(scope)")
                await bench.peer.invalidate(others)
                try expect(try await value(), is: place + 1, "the value after invalidations of others")
                await bench.peer.invalidate(scope)
                try expect(try await value(), is: place + 2, "the value after \(scope)")
            }
        },
        ValueBehaviour("A value that was invalidated while it was made is not stored") { bench in
            let (calls, gate) = (CallCounter(), Gate())
            async let old = bench.cache.value("raced", for: .seconds(60), tagged: ["t"]) {
                await gate.pass()
                return calls.add()
            }
            await gate.reached()
            await bench.peer.invalidate(.tag("t"))
            let new = try await bench.cache.value("raced", for: .seconds(60), tagged: ["t"]) { calls.add() + 100 }
            gate.open()
            try expect(new, is: 101, "the value of a task that asked after the invalidation")
            // The task that asked before may have either value, and gets the one that is made first.
            try expect([2, 101].contains(try await old), "the value of the task that asked before")
            let stored: Int? = await bench.cache.get("raced")
            try expect(stored, is: 101, "the stored value")
        },
        ValueBehaviour("A value made from a value is invalidated by its tags, and so is a response made from both") {
            bench in
            let calls = CallCounter()
            @Sendable func outer() async throws -> Int {
                try await bench.cache.value("outer", for: .seconds(60)) {
                    _ = try await bench.cache.value("inner", for: .seconds(60), tagged: ["inner"]) { 0 }
                    return calls.add()
                }
            }
            let origin = TestOrigin { _ in TestResponse("\(try await outer())") }
            for turn in 1...2 {
                // The outer value is stored before the page is made from it.
                try expect(try await outer(), is: turn, "the outer value")
                try expect(try await bench.page(from: origin), is: "\(turn)", "the page")
                await bench.peer.invalidate(.tag("inner"))
            }
            try expect(try await bench.page(from: origin), is: "3", "the page after all invalidations")
        },
        ValueBehaviour("What removes or replaces a value invalidates the responses and values made from it") { bench in
            let calls = CallCounter()
            @Sendable func outer() async throws -> String {
                try await bench.cache.value("outer", parts: "x", for: .seconds(60)) {
                    let inner = try await bench.cache.value("inner", parts: 1, for: .seconds(60)) { calls.add() }
                    return "from \(inner)"
                }
            }
            let origin = TestOrigin { _ in TestResponse(try await outer()) }
            let removals: [@Sendable () async throws -> Void] = [
                { await bench.peer.remove(value: "inner", parts: 1) },
                { await bench.peer.invalidate(.values("inner")) },
                { if let key = CacheKey("value:inner:1") { await bench.cache.remove(key) } },
                { try await bench.peer.set(100, "inner", parts: 1, for: .seconds(60)) },
                { await bench.cache.remove(value: "outer", parts: "x") },
            ]
            try expect(try await bench.page(from: origin), is: "from 1", "the page")
            try expect(try await bench.page(from: origin), is: "from 1", "the stored page")
            for (removal, text) in zip(removals, ["from 2", "from 3", "from 4", "from 100", "from 100"]) {
                try await removal()
                let fetches = origin.fetches.count
                try expect(try await bench.page(from: origin), is: text, "the page afterwards")
                try expect(origin.fetches.count, is: fetches + 1, "fetches of the page")
            }
            // Another value of the name, or another name, does not concern the page.
            await bench.peer.remove(value: "inner", parts: 2)
            await bench.peer.invalidate(.values("inner:1"), .path("/inner"))
            let fetches = origin.fetches.count
            try expect(try await bench.page(from: origin), is: "from 100", "the page that is not concerned")
            try expect(origin.fetches.count, is: fetches, "fetches of the page")
        },
        ValueBehaviour("A response made from a stale value is not stored") { bench in
            let calls = CallCounter()
            let policy = CachePolicy.fresh(for: .seconds(1)).stale(ifError: .seconds(60))
            let origin = TestOrigin { _ in
                let value = try await bench.cache.value("stale", under: policy) {
                    if calls.add() == 2 { throw MissingRecipe(id: 2) }
                    return calls.count
                }
                return TestResponse("from \(value)")
            }
            let page = HTTPRequest.get("/page")
            func status() async throws -> String {
                let policy = CachePolicy.fresh(for: .seconds(1)).tagged("page")
                let response = try await bench.cache.respond(to: page, under: policy, from: origin)
                return response.cacheStatusText
            }
            try expect(try await status().contains("stored"), is: true, "the page is stored")
            try await bench.advance(by: .milliseconds(1_100))
            for _ in 0..<2 {
                try expect(try await status().contains("detail=stale-value"), is: true, "the page is not stored")
            }
        },
        ValueBehaviour("A response made from a value is invalidated by the value's tags") { bench in
            let calls = CallCounter()
            let origin = TestOrigin { _ in
                TestResponse(
                    try await bench.cache.value("name", parts: 1, for: .seconds(60), tagged: ["user-1"]) {
                        "name \(calls.add())"
                    }
                )
            }
            for turn in 1...3 {
                try expect(try await bench.page(from: origin), is: "name \(turn)", "the page")
                try expect(try await bench.page(from: origin), is: "name \(turn)", "the stored page")
                await bench.peer.invalidate(.tag("user-1"))
            }
        },
    ]
}
