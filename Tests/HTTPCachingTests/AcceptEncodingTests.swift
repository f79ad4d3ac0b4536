import HTTPTypes
import Testing

@testable import HTTPCaching

/// The meaning of `Accept-Encoding` (RFC 9110 §12.5.3).
@Suite(.timeLimit(.minutes(5))) struct AcceptEncodingTests {
    private func field(_ values: String...) -> HTTPFields {
        var fields = HTTPFields()
        for value in values { fields.append(HTTPField(name: .acceptEncoding, value: value)) }
        return fields
    }

    @Test(arguments: [
        ("", ""), (" , ", ""), ("gzip", "gzip"), ("GZip", "gzip"), ("gzip, br", "br,gzip"), ("br,gzip", "br,gzip"),
        ("gzip;q=1", "gzip"), ("gzip;q=1.000", "gzip"), ("gzip;q=1.", "gzip"), ("gzip ;\tQ=0.500", "gzip;q=0.5"),
        ("gzip;q=0.", "gzip;q=0"), ("gzip;q=0.000", "gzip;q=0"), ("gzip;q=0.001", "gzip;q=0.001"),
        ("gzip;q=0.999", "gzip;q=0.999"), ("gzip;q=0.05", "gzip;q=0.05"), ("*", "*"), ("*;q=0", "*;q=0"),
        ("identity", "identity"), ("x-gzip", "gzip"), ("X-Compress", "compress"), ("x-br", "x-br"),
        ("gzip, gzip", "gzip"),
        // Weights of one coding stay in order.
        ("gzip;q=0.5, gzip", "gzip;q=0.5,gzip"), ("gzip, gzip;q=0.5", "gzip,gzip;q=0.5"), ("foo, br", "br,foo"),
        // Members that do not follow the grammar are unchanged, and follow the others in their order.
        ("gzip;q=2, br", "br,gzip;q=2"), ("gzip;q=1.001", "gzip;q=1.001"), ("gzip;q=0.1234", "gzip;q=0.1234"),
        ("gzip;q=.5", "gzip;q=.5"), ("gzip;q=", "gzip;q="), ("gzip;", "gzip;"), ("gzip;level=1", "gzip;level=1"),
        ("gzip;q=1x", "gzip;q=1x"), ("gzip;q=0.x", "gzip;q=0.x"), ("gzip;q=-1", "gzip;q=-1"),
        ("gzip;q=10", "gzip;q=10"),
        ("gz ip", "gz ip"), (";q=1", ";q=1"), ("z;q=9, a;q=9", "z;q=9,a;q=9"), ("gzip;p=1", "gzip;p=1"),
    ]) func `Spellings with the same meaning have the same canonical text`(_ value: String, _ text: String) {
        let field = AcceptEncoding(field(value))
        #expect(field.isPresent)
        #expect(field.canonicalText(ignoringUnknown: false) == text)
    }

    @Test(arguments: [
        ("foo", ""), ("foo, gzip", "gzip"), ("foo;q=0.5, *", "*"), ("foo;q=0", ""), ("identity, foo", "identity"),
        ("x-foo, x-gzip", "gzip"), ("foo;q=9", "foo;q=9"),
    ]) func `Codings that are not in the registry can be left out`(_ value: String, _ text: String) {
        #expect(AcceptEncoding(field(value)).canonicalText(ignoringUnknown: true) == text)
    }

    @Test func `Several lines are one field, and an empty field differs from an absent one`() {
        #expect(AcceptEncoding(field("gzip", "br")).canonicalText(ignoringUnknown: false) == "br,gzip")
        #expect(!AcceptEncoding([:]).isPresent)
        #expect(!AcceptEncoding([.accept: "gzip"]).isPresent)
        #expect(AcceptEncoding(field("")).isPresent)
    }

    @Test(
        arguments: [
            ("gzip", ["gzip"], true), ("", ["gzip"], false), ("br", ["gzip"], false), ("gzip;q=0.001", ["gzip"], true),
            // "Acceptable unless it is accompanied by a qvalue of 0."
            ("gzip;q=0", ["gzip"], false), ("gzip;q=0.000", ["gzip"], false),
            // "The asterisk "*" symbol matches any available content coding not explicitly listed in the field."
            ("*", ["gzip"], true), ("*;q=0", ["gzip"], false), ("*, gzip;q=0", ["gzip"], false),
            ("*;q=0, gzip", ["gzip"], true), ("gzip;q=0, *", ["br"], true), ("*, *;q=0", ["br"], false),
            // If a coding has several weights, the lowest counts.
            ("gzip, gzip;q=0", ["gzip"], false), ("gzip;q=0, gzip", ["gzip"], false), ("x-gzip", ["gzip"], true),
            // A member that does not follow the grammar accepts no coding.
            ("gzip;q=2", ["gzip"], false), ("gzip;level=1", ["gzip"], false), ("gzip;q=2, *", ["gzip"], true),
            ("gzip, br", ["gzip", "br"], true), ("gzip", ["gzip", "br"], false), ("gzip", [], true), ("", [], true),
            ("foo", ["foo"], true),
        ] as [(String, [String], Bool)]
    ) func `RFC 9110 12.5.3: a coding is acceptable if its weight is not zero`(
        _ value: String,
        _ codings: [String],
        _ isAccepted: Bool
    ) {
        #expect(AcceptEncoding(field(value)).accepts(codings) == isAccepted)
    }

    @Test func `RFC 9110 12.5.3: without the field any coding is acceptable`() {
        #expect(AcceptEncoding([:]).accepts(["gzip"]) && AcceptEncoding([:]).accepts(["foo", "br"]))
    }

    @Test(
        arguments: [
            ("", [], false), ("gzip", ["gzip"], false), ("gzip, BR", ["gzip", "br"], false), ("foo", [], false),
            ("gzip;q=0", [], false), ("gzip;q=0.001", ["gzip"], false), ("gzip;q=2", [], false),
            ("x-gzip", ["gzip"], false),
            ("*", [], false), ("*, gzip", ["gzip"], false),
            // A coding is preferred if its weight is above that of identity.
            ("identity, gzip", [], false), ("identity;q=0.5, gzip", ["gzip"], false),
            ("identity;q=0.5, gzip;q=0.5", [], false), ("identity;q=0.5, gzip;q=0.501", ["gzip"], false),
            ("gzip;q=0.5, identity;q=0.2, br;q=0.1", ["gzip"], false), ("gzip, identity;q=0.2, identity", [], false),
            // If a coding has several weights, the lowest counts.
            ("gzip, gzip;q=0", [], false), ("gzip;q=0, gzip", [], false), ("gzip;q=0.2, gzip;q=0", [], false),
            // "Unless specifically excluded by […] either "identity;q=0" or "*;q=0" without a more specific entry".
            ("identity;q=0", [], true), ("*;q=0", [], true), ("*;q=0, identity", [], false),
            ("*;q=0, identity;q=0.1, gzip", ["gzip"], false), ("identity;q=0, gzip", ["gzip"], true),
            ("*, identity;q=0", [], true), ("identity, identity;q=0", [], true), ("*;q=0.5", [], false),
            ("*;q=0, *", [], true), ("IDENTITY;q=0", [], true),
        ] as [(String, [String], Bool)]
    ) func `A request prefers the codings whose weight is above that of identity`(
        _ value: String,
        _ names: [String],
        _ excludesIdentity: Bool
    ) {
        var expected: ContentCodings = excludesIdentity ? .identityExcluded : []
        for name in names { if let coding = ContentCodings(name: name) { expected.insert(coding) } }
        let preferred = AcceptEncoding.preferredCodings(of: field(value))
        #expect(preferred.subtracting(.any) == expected)
    }

    @Test(
        arguments: [
            ("*", true), ("gzip, *;q=0.1", true), ("*;q=0", false), ("*;q=0, *", false), ("gzip", false), ("", false),
            ("identity;q=0.5, *", true), ("identity;q=0.5, *;q=0.5", false), ("identity, *", false),
        ]
    ) func `A request with an asterisk prefers any coding that the server has`(_ value: String, _ isAny: Bool) {
        #expect(AcceptEncoding.preferredCodings(of: field(value)).contains(.any) == isAny)
    }

    @Test func `Each coding of the registry has its bit, and the bits do not change`() {
        let names = ["br", "gzip", "deflate", "zstd", "compress", "dcb", "dcz", "exi", "aes128gcm", "pack200-gzip"]
        for (bit, name) in names.enumerated() {
            #expect(ContentCodings(name: name)?.rawValue == 1 << UInt16(bit))
            #expect(ContentCodings(name: name.uppercased().utf8)?.rawValue == 1 << UInt16(bit))
        }
        for name in ["identity", "*", "x-br", "x-deflate", "x-", "x-x-gzip", "gzi", "gzipp", ""] {
            #expect(ContentCodings(name: name.utf8) == nil)
        }
        #expect(ContentCodings(name: "x-gzip".utf8) == ContentCodings(name: "gzip"))
        #expect(ContentCodings(name: "X-COMPRESS".utf8) == ContentCodings(name: "compress"))
    }

    @Test(
        arguments: [
            ("", []), ("gzip", ["gzip"]), ("GZIP, br", ["gzip", "br"]), ("identity", []),
            ("Identity, x-gzip", ["gzip"]),
            ("a b", ["a b"]), (",", []),
        ] as [(String, [String])]
    ) func `The codings of a response are listed without identity`(_ value: String, _ names: [String]) {
        #expect(ContentCodings.names(in: [.contentEncoding: value]) == names)
    }
}
