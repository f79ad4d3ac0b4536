import HTTPCaching

/// Targets to request, each once.
struct TargetList {
    /// The largest number of URLs: 1,000,000.
    static let limit = 1_000_000

    /// The URLs, in the order in which they are requested.
    private(set) var urls: [String] = []
    /// The number of different URLs that were left out because there are too many.
    private(set) var leftOut = 0
    private var known: Set<String> = []

    /// Adds a URL if the list does not have it.
    mutating func add(_ url: String) {
        guard !known.contains(url) else { return }
        guard urls.count < Self.limit else {
            leftOut += 1
            return
        }
        known.insert(url)
        urls.append(url)
    }

    /// Removes all URLs but the first ones.
    mutating func limit(to count: Int) {
        if urls.count > count { urls.removeLast(urls.count - count) }
    }
}

/// The numbers of requests for URLs.
struct TargetCounts {
    private var counts: [String: (requests: Int, place: Int)] = [:]
    /// The number of requests that were left out because there are too many different URLs.
    private(set) var leftOut = 0

    /// Counts a request.
    mutating func add(_ url: String) {
        let place = counts.count
        if place >= TargetList.limit, counts[url] == nil {
            leftOut += 1
        } else {
            counts[url, default: (0, place)].requests += 1
        }
    }

    /// The URLs, the most frequent first; of equal ones that which was requested first.
    var urls: [String] {
        counts.sorted { ($1.value.requests, $0.value.place) < ($0.value.requests, $1.value.place) }.map(\.key)
    }
}

/// What an API requests: a gateway URLs, and an application paths.
enum TargetForm {
    case urls
    case paths
}

/// The reading of URLs and paths.
struct TargetText {
    /// The length of the longest target that the API takes, in bytes.
    private static let lengthLimit = 8_192

    /// The scheme, host and port of paths, such as `http://shop.example`.
    let origin: String
    /// The form of the targets.
    var form = TargetForm.urls

    /// Creates the reading of paths of an origin.
    /// - Parameter origin: Scheme, host and port; nil for any other text.
    init?(origin: String) {
        guard let url = Self.absolute(Substring(origin)), url.path.isEmpty || url.path == "/" else { return nil }
        self.origin = "\(url.scheme)://\(url.authority)"
    }

    /// Returns the target of a text: a URL without its fragment, or a path of the origin; nil for any other text. If
    /// paths are requested, it is that of the URL.
    /// - Parameter host: The host and port of a path; nil or empty for those of the origin.
    func target(_ text: some StringProtocol, host: String? = nil) -> String? {
        let text = text.prefix { $0 != "#" }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        var (start, path) = (origin, String(text))
        if text.hasPrefix("/") {
            if let authority = host.flatMap(Self.authority) {
                start = "\(origin.prefix { $0 != ":" })://\(authority)"
            }
        } else {
            guard let absolute = Self.absolute(Substring(text)) else { return nil }
            start = "\(absolute.scheme)://\(absolute.authority)"
            path = absolute.path.isEmpty ? "/" : String(absolute.path)
        }
        let encoded = Self.encoded(form == .urls ? start + path : path)
        return encoded.utf8.count <= Self.lengthLimit ? encoded : nil
    }

    /// Returns the parts of a URL; nil for any other text.
    private static func absolute(_ text: Substring) -> (scheme: String, authority: String, path: Substring)? {
        for scheme in ["http", "https"] where text.lowercased().hasPrefix(scheme + "://") {
            let rest = text.dropFirst(scheme.count + 3)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard let authority = authority(String(rest[..<end])) else { return nil }
            // RFC 9110 §4.2.3: an empty path is equivalent to "/".
            let path = rest[end...]
            return (scheme, authority, path.hasPrefix("?") ? "/" + path : path)
        }
        return nil
    }

    /// Returns a host with its port if the text can be one. A URL with a user does not name a stored response.
    private static func authority(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
                true
            default: false
            }
        }
        return isPlain && !text.isEmpty && text.first != ":" ? text.lowercased() : nil
    }

    private static func encoded(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 > 0x7E }) else { return text }
        var output = ""
        for byte in text.utf8 {
            if byte > 0x7E {
                output += PercentEncoding.triplet(byte)
            } else {
                output.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return output
    }
}
