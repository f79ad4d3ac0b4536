import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The credentials that make a request bypass the cache, and the fields and cookies that are withheld from shared
/// fetches.
@Suite(.timeLimit(.minutes(5))) struct CredentialTests {
    private static let tenant = HTTPField.Name("X-Tenant-Token")!

    /// Returns an origin that repeats the request's credentials.
    private static func echo(_ fields: HTTPFields = [:]) -> TestOrigin {
        TestOrigin { request in
            let names: [HTTPField.Name] = [.cookie, .authorization, .proxyAuthorization, .xAPIKey, tenant]
            let told = names.flatMap { name in
                request.headerFields[values: name].map { "\(name.canonicalName)=\($0)" }
            }
            return TestResponse(told.joined(separator: "|"), fields)
        }
    }

    private static let names: [HTTPField.Name] = [.authorization, .proxyAuthorization, .xAPIKey, .cookie]

    @Test(arguments: names) func `A request with credentials bypasses the cache on a decorated route`(
        _ name: HTTPField.Name
    ) async throws {
        let bench = Bench()
        let origin = Self.echo()
        _ = try await bench.get(from: origin)
        let response = try await bench.get("/posts", [name: "secret"], from: origin)
        #expect(response.cacheStatusText.contains("detail=\(name == .cookie ? "cookie" : "authorization")"))
        #expect(origin.forwards == 1 && origin.fetches.count == 1)
    }

    @Test func `A field that the policy names is a credential, and the others stay credentials`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(fields: [Self.tenant])
        let origin = Self.echo()
        for name in Self.names + [Self.tenant] {
            let response = try await bench.get("/posts", [name: "secret"], under: policy, from: origin)
            #expect(response.cacheStatusText.contains("fwd=bypass"), "\(name)")
        }
        // A field that no policy names is not a credential.
        let other = try await bench.get("/posts", [Self.tenant: "x"], from: origin)
        #expect(other.cacheStatusText.contains("stored"))
    }

    @Test(arguments: [
        "session=1", "_ga=2; session=1", "_ga=2;session=1", "session", "_ga=2;\tsession=1", "session =1",
        "sess%69on=1", "__Host-id=3", "_ga=\"a; session=1\"", "_ga=2, session=1", "_ga=2 session=1",
        "_ga=2;\u{A0}session=1", "wp_1=2",
    ]) func `A request with a cookie that the policy names bypasses the cache and keeps its cookies`(
        _ cookie: String
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id", "wp_*"])
        let origin = Self.echo()
        let response = try await bench.get("/posts", [.cookie: cookie], under: policy, from: origin)
        #expect(response.cacheStatusText.contains("detail=cookie"))
        #expect(origin.forwards == 1 && origin.fetches.isEmpty)
    }

    @Test(arguments: [
        "_ga=2", "_ga=1; theme=dark", "id=3", "sessions=1", "a=session", "", ";", "wp=1",
    ]) func `Other cookies do not cause a bypass, and stored responses do not depend on them`(
        _ cookie: String
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id", "wp_*"])
        let origin = Self.echo([.vary: "Cookie"])
        let first = try await bench.get("/posts", [.cookie: cookie], under: policy, from: origin)
        #expect(try await first.text == "" && first.cacheStatusText.contains("stored"))
        for fields in [[.cookie: "_ga=77"], [:]] as [HTTPFields] {
            let next = try await bench.get("/posts", fields, under: policy, from: origin)
            #expect(next.isHit)
        }
        #expect(origin.fetches.allSatisfy { !$0.headerFields.contains(.cookie) })
    }

    @Test func `A cookie in a separate field counts as one among others does`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session"])
        let origin = Self.echo()
        let harmless = try await bench.get("/posts", crumbs("_ga=2", "theme=dark"), under: policy, from: origin)
        #expect(try await harmless.text == "" && harmless.cacheStatusText.contains("stored"))
        let user = try await bench.get("/posts", crumbs("_ga=2", "session=1"), under: policy, from: origin)
        #expect(user.cacheStatusText.contains("detail=cookie"))
    }

    @Test(arguments: [
        ("_ga=2; session=\"a b\"; theme=dark", "session=\"a b\""), ("session=1; _ga=2", "session=1"),
        ("session=1;lang=de", "session=1;lang=de"), ("_ga=2;  session=a=b ;lang=de;x", "session=a=b ;lang=de"),
        ("session=é; _ga=ü", "session=é"), ("session=1; session=2; _ga=3; lang=", "session=1; session=2; lang="),
    ]) func `A handler gets the cookies of a known user that the policy names, byte for byte`(
        _ cookie: String,
        _ forwarded: String
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(cookies: ["session", "lang"])
        let origin = Self.echo()
        _ = try await bench.get("/posts", [.cookie: cookie], for: "ada", under: policy, from: origin)
        #expect(origin.fetches.first?.headerFields[values: .cookie] == [forwarded])
        let next = try await bench.get("/posts", crumbs("_ga=9", cookie), for: "ada", under: policy, from: origin)
        #expect(next.isHit)
    }

    @Test func `Bytes that are not UTF-8 stay as they are in a cookie that is not withheld`() {
        var fields = HTTPFields()
        let value = Array("a=1; session=".utf8) + [0xE9, 0xFF] + Array("; b=2".utf8)
        fields.append(HTTPField(name: .cookie, value: value))
        fields.append(HTTPField(name: .cookie, value: "a=2"))
        CookieNames.filter(["session"], in: &fields)
        let bytes = fields[fields: .cookie].map { $0.withUnsafeBytesOfValue { Array($0) } }
        #expect(bytes == [Array("session=".utf8) + [0xE9, 0xFF]])
    }

    @Test func `With a known user and no named cookies all fields reach the handler`() async throws {
        let bench = Bench()
        for policy in [CachePolicy.fresh(for: .seconds(60)), .fresh(for: .seconds(60)).ignoringCredentials()] {
            var policy = policy
            policy.rules.allowsAuthorization = true
            let origin = Self.echo()
            let path = "/\(policy.credentials)"
            let response = try await bench.get(
                path,
                [.cookie: "a=b", .xAPIKey: "k"],
                for: "ada",
                under: policy,
                from: origin
            )
            #expect(try await response.text == "cookie=a=b|x-api-key=k")
        }
    }

    @Test func `A policy that ignores credentials withholds them from shared fetches`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).credentials(fields: [Self.tenant]).ignoringCredentials()
        let origin = Self.echo()
        let secrets: HTTPFields = [
            .cookie: "_ga=2; session=1", .authorization: "Bearer a", .proxyAuthorization: "Basic b", .xAPIKey: "c",
            Self.tenant: "d",
        ]
        let first = try await bench.get("/posts", secrets, under: policy, from: origin)
        #expect(try await first.text == "" && first.cacheStatusText.contains("stored"))
        #expect(try await bench.get("/posts", under: policy, from: origin).isHit)
        // A request that bypasses the cache keeps them: its response is for this client alone.
        let conditional = secrets.adding([.ifMatch: "\"x\""])
        #expect(
            try await bench.get("/posts", conditional, under: policy, from: origin).cacheStatusText.contains("bypass")
        )
    }

    @Test func `A background refresh is made without credentials, too`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(60)).ignoringCredentials()
        let origin = Self.echo()
        _ = try await bench.get("/posts", under: policy, from: origin)
        bench.clock.advance(by: .seconds(61))
        _ = try await bench.get("/posts", [.cookie: "a=b", .xAPIKey: "c"], under: policy, from: origin)
        await bench.cache.idle()
        #expect(origin.fetches.count == 2)
        #expect(origin.fetches.allSatisfy { !$0.headerFields.contains(.cookie) && !$0.headerFields.contains(.xAPIKey) })
    }

    @Test func `A credential that is part of the key reaches the handler`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(60)).ignoringCredentials().varying(by: .xAPIKey)
        let origin = Self.echo()
        for key in ["a", "b", "a"] {
            let response = try await bench.get("/posts", [.xAPIKey: key, .cookie: "x=1"], under: policy, from: origin)
            #expect(try await response.text == "x-api-key=\(key)")
        }
        #expect(origin.fetches.count == 2)
    }

    @Test(arguments: [("max-age=60", false), ("public, max-age=60", true), ("s-maxage=60", true)])
    func `RFC 9111 3.5: A gateway treats X-API-Key and Proxy-Authorization like Authorization`(
        _ directives: String,
        _ isShared: Bool
    ) async throws {
        for name in [HTTPField.Name.xAPIKey, .proxyAuthorization, .authorization] {
            let bench = Bench()
            let origin = Self.echo([.cacheControl: directives])
            let first = try await bench.get("/posts", [name: "k"], under: .gateway, from: origin)
            #expect(first.cacheStatusText.contains(isShared ? "stored" : "detail=authorization"))
            #expect(try await first.text == "\(name.canonicalName)=k")
            let second = try await bench.get("/posts", [name: "other"], under: .gateway, from: origin)
            #expect(second.isHit == isShared)
        }
    }

    @Test func `A rule of a gateway may declare that a field is not a credential, except Authorization`() async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway
        policy.rules.credentialFields = []
        let origin = Self.echo([.cacheControl: "max-age=60"])
        let login = try await bench.get("/a", [.authorization: "k"], under: policy, from: origin)
        #expect(login.cacheStatusText.contains("detail=authorization"))
        #expect(
            try await bench.get("/b", [.xAPIKey: "k"], under: policy, from: origin).cacheStatusText.contains("stored")
        )
    }

    @Test func `A gateway whose policy names credential cookies withholds the others`() async throws {
        let bench = Bench()
        let policy = CachePolicy.gateway.credentials(cookies: ["session"])
        let origin = Self.echo([.cacheControl: "max-age=60"])
        let first = try await bench.get("/posts", [.cookie: "_ga=1"], under: policy, from: origin)
        #expect(try await first.text == "")
        let second = try await bench.get("/posts", [.cookie: "_ga=2"], under: policy, from: origin)
        #expect(second.isHit)
        let user = try await bench.get("/posts", [.cookie: "_ga=2; session=1"], under: policy, from: origin)
        #expect(user.cacheStatusText.contains("detail=cookie") && origin.forwards == 1)
    }

    @Test(arguments: [("websocket", true), ("WebSocket/13", true), ("foo, websocket", true), ("h2c", false)])
    func `A WebSocket request is forwarded to the handler`(_ upgrade: String, _ isPassed: Bool) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        let response = try await bench.get("/posts", [.upgrade: upgrade, .connection: "Upgrade"], from: origin)
        #expect(response.cacheStatusText.contains("detail=upgrade") == isPassed)
        #expect(response.isHit == !isPassed)
    }

    private func crumbs(_ values: String...) -> HTTPFields {
        var fields = HTTPFields()
        for value in values { fields.append(HTTPField(name: .cookie, value: value)) }
        return fields
    }
}
