/// How much a cache keeps on its mind beside its store.
public struct CacheLimits: Sendable {
    /// The fetches that others may wait for, at one time; beyond it a request fetches for itself.
    public var flights: Int
    /// The requests that may wait for one fetch; beyond it a request fetches for itself.
    public var passengers: Int
    /// The keys remembered as uncacheable.
    public var refusals: Int
    /// How long a key is remembered as uncacheable.
    public var refusalSpan: Duration
    /// How long after a failure of the origin a stale response is served without asking again; it doubles with each
    /// failure in a row.
    public var failurePause: Duration
    /// The longest such pause.
    public var longestFailurePause: Duration
    /// The keys whose requests are counted exactly; beyond it the counts are upper bounds.
    public var topKeys: Int
    /// The memory of bodies that are on their way and not stored yet; a response beyond it is passed on as it comes and
    /// not stored.
    public var bodiesInFlight: ByteCount

    /// Limits for a server of any usual size.
    public init(
        flights: Int = 10_000,
        passengers: Int = 100_000,
        refusals: Int = 10_000,
        refusalSpan: Duration = .seconds(30),
        failurePause: Duration = .milliseconds(500),
        longestFailurePause: Duration = .seconds(10),
        topKeys: Int = 1_024,
        bodiesInFlight: ByteCount = .mebibytes(64)
    ) {
        self.flights = max(0, flights)
        self.passengers = max(0, passengers)
        self.refusals = max(1, refusals)
        self.refusalSpan = refusalSpan
        self.failurePause = failurePause
        self.longestFailurePause = longestFailurePause
        self.topKeys = max(1, topKeys)
        self.bodiesInFlight = bodiesInFlight
    }
}
