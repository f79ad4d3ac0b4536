/// A generator of reproducible random numbers (SplitMix64, Steele, Lea and Flood 2014).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Creates a generator with a seed.
    public init(seed: UInt64) {
        self.state = seed
    }

    /// Creates a generator with a random seed, and prints the seed. To reproduce a failure, write the seed here.
    public init(for test: String) {
        let seed = UInt64.random(in: .min ... .max)
        print("seed of \(test): \(seed)")
        self.init(seed: seed)
    }

    /// Returns the next number.
    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
