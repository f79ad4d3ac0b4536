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
        tagged(tags)
    }

    /// The response with tags by which it can be invalidated, percent-encoded, so that any text in a tag arrives.
    public func tagged(_ tags: [CacheTag]) -> Response {
        var tagged = self
        var line = ""
        for tag in tags {
            let text = tag.description
            if !line.isEmpty, line.utf8.count + 2 + text.utf8.count > Self.tagLineLength {
                tagged.headers.append(HTTPField(name: .cacheTag, value: line))
                line = ""
            }
            line += line.isEmpty ? text : ", " + text
        }
        if !line.isEmpty { tagged.headers.append(HTTPField(name: .cacheTag, value: line)) }
        return tagged
    }

    /// The longest line of tags in bytes: servers between the handler and the cache refuse longer ones, and too many.
    private static let tagLineLength = 4_096
}
