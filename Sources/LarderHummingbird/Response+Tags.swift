import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder

extension Response {
    /// The response with tags by which it can be invalidated. The cache takes them off before the client sees it.
    ///
    /// ```swift
    /// response.tagged("posts", "user-\(id)")
    /// ```
    public func tagged(_ tags: CacheTag...) -> Response {
        var tagged = self
        for tag in tags {
            tagged.headers.append(HTTPField(name: .cacheTag, value: tag.description))
        }
        return tagged
    }
}
