import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder

extension Response {
    /// Returns the response with tags by which it can be invalidated. The cache removes the tags before the response is
    /// sent to the client.
    ///
    /// ```swift
    /// response.tagged("posts", "user-\(id)")
    /// ```
    public func tagged(_ tags: CacheTag...) -> Response {
        tagged(tags)
    }

    /// Returns the response with tags by which it can be invalidated. Tags are percent-encoded, so that a tag may have
    /// any text.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
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

    /// The maximum length of a line of tags: 4,096 bytes. Servers between the handler and the cache reject longer
    /// lines, and too many lines.
    private static let tagLineLength = 4_096
}
