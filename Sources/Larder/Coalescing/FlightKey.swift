import HTTPCaching

/// The properties that tell two fetches apart.
struct FlightKey: Hashable, Sendable {
    /// The key that the response would be stored under.
    let key: CacheKey
    /// The selecting fields of the variant, as far as the stored variants tell.
    let selecting: SelectingFields
    /// The number of fetches for the same key around this one: a handler that asks the cache for the key it is fetched
    /// for has flights of its own, since it would wait for itself otherwise.
    var level = 0
    /// True if the requests demand a response newer than they are: they share fetches that start after they arrived.
    var isDemand = false
    /// True if the origin is asked for a head alone.
    var isForHead = false
}

/// The knowledge of a request that joins.
struct Ticket: Sendable {
    /// The result of its look-up.
    let lookup: Lookup
    /// The last landing before it looked; the highest number if it is not to look again for a landing.
    let landing: UInt64
}

/// Identifies a flight for as long as the process lives. Later flights have higher numbers.
struct FlightID: Hashable, Comparable, Sendable {
    let value: UInt64

    static func < (left: FlightID, right: FlightID) -> Bool { left.value < right.value }
}
