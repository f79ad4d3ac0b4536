/// Where the invalidations stood when a fetch began, before its origin was asked.
///
/// What was born before an invalidation that covers it is dead, wherever it is kept and whenever it arrives.
public struct LogVersion: Hashable, Sendable {
    /// Names one life of a ledger: 128 random bits, never repeated.
    public struct Epoch: Hashable, Sendable {
        /// The first and the last 64 bits.
        public let high, low: UInt64

        /// An epoch read from a ledger.
        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// An epoch that never was before.
        public static func new() -> Epoch {
            Epoch(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        }
    }

    /// The life of the ledger that the number counts in.
    public let epoch: Epoch
    /// The number of the last invalidation.
    public let number: UInt64

    /// A birth.
    public init(epoch: Epoch, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }
}

/// What the ledger says of something born: whether it is alive, and how far the ledger had come when it said so.
public struct Verdict: Hashable, Sendable {
    /// Whether no cover was invalidated since the birth.
    public let isAlive: Bool
    /// Where the invalidations stood when this was said.
    public let said: LogVersion

    /// Whether the ledger was asked at all. One that cannot be reached finds nothing alive, and says nothing of why.
    public let isKnown: Bool

    /// A verdict.
    public init(isAlive: Bool, said: LogVersion) {
        self.isAlive = isAlive
        self.said = said
        self.isKnown = true
    }

    /// What is to be assumed where the ledger cannot be reached, at a number of the process's own.
    public static func unknown(at number: LogVersion) -> Verdict { Verdict(unknownAt: number) }

    private init(unknownAt number: LogVersion) {
        self.isAlive = false
        self.said = number
        self.isKnown = false
    }
}
