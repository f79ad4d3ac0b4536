import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct AccountTests {
    @Test("A wrong password and an unknown name are refused alike")
    func wrongPassword() async throws {
        try await withCatalogue { client in
            for body in [#"{"name":"Ada","password":"no"}"#, #"{"name":"Eve","password":"no"}"#] {
                let response = try await client.send(.post, "/api/session", body)
                #expect(response.status == .unauthorized)
                #expect(response.headers[.setCookie] == nil)
            }
        }
    }

    @Test("Each user gets the favourites of this user, from a stored response as well")
    func favourites() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            let bob = try await client.signedIn("Bob")
            #expect(try await ada.send(.put, "/api/favourites/1").status == .noContent)
            #expect(try await bob.send(.put, "/api/favourites/2").status == .noContent)
            for isHit in [false, true] {
                let adas = try await ada.get("/api/favourites")
                #expect(try adas.decoded(as: [ProductBody].self).map(\.id) == [1])
                #expect(adas.isHit == isHit)
                #expect(adas.headers[.cacheControl]?.contains("no-store") == true)
                let bobs = try await bob.get("/api/favourites")
                #expect(try bobs.decoded(as: [ProductBody].self).map(\.id) == [2])
                #expect(bobs.isHit == isHit)
            }
            #expect(try await client.get("/api/favourites").status == .unauthorized)
        }
    }

    @Test("A change of Ada's favourites leaves Bob's stored response valid")
    func ownInvalidation() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            let bob = try await client.signedIn("Bob")
            _ = try await ada.get("/api/favourites")
            _ = try await bob.get("/api/favourites")
            try await ada.send(.put, "/api/favourites/3")
            #expect(try await bob.get("/api/favourites").isHit)
            let adas = try await ada.get("/api/favourites")
            #expect(!adas.isHit)
            #expect(try adas.decoded(as: [ProductBody].self).map(\.id) == [3])
        }
    }

    @Test("After signing out, a stored response is not served to the cookie")
    func signOut() async throws {
        try await withCatalogue { client in
            let ada = try await client.signedIn("Ada")
            _ = try await ada.get("/api/favourites")
            #expect(try await ada.get("/api/favourites").isHit)
            #expect(try await ada.send(.delete, "/api/session").status == .noContent)
            #expect(try await ada.get("/api/favourites").status == .unauthorized)
        }
    }

    @Test("Cookies that are no credentials do not switch the cache off")
    func otherCookies() async throws {
        try await withCatalogue { client in
            var ada = try await client.signedIn("Ada")
            _ = try await ada.get("/api/favourites")
            ada.headers[.cookie] = (ada.headers[.cookie] ?? "") + "; _visits=7"
            #expect(try await ada.get("/api/favourites").isHit)
        }
    }

    @Test("The admin routes need the token")
    func administration() async throws {
        try await withCatalogue { client in
            _ = try await client.get("/api/products/1")
            let uri = "/api/invalidate/GET:/api/products/1"
            #expect(try await client.send(.delete, uri).status == .unauthorized)
            #expect(try await client.get("/api/products/1").isHit)
            let token: HTTPFields = [.authorization: "Bearer \(adminToken)"]
            #expect(try await client.send(.delete, uri, headers: token).status == .ok)
            #expect(try await !client.get("/api/products/1").isHit)
            #expect(try await client.get("/metrics/cache", token).text.contains("GET:/api/products/1"))
        }
    }
}
