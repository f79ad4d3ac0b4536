import HTTPCaching
import HTTPTypes
import NIOConcurrencyHelpers

/// The fetches that the current task runs in, the outermost first.
///
/// A handler may send requests to a cache, directly or because its route is cached inside another cache. Such a request
/// must not wait for the fetch that it is a part of, and the tags of its response are also those of the response around
/// it.
package enum FetchContext {
    /// A fetch that a task runs in.
    struct Frame: Sendable {
        let cache: ObjectIdentifier
        let key: CacheKey
        /// The fields in which the fetching cache looks for the tags of the response.
        let tagFields: [HTTPField.Name]
        /// The cached values that the response is made from.
        let usedValues = NIOLockedValueBox(UsedValues())
    }

    /// The cached values that a response is made from, as far as the response depends on them.
    struct UsedValues: Sendable {
        /// The tags of the values.
        var tags: Set<CacheTag> = []
        /// True if one of them was stale.
        var isStale = false
    }

    @TaskLocal static var frames: [Frame] = []

    /// The fetch that the current task runs; nil for a request that goes to the origin by itself.
    @TaskLocal package static var fetch: BackgroundFetch?

    /// The largest number of nested fetches for one key; beyond it a request bypasses the cache.
    static let maximumLevel = 8

    /// Returns the fetches that a request is made in, and the fetch for that request.
    static func frames<O: Origin>(of miss: CacheMiss<O>, in cache: ResponseCache) -> [Frame] {
        let frame = Frame(
            cache: ObjectIdentifier(cache),
            key: miss.cacheable.location.key,
            tagFields: miss.cacheable.policy.rules.tagFields
        )
        return miss.frames + [frame]
    }

    /// Notes that the responses of all fetches that the current task runs in are made from a value with these tags: an
    /// invalidation of one of them invalidates the responses as well.
    static func noteValue(taggedBy tags: [CacheTag]) {
        guard !tags.isEmpty else { return }
        for frame in frames { frame.usedValues.withLockedValue { $0.tags.formUnion(tags) } }
    }

    /// Notes that the responses of all fetches that the current task runs in are made from a stale value: they are not
    /// stored, since they would be fresh for their whole lifetime.
    static func noteStaleValue() {
        for frame in frames { frame.usedValues.withLockedValue { $0.isStale = true } }
    }

    /// Returns the number of fetches for a key among the fetches that a request is made in.
    static func level(of key: CacheKey, among frames: [Frame], in cache: ResponseCache) -> Int {
        let identifier = ObjectIdentifier(cache)
        return frames.count { $0.cache == identifier && $0.key == key }
    }
}

/// A key at one level of nesting. State that is remembered for one level need not hold at another.
struct LeveledKey: Hashable, Sendable {
    let key: CacheKey
    let level: Int
}
