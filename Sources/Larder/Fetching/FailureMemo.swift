import HTTPCaching

/// The keys for which the origin failed lately. During the pause after a failure, a usable stale response is served
/// without asking the origin again.
///
/// The pause is `first` after one failure, and doubles with each failure in a row up to `longest`; a success ends it.
/// At most `limit` keys are remembered; beyond it those whose pause ends first are forgotten, which costs a request to
/// the origin.
struct FailureMemo<Key: Hashable & Sendable>: Sendable {
    /// A recent failure of the origin.
    struct Failure: Sendable {
        /// The status of the origin's response; nil if there was none.
        let status: Int?
        /// The time from which the origin may be asked again.
        let until: Timestamp
        fileprivate let pause: Duration
    }

    private var failures: [Key: Failure] = [:]
    private let limit: Int
    private let first: Duration
    private let longest: Duration

    init(limit: Int, first: Duration, longest: Duration) {
        self.limit = max(1, limit)
        self.first = first
        self.longest = max(first, longest)
    }

    var count: Int { failures.count }

    /// Returns the failure because of which the origin is not to be asked now; nil if it may be asked.
    func pause(of key: Key, at now: Timestamp) -> Failure? {
        guard !failures.isEmpty, let failure = failures[key], now < failure.until else { return nil }
        return failure
    }

    /// Notes that the origin failed.
    ///
    /// A failure that ends within the pause of another one belongs to a fetch that was under way already, and does not
    /// double the pause. One that comes more than the longest pause after the end of the last pause begins with `first`
    /// again.
    mutating func failed(_ key: Key, status: Int?, at now: Timestamp) {
        var pause = first
        if let last = failures[key], now < last.until.advanced(by: longest) {
            pause = now < last.until ? last.pause : min(last.pause + last.pause, longest)
        }
        failures[key] = Failure(status: status, until: now.advanced(by: pause), pause: pause)
        guard failures.count > limit else { return }
        // This is rare and bounded: about half of the remembered failures are forgotten at once.
        let ends = failures.values.map(\.until).sorted()
        let median = ends[ends.count / 2]
        failures = failures.filter { $0.value.until > median || $0.key == key }
    }

    /// Notes that the origin answered.
    mutating func succeeded(_ key: Key) {
        guard !failures.isEmpty else { return }
        failures[key] = nil
    }

    /// Traps if there is more than the limit; for tests.
    func validate() {
        precondition(failures.count <= limit, "More failures than the limit")
        precondition(failures.values.allSatisfy { first <= $0.pause && $0.pause <= longest }, "A pause out of bounds")
    }
}
