import Hummingbird
import HummingbirdTesting
import Larder
import LarderRedis
import Logging
import MetricsTestKit
import NIOConcurrencyHelpers
import RedisClient
import TestHelpers
import Testing

/// The example API on a Redis that a test breaks, under load.
struct FaultBench: Sendable {
    let redis: RedisProcess
    let store: RedisStore
    let load: Load
    let log: RecordedLog
    let metrics: TestMetrics

    /// Serves the API, and runs a load on it while `body` runs.
    /// - Parameter isConnected: True if the load begins only when the store is connected.
    static func run(
        on redis: RedisProcess,
        options: RedisStore.Options = .longTimeouts,
        isConnected: Bool = true,
        configure: (inout RedisConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (FaultBench) async throws -> Void
    ) async throws {
        var configuration = RedisConfiguration.longTimeouts(redis.port)
        configure(&configuration)
        // An attempt to connect before the server listens would be an additional fault.
        let password = configuration.credentials?.password
        if isConnected { try await withClient(of: redis, password: password) { _ in } }
        let log = RecordedLog()
        let metrics = TestMetrics()
        let store = try RedisStore(configuration, options: options, metrics: metrics, logger: log.logger)
        try await serve(ResponseCache(store: store, metrics: metrics, logger: log.logger)) { client in
            if isConnected { try await eventually("the store is connected") { store.isAvailable } }
            try await Load.run(on: try #require(client.port)) { load in
                try await body(FaultBench(redis: redis, store: store, load: load, log: log, metrics: metrics))
            }
        }
    }

    /// The results of the load before, during and after a fault.
    struct Phases {
        let before, during, recovering, after: Load.Phase
        var all: [Load.Phase] { [before, during, recovering, after] }
    }

    /// Runs the load before a fault, during it, and after it until there are hits again.
    /// - Parameter settled: Returns true once the fault has been noticed; requests that begin after that count as
    ///   during it.
    func measure(
        begin: () async throws -> Void,
        settled: () -> Bool = { true },
        end: () async throws -> Void
    ) async throws -> Phases {
        await load.hits(100)
        load.nextPhase()
        try await begin()
        try await eventually("the fault is noticed") { settled() }
        load.nextPhase()
        await load.answers(300)
        load.nextPhase()
        try await end()
        await load.hits(100)
        try await eventually("no invalidation is pending") { store.pendingInvalidations == 0 && store.isAvailable }
        load.nextPhase()
        await load.answers(200)
        let phases = load.nextPhase()
        var before = phases[0]
        // The responses to requests that began while the fault set in are checked, but their hits are not counted.
        before.wrong += phases[1].wrong
        before.statuses.merge(phases[1].statuses) { $0 + $1 }
        return Phases(before: before, during: phases[2], recovering: phases[3], after: phases[4])
    }

    /// Checks the rules that hold during every fault: each request was answered, with a correct response.
    func expectAllCorrect(_ phases: Phases, sourceLocation: SourceLocation = #_sourceLocation) {
        for phase in phases.all {
            #expect(phase.wrong.isEmpty, sourceLocation: sourceLocation)
            let allowed: Set = ["GET 200", "PUT 200", "DELETE 200", "DELETE 404", "DELETE 503"]
            #expect(allowed.isSuperset(of: phase.statuses.keys), sourceLocation: sourceLocation)
        }
        #expect(phases.during.requests >= 290, sourceLocation: sourceLocation)
        #expect(phases.after.hits > 0 && phases.after.count("DELETE 503") == 0, sourceLocation: sourceLocation)
        #expect(store.pendingInvalidations == 0, sourceLocation: sourceLocation)
    }

    /// Checks that the log reports a fault in which Redis does not answer once when it begins and once when it ends.
    /// - Parameter refusal: The line about the user whom Redis refuses after its connections have ended.
    func expectLoggedOnce(refusal: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        let said = log.lines(from: .info)
        let lost = "warning: Redis does not answer: requests are answered without it"
        let refused = [refusal].compactMap(\.self)
        let expected = ["info: Redis is connected", lost] + refused + ["info: Redis answers again"]
        let waiting = ["info: Invalidations wait for Redis", "info: Redis has confirmed the invalidations that waited"]
        let lines = said.filter { !waiting.contains($0) }
        // A new connection may be refused before the last one of the others has ended.
        let isRefusedFirst = refusal != nil && lines == expected.filter { $0 != lost }
        #expect(lines == expected || isRefusedFirst, "\(lines)", sourceLocation: sourceLocation)
        // A write that comes between two connections may make invalidations wait once more.
        let counts = waiting.map { line in said.count { $0 == line } }
        #expect(counts[0] == counts[1] && (1...3).contains(counts[0]), sourceLocation: sourceLocation)
    }

    /// Returns the total of a counter for a value of one of its dimensions.
    func count(_ label: String, _ dimension: String, _ value: String) -> Int {
        Int(metrics.counterTotal(label: label, dimensions: [(dimension, value)]))
    }
}

/// A record of the messages that were logged.
final class RecordedLog: Sendable {
    private let entries = NIOLockedValueBox<[(level: Logger.Level, text: String, details: String)]>([])

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .debug
        return logger
    }

    /// Returns the lines of at least a level, without their metadata.
    func lines(from level: Logger.Level) -> [String] {
        entries.withLockedValue { $0.filter { $0.level >= level }.map { "\($0.level): \($0.text)" } }
    }

    /// Returns the number of lines of any level that contain a text, in the message or in the metadata.
    func count(of text: String) -> Int {
        entries.withLockedValue { $0.count { $0.text.contains(text) || $0.details.contains(text) } }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = event.metadata.map { "\($0)" } ?? ""
            log.entries.withLockedValue { $0.append((event.level, "\(event.message)", details)) }
        }
    }
}
