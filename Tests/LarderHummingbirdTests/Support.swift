import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import Synchronization
import Testing

/// A number that handlers count up.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// Counts up, and returns the new number.
    @discardableResult
    func next(adding number: Int = 1) -> Int { count.wrappingAdd(number, ordering: .relaxed).newValue }
}

/// A clock moved by hand, and a cache that goes by it.
struct Kitchen {
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

/// The router on a free port for the time of one test, by the port's number.
func serve(
    _ router: Router<BasicRequestContext>,
    onPort test: @escaping @Sendable (Int) async throws -> Void
) async throws {
    try await serve(Application(router: router)) { client in
        try await test(try #require(client.port))
    }
}

/// Sends the same request that many times at once, each on a connection of its own.
func send(_ count: Int, _ target: String, to port: Int) async throws -> [Wire.Answer] {
    try await withThrowingTaskGroup(of: Wire.Answer.self) { group in
        for _ in 0..<count { group.addTask { try await Wire.send("GET", target, to: port) } }
        return try await group.reduce(into: []) { $0.append($1) }
    }
}
