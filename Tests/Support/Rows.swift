import HTTPCaching
public import HTTPTypes
public import Larder
import NIOConcurrencyHelpers

/// The data that an origin renders, as a database would hold it.
public final class Row: Sendable {
    private let value: NIOLockedValueBox<String>

    /// Creates a row that holds a text.
    public init(_ text: String) { value = NIOLockedValueBox(text) }

    public var text: String {
        get { value.withLockedValue { $0 } }
        set { value.withLockedValue { $0 = newValue } }
    }
}

/// The versions of a row: the last committed one, and the last one that was acknowledged after its invalidation.
public final class Versions: Sendable {
    private let state = NIOLockedValueBox((committed: 0, acknowledged: 0))

    /// Creates the versions of a row that has not been written yet.
    public init() {}

    /// The last version committed.
    public var committed: Int { state.withLockedValue { $0.committed } }
    /// The last acknowledged version: later requests must not get an older one.
    public var acknowledged: Int { state.withLockedValue { $0.acknowledged } }

    /// Commits the next version.
    public func commit() -> Int {
        state.withLockedValue { state in
            state.committed += 1
            return state.committed
        }
    }

    /// Acknowledges a version that was committed and then invalidated.
    public func acknowledge(_ version: Int) {
        state.withLockedValue { $0.acknowledged = max($0.acknowledged, version) }
    }
}

extension HTTPField.Name {
    /// The field in which a handler names the tags of its response.
    public static let cacheTagForTests = HTTPField.Name("Cache-Tag")!
}

extension CachePolicy {
    /// The policy, extended to read tags from that field.
    public var readingTags: CachePolicy {
        var policy = self
        if !policy.rules.tagFields.contains(.cacheTagForTests) { policy.rules.tagFields.append(.cacheTagForTests) }
        return policy
    }
}
