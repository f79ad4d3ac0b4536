import Larder
import LarderTesting
import Testing

@testable import LarderRules

@Suite(.timeLimit(.minutes(5))) struct AddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("0:0:0:0:0:ffff:c000:201", "192.0.2.1"),
        ("::1", "::1"), ("2001:DB8:0::0:1", "2001:db8::1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"),
    ]) func `an address has one meaning in all spellings`(_ text: String, _ expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(IPAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", "::1%lo", "a", "1.2.3.4 ", "::ffff:1.2.3", "1.2.3.4:80",
    ])
    func `what is no address is none`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3/8", "10.0.0.1", true),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1/32", "192.0.2.1", true),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "203.0.113.9", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
    ]) func `a network has the addresses that begin with its bits`(
        _ network: String,
        _ address: String,
        _ isInside: Bool
    ) throws {
        let network = try #require(IPNetwork(network))
        #expect(network.contains(try #require(IPAddress(address))) == isInside)
        #expect(IPNetwork(network.description) == network)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "10/8", "::1/0x1", "a/8",
    ])
    func `what is no network is none`(_ text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test func `loopback and unspecified addresses are known in both families`() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        #expect(try address("127.8.9.1").isLoopback && address("::1").isLoopback)
        #expect(try address("::ffff:127.0.0.1").isLoopback && !address("128.0.0.1").isLoopback)
        #expect(try address("0.0.0.0").isUnspecified && address("::").isUnspecified && !address("::1").isUnspecified)
    }
}

/// What trusted proxies are believed.
@Suite(.timeLimit(.minutes(5))) struct ForwardedChainTests {
    private static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"].compactMap { IPNetwork($0) })

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        var forwarded: [String] = []
        var addresses: [String] = []
        var schemes: [String] = []
        var hosts: [String] = []
        let client: String
        var scheme: String?
        var host: String?
        var passed: [String] = []
        var elements: [String] = []
        var testDescription: String { what }
    }

    static let rows: [Row] = [
        Row(what: "nothing said", client: "10.0.0.1"),
        Row(what: "one proxy", addresses: ["203.0.113.9"], client: "203.0.113.9", passed: ["203.0.113.9"]),
        Row(
            what: "what the client invented stands on the left",
            addresses: ["127.0.0.1, 203.0.113.9"],
            client: "203.0.113.9",
            passed: ["203.0.113.9"]
        ),
        Row(
            what: "two proxies, in two lines",
            addresses: ["198.51.100.1, 203.0.113.9", "10.0.0.2"],
            client: "203.0.113.9",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row(
            what: "all are proxies: the leftmost is the client",
            addresses: ["10.0.0.3, 10.0.0.2"],
            client: "10.0.0.3",
            passed: ["10.0.0.3", "10.0.0.2"]
        ),
        Row(
            what: "ports and brackets",
            addresses: ["[2001:db9::1]:99, 10.0.0.2:4711"],
            client: "2001:db9::1",
            passed: ["2001:db9::1", "10.0.0.2"]
        ),
        Row(what: "what is no address ends it", addresses: ["203.0.113.9, unknown"], client: "10.0.0.1"),
        Row(
            what: "a name on the left of a proxy",
            addresses: ["nonsense, 10.0.0.2"],
            client: "10.0.0.2",
            passed: ["10.0.0.2"]
        ),
        Row(
            what: "scheme and host",
            addresses: ["203.0.113.9"],
            schemes: ["HTTPS"],
            hosts: ["shop.example"],
            client: "203.0.113.9",
            scheme: "https",
            host: "shop.example",
            passed: ["203.0.113.9"]
        ),
        Row(
            what: "each proxy adds to each list: those beside the client count",
            addresses: ["1.1.1.1, 203.0.113.9, 10.0.0.2"],
            schemes: ["gopher, https, http"],
            hosts: ["x, shop.example, y"],
            client: "203.0.113.9",
            scheme: "https",
            host: "shop.example",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row(
            what: "lists of other lengths: the nearest proxy counts",
            addresses: ["203.0.113.9, 10.0.0.2"],
            schemes: ["http, https, http"],
            client: "203.0.113.9",
            scheme: "http",
            passed: ["203.0.113.9", "10.0.0.2"]
        ),
        Row(what: "no such scheme", schemes: ["javascript"], client: "10.0.0.1"),
        Row(
            what: "Forwarded",
            forwarded: ["for=1.1.1.1;proto=http, For=\"[2001:db9::1]:47\";PROTO=https;host=shop.example;by=_p"],
            client: "2001:db9::1",
            scheme: "https",
            host: "shop.example",
            passed: ["2001:db9::1"],
            elements: ["For=\"[2001:db9::1]:47\";PROTO=https;host=shop.example;by=_p"]
        ),
        Row(
            what: "Forwarded by two proxies",
            forwarded: ["for=203.0.113.9;proto=https", "for=10.0.0.2;proto=http"],
            client: "203.0.113.9",
            scheme: "https",
            passed: ["203.0.113.9", "10.0.0.2"],
            elements: ["for=203.0.113.9;proto=https", "for=10.0.0.2;proto=http"]
        ),
        Row(
            what: "an obfuscated client",
            forwarded: ["for=1.1.1.1, for=_hidden;proto=https"],
            client: "10.0.0.1",
            scheme: "https",
            elements: ["for=_hidden;proto=https"]
        ),
        Row(what: "not well-formed", forwarded: ["for=203.0.113.9;proto"], client: "10.0.0.1"),
        Row(what: "a quote without its end", forwarded: ["for=\"203.0.113.9"], client: "10.0.0.1"),
        Row(what: "a parameter twice", forwarded: ["for=203.0.113.9;for=1.1.1.1"], client: "10.0.0.1"),
        Row(
            what: "both kinds agree",
            forwarded: ["for=203.0.113.9;proto=https"],
            addresses: ["203.0.113.9"],
            schemes: ["https"],
            client: "203.0.113.9",
            scheme: "https",
            passed: ["203.0.113.9"],
            elements: ["for=203.0.113.9;proto=https"]
        ),
        Row(
            what: "a proxy that writes the one kind passes on the other: neither is believed",
            forwarded: ["for=127.0.0.1;proto=https"],
            addresses: ["203.0.113.9"],
            client: "10.0.0.1"
        ),
        Row(
            what: "they disagree about the scheme",
            forwarded: ["for=203.0.113.9;proto=http"],
            addresses: ["203.0.113.9"],
            schemes: ["https"],
            client: "10.0.0.1"
        ),
    ]

    @Test(arguments: rows) func `the client is the first untrusted address from the right`(_ row: Row) throws {
        let fields = ForwardedChain.Fields(
            forwarded: row.forwarded,
            addresses: row.addresses,
            schemes: row.schemes,
            hosts: row.hosts
        )
        let peer = try #require(IPAddress("10.0.0.1"))
        let chain = ForwardedChain(peer: peer, fields, trusting: Self.proxies)
        #expect(chain.client.description == row.client && chain.scheme == row.scheme && chain.host == row.host)
        #expect(chain.addresses.map(\.description) == row.passed && chain.elements == row.elements)
        let stranger = try #require(IPAddress("198.51.100.7"))
        #expect(ForwardedChain(peer: stranger, fields, trusting: Self.proxies) == ForwardedChain(peer: stranger))
    }

    @Test func `no text makes it trap, and a long one is read to a limit`() throws {
        var random = SeededRandom(seed: 11)
        let parts = [
            "for=", "\"", "\\", ",", ";", "=", "[", "]", ":", "10.0.0.2", "::1", "proto=https", " ", "\t", "unknown",
            "_x", "203.0.113.9", "\u{E9}", "host=",
        ]
        let peer = try #require(IPAddress("10.0.0.1"))
        for _ in 0..<20_000 {
            func text() -> String {
                (0..<Int.random(in: 0...12, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }
                    .joined()
            }
            let fields = ForwardedChain.Fields(
                forwarded: Bool.random(using: &random) ? [text(), text()] : [],
                addresses: [text()],
                schemes: [text()],
                hosts: [text()]
            )
            let chain = ForwardedChain(peer: peer, fields, trusting: Self.proxies)
            // What is passed on reads as it was read.
            guard !chain.elements.isEmpty else { continue }
            #expect(
                ForwardedElement.elements(of: chain.elements.joined(separator: ", "))?.map(\.text) == chain.elements
            )
        }
        let long = String(repeating: "10.0.0.2,", count: 10_000)
        let chain = ForwardedChain(peer: peer, .init(addresses: [long]), trusting: Self.proxies)
        #expect(chain.addresses.count == ForwardedChain.limit)
    }
}

/// What a reload takes over.
@Suite(.timeLimit(.minutes(5))) struct SettingChangeTests {
    @Test func `every setting that differs is named, and can be taken`() throws {
        let plain = try SettingsTests.read(["LARDER_ORIGIN": "http://o"])
        let other = try SettingsTests.read([:], file: Sample.everything)
        #expect(other.changes(from: plain) == GatewaySetting.allCases)
        #expect(plain.changes(from: plain).isEmpty)
        for setting in GatewaySetting.allCases {
            var settings = plain
            settings.take(setting, from: other)
            let expected: [GatewaySetting] =
                setting == .certificate || setting == .privateKey ? [.certificate, .privateKey] : [setting]
            #expect(settings.changes(from: plain) == expected)
        }
        var settings = plain
        for setting in GatewaySetting.allCases { settings.take(setting, from: other) }
        #expect(settings.changes(from: other).isEmpty)
    }
}
