import HTTPCaching
package import HTTPTypes

/// The tags that the fields of a response name, such as `Cache-Tag: posts, new arrivals`.
package struct ResponseTags: Sendable {
    /// The tags, each once, in the order in which they were read.
    package private(set) var tags: [CacheTag]
    /// The texts that do not name a tag because they are too long, or not UTF-8. A response with one of them could
    /// never be invalidated by it, so it is not stored.
    package private(set) var rejected: [String] = []

    /// Creates the tags that the fields called `names` have.
    package init(_ fields: HTTPFields, named names: [HTTPField.Name]) {
        tags = []
        var seen: Set<CacheTag> = []
        for text in SurrogateKeys.tags(in: fields, named: names) {
            if let tag = CacheTag(percentEncoded: text) {
                if seen.insert(tag).inserted { tags.append(tag) }
            } else {
                rejected.append(text)
            }
        }
    }

    /// Creates the tags of a response that is stored already.
    init(_ tags: [CacheTag]) {
        self.tags = tags
    }

    /// Returns the reason for not storing a response with these tags; nil if there is none.
    /// - Parameter limit: The largest number of tags that a response may have.
    package func notStoredReason(limit: Int) -> NotStoredReason? {
        if !rejected.isEmpty { return .tagNotAccepted }
        return tags.count > limit ? .tooManyTags : nil
    }
}
