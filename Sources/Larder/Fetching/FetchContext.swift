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
        /// The tags of the cached values that the response is made from.
        let valueTags = NIOLockedValueBox<Set<CacheTag>>([])
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
        for frame in frames { frame.valueTags.withLockedValue { $0.formUnion(tags) } }
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
