import HTTPCaching
import HTTPTypes
import Larder
import NIOConcurrencyHelpers

/// What an origin renders from, as a database would hold it.
final class Row: Sendable {
    private let value: NIOLockedValueBox<String>

    init(_ text: String) { value = NIOLockedValueBox(text) }

    var text: String {
        get { value.withLockedValue { $0 } }
        set { value.withLockedValue { $0 = newValue } }
    }
}

extension HTTPField.Name {
    /// Where a handler says which tags its response has.
    static let cacheTagForTests = HTTPField.Name("Cache-Tag")!
}

extension CachePolicy {
    /// The policy, reading that field.
    var readingTags: CachePolicy {
        var policy = self
        if !policy.rules.tagFields.contains(.cacheTagForTests) { policy.rules.tagFields.append(.cacheTagForTests) }
        return policy
    }
}
