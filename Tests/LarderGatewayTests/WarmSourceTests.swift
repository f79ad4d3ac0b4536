import Foundation
import LarderSimulation
import TestHelpers
import Testing

@testable import LarderCLI

/// The reading of lists, sitemaps and addresses, which may be written by others.
@Suite(.timeLimit(.minutes(5))) struct WarmSourceTests {
    private static func read(_ text: String) -> Result<Sitemap, SitemapError> {
        do throws(SitemapError) { return .success(try Sitemap(Array(text.utf8))) } catch { return .failure(error) }
    }

    @Test(arguments: [
        ("<urlset><url><loc>http://a/</loc></url></urlset>", ["http://a/"]),
        ("<s:urlset xmlns:s='x'><s:url><s:loc> http://a/?b=1&amp;c \n</s:loc></s:url></s:urlset>", ["http://a/?b=1&c"]),
        ("<urlset><url><loc><![CDATA[http://a/?b&c]]></loc><lastmod>2026</lastmod></url></urlset>", ["http://a/?b&c"]),
        (
            "<urlset xmlns:i='y'><url><loc>http://a/</loc><i:image><i:loc>http://a/i</i:loc></i:image></url></urlset>",
            ["http://a/"]
        ),
        ("<urlset><url><loc></loc></url><url/><loc>http://b/</loc></urlset>", []),
        ("\u{FEFF}<?xml version='1.0' encoding=\"utf-8\"?><urlset><!-- c --></urlset>", []),
        ("<urlset><url><loc>http://a/&#233;</loc></url></urlset>", ["http://a/é"]),
    ]) func `The locations of pages are read, and no others`(_ text: String, _ expected: [String]) throws {
        let sitemap = try Self.read(text).get()
        #expect(sitemap.locations == expected)
        if case .sitemaps = sitemap.kind { Issue.record("a sitemap is read as an index") }
    }

    @Test func `An index has sitemaps`() throws {
        let text = "<sitemapindex><sitemap><loc>http://a/s</loc></sitemap><url><loc>no</loc></url></sitemapindex>"
        let sitemap = try Self.read(text).get()
        #expect(sitemap.locations == ["http://a/s"])
        if case .pages = sitemap.kind { Issue.record("an index is read as a sitemap") }
    }

    @Test(
        arguments: [
            ("", .syntax(line: 1)), ("<urlset>", .syntax(line: 1)), ("<urlset></url>", .syntax(line: 1)),
            ("<urlset>\n<url></urlset>", .syntax(line: 2)), ("<urlset/><urlset/>", .syntax(line: 1)),
            ("<urlset>&nothing;</urlset>", .syntax(line: 1)), ("<urlset>\u{1}</urlset>", .syntax(line: 1)),
            ("<html/>", .root("html")), ("<!DOCTYPE urlset><urlset/>", .doctype),
            ("<?xml version='1.0'?><!DOCTYPE u [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><urlset/>", .doctype),
            ("<?xml version='1.0' encoding='UTF-7'?><urlset/>", .encoding), ("<urlset>\0</urlset>", .syntax(line: 1)),
            ("<?xml version='1.0' encoding=UTF-7?><urlset/>", .syntax(line: 1)),
            (String(repeating: "<urlset>", count: 100_000), .tooDeep),
        ] as [(String, SitemapError)]
    ) func `What is not a sitemap is an error`(_ text: String, _ expected: SitemapError) {
        guard case .failure(let error) = Self.read(text) else {
            Issue.record("\(text.prefix(100)) is read")
            return
        }
        #expect(error == expected)
    }

    @Test func `UTF-16 is not read, whatever it declares`() {
        let text = "<?xml version='1.0'?><!DOCTYPE u><urlset/>"
        for data in [text.data(using: .utf16LittleEndian), text.data(using: .utf16BigEndian)].compactMap(\.self) {
            #expect(throws: SitemapError.encoding) { () throws in
                _ = try Sitemap([0xFF, 0xFE] + data)
            }
        }
    }

    @Test func `A location that is very long is left out`() throws {
        let long = "http://a/" + String(repeating: "b", count: 10_000)
        let text = "<urlset><url><loc>\(long)</loc></url><url><loc>http://a/</loc></url></urlset>"
        #expect(try Self.read(text).get().locations == ["http://a/"])
    }

    @Test(arguments: [
        ("http://a/b?c#d", "http://a/b?c"), ("HTTPS://A.example:8443", "https://a.example:8443/"),
        ("/b", "http://o:1/b"),
        ("http://a?b", "http://a/?b"), ("//b", "http://o:1//b"), ("/ü", "http://o:1/%C3%BC"),
        ("http://[::1]/", "http://[::1]/"),
        ("a", nil), ("http:///a", nil), ("http://u@a/", nil), ("http://a b/", nil), ("/a b", nil), ("/a\u{0}", nil),
        ("ftp://a/", nil), ("", nil), ("/" + String(repeating: "a", count: 9_000), nil),
    ]) func `A text is a URL or a path, or neither`(_ text: String, _ expected: String?) throws {
        let reading = try #require(TargetText(origin: "http://o:1"))
        #expect(reading.target(text) == expected)
        var paths = reading
        paths.form = .paths
        let path = expected.map { url in url.replacing(/^https?:\/\/[^\/]*/, with: "") }
        #expect(paths.target(text) == path)
    }

    @Test func `The host of a log is that of the URL, if it can be one`() throws {
        let reading = try #require(TargetText(origin: "https://o"))
        #expect(reading.target("/a", host: "Shop.example:8443") == "https://shop.example:8443/a")
        #expect(reading.target("/a", host: "a/b") == "https://o/a")
        #expect(reading.target("/a", host: "") == "https://o/a")
        #expect(reading.target("http://b/c", host: "a") == "http://b/c")
    }

    @Test(arguments: [
        ("<?xml", TargetFormat.sitemap), ("\u{FEFF}\n <urlset", .sitemap), ("<134>1 2026 GET", .log), ("/a\n", .list),
        ("# c\n\nHTTP://a/\n", .list), ("192.0.2.1 - -", .log), ("{\"uri\":\"/\"}", .log), ("/a,1,2\n", .log),
        ("", .list),
    ]) func `The kind of a file is detected by its first bytes`(_ text: String, _ expected: TargetFormat) {
        #expect(TargetFormat.detected(in: Array(text.utf8)) == expected)
    }

    @Test func `A list has each target once, up to its limit`() {
        var list = TargetList()
        for number in [1, 2, 1, 3] { list.add("\(number)") }
        #expect(list.urls == ["1", "2", "3"] && list.leftOut == 0)
        list.limit(to: 2)
        #expect(list.urls == ["1", "2"])
        var full = TargetList()
        for number in 0..<TargetList.limit + 2 { full.add("\(number)") }
        #expect(full.urls.count == TargetList.limit && full.leftOut == 2)
    }

    @Test func `Of equally frequent targets, the first one is first`() {
        var counts = TargetCounts()
        for target in ["c", "a", "b", "b", "a", "d"] { counts.add(target) }
        #expect(counts.urls == ["a", "b", "c", "d"])
    }

    @Test(arguments: [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/-/larder/v1/a", "http://127.0.0.1:8000"),
        ("https://A.example/x/y/", "https://A.example/x/y/v1/a", "https://A.example"),
        ("unix:///run/l.sock", "http+unix://%2Frun%2Fl.sock/-/larder/v1/a", "http://localhost"),
        ("http+unix://%2Frun%2Fl.sock/cache", "http+unix://%2Frun%2Fl.sock/cache/v1/a", "http://localhost"),
    ]) func `An address is that of the routes below it`(_ text: String, _ url: String, _ origin: String) throws {
        let address = try #require(AdminAddress(text))
        #expect(address.url("v1/a") == url && address.origin == origin)
        let query: [(name: String, value: String)] = [("key", "GET:/a?b&c"), ("x", "ü +")]
        #expect(address.url("v1/a", query) == url + "?key=GET%3A%2Fa%3Fb%26c&x=%C3%BC%20%2B")
    }

    @Test(arguments: [
        "", "a", "http://", "unix://a", "unix://", "http+unix://", "http://a/?b", "http://a/#b", "http://u@a/",
    ])
    func `Other texts are no address`(_ text: String) {
        #expect(AdminAddress(text) == nil)
    }
}
