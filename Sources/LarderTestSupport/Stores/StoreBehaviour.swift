public import Larder

/// A rule that every store follows, as a check that can run on any store.
///
/// A test runs all rules, each on an empty store:
/// ```swift
/// @Test(arguments: StoreBehaviour.all)
/// func `A dictionary store behaves as every store must`(_ behaviour: StoreBehaviour) async throws {
///     let clock = ManualClock()
///     let store = DictionaryStore(
///         limit: behaviour.limits.limit,
///         entryLimit: behaviour.limits.entryLimit,
///         variantLimit: behaviour.limits.variantLimit,
///         versionLimit: behaviour.limits.versionLimit
///     )
///     try await behaviour.check(on: StoreBench(store, clock: clock))
/// }
/// ```
/// A check compares by value, as a store may return another object than the one it was given.
public struct StoreBehaviour: Sendable, CustomStringConvertible {
    /// The rule in plain words.
    public let description: String
    /// The limits with which the bench's store is created.
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

    /// Checks the rule on a bench whose store is empty and was created with the ``limits``.
    /// - Throws: A ``StoreFailure`` if the rule is broken.
    public func check(on bench: StoreBench) async throws {
        try await body(bench)
    }

    /// All rules.
    public static let all =
        storing + variants + choices + expiring + scopes + validity + removing + listing + counterexamples + histories
}

/// The limits that a store under test is created with.
public struct StoreLimits: Hashable, Sendable {
    /// The cost of the largest entry that is stored, 64 KiB by default.
    public var entryLimit = ByteCount.kibibytes(64)
    /// The number of scopes whose versions the log remembers, 10,000 by default. A store whose log drops no versions
    /// ignores it.
    public var versionLimit = 10_000
    /// The number of Vary variants under one key, 64 by default.
    public var variantLimit = MemoryStore.defaultVariantLimit

    /// Creates the limits that suit most behaviours.
    public init() {}

    init(versionLimit: Int) { self.versionLimit = versionLimit }

    init(variantLimit: Int) { self.variantLimit = variantLimit }

    /// The size of a store in which nothing is evicted: 64 MiB.
    public var limit: ByteCount { .mebibytes(64) }
}

/// A broken rule of stores, and the place where it was checked.
public struct StoreFailure: Error, CustomStringConvertible {
    public let description: String

    package init(_ text: String, line: Int, of file: String) {
        description = "\(text) (\(file):\(line))"
    }
}

/// Throws unless a condition holds.
package func expect(
    _ holds: Bool,
    _ otherwise: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws(StoreFailure) {
    guard holds else { throw StoreFailure(otherwise(), line: line, of: file) }
}

/// Throws unless two values are equal.
package func expect<Value: Equatable>(
    _ found: Value,
    is wanted: Value,
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws(StoreFailure) {
    try expect(found == wanted, "\(what()): \(found) instead of \(wanted)", file: file, line: line)
}
