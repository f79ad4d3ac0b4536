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

/// The last count of keys, and whether somebody has to count again.
struct KeyCount: Sendable {
    /// A number and when it was found.
    private struct Found: Sendable {
        let count: Int
        let met: Int
        let time: ContinuousClock.Instant
    }

    /// How long a number of very many keys holds.
    static let age = Duration.seconds(60)
    /// How old the last number is when the service counts again.
    static let pause = Duration.seconds(45)

    private var found: Found?

    /// The last number; 0 if there was none.
    var last: Int { found?.count ?? 0 }

    mutating func note(_ walk: KeyWalk, at now: ContinuousClock.Instant) {
        found = Found(count: walk.count, met: walk.met, time: now)
    }

    /// Returns the number that may be told without counting, if the server has so many keys.
    func answer(of total: Int, at now: ContinuousClock.Instant) -> Int? {
        guard total > KeyWalk.exactLimit, let found, found.time + Self.age > now else { return nil }
        // The keys of others are walked past quickly.
        if total <= KeyWalk.serverLimit, found.met < KeyWalk.exactLimit { return nil }
        return found.count
    }

    /// Returns true if the service has to count so many keys, so that nobody has to wait for it.
    func isDue(of total: Int, at now: ContinuousClock.Instant) -> Bool {
        guard total > KeyWalk.exactLimit else { return false }
        return found.map { $0.time + Self.pause <= now } ?? true
    }
}
