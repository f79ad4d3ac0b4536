/// The memory that a store uses in this process, and the number of entries that it has removed since it was created.
public struct StoreUsage: Hashable, Sendable {
    /// The size of what is stored, everything charged.
    public var used: ByteCount
    /// The limit of that size.
    public var limit: ByteCount
    /// The number of keys that were removed to make room.
    public var evictions: Int
    /// The number of keys that were removed because their storage time was over.
    public var expirations: Int

    /// Creates the usage of a store.
    /// - Parameters:
    ///   - used: The size of what is stored, everything charged.
    ///   - limit: The limit of that size.
    ///   - evictions: The number of keys that were removed to make room.
    ///   - expirations: The number of keys that were removed because their storage time was over.
    public init(used: ByteCount, limit: ByteCount, evictions: Int, expirations: Int) {
        self.used = used
        self.limit = limit
        self.evictions = evictions
        self.expirations = expirations
    }
}
