import Larder
import TestHelpers
import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct AddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("0:0:0:0:0:ffff:c000:201", "192.0.2.1"),
        ("::1", "::1"), ("2001:DB8:0::0:1", "2001:db8::1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"),
    ]) func `All spellings of an address are equal`(_ text: String, _ expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(IPAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", "1.2.3.4\u{0}", "::1%lo", "a", "1.2.3.4 ", "::ffff:1.2.3",
        "1.2.3.4:80",
    ])
    func `A text that is not an address is rejected`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3/8", "10.0.0.1", true),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1/32", "192.0.2.1", true),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "203.0.113.9", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
    ]) func `A network contains the addresses that begin with its bits`(
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
    func `A text that is not a network is rejected`(_ text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test func `Loopback and unspecified addresses are recognized in both families`() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        #expect(try address("127.8.9.1").isLoopback && address("::1").isLoopback)
        #expect(try address("::ffff:127.0.0.1").isLoopback && !address("128.0.0.1").isLoopback)
        #expect(try address("0.0.0.0").isUnspecified && address("::").isUnspecified && !address("::1").isUnspecified)
    }
}

/// Tests of the changes that a reload applies.
@Suite(.timeLimit(.minutes(5))) struct SettingChangeTests {
    @Test func `Each changed setting is reported and can be copied`() throws {
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
