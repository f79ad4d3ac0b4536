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
    /// How long after a failed refresh a stale response is served without asking the origin again.
    public var refreshPause: Duration
    /// The keys whose requests are counted exactly; beyond it the counts are upper bounds.
    public var topKeys: Int

    /// Limits for a server of any usual size.
    public init(
        flights: Int = 10_000,
        passengers: Int = 10_000,
        refusals: Int = 10_000,
        refusalSpan: Duration = .seconds(30),
        refreshPause: Duration = .seconds(1),
        topKeys: Int = 1_024
    ) {
        self.flights = max(0, flights)
        self.passengers = max(0, passengers)
        self.refusals = max(1, refusals)
        self.refusalSpan = refusalSpan
        self.refreshPause = refreshPause
        self.topKeys = max(1, topKeys)
    }
}
