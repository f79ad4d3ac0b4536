import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import Synchronization
import TestHelpers
import Testing

/// A number that handlers increase.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// Increases the number, and returns the result.
    @discardableResult
    func next(adding number: Int = 1) -> Int { count.wrappingAdd(number, ordering: .relaxed).newValue }
}

/// A cache with a clock that tests advance.
struct Bench {
    let clock = ManualClock()
    let log = EventLog()
    let cache: ResponseCache

    init() {
        cache = ResponseCache(
            store: MemoryStore(limit: .mebibytes(64), clock: clock.clock),
            observer: log,
            clock: clock.clock
        )
    }
}

/// Serves a router on a free port for the time of one test, which gets the port.
func serve(
    _ router: Router<BasicRequestContext>,
    onPort test: @escaping @Sendable (Int) async throws -> Void
) async throws {
    try await serve(Application(router: router)) { client in
        try await test(try #require(client.port))
    }
}

/// Sends the same request several times at once, each on its own connection.
func send(_ count: Int, _ target: String, to port: Int) async throws -> [Wire.Answer] {
    try await withThrowingTaskGroup(of: Wire.Answer.self) { group in
        for _ in 0..<count { group.addTask { try await Wire.send("GET", target, to: port) } }
        return try await group.reduce(into: []) { $0.append($1) }
    }
}
