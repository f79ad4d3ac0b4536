import HTTPCaching
import HTTPTypes
import Testing

@Suite(.timeLimit(.minutes(5))) struct AcceptLanguageTests {
    @Test(
        arguments: [
            (nil, nil), ("", nil), ("de", "de"), ("DE", "de"), ("de-AT", "de"), ("de-AT, en;q=0.5", "de"),
            ("en;q=0.5, de-AT;q=0.9", "de"), ("fr, pt-br;q=0.1", "pt-BR"), ("pt", nil), ("fr", nil), ("*", nil),
            ("*, de;q=0.1", "de"), ("de;q=0, *", nil), ("de;q=0, de-AT", nil), ("de-AT;q=0, de", "de"),
            ("zh-Hant-x-a", "zh-Hant"), ("zh-hant-TW-u-co-stroke", "zh-Hant"), ("-", nil), ("de;q=x, en", "en"),
            ("en;q=0.001,de;q=0.002", "de"), ("de, en", "de"), ("en, de", "en"),
        ] as [(String?, String?)]
    )
    func `The language is the one that lookup finds (RFC 4647 section 3.4)`(_ field: String?, _ expected: String?) {
        var request = HTTPFields()
        request[.acceptLanguage] = field
        #expect(AcceptLanguage(request).best(among: ["en", "de", "pt-BR", "zh-Hant"]) == expected)
    }

    @Test func `A field with any number of languages is read up to a limit`() {
        let many = String(repeating: "xx,", count: 100_000) + "de"
        #expect(AcceptLanguage([.acceptLanguage: many]).best(among: ["de"]) == nil)
    }
}
