import HTTPTypes
import NIOHTTP1
import Testing

@testable import LarderHummingbird

@Suite(.timeLimit(.minutes(5))) struct HeadSignatureTests {
    private func head(_ uri: String = "/", _ fields: [(String, String)]) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: HTTPHeaders(fields))
    }

    @Test func `A signature ignores only what nothing refers to`() throws {
        let own = head("/a", [("Host", "a"), ("User-Agent", "x"), ("X-Tenant", "1")])
        let signature = try #require(HeadSignature(own, deciding: [], room: 100))
        #expect(signature.matches(own))
        #expect(signature.matches(head("/a", [("user-agent", "y"), ("Host", "a"), ("X-Tenant", "1")])))
        #expect(signature.matches(head("/a", [("Host", "a"), ("X-Tenant", "1"), ("Referer", "z")])))
        for fields in [
            [("Host", "b"), ("X-Tenant", "1")], [("Host", "a"), ("X-Tenant", "2")], [("Host", "a")],
            [("Host", "a"), ("X-Tenant", "1"), ("Cookie", "a")], [("Host", "a"), ("X-Tenant", "1"), ("X-Tenant", "1")],
            [("X-Tenant", "1"), ("Host", "a")], [("host", "a"), ("X-Tenant", "1")],
            [("Host", "a"), ("X-Tenant", "1"), ("User-Agent", String(repeating: "x", count: 200))],
        ] { #expect(!signature.matches(head("/a", fields)), "\(fields)") }
        #expect(!signature.matches(head("/A", [("Host", "a"), ("X-Tenant", "1")])))
    }

    @Test func `A field that a policy or a response refers to is part of the signature`() throws {
        let own = head("/a", [("Host", "a"), ("User-Agent", "x")])
        for deciding in [[.userAgent], nil] as [Set<HTTPField.Name>?] {
            let signature = try #require(HeadSignature(own, deciding: deciding, room: 100))
            #expect(signature.matches(own))
            #expect(!signature.matches(head("/a", [("Host", "a"), ("User-Agent", "y")])))
            #expect(!signature.matches(head("/a", [("Host", "a")])))
        }
    }

    @Test(arguments: [
        ("\u{F6}", "o\u{308}"), ("K", "\u{212A}"), (";", "\u{37E}"), ("a\u{323}\u{307}", "a\u{307}\u{323}"),
    ])
    func `Texts with the same characters and other bytes are other texts`(_ one: String, _ other: String) throws {
        #expect(one == other)
        let signature = try #require(HeadSignature(head("/\(one)", [("X", one)]), deciding: [], room: 0))
        #expect(signature.matches(head("/\(one)", [("X", one)])))
        #expect(!signature.matches(head("/\(other)", [("X", one)])))
        #expect(!signature.matches(head("/\(one)", [("X", other)])))
    }
}
