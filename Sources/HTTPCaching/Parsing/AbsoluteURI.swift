/// The parts of a URI with a scheme and an authority, as they are written: `https://example.org:8443/posts?page=2`
/// (RFC 3986 §3).
package struct AbsoluteURI: Sendable {
    package let scheme: Substring
    package let authority: Substring
    /// The path and all that follows it; it may be empty.
    package let rest: Substring

    /// Creates the parts of a URI. Returns nil if the text does not begin with a scheme and `://`.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let colon = text.utf8.firstIndex(of: ASCII.colon), text.utf8[colon...].starts(with: "://".utf8),
            let letter = text.utf8.first, ASCII.isLetter(letter),
            text.utf8[..<colon].allSatisfy({ ASCII.isLetter($0) || ASCII.isDigit($0) || "+-.".utf8.contains($0) })
        else { return nil }
        let start = text.utf8.index(colon, offsetBy: 3)
        let end =
            text.utf8[start...].firstIndex { $0 == ASCII.slash || $0 == ASCII.question || $0 == ASCII.hash }
            ?? text.endIndex
        scheme = text[..<colon]
        authority = text[start..<end]
        rest = text[end...]
    }

    /// True if the scheme is `http` or `https`, in any case.
    package var isHTTP: Bool { scheme.equalsIgnoringCase("http") || isHTTPS }

    /// True if the scheme is `https`, in any case.
    package var isHTTPS: Bool { scheme.equalsIgnoringCase("https") }
}
