import HTTPTypes
import TestHelpers
import Testing

@testable import Larder

/// Attempts to hide a cookie or a parameter from a rule by its spelling.
@Suite(.timeLimit(.minutes(5))) struct NameAttackTests {
    static let cookies = [
        "session_id=x", "session_id =x", "session_id\t=x", " session_id=x", "a=b;session_id=x", "a=b; \tsession_id = x",
        "a=b, session_id=x", "a=b session_id=x", "a=b;\u{A0}session_id=x", "session_id\u{2003}=x",
        "\u{FEFF}session_id=x", "session_id\u{85}=x", "session.id=x", "session id=x", "session[id=x", "session_id[]=x",
        "session_id[a][b]=x", "session.id[]=x", "Session_Id=x", "SESSION.ID=x", "session%5Fid=x", "session%5fid=x",
        "session%2eid=x", "session%20id=x", "session%5Bid=x", "%73ession_id=x", "%2573ession_id=x", "session+id=x",
        "\"session_id\"=x", "'session_id'=x", "=session_id=x", "= session_id=x", "a=b;=session_id", "session_id%00x=1",
        "$Version=1; session_id=x; $Path=/", "$Version=1,session_id=x", ";;; session_id", "a=\"b; session_id=x\"",
        "session_id", "session_id;a=b", "[session_id]=x", "%20session_id=x", "a=b;%09session_id%20=x",
    ]
    static let others = [
        "", "session_ids=x", "xsession_id=x", "a=session_id", "session=1", "session-id=x", "sessionid=x", "_id=x",
        "a=b; c=d", "=", ";", "%", "%5", "session_id2[]=x",
    ]

    private static func request(_ target: String = "/p", _ cookies: [String] = []) -> HTTPRequest {
        var request = HTTPRequest(method: .get, scheme: "http", authority: "a.example", path: target)
        for cookie in cookies { request.headerFields.append(HTTPField(name: .cookie, value: cookie)) }
        return request
    }

    @Test(arguments: cookies) func `A cookie is found in every spelling that a server reads as the named one`(
        _ cookie: String
    ) async throws {
        let rule = BypassRule(cookies: ["session_id"])
        #expect(rule.reason(for: Self.request("/p", [cookie])) == .rule)
        #expect(rule.reason(for: Self.request("/p", ["a=b", cookie, "c=d"])) == .rule)
        #expect(BypassRule(cookies: ["sess*"]).reason(for: Self.request("/p", [cookie])) == .rule)
        #expect(BypassRule(cookies: ["a1", "session.id"]).reason(for: Self.request("/p", [cookie])) == .rule)
        // A policy that names credential cookies withholds the others: a response to one of these is not shared.
        let bench = Bench()
        let origin = TestOrigin { request in
            TestResponse(request.headerFields[.cookie] ?? "none", [.cacheControl: "public, max-age=60"])
        }
        let policy = CachePolicy.gateway.credentials(cookies: ["session_id"])
        let response = try await bench.get("/p", [.cookie: cookie], under: policy, from: origin)
        #expect(response.cacheStatusText.contains("fwd=bypass"), "\(response.cacheStatusText)")
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: others) func `Another cookie is not taken for the named one, and is withheld from shared fetches`(
        _ cookie: String
    ) async throws {
        #expect(BypassRule(cookies: ["session_id"]).reason(for: Self.request("/p", [cookie])) == nil)
        let bench = Bench()
        let origin = TestOrigin { request in
            TestResponse(request.headerFields[.cookie] ?? "none", [.cacheControl: "public, max-age=60"])
        }
        let policy = CachePolicy.gateway.credentials(cookies: ["session_id"])
        #expect(try await bench.get("/p", [.cookie: cookie], under: policy, from: origin).text == "none")
    }

    @Test(arguments: [
        "/p?is_preview", "/p?is_preview=1", "/p?is_pre%76iew=1", "/p?is_pre%2576iew=1", "/p?is_preview[]",
        "/p?is_preview[a]=1",
        "/p?is_preview%5B%5D=1", "/p?Is_Preview=1", "/p?a=1;is_preview=1", "/p?a=1&&is_preview", "/p?+is_preview=1",
        "/p?is_preview+=1", "/p?%20is_preview=1", "/p?is_preview%00=1", "/p?[is_preview]=1", "/p?is_preview.a=1",
        "/p??is_preview=1", "/p?&=is_preview=1", "/p?is.preview=1", "/p?is+preview=1", "/p?is%5Bpreview=1",
        "/p?is%20preview", "/p%3Fis_preview=1", "/p%3fa&is_preview", "/p%253Fis_preview=1", "/p%3fa?is_preview=1",
        "/p?%22is_preview%22=1", "/p?is%255fpreview",
    ]) func `A parameter is found in every spelling that a server reads as the named one`(_ target: String) {
        #expect(BypassRule(parameters: ["is_preview"]).reason(for: Self.request(target)) == .rule)
        #expect(BypassRule(parameters: ["is_p*"]).reason(for: Self.request(target)) == .rule)
        #expect(BypassRule(parameters: ["is_preview[]"]).reason(for: Self.request(target)) == .rule)
    }

    @Test(arguments: [
        "/p", "/p?", "/is_preview?a=1", "/p?is_previews=1", "/p?his_preview=1", "/p?a=is_preview", "/p?a=%3Fis_preview",
        "/p?preview=1", "/p?is-preview", "/p%3", "/p?%", "/p/is_preview=1",
    ]) func `Another parameter is not taken for the named one`(_ target: String) {
        #expect(BypassRule(parameters: ["is_preview"]).reason(for: Self.request(target)) == nil)
    }

    /// A parameter that is left out of a key is left out of the fetch: another spelling is in both.
    @Test(arguments: [
        "/p?UTM_a=1", "/p?utm.a=1", "/p?utm%5Fa=1", "/p?utm%255fa=1", "/p?a=1;utm_b=2", "/p?utm_a[]=1", "/p?+utm_a=1",
        "/p?a=1&utm_x=;b=2", "/p?utm_a%00b=1", "/p%3Futm_a=1", "/p??utm_a=1", "/p?=utm_a=1", "/p?\"utm_a\"=1",
    ]) func `An ignored parameter is in neither the key nor the fetch, and another spelling of it in both`(
        _ target: String
    ) async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway
        policy.keys.ignoredParameters = ["utm_*"]
        let origin = TestOrigin { request in TestResponse(request.path ?? "", [.cacheControl: "max-age=60"]) }
        let text = try await bench.get(target, under: policy, from: origin).text
        if let key = bench.cache.statistics.snapshot().topKeys.first?.key.description {
            #expect(key.hasSuffix(text), "\(key) \(text)")
        }
    }
}
