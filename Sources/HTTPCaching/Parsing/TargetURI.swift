import HTTPTypes

/// The target URI of a request, against which the references in its response are resolved (RFC 3986 §5).
struct TargetURI {
    let scheme: String?
    let authority: String?
    let path: String
    let query: String?

    init(_ request: HTTPRequest) {
        self.scheme = request.scheme
        self.authority = request.authority
        let target = request.path ?? "/"
        let parts = target.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        self.path = String(Substring(parts[0]))
        self.query = parts.count > 1 ? String(Substring(parts[1])) : nil
    }

    /// The path and query in the form that a request has.
    var target: String {
        Self.target(path: path, query: query)
    }

    private static func target(path: String, query: String?) -> String {
        (path.isEmpty ? "/" : path) + (query.map { "?\($0)" } ?? "")
    }

    /// Returns the path and query that `reference` leads to, or nil if it leads to another origin or is not
    /// hierarchical.
    func targetOnSameOrigin(_ reference: String) -> String? {
        let reference = Reference(reference)
        guard hasOrigin(of: reference) else { return nil }
        let query = reference.query
        if reference.scheme != nil || reference.authority != nil || reference.path.utf8.first == ASCII.slash {
            return Self.target(path: Self.removingDotSegments(reference.path), query: query)
        }
        if reference.path.isEmpty {
            return Self.target(path: path, query: query ?? self.query)
        }
        // A relative path replaces what follows the last slash (§5.2.3).
        let directory = path.utf8.lastIndex(of: ASCII.slash).map { path.utf8[...$0] }
        let merged = directory.map { String(Substring($0)) } ?? "/"
        return Self.target(path: Self.removingDotSegments(merged + reference.path), query: query)
    }

    /// Returns true if a reference has the origin of this URI: "Two origins are the same if they have the same scheme,
    /// host and port" (RFC 9110 §4.3.1). The base supplies the parts that the reference omits.
    private func hasOrigin(of reference: Reference) -> Bool {
        guard let authority = reference.authority else {
            // `mailto:x` has another origin, and `http:x`, once a relative form, is not resolved.
            return reference.scheme == nil
        }
        guard let own = self.authority else { return false }
        let scheme = reference.scheme ?? self.scheme
        if let ours = self.scheme, let theirs = scheme, !ours.equalsIgnoringCase(theirs) { return false }
        return Self.normalized(authority, scheme: scheme) == Self.normalized(own, scheme: scheme)
    }

    /// Returns host and port in lower case, without the default port of the scheme.
    private static func normalized(_ authority: String, scheme: String?) -> String {
        let defaultPort = scheme?.lowercasedASCII == "https" ? 443 : 80
        return Authority(authority)?.normalized(defaultPort: defaultPort) ?? authority.lowercasedASCII
    }

    /// Returns a path without its `.` and `..` segments (RFC 3986 §5.2.4).
    static func removingDotSegments(_ path: String) -> String {
        let segments = path.utf8.split(separator: ASCII.slash, omittingEmptySubsequences: false).map { Substring($0) }
        var output: [Substring] = []
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            switch segment {
            case ".": if isLast { output.append("") }
            case "..":
                // The empty segment before the leading slash stays.
                if output.count > 1 { output.removeLast() }
                if isLast { output.append("") }
            default: output.append(segment)
            }
        }
        return output.joined(separator: "/")
    }
}

/// The parts of a URI reference, without its fragment (RFC 3986 §4.1).
private struct Reference {
    var scheme: String?
    var authority: String?
    var path: String
    var query: String?

    init(_ text: String) {
        var rest = Substring(text).utf8.prefix { $0 != UInt8(ascii: "#") }
        let first = rest.firstIndex { [ASCII.colon, ASCII.slash, UInt8(ascii: "?")].contains($0) }
        if let colon = first, rest[colon] == ASCII.colon, let letter = rest.first, ASCII.isLetter(letter) {
            scheme = String(Substring(rest[..<colon]))
            rest = rest[colon...].dropFirst()
        }
        if rest.starts(with: "//".utf8) {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex { $0 == ASCII.slash || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            authority = String(Substring(rest[..<end]))
            rest = rest[end...]
        }
        let parts = rest.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        path = String(Substring(parts[0]))
        query = parts.count > 1 ? String(Substring(parts[1])) : nil
    }
}
