import Foundation
import TestHelpers
import Testing

@testable import LarderCLI

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// The reader of XML, compared with Foundation's parser, which is libxml2 on Linux.
@Suite(.timeLimit(.minutes(5))) struct XMLReaderTests {
    /// Returns the tags and the text of a document; nil if it is not well-formed.
    private static func events(_ bytes: [UInt8]) -> [String]? {
        do throws(SitemapError) {
            var reader = try XMLReader(bytes)
            var events: [String] = []
            reader.collect(upTo: 1_000)
            while let event = try reader.next() {
                let text = reader.text() ?? "too long"
                if !text.isEmpty, !events.isEmpty { events.append(text) }
                reader.collect(upTo: 1_000)
                switch event {
                case .start(let name): events.append("<\(name)")
                case .end: events.append(">")
                }
            }
            return events
        } catch {
            return nil
        }
    }

    /// The same by Foundation's parser.
    private final class Reference: NSObject, XMLParserDelegate {
        private var events: [String] = []
        private var text = ""
        private var isMalformed = false

        static func events(_ bytes: [UInt8]) -> [String]? {
            // It crashes at an instruction without data, such as <?a?>: libxml2 hands over no text then.
            let text = String(decoding: bytes, as: UTF8.self)
            guard text.firstMatch(of: /<\?[^\s?]*\s*\?>/) == nil else { return XMLReaderTests.events(bytes) }
            let (reference, parser) = (Reference(), XMLParser(data: Data(bytes)))
            parser.delegate = reference
            let isParsed = parser.parse()
            return isParsed && !reference.isMalformed && !reference.events.isEmpty ? reference.events : nil
        }

        private func endText() {
            if !text.isEmpty { events.append(text) }
            text = ""
        }

        func parser(
            _ parser: XMLParser,
            didStartElement name: String,
            namespaceURI: String?,
            qualifiedName: String?,
            attributes: [String: String]
        ) {
            endText()
            events.append("<\(name)")
        }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
            endText()
            events.append(">")
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

        func parser(_ parser: XMLParser, foundCDATA block: Data) { text += String(decoding: block, as: UTF8.self) }

        func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) {
            // The reader does not interpret namespaces.
            let code = (error as NSError).code
            if !(99...100).contains(code), !(200..<300).contains(code) { isMalformed = true }
        }
    }

    @Test(arguments: [
        ("<a/>", ["<a", ">"]),
        ("<?xml version='1.0'?>\n<a b='c' d=\"e'\" >f</a >\n<!-- - -->\n<?g h?>", ["<a", "f", ">"]),
        ("<a>&lt;&#65;&#x42;&amp;<b/>c</a>", ["<a", "<AB&", "<b", ">", "c", ">"]),
        ("<a><![CDATA[<b>]]]]><![CDATA[>]]></a>", ["<a", "<b>]]>", ">"]), ("\u{FEFF}<a>é😀</a>", ["<a", "é😀", ">"]),
        ("<a:b-c.d/>", ["<a:b-c.d", ">"]), ("<a><!-- <b> --><?c <d>?></a>", ["<a", ">"]),
    ]) func `A well-formed document is read`(_ text: String, _ expected: [String]) {
        #expect(Self.events(Array(text.utf8)) == expected)
        #expect(Reference.events(Array(text.utf8)) == expected)
    }

    @Test(arguments: [
        "", " ", "a", "<", "<a", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>b", "a<b/>", "<a>&b;</a>", "<a>&</a>",
        "<a>&#;</a>",
        "<a>&#0;</a>", "<a>&#x110000;</a>", "<a>&#xFFFF;</a>", "<a>]]></a>", "<a><![CDATA[</a>", "<![CDATA[a]]>",
        "<a b/>",
        "<a b=c/>", "<a b='c'd='e'/>", "<a b='1' b='2'/>", "<a b='<'/>", "<a b='&c;'/>", "<a b='c/>", "<1/>", "< a/>",
        "<a/ >",
        "<a><!-- -- --></a>", "<a><!-- --->", "<a><!b></a>", "<a>\u{1}</a>", "<a><?xml b?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml?><a/>", "<?xml encoding='utf-8'?><a/>", "<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>",
        "<a><?b",
    ]) func `A document that is not well-formed is an error`(_ text: String) {
        #expect(Self.events(Array(text.utf8)) == nil)
        #expect(Reference.events(Array(text.utf8)) == nil)
    }

    @Test func `What is read of a generated document is what Foundation reads`() {
        let parts = [
            "<a>", "</a>", "<b c='d'>", "</b>", "<e/>", "text", " ", "\n", "&amp;", "&#65;", "<![CDATA[x]]>",
            "<!-- y -->",
            "<?z?>", "é", "]]>", "&", "<", ">", "'", "\"", "<b c=\"&lt;\" f='g'/>", "<?xml version='1.0'?>", "--",
            "&b;", "/",
        ]
        var generator = SeededGenerator(seed: 16)
        var wellFormed = 0
        for round in 0..<40_000 {
            var text = round.isMultiple(of: 2) ? "" : "<a>"
            for _ in 0..<Int.random(in: 0...9, using: &generator) {
                text += parts.randomElement(using: &generator) ?? ""
            }
            if !round.isMultiple(of: 2) { text += "</a>" }
            let bytes = Array(text.utf8)
            let (read, expected) = (Self.events(bytes), Reference.events(bytes))
            #expect(read == expected, "\(text)")
            if read != nil { wellFormed += 1 }
        }
        #expect(wellFormed > 1_000)
    }

    @Test func `What is read of a damaged document is what Foundation reads`() {
        let text =
            "<?xml version='1.0' encoding='UTF-8'?>\n<a:urlset xmlns:a='x' b=\"c\"><url><loc>http://a/?b&amp;c&#233;</loc>"
            + "<i:image xmlns:i='y'><![CDATA[d]]></i:image><!-- e --></url></a:urlset>\n"
        var generator = SeededGenerator(seed: 9_111)
        for _ in 0..<20_000 {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0..<0x80, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(bytes.randomElement(using: &generator) ?? 0, at: place)
                }
            }
            // Foundation reads other encodings and versions, too.
            let declaration = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            guard declaration == text.prefix(while: { $0 != "\n" }) else { continue }
            let (read, expected) = (Self.events(bytes), Reference.events(bytes))
            #expect(read == expected, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func `Any bytes are read or are an error`() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...40, using: &generator)
            let alphabet = Array("<>/!?-[]&;#x='\"aé \n\u{0}".utf8) + [0xFF, 0xC3, 0xEF, 0xBF]
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            _ = Self.events(bytes)
            _ = try? Sitemap(bytes)
        }
    }

    @Test func `Text beyond the limit is skipped`() throws {
        var reader = try XMLReader(Array("<a>1234</a>".utf8))
        _ = try reader.next()
        reader.collect(upTo: 3)
        #expect(try reader.next() == .end && reader.text() == nil)
        var other = try XMLReader(Array("<a>123</a>".utf8))
        _ = try other.next()
        other.collect(upTo: 3)
        #expect(try other.next() == .end && other.text() == "123")
    }
}
