/// The way in which a ``MemoryStore`` chooses the entries that it evicts when it is full.
public struct EvictionMethod: Hashable, Sendable, CustomStringConvertible {
    enum Kind: String {
        case byUse, bySizeAndUse
    }

    let kind: Kind

    /// Evicts entries that are used rarely, whatever their size (S3-FIFO). It is the default, and serves the most bytes
    /// from memory.
    public static let byUse = EvictionMethod(kind: .byUse)

    /// Evicts entries that are used rarely for their size: many small responses are worth more than a large one
    /// (GDSF with lazy promotion). More requests are answered from memory if the sizes of responses vary widely, and
    /// fewer bytes. In traces with such sizes 1 to 17 of 100 more requests are answered, and up to 5 of 100 fewer
    /// bytes.
    public static let bySizeAndUse = EvictionMethod(kind: .bySizeAndUse)

    /// The name of the method.
    public var description: String { kind.rawValue }
}
