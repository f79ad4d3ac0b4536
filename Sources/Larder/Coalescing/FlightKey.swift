import HTTPCaching

/// The properties by which fetches differ: requests with equal properties can share a fetch.
struct FlightKey: Hashable, Sendable {
    /// The key that the response would be stored under.
    let key: CacheKey
    /// The selecting fields of the variant, as far as the stored variants show them.
    let selecting: SelectingFields
    /// The number of fetches for the same key around this one. A handler that requests the key for which it was called
    /// would wait for itself, so its request does not join the flights around it.
    var level = 0
    /// True if the requests demand a response that is fetched after they arrived: they share only such fetches.
    var isDemand = false
    /// True if the origin is asked only for a head.
    var isForHead = false
}

/// The state that a request has seen before it joins.
struct LookupSnapshot: Sendable {
    /// The result of its look-up.
    let lookup: Lookup
    /// The number of the last completion before the look-up of a flight that stored something. If a later flight for
    /// the same key has stored something, the request looks up again. `.max` if it must not look up again.
    let completion: UInt64
}

/// The identity of a flight within the process. Later flights have higher numbers.
struct FlightID: Hashable, Comparable, Sendable {
    let value: UInt64

    static func < (left: FlightID, right: FlightID) -> Bool { left.value < right.value }
}
