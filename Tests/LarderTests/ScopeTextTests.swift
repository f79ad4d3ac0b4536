import Larder
import Testing

/// The texts of scopes, for logs outside of the process.
@Suite(.timeLimit(.minutes(5))) struct ScopeTextTests {
    private static let deep = (1...20).map { "/s\($0)" }.joined()

    static let scopes: [InvalidationScope] =
        [
            .everything, .path("/a"), .path("/a/b"), .path("//A/"), .path("/%61"), .path("/"), .prefix("/"),
            .prefix("/a"),
            .prefix("/a/"), .prefix(CachePath(deep)), .prefix(CachePath(deep + "/x")), .path(CachePath(deep)),
            .path(CachePath(deep + "/x")), .tag("a"), .tag("A"), .tag("/a"), .tag("everything"), .tag("path:/a"),
        ]
        + ["GET:/a", "GET:/a%7eb", "GET:/a%7Eb", "GET:/a~b", "GET:/A", "GET:/a?x"].compactMap { CacheKey($0) }.map {
            .key($0)
        }

    @Test(arguments: scopes) func `Two scopes have one text if the log does not distinguish them`(
        _ scope: InvalidationScope
    ) {
        for other in Self.scopes {
            #expect(
                (scope.canonicalText == other.canonicalText) == (scope.fingerprint == other.fingerprint),
                "\(scope) and \(other)"
            )
        }
    }

    @Test func `The texts are as documented, since other processes compare them`() throws {
        #expect(InvalidationScope.path("//A/%62/").canonicalText == "path:/a/b")
        #expect(InvalidationScope.prefix("/a").canonicalText == "prefix:/a")
        #expect(InvalidationScope.tag("user-1").canonicalText == "tag:user-1")
        #expect(InvalidationScope.everything.canonicalText == "everything")
        #expect(InvalidationScope.key(try #require(CacheKey("GET:/a%7Eb"))).canonicalText == "key:GET:/a~b")
    }

    @Test func `An invalidation of any scope of a response meets one of its texts`() throws {
        let location = EntryLocation(key: try #require(CacheKey("GET:/a/b?x")), target: "/a/b?x", tags: ["policy"])
        let texts = Set(location.scopes(with: ["late"]).map(\.canonicalText))
        for scope in [InvalidationScope.key(location.key), .path("/a/b"), .prefix("/a"), .tag("late"), .everything] {
            #expect(texts.contains(scope.canonicalText))
        }
        #expect(texts.isDisjoint(with: ["path:/a", "prefix:/b", "tag:other"]))
    }
}
