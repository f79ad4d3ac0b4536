public import Larder

/// A rule that every store keeps, as a check that can run on any of them.
///
/// The stores to come run the same table as the memory store: what differs is only the bench that they are given. A
/// check compares by value, as a store may answer with another object than the one it was given.
public struct StoreBehaviour: Sendable, CustomStringConvertible {
    /// The rule in plain words.
    public let description: String
    /// What the bench's store is to be made with.
    public let limits: StoreLimits
    private let body: @Sendable (StoreBench) async throws -> Void

    init(
        _ description: String,
        limits: StoreLimits = StoreLimits(),
        _ body: @escaping @Sendable (StoreBench) async throws -> Void
    ) {
        self.description = description
        self.limits = limits
        self.body = body
    }

    /// Checks the rule on a bench with a store that is empty and was made with the ``limits``.
    /// - Throws: a ``StoreFailure`` where the rule is broken.
    public func check(on bench: StoreBench) async throws {
        try await body(bench)
    }

    /// Every rule.
    public static let all =
        keeping + variants + choices + expiring + covering + judging + removing + counterexamples + histories
}

/// What a store under test is made with.
public struct StoreLimits: Hashable, Sendable {
    /// The largest entry it takes.
    public var entryLimit = ByteCount.kibibytes(64)
    /// The number of stamps it remembers.
    public var stampLimit = 10_000
    /// The number of Vary variants under one key.
    public var variantLimit = MemoryStore.defaultVariantLimit

    /// The limits that suit most behaviours.
    public init() {}

    init(stampLimit: Int) { self.stampLimit = stampLimit }

    init(variantLimit: Int) { self.variantLimit = variantLimit }

    /// The room that is needed, with which nothing is evicted.
    public var limit: ByteCount { .mebibytes(64) }
}

/// A rule of stores that was broken, and where it was checked.
public struct StoreFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ text: String, line: Int, of file: String) {
        description = "\(text) (\(file):\(line))"
    }
}

/// Fails where something does not hold.
func expect(
    _ holds: Bool,
    _ otherwise: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws(StoreFailure) {
    guard holds else { throw StoreFailure(otherwise(), line: line, of: file) }
}

/// Fails where two values differ.
func expect<Value: Equatable>(
    _ found: Value,
    is wanted: Value,
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws(StoreFailure) {
    try expect(found == wanted, "\(what()): \(found) instead of \(wanted)", file: file, line: line)
}
