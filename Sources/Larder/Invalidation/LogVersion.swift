/// A version of the invalidation log, in one of its epochs. A read version was read before the origin was asked.
///
/// A response is invalid if one of its scopes has been invalidated since its read version, wherever the response is
/// stored and whenever it arrives.
public struct LogVersion: Hashable, Sendable {
    /// The epoch of an invalidation log: random bits, 128 in memory and 104 in Redis. A log that replaces a lost one
    /// has another epoch.
    public struct Epoch: Hashable, Sendable {
        /// The first and the last 64 bits.
        public let high, low: UInt64

        /// Creates an epoch that was read from a log.
        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// Returns a new random epoch.
        public static func new() -> Epoch {
            Epoch(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        }
    }

    /// The epoch of the log that counts the version.
    public let epoch: Epoch
    /// The version: the number of the last invalidation.
    public let number: UInt64

    /// Creates a version.
    public init(epoch: Epoch, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }
}

/// The result of comparing a response with the invalidation log, and the log's version at the comparison.
public struct Validity: Hashable, Sendable {
    /// True if none of the response's scopes was invalidated since its read version.
    public let isValid: Bool
    /// The version of the log at the comparison.
    public let checkedVersion: LogVersion

    /// True if the log was read. If it could not be reached, the response counts as invalid, without a reason.
    public let isKnown: Bool

    /// Creates the result of a comparison.
    public init(isValid: Bool, checkedVersion: LogVersion) {
        self.isValid = isValid
        self.checkedVersion = checkedVersion
        self.isKnown = true
    }

    /// Returns the result to assume if the log cannot be reached, at a version that this process has chosen.
    public static func unknown(at number: LogVersion) -> Validity { Validity(unknownAt: number) }

    private init(unknownAt number: LogVersion) {
        self.isValid = false
        self.checkedVersion = number
        self.isKnown = false
    }
}
