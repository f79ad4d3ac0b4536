import HTTPTypes
import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers

/// Clients that read and write the users of the example API for as long as a test lasts, each on separate connections,
/// and check every response. If several processes serve the API, each client uses them in turn.
///
/// The users 1 to 4 have one writer each, which increases a version; the users 5 and 6 are never written.
final class Load: Sendable {
    /// The results of the requests that began in one part of the test.
    struct Phase: Sendable {
        var requests = 0
        var hits = 0
        /// The hits on users that are never written.
        var quietHits = 0
        /// The number of requests by method and status.
        var statuses: [String: Int] = [:]
        /// The responses that are not allowed, ten at most.
        var wrong: [String] = []
        var times: [Duration] = []

        var median: Duration { times.sorted()[times.count / 2] }
        func count(_ status: String) -> Int { statuses[status] ?? 0 }
    }

    private struct State {
        var phases = [Phase()]
        /// The last version of each user that was sent, and the last that was acknowledged.
        var sent: [Int: Int] = [:]
        var acknowledged: [Int: Int] = [:]
        var isOver = false
    }

    private let state = NIOLockedValueBox(State())
    private let answers = Gate()
    private let hits = Gate()

    private init() {
        answers.open()
        hits.open()
    }

    /// Runs the clients until `body` returns. An error of a client ends the test.
    static func run(on ports: Int..., body: @escaping @Sendable (Load) async throws -> Void) async throws {
        let load = Load()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 1...4 {
                group.addTask { try await open(to: ports[...], []) { try await load.run(client, $0) } }
            }
            group.addTask {
                defer { load.state.withLockedValue { $0.isOver = true } }
                try await body(load)
            }
            try await group.waitForAll()
        }
    }

    private static func open(
        to ports: ArraySlice<Int>,
        _ wires: [Wire],
        _ body: ([Wire]) async throws -> Void
    ) async throws {
        guard let port = ports.first else { return try await body(wires) }
        try await Wire.open(to: port) { try await open(to: ports.dropFirst(), wires + [$0], body) }
    }

    /// Begins another phase, and returns the phases before it.
    @discardableResult
    func nextPhase() -> [Phase] {
        state.withLockedValue { state in
            defer { state.phases.append(Phase()) }
            return state.phases
        }
    }

    /// Waits for `count` more responses.
    func answers(_ count: Int) async { await answers.reached(by: answers.arrivals + count) }

    /// Waits for `count` more hits.
    func hits(_ count: Int) async { await hits.reached(by: hits.arrivals + count) }

    private func run(_ client: Int, _ wires: [Wire]) async throws {
        for step in 0... {
            let wire = wires[(step + step / 6 + client) % wires.count]
            guard state.withLockedValue({ !$0.isOver }) else { return }
            let phase = state.withLockedValue { $0.phases.count - 1 }
            let start = ContinuousClock.now
            switch step % 50 {
            case 0, 17, 34: try await write(client, wire, phase)
            case 25: try await delete(client, wire, phase)
            default: try await read((step + client) % 6 + 1, wire, phase)
            }
            state.withLockedValue { $0.phases[phase].times.append(.now - start) }
            await answers.pass()
        }
    }

    private func read(_ user: Int, _ wire: Wire, _ phase: Int) async throws {
        let least = state.withLockedValue { $0.acknowledged[user] ?? 0 }
        try await wire.send("GET", "/api/users/\(user)")
        let answer = try await wire.answer()
        let most = state.withLockedValue { $0.sent[user] ?? 0 }
        let isRight = answer.status == 200 && (least...most).contains { answer.text == Self.body(user, version: $0) }
        note("GET", answer, phase, isRight: isRight, "user \(user) in a version of \(least) to \(most)")
        guard answer.isHit else { return }
        state.withLockedValue { state in
            state.phases[phase].hits += 1
            if user > 4 { state.phases[phase].quietHits += 1 }
        }
        await hits.pass()
    }

    private func write(_ user: Int, _ wire: Wire, _ phase: Int) async throws {
        let version = state.withLockedValue { state in
            state.sent[user, default: 0] += 1
            return state.sent[user] ?? 0
        }
        try await wire.send("PUT", "/api/users/\(user)", body: #"{"name":"version \#(version)"}"#)
        let answer = try await wire.answer()
        state.withLockedValue { $0.acknowledged[user] = version }
        let isRight = answer.status == 200 && answer.text == #"{"message":"User updated"}"#
        note("PUT", answer, phase, isRight: isRight, "an update")
    }

    private func delete(_ user: Int, _ wire: Wire, _ phase: Int) async throws {
        try await wire.send("DELETE", "/api/invalidate/GET:/api/users/\(user)")
        let answer = try await wire.answer()
        note("DELETE", answer, phase, isRight: [200, 404, 503].contains(answer.status), "a deletion")
    }

    private func note(_ method: String, _ answer: Wire.Answer, _ phase: Int, isRight: Bool, _ expected: String) {
        state.withLockedValue { state in
            state.phases[phase].requests += 1
            state.phases[phase].statuses["\(method) \(answer.status)", default: 0] += 1
            guard !isRight, state.phases[phase].wrong.count < 10 else { return }
            state.phases[phase].wrong.append(
                "\(answer.status) \(answer.text) \(answer.cacheStatusText) for \(expected)"
            )
        }
    }

    private static func body(_ user: Int, version: Int) -> String {
        let letters = ["A", "B", "C", "D", "E", "F"]
        let name = version == 0 ? "Cached User \(letters[user - 1])" : "version \(version)"
        return #"{"user":{"id":\#(user),"name":"\#(name)"}}"#
    }
}
