extension CacheTag {
    /// The largest number of tags of a response that has the pairs of its tags: 8, which make 28 pairs.
    public static let maximumPairedTags = 8

    /// Returns the tag of the responses that have both tags, in either order.
    static func pair(_ first: CacheTag, _ second: CacheTag) -> CacheTag {
        if first == second { return first }
        let (low, high) = first.description < second.description ? (first, second) : (second, first)
        return CacheTag("&", low, high)
    }

    /// Returns the tags of every pair among tags.
    static func pairs(of tags: [CacheTag]) -> [CacheTag] {
        tags.indices.flatMap { place in tags[(place + 1)...].map { pair(tags[place], $0) } }
    }
}

extension InvalidationScope {
    /// Returns the scope of the responses that have both tags, under a policy that says
    /// ``CachePolicy/invalidatedByTagPairs()``.
    ///
    /// ```swift
    /// await cache.invalidate(.tags("team-1", and: "drafts"))
    /// ```
    public static func tags(_ first: CacheTag, and second: CacheTag) -> InvalidationScope {
        .tag(.pair(first, second))
    }
}

extension CachePolicy {
    /// Returns the tags that the handler gave a response, with the pairs of all its tags if the policy has them; nil if
    /// these are too many.
    func pairing(_ own: [CacheTag]) -> [CacheTag]? {
        guard pairsTags else { return own }
        let all = (tags + own.filter { !tags.contains($0) }).filter { !$0.isOfDependents }
        return all.count > CacheTag.maximumPairedTags ? nil : own + CacheTag.pairs(of: all)
    }
}
