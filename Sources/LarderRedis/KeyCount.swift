/// How many keys there are, as a walk through the server's keys finds out in small steps.
///
/// A value without clock or lock. Up to ``exactLimit`` keys every one is looked at. Of very many only some are: each
/// page of the walk says how many of those that were looked at are alive, and the total follows from that.
struct KeyWalk: Sendable {
    /// The most keys of which every one is counted when somebody asks.
    static let exactLimit = 10_000
    /// The most keys that may be on the server, those of others included, for a count when somebody asks.
    static let serverLimit = 50_000
    /// The most keys of one walk that are looked at.
    static let sampleLimit = 100_000
    /// The most keys that are looked at in one step.
    static let step = 100

    /// Where the walk goes on; nil if it is through.
    private(set) var cursor: String? = "0"
    /// The entries met, those included that are not alive. A walk meets some twice if the server resizes its table.
    private(set) var met = 0
    private(set) var looked = 0
    private(set) var alive = 0
    /// The names met, as long as they are few.
    private var names: Set<String> = []
    /// One of so many keys is looked at.
    private let stride: Int

    /// - Parameter total: the keys on the server, about.
    init(total: Int) {
        stride = max(1, (total + Self.sampleLimit - 1) / Self.sampleLimit)
    }

    /// Takes a page of names, and returns those to look at.
    mutating func meet(_ page: [String], next cursor: String) -> [String] {
        self.cursor = cursor == "0" ? nil : cursor
        let isExact = met <= Self.exactLimit
        let new = isExact ? page.filter { names.insert($0).inserted } : page
        if !isExact { names = [] }
        defer { met += new.count }
        return stride == 1 ? new : new.enumerated().filter { (met + $0.offset).isMultiple(of: stride) }.map(\.element)
    }

    /// Takes how many of some keys are alive.
    mutating func look(at count: Int, alive: Int) {
        looked += count
        self.alive += alive
    }

    /// The number of keys under which something is alive.
    var count: Int {
        guard looked > 0 else { return 0 }
        return looked == met ? alive : Int((Double(alive) * Double(met) / Double(looked)).rounded())
    }
}

/// The last count of keys, and whether somebody has to count again. One walk is under way at a time.
///
/// `Waiter` is whatever has to be told of the number: a continuation, or a name in a test.
struct KeyCount<Waiter: Sendable>: Sendable {
    /// A number and when it was found.
    private struct Found: Sendable {
        let count: Int
        let met: Int
        let time: ContinuousClock.Instant
    }

    /// How long a number of very many keys holds.
    static var age: Duration { .seconds(60) }
    /// How old the last number is when the service counts again.
    static var pause: Duration { .seconds(45) }

    private var found: Found?
    /// True if a walk is under way.
    private var isWalking = false
    /// Those who wait for its number.
    private var waiters: [Waiter] = []

    /// The last number; 0 if there was none.
    var last: Int { found?.count ?? 0 }

    /// The next step of a caller who asks for the number.
    enum Answer: Hashable {
        /// Tell this number.
        case tell(Int)
        /// Walk, and say when the walk has ended.
        case walk
        /// Wait for the walk that is under way.
        case wait
    }

    /// Returns what to do for the number, if the server has so many keys. A request does not wait for the walk of
    /// another if there is a number that was exact enough a short while ago: that of very many keys.
    /// - Parameter waiter: is told of the number if the answer is to wait.
    mutating func ask(of total: Int, at now: ContinuousClock.Instant, _ waiter: Waiter) -> Answer {
        if let answer = answer(of: total, at: now) { return .tell(answer) }
        guard isWalking else {
            isWalking = true
            return .walk
        }
        if total > KeyWalk.exactLimit, let found { return .tell(found.count) }
        waiters.append(waiter)
        return .wait
    }

    /// Returns true if the service has to count so many keys, so that nobody has to wait for it: then it walks.
    mutating func begin(of total: Int, at now: ContinuousClock.Instant) -> Bool {
        guard !isWalking, isDue(of: total, at: now) else { return false }
        isWalking = true
        return true
    }

    /// Takes the end of a walk in; one that did not get through changes no number.
    /// - Returns: Those who waited for the number.
    mutating func end(_ walk: KeyWalk, at now: ContinuousClock.Instant) -> [Waiter] {
        if walk.cursor == nil { found = Found(count: walk.count, met: walk.met, time: now) }
        isWalking = false
        defer { waiters = [] }
        return waiters
    }

    /// Returns the number that may be told without counting, if the server has so many keys.
    private func answer(of total: Int, at now: ContinuousClock.Instant) -> Int? {
        guard total > KeyWalk.exactLimit, let found, found.time + Self.age > now else { return nil }
        // The keys of others are walked past quickly.
        if total <= KeyWalk.serverLimit, found.met < KeyWalk.exactLimit { return nil }
        return found.count
    }

    private func isDue(of total: Int, at now: ContinuousClock.Instant) -> Bool {
        guard total > KeyWalk.exactLimit else { return false }
        return found.map { $0.time + Self.pause <= now } ?? true
    }
}
