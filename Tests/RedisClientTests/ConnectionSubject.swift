import NIOCore

@testable import RedisClient

/// A connection state whose results can be compared as text. (A class, because an expectation does not mutate a value.)
final class ConnectionSubject {
    private var state: ConnectionState<String>

    init(_ state: ConnectionState<String>) {
        self.state = state
    }

    /// Sends a batch, and returns its ID, or nil if it was refused.
    @discardableResult
    func send(
        _ name: String,
        commands: Int = 1,
        bytes: Int = 1,
        timeout: ReplyTimeout = .fixed(.seconds(1_000)),
        at now: Double? = 0
    ) -> Int? {
        switch state.enqueue(name, commands: commands, bytes: bytes, timeout: timeout) {
        case .send(let id):
            if let now { flush(at: now) }
            return id
        case .refuse: return nil
        }
    }

    /// Flushes what was sent, and returns the earliest deadline of the newly flushed batches.
    @discardableResult
    func flush(at now: Double) -> Double? { state.flush(now: .seconds(now)).map(\.inSeconds) }

    func isUnread(at now: Double) -> Bool { state.isUnread(at: .seconds(now)) }
    func isLongOverdue(at now: Double) -> Bool { state.isLongOverdue(at: .seconds(now)) }
    func read(at now: Double, isExact: Bool = true) { state.read(now: .seconds(now), isExact: isExact) }

    /// Receives a reply, and returns its effect as text.
    func reply(_ text: String, bytes: Int = 1, now: Double = 0, isExact: Bool = true) -> String {
        state.read(now: .seconds(now), isExact: isExact)
        return switch state.receive(.status(text), bytes: bytes, now: .seconds(now), isExact: isExact) {
        case .wait: "wait"
        case .deliver(let name, let replies, let isLate):
            "\(name): \(replies.map(\.summary).joined(separator: " "))" + (isLate ? " (late)" : "")
        case .close(let error): "close: \(error.code)"
        }
    }

    /// Returns the callers whose deadline has passed, and "lost" if the connection counts as lost.
    func expire(now: Double) -> [String] {
        let (waiters, silence) = state.expire(now: .seconds(now))
        return silence == .tooLong ? waiters + ["lost"] : waiters
    }

    var nextExpiry: Double? {
        state.nextExpiry.map(\.inSeconds)
    }

    func abandon(_ id: Int) -> String? { state.abandon(id) }
    func drain() { state.drain() }
    var isDrained: Bool { state.isDrained }
    func close() -> [String] { state.close() }
}

extension RESPValue {
    var summary: String {
        if case .status(let text) = self { text } else { "?" }
    }
}

extension NIODeadline {
    fileprivate var inSeconds: Double { Double(uptimeNanoseconds) / 1_000_000_000 }

    static func seconds(_ seconds: Double) -> NIODeadline {
        .uptimeNanoseconds(UInt64(seconds * 1_000_000_000))
    }
}
