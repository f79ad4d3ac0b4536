import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// A sitemap of the protocol of sitemaps.org: URLs of pages, or of further sitemaps.
struct Sitemap {
    /// The length of the longest sitemap that is read, in bytes without compression: 50 MiB, as the protocol has it.
    static let lengthLimit = 50 * 1_048_576
    /// The largest number of locations that are read. The protocol has 50,000.
    static let locationLimit = TargetList.limit

    /// What the locations of a sitemap are.
    enum Kind {
        case pages
        case sitemaps
    }

    let kind: Kind
    /// The locations as they are written, without the blanks around them.
    let locations: [String]

    /// Reads a sitemap.
    /// - Throws: ``SitemapError``.
    init(_ data: Data) throws(SitemapError) {
        // The protocol requires UTF-8. In any other encoding, the search below would find nothing.
        guard let text = String(validating: data, as: UTF8.self), !text.utf8.contains(0) else { throw .encoding }
        // A declaration of entities can make a short text very long, or name files. No sitemap has one.
        guard !text.contains("<!DOCTYPE"), !text.contains("<!ENTITY") else { throw .doctype }
        try Self.checkEncoding(text)
        let reader = SitemapReader()
        let parser = XMLParser(data: data)
        parser.delegate = reader
        parser.shouldResolveExternalEntities = false
        _ = parser.parse()
        if let error = reader.error { throw error }
        guard let kind = reader.kind, reader.isComplete else { throw .syntax(line: 1) }
        (self.kind, locations) = (kind, reader.locations)
    }

    /// Checks that an XML declaration does not name another encoding than UTF-8.
    private static func checkEncoding(_ text: String) throws(SitemapError) {
        let start = text.drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        guard start.hasPrefix("<?xml"), let end = start.firstIndex(of: ">") else { return }
        let declaration = start[..<end].lowercased()
        guard let name = declaration.firstMatch(of: /encoding\s*=\s*["']([^"']*)["']/)?.1 else {
            guard !declaration.contains("encoding") else { throw .encoding }
            return
        }
        guard ["utf-8", "us-ascii", "ascii"].contains(name) else { throw .encoding }
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

/// The reader of the elements of a sitemap.
private final class SitemapReader: NSObject, XMLParserDelegate {
    private static let depthLimit = 32
    /// The length of the longest location that is read. A longer one is left out.
    private static let lengthLimit = 8_192

    private(set) var kind: Sitemap.Kind?
    private(set) var locations: [String] = []
    private(set) var error: SitemapError?
    /// True if the element around all others has ended.
    private(set) var isComplete = false
    private var path: [String] = []
    private var text: String?

    /// The name of an element without its prefix.
    private static func localName(_ name: String) -> String {
        String(name.split(separator: ":", omittingEmptySubsequences: false).last ?? "")
    }

    private func stop(_ parser: XMLParser, _ error: SitemapError) {
        if self.error == nil { self.error = error }
        parser.abortParsing()
    }

    func parser(
        _ parser: XMLParser,
        didStartElement name: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String]
    ) {
        guard error == nil else { return }
        if path.isEmpty {
            switch Self.localName(name) {
            case "urlset": kind = .pages
            case "sitemapindex": kind = .sitemaps
            default: return stop(parser, .root(String(name.prefix(100))))
            }
        }
        path.append(Self.localName(name))
        guard path.count <= Self.depthLimit else { return stop(parser, .tooDeep) }
        // An image or a video of a page has a location too, further inside.
        if path.count == 3, path[2] == "loc", path[1] == (kind == .pages ? "url" : "sitemap") { text = "" }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { append(string) }

    func parser(_ parser: XMLParser, foundCDATA block: Data) { append(String(decoding: block, as: UTF8.self)) }

    private func append(_ string: String) {
        guard let known = text, known.utf8.count <= Self.lengthLimit else { return }
        text = known + string.prefix(Self.lengthLimit + 1)
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        guard error == nil, !path.isEmpty else { return }
        if path.count == 3, let text {
            let location = text.trimmingCharacters(in: .whitespacesAndNewlines)
            self.text = nil
            guard locations.count < Sitemap.locationLimit else { return stop(parser, .tooManyLocations) }
            if !location.isEmpty, location.utf8.count <= Self.lengthLimit { locations.append(location) }
        }
        path.removeLast()
        isComplete = path.isEmpty
    }

    func parser(_ parser: XMLParser, parseErrorOccurred parseError: any Error) {
        if error == nil { error = .syntax(line: max(1, parser.lineNumber)) }
    }
}
