/// The limits of the memory that a cache uses in addition to its store, and of the time for which it remembers
/// failures.
public struct CacheLimits: Sendable {
    /// The number of fetches that other requests may wait for at one time, 10,000 by default; beyond it a request
    /// fetches for itself.
    public var flights: Int
    /// The number of requests that may wait for the fetches of one key, 100,000 by default; beyond it a request fetches
    /// for itself.
    public var waiters: Int
    /// The number of uncacheable keys (Varnish: hit-for-miss) that are remembered, 10,000 by default.
    public var uncacheableKeys: Int
    /// The time for which an uncacheable key is remembered, 30 seconds by default.
    public var uncacheableTime: Duration
    /// The time after a failure of the origin during which a stale response is served without asking the origin again,
    /// 500 milliseconds by default. It doubles with each further failure.
    public var failurePause: Duration
    /// The longest such pause, 10 seconds by default.
    public var longestFailurePause: Duration
    /// The number of keys whose requests are counted exactly, 1,024 by default; beyond it the counts are lower bounds.
    public var topKeys: Int
    /// The memory for bodies that are being received or sent and are in no store of this process, 64 MiB by default. A
    /// response that does not fit is forwarded as it arrives and not stored. A response that a ``MemoryStore`` has
    /// packed is copied to be sent, and needs room for that, as one from Redis does.
    public var bodiesInFlight: ByteCount

    /// Creates limits. The defaults suit a server of any usual size.
    public init(
        flights: Int = 10_000,
        waiters: Int = 100_000,
        uncacheableKeys: Int = 10_000,
        uncacheableTime: Duration = .seconds(30),
        failurePause: Duration = .milliseconds(500),
        longestFailurePause: Duration = .seconds(10),
        topKeys: Int = 1_024,
        bodiesInFlight: ByteCount = .mebibytes(64)
    ) {
        self.flights = max(0, flights)
        self.waiters = max(0, waiters)
        self.uncacheableKeys = max(1, uncacheableKeys)
        self.uncacheableTime = uncacheableTime
        self.failurePause = failurePause
        self.longestFailurePause = longestFailurePause
        self.topKeys = max(1, topKeys)
        self.bodiesInFlight = bodiesInFlight
    }
}
