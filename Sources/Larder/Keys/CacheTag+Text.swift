import HTTPCaching

extension CacheTag {
    /// The text that names the tag, as it was given: `new arrivals`. A shortened tag is its ``description``.
    package var text: String {
        ShortenedText.parts(in: description) == nil ? PercentEncoding.decoded(description) : description
    }

    /// Creates the tag that has this ``text``.
    package init(text: String) {
        if ShortenedText.parts(in: text) != nil, let tag = CacheTag(percentEncoded: text) {
            self = tag
        } else {
            self.init(text)
        }
    }
}

extension CacheEntry {
    /// The tags that the policy and the handler gave the response, each once, without those that the cache adds itself.
    package var namedTags: [CacheTag] {
        var seen: Set<CacheTag> = []
        let all = (location.tags + tags).filter { !$0.isOfDependents && seen.insert($0).inserted }
        guard all.count <= CacheTag.maximumPairedTags * (CacheTag.maximumPairedTags + 1) / 2 else { return all }
        let pairs = Set(CacheTag.pairs(of: all))
        return all.filter { !pairs.contains($0) }
    }

    /// True if the entry is a cached value, and not the response of a route.
    package var isOfValue: Bool { location.isOfValue }
}
