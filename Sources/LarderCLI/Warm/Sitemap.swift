/// A sitemap of the protocol of sitemaps.org: URLs of pages, or of further sitemaps.
struct Sitemap {
    /// The length of the longest sitemap that is read, in bytes without compression: 50 MiB, as the protocol has it.
    static let lengthLimit = 50 * 1_048_576
    /// The largest number of locations that are read. The protocol has 50,000.
    static let locationLimit = TargetList.limit
    /// The length of the longest location that is read, in bytes. A longer one is left out.
    private static let locationLength = 8_192

    /// What the locations of a sitemap are.
    enum Kind {
        case pages
        case sitemaps
    }

    let kind: Kind
    /// The locations as they are written, without the blanks around them.
    let locations: [String]

    /// Reads a sitemap.
    init(_ bytes: [UInt8]) throws(SitemapError) {
        // The protocol requires UTF-8.
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .encoding }
        var reader = try XMLReader(bytes)
        var (kind, path, locations) = (Kind.pages, [Substring](), [String]())
        while let event = try reader.next() {
            switch event {
            case .start(let name):
                // A prefix says where the name is from, which differs between versions of the protocol.
                path.append(name[(name.lastIndex(of: ":").map(name.index(after:)) ?? name.startIndex)...])
                if path.count == 1 { kind = try Self.kind(name, path[0]) }
                // An image or a video of a page has a location too, further inside.
                if path.count == 3, path[2] == "loc", path[1] == (kind == .pages ? "url" : "sitemap") {
                    reader.collect(upTo: Self.locationLength)
                }
            case .end:
                if path.count == 3, let location = reader.text()?.trimmingBlanks, !location.isEmpty {
                    guard locations.count < Self.locationLimit else { throw .tooManyLocations }
                    locations.append(String(location))
                }
                path.removeLast()
            }
        }
        (self.kind, self.locations) = (kind, locations)
    }

    private static func kind(_ name: String, _ localName: Substring) throws(SitemapError) -> Kind {
        switch localName {
        case "urlset": .pages
        case "sitemapindex": .sitemaps
        default: throw .root(String(name.prefix(100)))
        }
    }
}

/// The reason why a sitemap cannot be read.
enum SitemapError: Error, Equatable, CustomStringConvertible {
    case tooLong
    case encoding
    case doctype
    case syntax(line: Int)
    case root(String)
    case tooDeep
    case tooManyLocations

    var description: String {
        switch self {
        case .tooLong: "it is longer than \(Sitemap.lengthLimit / 1_048_576) MiB"
        case .encoding: "it is not UTF-8, which sitemaps have to be"
        case .doctype: "it has a document type, which sitemaps do not have"
        case .syntax(let line): "it is not well-formed XML (line \(line))"
        case .root(let name): "expected the element urlset or sitemapindex, not \(PrintedText.escaped(name))"
        case .tooDeep: "its elements are nested too deeply"
        case .tooManyLocations: "it has more than \(Sitemap.locationLimit) locations"
        }
    }
}
