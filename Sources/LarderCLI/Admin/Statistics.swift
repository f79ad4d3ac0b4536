/// The statistics of a cache over a window of time.
struct Statistics: Decodable {
    /// The distribution of times, in seconds.
    struct Times: Decodable {
        let count: Int
        let mean: Double?
        let p50: Double?
        let p90: Double?
        let p99: Double?
    }

    /// The times to hits, misses and origins; nil for those of which none was measured.
    struct TimesByKind: Decodable {
        let hit: Times?
        let miss: Times?
        let origin: Times?
    }

    /// The counts of reasons since the start.
    struct Reasons: Decodable {
        let bypasses: [String: Int]?
        let notStored: [String: Int]?
        let stale: [String: Int]?
    }

    struct Store: Decodable {
        let entries: Int?
        let usedBytes: Int?
        let limitBytes: Int?
        let available: Bool?
        let evictions: Int?
        let expirations: Int?
    }

    struct InProgress: Decodable {
        let fetches: Int?
        let waiting: Int?
        let connections: Int?
        let requests: Int?
        let bodiesBytes: Int?
    }

    struct Redis: Decodable {
        let available: Bool
        let pendingInvalidations: Int?
        let roundTrip: Times?
    }

    struct Origin: Decodable {
        let origin: String
        let available: Bool?
        let requests: Int
        let mean: Double?
        let p99: Double?
    }

    struct Process: Decodable {
        let residentBytes: Int?
        let cpuSeconds: Double?
    }

    let name: String
    let version: String
    let time: String
    let uptime: Double
    let window: Int
    let seconds: Double
    let requests: [String: Int]
    let requestsPerSecond: Double
    let hitRatio: Double?
    let stored: Int?
    let notStored: Int?
    let evictions: Int?
    let invalidations: Int?
    let times: TimesByKind
    let reasons: Reasons?
    let store: Store?
    let inProgress: InProgress?
    let redis: Redis?
    let origins: [Origin]?
    let process: Process?
}

/// The keys, routes, tags or origins with the most of something, since the start.
struct TopAnswer: Decodable {
    struct Row: Decodable {
        let name: String
        let requests: Int?
        let misses: Int?
        let bytes: Int?
        let originTime: Double?
    }

    let of: String
    let by: String
    let rows: [Row]
}
