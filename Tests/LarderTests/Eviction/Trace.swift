import Foundation
import TestHelpers

/// A sequence of requests, as a cache sees them: keys, numbered from 0, and the sizes of their responses.
struct Trace {
    let name: String
    let keys: [Int32]
    /// The size of each key's response in bytes; empty if every response counts as one.
    let sizes: [Int32]
    let keyCount: Int

    init(_ name: String, keys: [Int32], sizes: [Int32] = []) {
        self.name = name
        self.keys = keys
        self.sizes = sizes
        self.keyCount = Int(keys.max() ?? -1) + 1
    }

    private static let folder = PackageFolder.root.appending(path: "Tests/LarderTests/Traces")

    /// Returns the whole numbers in a text, of which all other characters separate them.
    private static func numbers(in data: Data) -> [Int32] {
        var numbers: [Int32] = []
        numbers.reserveCapacity(data.count / 3)
        data.withUnsafeBytes { bytes in
            var (number, isNumber): (Int32, Bool) = (0, false)
            for byte in bytes {
                if byte >= 48, byte < 58 {
                    (number, isNumber) = (number &* 10 &+ Int32(byte &- 48), true)
                } else if isNumber {
                    numbers.append(number)
                    (number, isNumber) = (0, false)
                }
            }
            if isNumber { numbers.append(number) }
        }
        return numbers
    }

    /// The trace `twitter52_1m`.
    static let twitter: Result<Trace, any Error> = Result {
        let numbers = Self.numbers(in: try GzipFile.content(of: folder.appending(path: "twitter52_1m.csv.gz")))
        var (keys, sizes): ([Int32], [Int32]) = ([], [])
        for place in stride(from: 0, to: numbers.count, by: 3) {
            let (key, size) = (numbers[place + 1], numbers[place + 2])
            keys.append(key)
            if Int(key) == sizes.count { sizes.append(size) }
        }
        return Trace("twitter52_1m", keys: keys, sizes: sizes)
    }

    /// Returns a trace of keys alone.
    static func ofKeys(_ name: String) throws -> Trace {
        Trace(name, keys: numbers(in: try GzipFile.content(of: folder.appending(path: "\(name).keys.gz"))))
    }

    /// Returns the trace with this name, from a file or by the formula of `expected.json`.
    static func named(_ name: String) throws -> Trace {
        switch name {
        case "twitter52_1m": try twitter.get()
        case "zipf_0.8": zipf(name, exponent: 0.8)
        case "zipf_1.0": zipf(name, exponent: 1)
        case "zipf_1.0_scan": zipf(name, exponent: 1, scans: true)
        case "zipf_0.8_sized": zipf(name, exponent: 0.8, isSized: true)
        default: try ofKeys(name)
        }
    }

    // MARK: Zipf

    private static func mix(_ state: UInt64) -> UInt64 {
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private static func zipf(
        _ name: String,
        exponent: Double,
        scans: Bool = false,
        isSized: Bool = false
    ) -> Trace {
        let step: UInt64 = 0x9E37_79B9_7F4A_7C15
        var sums: [Double] = []
        var sum = 0.0
        for rank in 1...100_000 {
            sum += pow(Double(rank), -exponent)
            sums.append(sum)
        }
        var state: UInt64 = 42
        var keys: [Int32] = []
        keys.reserveCapacity(2_000_000)
        var scanned: Int32 = 0
        for request in 0..<2_000_000 {
            state &+= step
            let target = Double(mix(state) >> 11) * 0x1p-53 * sum
            if scans, request % 100_000 >= 90_000 {
                keys.append(100_000 + scanned)
                scanned += 1
                continue
            }
            var (low, high) = (0, sums.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if sums[middle] > target { high = middle } else { low = middle + 1 }
            }
            keys.append(Int32(low))
        }
        let sizes = (0..<(isSized ? 100_000 : 0)).map { key in
            let mixed = mix(UInt64(key) &* step &+ step)
            let base: UInt64 = 256 << (mixed % 9)
            return Int32(base + ((base * ((mixed >> 8) & 0xFFFF)) >> 16))
        }
        return Trace(name, keys: keys, sizes: sizes)
    }
}

/// The reference values of `expected.json`.
struct ReferenceValues {
    private struct Document: Decodable {
        struct Policy: Decodable {
            let miss: Double
            let byteMiss: Double?

            enum CodingKeys: String, CodingKey {
                case miss
                case byteMiss = "byte_miss"
            }
        }

        struct Size: Decodable {
            let cap: Int
            let policies: [String: Policy]
        }

        /// By trace, then `count` or `byte`, then the part of the trace's footprint that is the capacity.
        let miss: [String: [String: [String: Size]]]
    }

    /// A capacity, and the miss ratios of each policy with it.
    struct Row {
        /// True if the capacity is in bytes and not in entries.
        let isInBytes: Bool
        let capacity: Int
        let misses: [String: (requests: Double, bytes: Double?)]
    }

    /// Returns the rows of a trace.
    static func rows(of trace: String) throws -> [Row] {
        let data = try Data(contentsOf: PackageFolder.root.appending(path: "Tests/LarderTests/Traces/expected.json"))
        let document = try JSONDecoder().decode(Document.self, from: data)
        return (document.miss[trace] ?? [:]).flatMap { unit, sizes in
            sizes.values.map { size in
                Row(
                    isInBytes: unit == "byte",
                    capacity: size.cap,
                    misses: size.policies.mapValues { ($0.miss, $0.byteMiss) }
                )
            }
        }
    }
}
