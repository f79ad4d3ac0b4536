import Foundation
import HTTPCaching
import HTTPTypes
import Larder
import Testing

@testable import LarderExplain

@Suite(.timeLimit(.minutes(5))) struct ExplanationTests {
    @Test(arguments: Golden.all) func `The explanation of an exchange has the expected text`(_ golden: Golden) throws {
        let exchange = try MessageFile(golden.file.utf8).exchange(now: start)
        let explanation = CacheExplanation(exchange, policy: golden.isRoute ? .fresh(for: .seconds(90)) : .gateway)
        let text = explanation.lines.joined(separator: "\n")
        #expect(text == golden.text, "\(text)")
    }

    /// For each reason, a file for which it is the first reason against storing, and the same file after its remedy.
    static let reasons: [(NotStorableReason, String, remedied: String)] = [
        (.method, file(request: "HEAD / HTTP/1.1"), file()),
        (.requestNoStore, file(request: "GET / HTTP/1.1\nCache-Control: no-store"), file(request: "GET / HTTP/1.1")),
        (.status, file(status: 101), file()),
        (.partial, file(status: 416), file()),
        (.notUnderstood, file(status: 299, "Cache-Control: must-understand, max-age=9"), file()),
        (.noStore, file("Cache-Control: no-store"), file("Cache-Control: no-cache\nETag: \"a\"")),
        (.private, file("Cache-Control: private"), file("Cache-Control: private=\"a\", max-age=9")),
        (
            .authorization, file(request: "GET / HTTP/1.1\nAuthorization: x"),
            file(request: "GET / HTTP/1.1\nAuthorization: x", "Cache-Control: public, max-age=9")
        ),
        (
            .setCookie, file("ETag: \"a\"\nSet-Cookie: a"),
            file("Cache-Control: private=\"set-cookie\", max-age=9\nSet-Cookie: a")
        ),
        (.varyStar, file("Cache-Control: max-age=9\nVary: *"), file("Cache-Control: max-age=9\nVary: Accept")),
        (.notPublic, file("Cache-Control: max-age=9"), file("Cache-Control: public, max-age=9")),
        (.noCache, file("Cache-Control: no-cache"), file("Cache-Control: no-cache\nETag: \"a\"")),
        (.noFreshness, file("X: 1"), file("X: 1\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT")),
        (
            .unacceptedCoding,
            file(request: "GET / HTTP/1.1\nAccept-Encoding: br", "Cache-Control: max-age=9\nContent-Encoding: gzip"),
            file(request: "GET / HTTP/1.1\nAccept-Encoding: br")
        ),
        (
            .alteredBytes, file("Cache-Control: max-age=9\nX: caf\u{FFFD}"),
            file("Cache-Control: max-age=9\nX: caf\u{E9}")
        ),
        (
            .requestAlteredBytes,
            file(request: "GET / HTTP/1.1\nFoo: \u{FFFD}", "Cache-Control: max-age=9\nVary: Foo"),
            file(request: "GET / HTTP/1.1\nFoo: \u{E9}", "Cache-Control: max-age=9\nVary: Foo")
        ),
        (.eventStream, file("Content-Type: text/event-stream\nCache-Control: max-age=9"), file()),
    ]

    private static func file(
        request: String = "GET / HTTP/1.1",
        status: Int = 200,
        _ fields: String = "Cache-Control: max-age=9"
    ) -> String {
        "\(request)\nHost: example.org\n\nHTTP/1.1 \(status)\n\(fields)\n\n"
    }

    @Test func `Every reason of the rules has a different sentence and a remedy that works`() throws {
        var sentences: Set<String> = []
        for (reason, before, after) in Self.reasons {
            var rules = CachingRules.gateway
            rules.requiresExplicitPermission = reason == .notPublic
            let forbidden = CacheExplanation(try MessageFile(before.utf8).exchange(now: start), rules: rules)
            guard case .notStored(let blockers) = forbidden.conclusion else {
                Issue.record("stored in spite of \(reason)")
                continue
            }
            #expect(blockers.first?.reason == .notStored(.notStorable(reason)))
            for text in blockers.flatMap({ [$0.sentence, $0.remedy] }) {
                #expect(text.hasSuffix(".") && text.first?.isUppercase == true, "\(text)")
            }
            sentences.insert(blockers.first?.sentence ?? "")
            let allowed = CacheExplanation(try MessageFile(after.utf8).exchange(now: start), rules: rules)
            #expect(allowed.headline.hasPrefix("Stored"), "\(reason): \(allowed.headline)")
        }
        #expect(sentences.count == NotStorableReason.allCases.count)
    }

    @Test(
        arguments: [
            (
                file("Cache-Control: max-age=90\nContent-Encoding: gzip"),
                "It has a Content-Encoding, so it varies by Accept-Encoding although Vary does not name it."
            ),
            (
                file(request: "GET / HTTP/1.1\nAccept-Encoding: identity", "Cache-Control: max-age=90"),
                "requests that accept one are not answered from it until one of them gets the same response."
            ),
            (file(status: 503, "Cache-Control: max-age=90"), "Fresh for 10 s, by max-age"),
            (file(status: 503, "Cache-Control: max-age=90"), "fresh for at most 10 s, by the rules (error-ttl)."),
            (file(status: 503, "Cache-Control: max-age=90"), "errors are not served stale."),
        ]
    ) func `Additions of the cache to the directives are explained`(_ file: String, _ sentence: String) throws {
        let explanation = CacheExplanation(try MessageFile(file.utf8).exchange(now: start), policy: .gateway)
        let text = explanation.lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
        #expect(text.contains(sentence), "\(text)")
    }

    @Test func `Every reason of the cache itself has a different sentence`() throws {
        let exchange = try MessageFile("HTTP/1.1 200\n\n".utf8).exchange(now: start)
        let notStored: [NotStoredReason] = [
            .policy, .tooLarge, .tooManyTags, .tagNotAccepted, .tooSlow, .brokenOff, .overtaken, .unavailable,
        ]
        let blockers =
            BypassReason.allCases.map { StorageBlocker($0) } + notStored.map { StorageBlocker($0, exchange, .gateway) }
        #expect(Set(blockers.map(\.sentence)).count == blockers.count)
        #expect(blockers.allSatisfy { $0.sentence.hasSuffix(".") && $0.remedy.hasSuffix(".") })
    }

    @Test func `The headline has the reason in words, without its code`() throws {
        let exchange = try MessageFile("HTTP/1.1 200\n\n".utf8).exchange(now: start)
        // The other codes are names of directives and fields.
        let named: Set<NotStorableReason> = [.noStore, .noCache, .private, .authorization]
        let reasons = NotStorableReason.allCases.filter { !named.contains($0) }
        let blockers =
            BypassReason.allCases.map { StorageBlocker($0) }
            + reasons.map { StorageBlocker(.notStorable($0), exchange, .gateway) }
        for blocker in blockers where blocker.token.contains("-") {
            #expect(!blocker.phrase.contains(blocker.token), "\(blocker.phrase)")
        }
        #expect(CacheExplanation(exchange).headline == "Not stored: the response has no usable lifetime")
    }

    @Test func `A body or tags beyond their limits prevent storing`() throws {
        var exchange = try MessageFile("HTTP/1.1 200\nCache-Control: max-age=9\n\n".utf8).exchange(now: start)
        exchange.bodyLength = 1 << 20
        #expect(CacheExplanation(exchange).headline == "Stored: fresh for 9 s")
        exchange.bodyLength = (1 << 20) + 1
        #expect(CacheExplanation(exchange).headline == "Not stored: the body is too large")
        exchange.response.headerFields[.surrogateKey] = (0...CachePolicy.gateway.tagLimit).map { "t\($0)" }
            .joined(separator: " ")
        #expect(CacheExplanation(exchange).headline == "Not stored: the response has too many tags, and 1 more reason")
    }

    @Test func `A tag that is not accepted prevents storing`() throws {
        var exchange = try MessageFile("HTTP/1.1 200\nCache-Control: max-age=9\nCache-Tag: a, %FF\n\n".utf8).exchange(
            now: start
        )
        #expect(CacheExplanation(exchange).headline == "Not stored: the response has an invalid tag")
        #expect(CacheExplanation(exchange).notes.contains { $0.text.contains("not UTF-8: \"%FF\"") })
        exchange.response.headerFields[HTTPField.Name("Cache-Tag")!] = "a, new arrivals"
        #expect(CacheExplanation(exchange).headline == "Stored: fresh for 9 s")
    }

    @Test func `Fields that a policy withholds and a lifetime that it forces are explained`() throws {
        var policy = CachePolicy.gateway
        policy.rules.forcedLifetime = .seconds(30)
        policy.withheldFields = [.authorization]
        policy.tags = ["posts"]
        let file = "GET / HTTP/1.1\nHost: h\nAuthorization: x\n\nHTTP/1.1 200\nAge: 5\nCache-Control: max-age=9\n\n"
        let exchange = try MessageFile(file.utf8).exchange(now: start)
        let explanation = CacheExplanation(exchange, policy: policy)
        #expect(explanation.headline == "Stored: fresh for 30 s; it was 5 s old on arrival")
        let notes = explanation.notes.map(\.text)
        #expect(notes.contains("Authorization is withheld from the origin by the policy."))
        #expect(notes.contains("Fresh for 30 s from its arrival, by the rules, whatever the response declares."))
        #expect(notes.contains("Tags of the policy: \"posts\"."))
        #expect(notes.contains("max-age is ignored: another lifetime takes precedence (RFC 9111 §4.2.1)."))
        let passed = CacheExplanation(exchange, policy: policy.bypassing(.everything))
        #expect(passed.headline.hasPrefix("Not stored: the route does not cache this request"))
    }

    @Test func `Fields that Connection names do not affect the result`() throws {
        let file = "GET / HTTP/1.1\nHost: h\nConnection: Authorization\nAuthorization: x\n\nHTTP/1.1 200\n"
        let exchange = try MessageFile((file + "Cache-Control: max-age=9\n\n").utf8).exchange(now: start)
        #expect(CacheExplanation(exchange).headline == "Stored: fresh for 9 s")
    }

    /// Checks that every directive that the cache reads has an explanation.
    @Test(
        arguments: [
            "public", "private", "private=\"a\"", "no-store", "no-cache", "no-cache=\"a\"", "must-revalidate",
            "proxy-revalidate", "must-understand", "max-age=1", "s-maxage=1", "stale-while-revalidate=1",
            "stale-if-error=1", "immutable", "no-transform", "max-age=x", "s-maxage", "PRIVATE=,",
        ]
    ) func `A directive that the cache reads is not reported as ignored`(_ directive: String) throws {
        let file = "HTTP/1.1 200\nCache-Control: \(directive)\n\n"
        let sentences = DirectiveReading(try MessageFile(file.utf8).exchange(now: start), .gateway).sentences
        #expect(sentences.count == 1 && !sentences[0].contains("ignored"), "\(sentences)")
    }

    @Test func `Characters that affect a terminal are not printed`() throws {
        var file = Array("HTTP/1.1 200\nCache-Control: \"x\u{202E}\u{9B}".utf8)
        file += Array("\", ab\nExpires: \u{200B}soon\nVary: A\n\n".utf8)
        let text = CacheExplanation(try MessageFile(file).exchange(now: start)).lines.joined(separator: "\n")
        #expect(!text.unicodeScalars.contains { $0.properties.isDefaultIgnorableCodePoint || $0 == "\u{9B}" })
    }

    @Test func `The JSON record has stable names`() throws {
        let file = "HTTP/1.1 200\nCache-Control: max-age=60, stale-if-error=30\nETag: \"a\"\nAge: 10\n\n"
        var rules = CachingRules.gateway
        rules.retention = .zero
        rules.servesStaleOnUnreachable = false
        var record = CacheExplanation(try MessageFile(file.utf8).exchange(now: start), rules: rules).record
        record.notes.removeAll()
        record.timeLine = record.timeLine.map { row in
            var row = row
            row.answers.removeAll { $0.request != "max-stale" }
            return row
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let json = String(decoding: try encoder.encode(record), as: UTF8.self)
        #expect(json == Self.json, "\(json)")
    }

    private static let json = """
        {"blockers":[],"lifetime":{"ageOnArrival":10,"alwaysRevalidate":false,"field":"Cache-Control","freshUntil":60,"immutable":false,\
        "mustRevalidate":false,"source":"max-age","staleIfErrorUntil":90,"staleIfUnreachableUntil":90,"staleWhileRevalidateUntil":60,"storedUntil":90},"notes":[],\
        "status":200,"stored":true,"summary":"Stored: fresh for 50 s; it was 10 s old on arrival",\
        "timeLine":[\
        {"answers":[{"failing":"fresh","outcome":"fresh","request":"max-stale","unreachable":"fresh"}],"ends":["fresh"],"fromAge":10,"toAge":60},\
        {"answers":[{"failing":"stale","outcome":"stale","reason":"max-stale","request":"max-stale","unreachable":"stale"}],"ends":["stale-if-error","stale-if-unreachable","stored"],"fromAge":60,"toAge":90},\
        {"answers":[{"failing":"error","outcome":"missing","request":"max-stale","unreachable":"error"}],"ends":[],"fromAge":90}]}
        """
}
