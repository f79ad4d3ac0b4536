/// A count of the keys that have a stored response, made in small steps by a walk through the server's keys.
///
/// A value without a clock or a lock. If the server has up to ``sampleLimit`` keys, every entry is looked at. If it has
/// more, a part of the entries is, and the total is estimated from the share that is neither expired nor invalidated.
struct KeyWalk: Sendable {
    /// The largest number of keys that are counted exactly whenever a caller asks.
    static let exactLimit = 10_000
    /// The largest number of keys on the server, those of other programs included, that a walk goes through whenever a
    /// caller asks.
    static let serverLimit = 50_000
    /// The largest number of keys that one walk looks at.
    static let sampleLimit = 100_000
    /// The largest number of keys that are looked at in one step.
    static let step = 100

    /// The cursor of the next page; nil if the walk is complete.
    private(set) var cursor: String? = "0"
    /// The number of entries found, expired and invalidated ones included. A walk finds some twice if the server
    /// resizes its table.
    private(set) var visited = 0
    private(set) var looked = 0
    private(set) var valid = 0
    /// The names found, as long as they are few.
    private var names: Set<String> = []
    /// The number of keys of which one is looked at.
    private let stride: Int

    /// Creates a walk.
    /// - Parameter total: The approximate number of keys on the server.
    init(total: Int) {
        stride = max(1, (total + Self.sampleLimit - 1) / Self.sampleLimit)
    }

    /// Adds a page of names, and returns those to look at.
    mutating func visit(_ page: [String], next cursor: String) -> [String] {
        self.cursor = cursor == "0" ? nil : cursor
        let isExact = visited <= Self.exactLimit
        let new = isExact ? page.filter { names.insert($0).inserted } : page
        if !isExact { names = [] }
        defer { visited += new.count }
        return stride == 1
            ? new : new.enumerated().filter { (visited + $0.offset).isMultiple(of: stride) }.map(\.element)
    }

    /// Adds the result for some keys: the number that was looked at, and how many of them have a usable response.
    mutating func look(at count: Int, valid: Int) {
        looked += count
        self.valid += valid
    }

    /// The number of keys that have a usable response, estimated unless every key was looked at.
    var count: Int {
        guard looked > 0 else { return 0 }
        return looked == visited ? valid : Int((Double(valid) * Double(visited) / Double(looked)).rounded())
    }
}

/// The last count of keys, and the decision to count them again. At most one walk is under way.
///
/// `Waiter` is the type of the receivers of the number: a continuation, or a name in a test.
struct KeyCount<Waiter: Sendable>: Sendable {
    /// A number and the time at which it was found.
    private struct Found: Sendable {
        let count: Int
        let visited: Int
        let time: ContinuousClock.Instant
    }

    /// The time for which a number of very many keys may be returned: 60 seconds.
    static var age: Duration { .seconds(60) }
    /// The age of the last number at which the service counts very many keys again: 45 seconds.
    static var pause: Duration { .seconds(45) }

    private var found: Found?
    /// True if a walk is under way.
    private var isWalking = false
    /// The waiters for the number of that walk.
    private var waiters: [Waiter] = []

    /// The last number; 0 if there was none.
    var last: Int { found?.count ?? 0 }

    /// The next step of a caller that asks for the number.
    enum NextStep: Hashable {
        /// The caller returns this number.
        case known(Int)
        /// The caller walks, and reports the end of the walk.
        case walk
        /// The caller waits for the walk that is under way.
        case wait
    }

    /// Returns the next step of a caller, if the server has `total` keys. If these are very many and a number is known,
    /// however old, the caller does not wait for the walk of another one.
    /// - Parameter waiter: Gets the number later, if the answer is to wait.
    mutating func ask(of total: Int, at now: ContinuousClock.Instant, _ waiter: Waiter) -> NextStep {
        if let answer = answer(of: total, at: now) { return .known(answer) }
        guard isWalking else {
            isWalking = true
            return .walk
        }
        if total > KeyWalk.exactLimit, let found { return .known(found.count) }
        waiters.append(waiter)
        return .wait
    }

    /// Begins a walk and returns true if the service has to count this many keys again, so that no caller has to wait
    /// for it.
    mutating func begin(of total: Int, at now: ContinuousClock.Instant) -> Bool {
        guard !isWalking, isDue(of: total, at: now) else { return false }
        isWalking = true
        return true
    }

    /// Ends a walk. The number changes only if the walk is complete.
    /// - Returns: The waiters for the number.
    mutating func end(_ walk: KeyWalk, at now: ContinuousClock.Instant) -> [Waiter] {
        if walk.cursor == nil { found = Found(count: walk.count, visited: walk.visited, time: now) }
        isWalking = false
        defer { waiters = [] }
        return waiters
    }

    /// Returns the number that may be used without a count, if the server has `total` keys.
    private func answer(of total: Int, at now: ContinuousClock.Instant) -> Int? {
        guard total > KeyWalk.exactLimit, let found, found.time + Self.age > now else { return nil }
        // A walk skips the keys of other programs quickly.
        if total <= KeyWalk.serverLimit, found.visited < KeyWalk.exactLimit { return nil }
        return found.count
    }

    private func isDue(of total: Int, at now: ContinuousClock.Instant) -> Bool {
        guard total > KeyWalk.exactLimit else { return false }
        return found.map { $0.time + Self.pause <= now } ?? true
    }
}
