import HTTPCaching
public import HTTPTypes
public import Larder
import NIOConcurrencyHelpers

/// What an origin renders from, as a database would hold it.
public final class Row: Sendable {
    private let value: NIOLockedValueBox<String>

    /// A row that holds a text.
    public init(_ text: String) { value = NIOLockedValueBox(text) }

    public var text: String {
        get { value.withLockedValue { $0 } }
        set { value.withLockedValue { $0 = newValue } }
    }
}

/// The versions of a row: what is committed, and what its writer was told of after it was invalidated.
public final class Versions: Sendable {
    private let state = NIOLockedValueBox((committed: 0, told: 0))

    /// A row that nobody has written yet.
    public init() {}

    /// The last version committed.
    public var committed: Int { state.withLockedValue { $0.committed } }
    /// The last version that somebody was told of: nobody may see less.
    public var told: Int { state.withLockedValue { $0.told } }

    /// Commits the next version.
    public func commit() -> Int {
        state.withLockedValue { state in
            state.committed += 1
            return state.committed
        }
    }

    /// Tells of a version that was invalidated after it had been committed.
    public func tell(_ version: Int) { state.withLockedValue { $0.told = max($0.told, version) } }
}

extension HTTPField.Name {
    /// Where a handler says which tags its response has.
    public static let cacheTagForTests = HTTPField.Name("Cache-Tag")!
}

extension CachePolicy {
    /// The policy, reading that field.
    public var readingTags: CachePolicy {
        var policy = self
        if !policy.rules.tagFields.contains(.cacheTagForTests) { policy.rules.tagFields.append(.cacheTagForTests) }
        return policy
    }
}
