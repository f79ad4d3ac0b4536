import HTTPCaching

/// A 64-bit hash of texts, the same in each run. Of a million texts two have the same hash with a probability of one in
/// 37 million.
///
/// Texts that someone makes to have the same hash count as one, which falsifies figures and does no other harm: tables
/// hash the hashes again, with a random key.
struct TextHash {
    private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var state: UInt64 = 0x51_7C_C1_B7_27_22_0A_95

    init() {}

    init(_ text: ArraySlice<UInt8>) { add(text) }

    /// Adds a text, and its length.
    mutating func add(_ text: ArraySlice<UInt8>, lowercased: Bool = false) {
        var (word, count) = (UInt64(0), 0)
        for byte in text {
            word = word << 8 | UInt64(lowercased ? ASCII.lowercased(byte) : byte)
            count += 1
            if count & 7 == 0 {
                mix(word)
                word = 0
            }
        }
        mix(word)
        mix(UInt64(count))
    }

    private mutating func mix(_ word: UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: Self.factor)
        state = product.high ^ product.low &+ 0x2545_F491_4F6C_DD1D
    }

    /// The hash, in which each bit depends on all of the text.
    var value: UInt64 {
        var mixed = state
        mixed = (mixed ^ mixed >> 32) &* 0xD6E8_FEB8_6659_FD93
        return mixed ^ mixed >> 32
    }
}
