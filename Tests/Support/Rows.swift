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
