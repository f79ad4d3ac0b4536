import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderGateway

/// The clients that the fields of trusted proxies name.
@Suite(.timeLimit(.minutes(5))) struct ForwardedChainTests {
    private static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"].compactMap { IPNetwork($0) })

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        let fields: ForwardedChain.Fields
        let client: String?
        let scheme: String?
        let host: String?
        let passed: [String]
        let elements: [String]
        var testDescription: String { what }

        /// Creates a row with `X-Forwarded-*`.
        init(
            _ what: String,
            addresses: [String] = [],
            schemes: [String] = [],
            hosts: [String] = [],
            client: String?,
            scheme: String? = nil,
            host: String? = nil,
            passed: [String] = []
        ) {
            (self.what, self.client, self.scheme, self.host, self.passed) = (what, client, scheme, host, passed)
            fields = .xForwarded(addresses: addresses, schemes: schemes, hosts: hosts)
            elements = []
        }

        /// Creates a row with `Forwarded`.
        init(
            _ what: String,
            forwarded: String...,
            client: String?,
            scheme: String? = nil,
            host: String? = nil,
            passed: [String] = [],
            elements: [String] = []
        ) {
            (self.what, self.client, self.scheme, self.host, self.passed) = (what, client, scheme, host, passed)
            fields = .forwarded(forwarded)
            self.elements = elements
        }
    }

    static let old: [Row] = [
        Row("nothing said: the proxy is the client", addresses: [], client: "10.0.0.1"),
        Row("one proxy", addresses: ["203.0.113.9"], client: "203.0.113.9", passed: ["203.0.113.9"]),
        Row(
            "what the client invented stands on the left",
            addresses: ["127.0.0.1, 203.0.113.9"],
            client: "203.0.113.9",
            passed: ["203.0.113.9"]
        ),
        Row(
            "two proxies, in two lines",
            addresses: ["198.51.100.1, 203.0.113.9", "10.0.0.2"],
            client: "203.0.113.9",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row(
            "all are proxies: the leftmost is the client",
            addresses: ["10.0.0.3, 10.0.0.2"],
            client: "10.0.0.3",
            passed: ["10.0.0.3", "10.0.0.2"]
        ),
        Row(
            "ports and brackets",
            addresses: ["[2001:db9::1]:99, 10.0.0.2:4711"],
            client: "2001:db9::1",
            passed: ["2001:db9::1", "10.0.0.2"]
        ),
        Row("a client that the proxy does not name", addresses: ["203.0.113.9, unknown"], client: nil),
        Row("a field without a value", addresses: [""], client: nil),
        Row("a name on the left of a proxy", addresses: ["nonsense, 10.0.0.2"], client: nil, passed: ["10.0.0.2"]),
        Row(
            "scheme and host",
            addresses: ["203.0.113.9"],
            schemes: ["HTTPS"],
            hosts: ["shop.example"],
            client: "203.0.113.9",
            scheme: "https",
            host: "shop.example",
            passed: ["203.0.113.9"]
        ),
        Row(
            "each proxy adds to each list: those beside the client count",
            addresses: ["1.1.1.1, 203.0.113.9, 10.0.0.2"],
            schemes: ["gopher, https, http"],
            hosts: ["x, shop.example, y"],
            client: "203.0.113.9",
            scheme: "https",
            host: "shop.example",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row(
            "lists of other lengths: the nearest proxy counts",
            addresses: ["203.0.113.9, 10.0.0.2"],
            schemes: ["http, https, http"],
            client: "203.0.113.9",
            scheme: "http",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row("the scheme alone", schemes: ["https"], client: nil, scheme: "https"),
        Row("a scheme beside an unknown client", addresses: ["?"], schemes: ["https"], client: nil, scheme: "https"),
        Row("no such scheme", schemes: ["javascript"], client: nil),
    ]

    static let standard: [Row] = [
        Row(
            "one element",
            forwarded: "for=1.1.1.1;proto=http, For=\"[2001:db9::1]:47\";PROTO=https;host=shop.example;by=_p",
            client: "2001:db9::1",
            scheme: "https",
            host: "shop.example",
            passed: ["2001:db9::1"],
            elements: ["For=\"[2001:db9::1]:47\";PROTO=https;host=shop.example;by=_p"]
        ),
        Row(
            "two proxies",
            forwarded: "for=203.0.113.9;proto=https",
            "for=10.0.0.2;proto=http",
            client: "203.0.113.9",
            scheme: "https",
            passed: ["203.0.113.9", "10.0.0.2"],
            elements: ["for=203.0.113.9;proto=https", "for=10.0.0.2;proto=http"]
        ),
        Row(
            "an obfuscated client",
            forwarded: "for=1.1.1.1, for=_hidden;proto=https",
            client: nil,
            scheme: "https",
            elements: ["for=_hidden;proto=https"]
        ),
        Row(
            "an element without an address",
            forwarded: "for=1.1.1.1, proto=https",
            client: nil,
            scheme: "https",
            elements: ["proto=https"]
        ),
        Row("not well-formed", forwarded: "for=203.0.113.9;proto", client: nil, elements: ["for=unknown"]),
        Row("a quote without its end", forwarded: "for=\"203.0.113.9", client: nil, elements: ["for=unknown"]),
        Row(
            "a parameter twice",
            forwarded: "for=203.0.113.9;for=1.1.1.1",
            client: nil,
            elements: ["for=unknown"]
        ),
        Row("nothing between commas", forwarded: " , ,", client: nil),
        Row(
            "malformed on the left of the client",
            forwarded: "for=\"a, nonsense",
            "for=203.0.113.9;proto=https",
            client: "203.0.113.9",
            scheme: "https",
            passed: ["203.0.113.9"],
            elements: ["for=203.0.113.9;proto=https"]
        ),
        Row(
            "malformed on the left of a proxy",
            forwarded: "for=\"a\"b, for=10.0.0.2;proto=https",
            client: nil,
            scheme: "https",
            passed: ["10.0.0.2"],
            elements: ["for=unknown", "for=10.0.0.2;proto=https"]
        ),
        Row(
            "what is quoted is no element",
            forwarded: "for=203.0.113.9;by=\"a, for=6.6.6.6;x=\";proto=https;y=\"b, for=7.7.7.7\"",
            client: "203.0.113.9",
            scheme: "https",
            passed: ["203.0.113.9"],
            elements: ["for=203.0.113.9;by=\"a, for=6.6.6.6;x=\";proto=https;y=\"b, for=7.7.7.7\""]
        ),
        Row(
            "nor if it has quotes in it",
            forwarded: "for=203.0.113.9;host=\"a\\\", for=6.6.6.6;host=\\\"b\"",
            client: "203.0.113.9",
            host: "a\", for=6.6.6.6;host=\"b",
            passed: ["203.0.113.9"],
            elements: ["for=203.0.113.9;host=\"a\\\", for=6.6.6.6;host=\\\"b\""]
        ),
    ]

    @Test(arguments: old + standard) func `The client is the first untrusted address from the right`(
        _ row: Row
    ) throws {
        let peer = try #require(IPAddress("10.0.0.1"))
        let chain = ForwardedChain(peer: peer, row.fields, trusting: Self.proxies)
        #expect(chain.client?.description == row.client && chain.scheme == row.scheme && chain.host == row.host)
        #expect(chain.addresses.map(\.description) == row.passed && chain.elements == row.elements)
        let untrusted = try #require(IPAddress("198.51.100.7"))
        #expect(ForwardedChain(peer: untrusted, row.fields, trusting: Self.proxies) == ForwardedChain(peer: untrusted))
    }

    private static let parts = [
        "for=", "\"", "\\", ",", ";", "=", "[", "]", ":", "10.0.0.2", "::1", "proto=https", " ", "\t", "unknown",
        "_x", "203.0.113.9", "\u{E9}", "host=",
    ]

    private static func text(_ random: inout SeededRandom) -> String {
        (0..<Int.random(in: 0...12, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
    }

    @Test func `No text causes a trap, and a long one is read to a limit`() throws {
        var random = SeededRandom(seed: 11)
        let peer = try #require(IPAddress("10.0.0.1"))
        for _ in 0..<5_000 {
            let lines = [Self.text(&random), Self.text(&random)]
            _ = ForwardedChain(
                peer: peer,
                .xForwarded(addresses: lines, schemes: [Self.text(&random)], hosts: [Self.text(&random)]),
                trusting: Self.proxies
            )
            let chain = ForwardedChain(peer: peer, .forwarded(lines), trusting: Self.proxies)
            // The forwarded elements have the same meaning as the received ones.
            let again = ForwardedChain(peer: peer, .forwarded(chain.elements), trusting: Self.proxies)
            #expect(chain.elements.isEmpty || again == chain, "\(lines)")
        }
        let long = String(repeating: "10.0.0.2,", count: 10_000)
        let chain = ForwardedChain(
            peer: peer,
            .xForwarded(addresses: [long], schemes: [], hosts: []),
            trusting: Self.proxies
        )
        #expect(chain.addresses.count == ForwardedChain.limit)
        let elements = String(repeating: "for=10.0.0.2,", count: 10_000)
        let other = ForwardedChain(peer: peer, .forwarded([elements]), trusting: Self.proxies)
        #expect(other.addresses.count == ForwardedChain.limit)
    }

    @Test func `A client's text does not change its address`() throws {
        var random = SeededRandom(seed: 12)
        let peer = try #require(IPAddress("10.0.0.1"))
        for _ in 0..<5_000 {
            let written = Self.text(&random)
            for fields: ForwardedChain.Fields in [
                .xForwarded(addresses: [written + ", 203.0.113.77"], schemes: ["https"], hosts: []),
                .forwarded([written + ", for=203.0.113.77;proto=https;by=\"_a,b\""]),
            ] {
                let chain = ForwardedChain(peer: peer, fields, trusting: Self.proxies)
                #expect(chain.client?.description == "203.0.113.77" && chain.scheme == "https", "\(written)")
                #expect(chain.addresses.count == 1 && chain.host == nil, "\(written)")
            }
        }
    }
}
