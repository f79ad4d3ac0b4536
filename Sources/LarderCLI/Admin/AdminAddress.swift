import Foundation
import HTTPCaching

/// The address of an admin API: a URL with the path below which its routes are, or a Unix socket.
struct AdminAddress: CustomStringConvertible {
    /// The address of a gateway with default settings on this machine.
    static let standard = "http://127.0.0.1:8000/-/larder"
    /// The expected form, for messages.
    static let expectation = "a URL such as \(standard), or unix:///run/larder.sock"
    private static let path = "/-/larder"

    /// The address as it was given.
    let description: String
    /// The URL below which the routes are, without a slash at its end, as AsyncHTTPClient reads it.
    private let base: String
    /// The value of `Host` for a socket; nil for a URL, which has one.
    let host: String?
    /// The scheme, host and port that the API shares with the responses that are cached; for a socket a name that
    /// stands for this machine.
    let origin: String

    /// Creates an address from a text; nil for any other text. A URL without a path has the one of a gateway with
    /// default settings.
    init?(_ text: String) {
        description = text
        let lowercased = text.lowercased()
        if lowercased.hasPrefix("unix://") {
            let socket = text.dropFirst("unix://".count)
            guard socket.hasPrefix("/"), socket.count > 1 else { return nil }
            base = "http+unix://" + PercentEncoding.encoded(String(socket)) + Self.path
            (host, origin) = ("localhost", "http://localhost")
            return
        }
        if lowercased.hasPrefix("http+unix://") {
            let rest = text.dropFirst("http+unix://".count)
            let socket = rest.prefix { $0 != "/" }
            guard !socket.isEmpty, Self.isPlain(rest) else { return nil }
            base = "http+unix://\(socket)" + Self.trimmed(String(rest.dropFirst(socket.count)))
            (host, origin) = ("localhost", "http://localhost")
            return
        }
        guard let components = URLComponents(string: text), let scheme = components.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let name = components.encodedHost, !name.isEmpty,
            components.user == nil, components.password == nil, components.query == nil, components.fragment == nil
        else { return nil }
        origin = "\(scheme)://\(name)" + (components.port.map { ":\($0)" } ?? "")
        base = origin + Self.trimmed(components.percentEncodedPath)
        host = nil
    }

    /// Returns the URL of a route.
    /// - Parameter query: The names and values of its query, which are encoded.
    func url(_ route: String, _ query: [(name: String, value: String)] = []) -> String {
        let pairs = query.map { "\($0.name)=\(PercentEncoding.encoded($0.value))" }
        return "\(base)/\(route)" + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
    }

    private static func isPlain(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    }

    private static func trimmed(_ path: String) -> String {
        let end = path.lastIndex { $0 != "/" }
        return end.map { String(path[...$0]) } ?? Self.path
    }
}

extension PercentEncoding {
    /// Returns a text with every byte percent-encoded that is not unreserved (RFC 3986 §2.3).
    static func encoded(_ text: String) -> String {
        var output: [UInt8] = []
        append(text, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Returns `%` and the two hexadecimal digits of a byte.
    static func triplet(_ byte: UInt8) -> String {
        var output: [UInt8] = []
        append(byte, to: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
