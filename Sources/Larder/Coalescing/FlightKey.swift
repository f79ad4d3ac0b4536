import HTTPCaching

/// The properties by which fetches differ: requests with equal properties can share a fetch.
struct FlightKey: Hashable, Sendable {
    /// The key that the response would be stored under.
    let key: CacheKey
    /// The selecting fields of the variant, as far as the stored variants show them.
    let selecting: SelectingFields
    /// The number of fetches for the same key around this one: a handler that asks the cache for the key it is fetched
    /// for has separate flights, since it would wait for itself otherwise.
    var level = 0
    /// True if the requests demand a response newer than they are: they share only fetches that start after they
    /// arrived.
    var isDemand = false
    /// True if the origin is asked only for a head.
    var isForHead = false
}

/// The state that a request has seen before it joins.
struct LookupSnapshot: Sendable {
    /// The result of its look-up.
    let lookup: Lookup
    /// The number of the last flight that stored something before the look-up. A later one may have stored what the
    /// request needs, so it looks up again. The highest number if it is not to do that.
    let completion: UInt64
}

/// The identity of a flight within the process. Later flights have higher numbers.
struct FlightID: Hashable, Comparable, Sendable {
    let value: UInt64

    static func < (left: FlightID, right: FlightID) -> Bool { left.value < right.value }
}
