import Hummingbird
import Larder

/// A path with parameters of the route that a request was sent to: `"/api/posts/:post"`.
///
/// A segment that begins with `:`, or is in braces, is a parameter; the others are as they are spelled in a URL.
public struct PathTemplate: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    private enum Segment: Hashable {
        case text(String)
        case parameter(String)
    }

    public let description: String
    private let segments: [Segment]

    /// Creates a template. A wildcard, a parameter without a name, or one that is only a part of a segment, stops the
    /// program.
    public init(stringLiteral text: String) {
        self.description = text
        self.segments = text.split(separator: "/").map { segment in
            var name = segment
            if segment.hasPrefix(":") {
                name = segment.dropFirst()
            } else if segment.hasPrefix("{"), segment.hasSuffix("}") {
                name = segment.dropFirst().dropLast()
            } else {
                precondition(
                    !segment.contains { "*{}?#".contains($0) },
                    """
                    "\(text)" is not a path template: expected segments such as `posts`, `:id` or `{id}`, and neither \
                    wildcards nor a query
                    """
                )
                return .text(String(segment))
            }
            precondition(!name.isEmpty, "\"\(text)\" is not a path template: a parameter has no name")
            return .parameter(String(name))
        }
    }

    /// Returns the scopes that an invalidation of the path with these parameters names, in every reading that servers
    /// may have of it. Hummingbird does not decode parameters: they are as the request spelled them.
    ///
    /// A parameter that the route does not have stands for any text: the path before it, and all paths below that one,
    /// are invalidated.
    func scopes(with parameters: Parameters) -> (scopes: [InvalidationScope], missing: String?) {
        var path = ""
        for segment in segments {
            switch segment {
            case .text(let text): path += "/" + text
            case .parameter(let name):
                guard let value = parameters.get(name) else {
                    return (InvalidationScope.prefixes(path.isEmpty ? "/" : path), name)
                }
                path += "/" + value
            }
        }
        return (InvalidationScope.paths(path.isEmpty ? "/" : path), nil)
    }
}
