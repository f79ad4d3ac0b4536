import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport

extension ValueBehaviour {
    static let failing: [ValueBehaviour] = [
        ValueBehaviour("An error goes to the task that asked, and is not stored") { bench in
            let calls = CallCounter()
            for turn in 1...2 {
                do {
                    _ = try await bench.cache.value("broken", for: .seconds(60)) { () async throws -> Int in
                        throw MissingRecipe(id: calls.add())
                    }
                    throw StoreFailure("No error was thrown", line: #line, of: #fileID)
                } catch let error as MissingRecipe {
                    try expect(error.id, is: turn, "the error")
                }
            }
        },
        ValueBehaviour("An error of a type that is stored is thrown by both caches for its lifetime") { bench in
            let calls = CallCounter()
            func value(_ cache: ResponseCache) async throws -> Int {
                try await cache.value(
                    "missing",
                    parts: 3,
                    // The stale windows are for values, and not for errors.
                    under: .fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(60)).tagged("recipes"),
                    storing: MissingRecipe.self,
                    for: .seconds(1)
                ) {
                    let turn = calls.add()
                    if turn < 3 { throw MissingRecipe(id: turn) }
                    return turn
                }
            }
            for cache in [bench.cache, bench.peer, bench.cache] {
                try await expectMissing(1) { try await value(cache) }
            }
            await bench.peer.invalidate(.tag("recipes"))
            try await expectMissing(2) { try await value(bench.cache) }
            try await bench.advance(by: .milliseconds(1_100))
            try expect(try await value(bench.cache), is: 3, "the value after the error's lifetime")
            try await bench.advance(by: .milliseconds(1_100))
            try expect(try await value(bench.peer), is: 3, "the value, which lives longer than the error")
        },
        ValueBehaviour("An error that is stored in place of a value is a missing value to other readers") { bench in
            struct Settings: Codable, Hashable { var theme: String? }
            let calls = CallCounter()
            func load(_ cache: ResponseCache) async throws -> Settings {
                try await cache.value(
                    "settings",
                    under: .fresh(for: .seconds(60)),
                    storing: MissingRecipe.self,
                    for: .seconds(60)
                ) {
                    if calls.add() == 1 { throw MissingRecipe(id: 1) }
                    return Settings(theme: "dark")
                }
            }
            try await expectMissing(1) {
                _ = try await load(bench.cache); return 0
            }
            for cache in [bench.cache, bench.peer] {
                try expect(await cache.get("settings", as: Settings.self), is: nil, "the error as a value")
            }
            await bench.cache.remove(value: "settings")
            try expect(try await load(bench.peer), is: Settings(theme: "dark"), "the value")
            // Values are the same, however they are asked for.
            try expect(await bench.cache.get("settings"), is: Settings(theme: "dark"), "the value that was read")
            try await bench.cache.set(Settings(theme: "light"), "settings", for: .seconds(60))
            try expect(try await load(bench.cache), is: Settings(theme: "light"), "the value that was set")
        },
        ValueBehaviour("An error is not shared with a task that asks after an invalidation of a value that it used") {
            bench in
            let (gate, calls) = (Gate(), CallCounter())
            func total() async throws -> Int {
                try await bench.cache.value("total", for: .seconds(60)) {
                    let price = try await bench.cache.value("price", for: .seconds(60), tagged: ["price"]) {
                        calls.add() == 1 ? 0 : 7
                    }
                    if price == 0 {
                        await gate.pass()
                        throw MissingRecipe(id: 0)
                    }
                    return price
                }
            }
            async let first = try? total()
            await gate.reached()
            await bench.peer.invalidate(.tag("price"))
            async let second = total()
            try await eventually("the second task waits") { bench.cache.waiterCount == 1 }
            gate.open()
            try expect(await first, is: nil, "the value of the task that asked before")
            try expect(try await second, is: 7, "the value of the task that asked after the invalidation")
        },
        ValueBehaviour("A value that is nil has the lifetime for 404, if the policy has one") { bench in
            let calls = CallCounter()
            func value(_ policy: CachePolicy) async throws -> Int? {
                try await bench.cache.value("optional", parts: "\(policy.rules.lifetimes)", under: policy) {
                    calls.add().isMultiple(of: 2) ? nil : calls.count
                }
            }
            let policy = CachePolicy.fresh(for: .seconds(60)).fresh(for: .seconds(1), on: .notFound)
                .stale(whileRevalidating: .seconds(60)).stale(ifError: .seconds(60))
            calls.add()
            for _ in 0..<2 { try expect(try await value(policy), is: nil, "nil") }
            try await bench.advance(by: .milliseconds(1_100))
            for _ in 0..<2 { try expect(try await value(policy), is: 3, "the value") }
            let unstored = CachePolicy.fresh(for: .seconds(60)).fresh(for: .zero, on: .notFound)
            try expect(try await value(unstored), is: nil, "nil that is not stored")
            try expect(try await value(unstored), is: 5, "the value after nil that is not stored")
            try expect(try await value(unstored), is: 5, "the stored value")
        },
        ValueBehaviour("A stale value is returned if it cannot be made again") { bench in
            let calls = CallCounter()
            func value() async throws -> Int {
                try await bench.cache.value("fragile", under: .fresh(for: .seconds(1)).stale(ifError: .seconds(60))) {
                    let turn = calls.add()
                    if turn > 1 { throw MissingRecipe(id: turn) }
                    return turn
                }
            }
            try expect(try await value(), is: 1, "the value")
            try await bench.advance(by: .milliseconds(1_100))
            for _ in 0..<3 { try expect(try await value(), is: 1, "the stale value") }
            // After a failure the value is not made for a while.
            try expect(calls.count, is: 2, "calls")
        },
        ValueBehaviour("A stale value is returned after the soft timeout, and the new one is stored") { bench in
            let (calls, gate) = (CallCounter(), Gate())
            let policy = CachePolicy.fresh(for: .seconds(1)).stale(ifError: .seconds(60), after: .milliseconds(100))
            func value() async throws -> Int {
                try await bench.cache.value("late", under: policy) {
                    if calls.count > 0 { await gate.pass() }
                    return calls.add()
                }
            }
            try expect(try await value(), is: 1, "the value")
            try await bench.advance(by: .milliseconds(1_100))
            let returned = Row("nothing")
            let task = Task { returned.text = "\(try await value())" }
            try await eventually("the stale value is returned") {
                try? await bench.advance(by: .milliseconds(50))
                return returned.text == "1"
            }
            try await task.value
            gate.open()
            try await eventually("the new value is stored") { await bench.cache.get("late", as: Int.self) == 2 }
        },
        ValueBehaviour("A stale value is returned while a new one is made") { bench in
            let (calls, gate) = (CallCounter(), Gate())
            func value() async throws -> Int {
                let policy = CachePolicy.fresh(for: .seconds(1)).stale(whileRevalidating: .seconds(60))
                return try await bench.cache.value("refreshed", under: policy) {
                    if calls.count > 0 { await gate.pass() }
                    return calls.add()
                }
            }
            try expect(try await value(), is: 1, "the value")
            try await bench.advance(by: .milliseconds(1_100))
            for _ in 0..<3 { try expect(try await value(), is: 1, "the stale value") }
            gate.open()
            try await eventually("the new value is stored") { (try? await value()) == 2 }
        },
    ]

    static let setting: [ValueBehaviour] = [
        ValueBehaviour("A value that is set is found by both caches until it is removed") { bench in
            let missing: Recipe? = await bench.cache.get("set", parts: 1, "b")
            try expect(missing, is: nil, "the value before it is set")
            try await bench.cache.set(Recipe(title: "soup"), "set", parts: 1, "b", for: .seconds(60), tagged: ["t"])
            for cache in [bench.cache, bench.peer] {
                let recipe = await cache.get("set", parts: 1, "b", as: Recipe.self)
                try expect(recipe?.title, is: "soup", "the value")
                let text = await cache.get("set", parts: 1, "b", as: String.self)
                try expect(text, is: nil, "the value as another type")
            }
            try await bench.peer.set(Recipe(title: "bread"), "set", parts: 1, "b", for: .seconds(60), tagged: ["t"])
            let bread = try await bench.cache.value("set", parts: 1, "b", for: .seconds(60)) { Recipe(title: "rice") }
            try expect(bread.title, is: "bread", "the value that was set over the other")
            try expect(await bench.cache.remove(value: "set", parts: 1, "b").removed, is: 1, "values removed")
            let removed: Recipe? = await bench.peer.get("set", parts: 1, "b")
            try expect(removed, is: nil, "the removed value")
        },
        ValueBehaviour("A fetch that began before a value was set does not overwrite it") { bench in
            let gate = Gate()
            async let old = bench.cache.value("overwritten", for: .seconds(60)) {
                await gate.pass()
                return "old"
            }
            await gate.reached()
            try await bench.peer.set("new", "overwritten", for: .seconds(60))
            gate.open()
            try expect(["old", "new"].contains(try await old), "the value of the task that asked before")
            try expect(await bench.cache.get("overwritten"), is: "new", "the stored value")
        },
        ValueBehaviour("A response made from a value in memory has the tags with which the value was stored") { bench in
            try await bench.cache.set("old", "title", for: .seconds(60), tagged: ["user-1"])
            let origin = TestOrigin { _ in
                TestResponse(try await bench.cache.value("title", for: .seconds(60)) { "new" })
            }
            for _ in 0..<2 { try expect(try await bench.page(from: origin), is: "old", "the page") }
            await bench.peer.invalidate(.tag("user-1"))
            try expect(try await bench.page(from: origin), is: "new", "the page after the invalidation")
        },
        ValueBehaviour("A value with no lifetime is not stored") { bench in
            try await bench.cache.set(1, "none", for: .zero)
            try expect(await bench.cache.get("none", as: Int.self), is: nil, "the value")
        },
    ]

    private static func expectMissing(_ id: Int, line: Int = #line, _ body: () async throws -> Int) async throws {
        do {
            _ = try await body()
            throw StoreFailure("No error was thrown", line: line, of: #fileID)
        } catch let error as MissingRecipe {
            try expect(error.id, is: id, "the error", line: line)
        }
    }
}
