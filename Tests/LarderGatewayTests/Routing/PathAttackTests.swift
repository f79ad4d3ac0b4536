import Larder
import LarderTestSupport
import Testing

@testable import LarderGateway

/// Tests of "web cache deception": attempts to have a page stored that a rule forbids to store, by a path that the
/// origin reads differently.
@Suite(.timeLimit(.minutes(5))) struct PathAttackTests {
    private static let routes = """
        routes:
          - {path: /account/**, cache: off}
          - {path: /p/*/secret, cache: off}
          - {path: /static/**, ttl: 60s}
        """

    @Test(arguments: [
        "/static/x%3f/..%2f..%2faccount%2fme", "/static/x%23/..%2f..%2faccount%2fme",
        "/static/a%5cb/..%2f..%2faccount%2fme", "//static/account/me", "/static/a%2fb/../../account/me",
        "/static/%00/../../account/me", "/static/..%2faccount%2fme", "/static/%252e%252e/account/me",
        "/static/..%252faccount%252fme", "/static/..;/account/me", "/static/..;x=%2f/account/me",
        "/static\\..\\account\\me",
        "/static/x%3b/..%2f..%2faccount", "/account;x/../static/me", "/account%3b/../static/me", "/%2561ccount/me",
        "/account%3fx/../static/me", "/account%00/../static/me", "/account%23/../static/me",
        "/static/x//../../account/me",
        "/static//..//account/me", "/ACCOUNT/me", "/%41ccount/me", "//account/../static/me", "/%2f/static/account/me",
        "/\\static/account/me", "/static/x%2fy/../..%2faccount", "/static/./../account", "/static/.%2e/account",
        "/static/%2e%2e%2faccount", "/static/..%5caccount", "/static/%2e%2e%5caccount", "/account%2fme",
        "/account%252fme",
        "/account%5cme", "/account%255cme", "/./account", "/x/../account", "/x/%2e%2e/account", "/;/account",
        "/;x/account",
        "/%3b/account", "/static/..%3b/account", "/%70/a%2Fb/secret", "/p/a%2fb/secret", "/p/x/secret;a",
        "/static/..%2fp/x/secret", "/static/a/b/c/..%2f..%2f..%2f..%2faccount", "/static;/../account",
    ]) func `A path is not stored if some server reads it as a path that is never stored`(_ path: String) throws {
        let table = try RouteTable(Self.routes)
        for target in [path, path + "?a=/static/", path.replacing("%2f", with: "%2F")] {
            #expect(!table.route(host: "a.example", path: target).isCached, "\(target)")
        }
        // The order of the rules does not matter: an uncached path is not served from the cache either.
        let other = try RouteTable(
            "routes: [{path: /static/**, ttl: 60s}, {path: /p/*/secret, cache: off}, {path: /account/**, cache: off}]"
        )
        #expect(!other.route(host: "a.example", path: path).isCached)
    }

    @Test(arguments: [
        "/projects/group%2Fname", "/projects/group%2fname/tree;v=2", "/projects/a/../b", "/static/x%2fy",
        "/static/A%2FB",
        "/static/a;v=1/b.css", "/static/x/../A.css", "/100%25", "/caf%C3%A9/%2e", "/.well-known/x", "/projects//x",
        "/static/what%3F", "/static/a%5cb", "/x;jsessionid=1", "/search/100%25/x", "/static/..css", "/a/%E2%82%AC",
    ]) func `A path is stored if all of its readings have the same policy`(_ path: String) throws {
        #expect(try RouteTable(Self.routes).route(host: "a.example", path: path).isCached)
    }

    @Test(arguments: [
        "/account.css", "/account.json", "/ACCOUNT.CSS", "/account%0a.css", "/account%0Dx", "/account.a.b",
    ])
    func `A page that is never stored is not stored with a file extension either`(_ path: String) throws {
        for pattern in ["/account", "/account/**"] {
            let table = try RouteTable("routes: [{path: \(pattern), cache: off}, {path: /**, ttl: 60s}]")
            #expect(!table.route(host: nil, path: path).isCached)
            for other in ["/accounts.css", "/a/account.css", "/.account", "/accountx.json"] {
                #expect(table.route(host: nil, path: other).isCached, "\(other)")
            }
        }
    }

    @Test func `A rule for a file applies to the file regardless of the path without its extension`() throws {
        let routes = "[{path: /robots.txt, ttl: 1d}, {path: /static/**, ttl: 1h}, {path: /**, cache: off}]"
        let table = try RouteTable("routes: \(routes)")
        #expect(table.route(host: nil, path: "/robots.txt").isCached)
        #expect(table.route(host: nil, path: "/static/app.min.js").isCached)
        #expect(!table.route(host: nil, path: "/other.txt").isCached)
    }

    @Test func `A write invalidates the scopes of all routes that a server may read its path as`() throws {
        let routes = """
            [{path: /inv/**, invalidates: [/feed/**]}, {path: /static/**, ttl: 60s, invalidates: [/list]},
            {path: /**, ttl: 1s}]
            """
        let table = try RouteTable("routes: \(routes)")
        for path in ["/inv/x", "//inv/x", "/INV/x", "/a/../inv/x", "/inv%2fx", "/./inv/x", "/inv;y/x"] {
            #expect(table.invalidated(byWriteTo: path, host: nil) == [.prefix(CachePath("/feed"))], "\(path)")
        }
        let both = table.invalidated(byWriteTo: "/static/..%2finv/x", host: nil)
        #expect(both.count == 2)
        #expect(table.invalidated(byWriteTo: "/other", host: nil).isEmpty)
        let many = "/;" + String(repeating: "a", count: 3_000)
        #expect(table.invalidated(byWriteTo: many, host: nil).count == 2)
    }

    @Test func `A rule in upper case applies to servers that ignore case`() throws {
        let table = try RouteTable("routes: [{path: /Account/**, cache: off}, {path: /**, ttl: 60s}]")
        for path in ["/Account/me", "/account/me", "/ACCOUNT", "/x/../account"] {
            #expect(!table.route(host: nil, path: path).isCached, "\(path)")
        }
        #expect(table.route(host: nil, path: "/accounts").isCached)
    }

    @Test func `A path whose readings belong to several routes is stored if the routes have the same policy`() throws {
        let table = try RouteTable(
            """
            routes:
              - {path: /projects/*, ttl: 60s}
              - {path: /projects/*/*, ttl: 60s}
              - {path: /groups/*, ttl: 60s}
              - {path: /groups/*/*, ttl: 61s}
              - {path: /a/*, tags: [x]}
              - {path: /a/*/*}
            """
        )
        #expect(table.name("/projects/group%2Fname") == "/projects/*")
        #expect(table.name("/groups/group%2Fname") == "/groups/* (uncached)")
        #expect(table.name("/a/b%2Fc") == "/a/* (uncached)" && table.name("/a/b/c;v") == "/a/*/*")
    }

    @Test func `A path that is too long or has too many readings is not stored`() throws {
        let table = try RouteTable(Self.routes)
        let many =
            "/static/"
            + ["a%252fb", "c;d", "..", "e%253bf", "g%5ch", "%2e%2e", "i%3fj", "..;k", "l"].joined(separator: "/")
        #expect(!table.route(host: nil, path: many).isCached)
        #expect(!table.route(host: nil, path: "/static/;" + String(repeating: "a", count: 2_048)).isCached)
        // The first path is long and has few readings; the second has more than the limit on bytes allows.
        let long = "/static/" + String(repeating: "a", count: 1_800)
        #expect(table.route(host: nil, path: long + "/a%2fb").isCached)
        #expect(!table.route(host: nil, path: long + "/a%252fb;c/%5c").isCached)
        let deep = "/static" + String(repeating: "/a%2fb;c", count: 8_000)
        #expect(!table.route(host: nil, path: deep).isCached)
        #expect(table.route(host: nil, path: "/static/" + String(repeating: "a", count: 4_000)).isCached)
    }

    // MARK: - Servers

    private static let pieces = [
        "/", "/", "/", "/", "account", "static", "..", "..", ".", ";", ";x", "%2e%2e", "%2F", "%2f", "\\", "%5c", "%3B",
        "%252e", "%252F", "%3F", "%23", "%00", "ACCOUNT", "%61ccount", "x", "%255c", "%253f", "%2561",
    ]

    /// Every simulated server applies its changes to a path in its order. A path that is stored must not be a page of
    /// an account to any of them.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `A path that is stored is not a page of an account to any simulated server`(_ seed: UInt64) throws {
        let table = try RouteTable(Self.routes)
        var random = SeededRandom(seed: seed)
        var (stored, odd, found) = (0, 0, 0)
        for _ in 0..<1_500 {
            let count = Int.random(in: 1...9, using: &random)
            let start = ["/static/", "/", "/account", "//"].randomElement(using: &random) ?? "/"
            let path = start + (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "/" }.joined()
            let isCached = table.route(host: nil, path: path).isCached
            stored += isCached ? 1 : 0
            odd += isCached && path.utf8.contains { "%;\\".utf8.contains($0) } ? 1 : 0
            for _ in 0..<60 {
                let server = SimulatedServer(using: &random)
                guard server.segments(of: path).first == "account" else { continue }
                found += 1
                #expect(!isCached, "\(path) by \(server)")
                break
            }
        }
        #expect(stored > 100 && odd > 50 && found > 300, "\(stored) \(odd) \(found)")
    }
}

/// A server that reads paths in one of the ways of known servers.
private struct SimulatedServer: CustomStringConvertible {
    enum Parameters: CaseIterable { case included, dropped, ending }

    let decodings: Int
    let laterDecodings: Int
    let resolvesBefore: Bool
    let resolvesAfter: Bool
    let merges: Bool
    let takesBackslashes: Bool
    let parameters: Parameters
    let dropsParametersFirst: Bool
    let endsAtDelimiters: Bool
    let hasHost: Bool
    let ignoresCase: Bool

    init(using random: inout SeededRandom) {
        decodings = Int.random(in: 0...2, using: &random)
        laterDecodings = Int.random(in: 0...1, using: &random)
        resolvesBefore = Bool.random(using: &random)
        resolvesAfter = Bool.random(using: &random)
        merges = Bool.random(using: &random)
        takesBackslashes = Bool.random(using: &random)
        parameters = Parameters.allCases.randomElement(using: &random) ?? .included
        dropsParametersFirst = Bool.random(using: &random)
        endsAtDelimiters = Bool.random(using: &random)
        hasHost = Bool.random(using: &random)
        ignoresCase = Bool.random(using: &random)
    }

    var description: String {
        "decodings \(decodings)+\(laterDecodings), dots \(resolvesBefore) \(resolvesAfter), merges \(merges), "
            + "backslashes \(takesBackslashes), parameters \(parameters) \(dropsParametersFirst), ends "
            + "\(endsAtDelimiters), host \(hasHost), case \(ignoresCase)"
    }

    func segments(of target: String) -> [String] {
        var path = target.prefix { $0 != "?" }.description
        if hasHost, path.hasPrefix("//") { path = String(path.drop { $0 == "/" }.drop { $0 != "/" }) }
        if dropsParametersFirst { path = withoutParameters(path) }
        if resolvesBefore { path = resolved(path) }
        for _ in 0..<decodings { path = Self.decoded(path) }
        if takesBackslashes { path = path.replacing("\\", with: "/") }
        if endsAtDelimiters { path = String(path.prefix { !"?#\0".contains($0) }) }
        if !dropsParametersFirst { path = withoutParameters(path) }
        if resolvesAfter { path = resolved(path) }
        if ignoresCase { path = path.lowercased() }
        return path.split(separator: "/").map { segment in
            (0..<laterDecodings).reduce(String(segment)) { text, _ in Self.decoded(text) }
        }
    }

    private func withoutParameters(_ path: String) -> String {
        switch parameters {
        case .included: path
        case .ending: String(path.prefix { $0 != ";" })
        case .dropped:
            path.split(separator: "/", omittingEmptySubsequences: false).map { $0.prefix { $0 != ";" } }
                .joined(separator: "/")
        }
    }

    private func resolved(_ path: String) -> String {
        var output: [Substring] = []
        for segment in path.split(separator: "/", omittingEmptySubsequences: merges).drop(while: \.isEmpty) {
            if segment == ".." { _ = output.popLast() } else if segment != "." { output.append(segment) }
        }
        return "/" + output.joined(separator: "/")
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Tests of the setting that rejects ambiguous paths.
@Suite(.timeLimit(.minutes(5))) struct AmbiguousPathTests {
    @Test(arguments: [
        "/a%2Fb", "/a/../b", "/a/./b", "/..", "/.", "/a/%2e%2e/b", "/a\\b", "/a%5Cb", "/a;b", "/a%3Bb", "//a", "/a//b",
        "/a%00", "/a%0Ab", "/a%7F", "/a%3Fb", "/a%23b", "/a%252Fb", "/a%252e", "/a%25%32%66b", "/a%", "/a%4", "/a%zz",
        "/caf\u{E9}", "/a b", "/a#b", "/a%2e/..", "/%5c",
    ]) func `A path that servers may read in more than one way is rejected`(_ path: String) {
        var settings = GatewaySettings(origin: .unknown)
        #expect(settings.accepts(path))
        settings.paths = .reject
        #expect(!settings.accepts(path) && !settings.accepts(path + "?a"))
    }

    @Test(arguments: [
        "/", "/a", "/a/", "/A/b.css", "/.well-known/acme", "/a..b/...", "/caf%C3%A9", "/a%20b", "/100%25", "/a%2Eb",
        "/a?b=/../%2F//;%00", "/a:b@c,d=e+f~!$&'()*", "/%61", "*",
    ]) func `A path that all servers read alike is served`(_ path: String) {
        var settings = GatewaySettings(origin: .unknown)
        settings.paths = .reject
        #expect(settings.accepts(path))
    }
}
