import HTTPCaching

/// A part of a key that the application takes from a request, such as a tenant or a language: `tenant=acme`.
///
/// In the key it follows `#`, as the user does: `GET:/api/posts#user=42&tenant=acme`. Both are percent-encoded, and no
/// target can contain a raw `#`, so that no request can spell a part.
public struct KeyPart: Hashable, Sendable {
    /// The name of the part.
    public let name: String
    /// The value of the part for one request.
    public let value: String

    /// Creates a part.
    /// - Parameters:
    ///   - name: A name of ASCII letters, digits, `-`, `.`, `_` and `~` that is not `user`, `content` or `sha256`,
    ///     which keys use already. Any other name stops the program.
    ///   - value: The value for one request, which may be any text.
    public init(_ name: String, _ value: String) {
        precondition(Self.isName(name), Self.sentence(about: name))
        self.name = name
        self.value = value
    }

    /// Returns true if a text can be the name of a part.
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(ASCII.isUnreserved) && !["user", "content", "sha256"].contains(text)
    }

    /// Returns the sentence that says what is wrong with a name.
    package static func sentence(about name: String) -> String {
        """
        "\(name)" cannot be the name of a key part: expected ASCII letters, digits, -, ., _ and ~, and neither \
        "user" nor "content" nor "sha256". Use `perUser` for the user.
        """
    }
}
