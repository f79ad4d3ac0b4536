import Larder
import LarderTestSupport
import Testing

@testable import LarderRedis

/// The predictions of the tags that a handler gives.
@Suite(.timeLimit(.minutes(5))) struct TagMemoTests {
    private func key(_ id: Int) -> CacheKey { CacheKey("GET:/\(id)") ?? .example }

    @Test func `No tags are predicted for an unknown key`() {
        let memo = TagMemo<CacheKey>()
        #expect(memo[key(1)].isEmpty && memo.count == 0)
    }

    @Test func `The tags seen last are predicted`() {
        var memo = TagMemo<CacheKey>()
        memo.remember(["ta", "tb"], for: key(1))
        memo.remember(["tc"], for: key(2))
        #expect(memo[key(1)] == ["ta", "tb"] && memo[key(2)] == ["tc"])
        memo.remember(["td"], for: key(1))
        #expect(memo[key(1)] == ["td"] && memo.count == 2)
        memo.remember([], for: key(1))
        #expect(memo[key(1)].isEmpty)
        memo.validate()
    }

    @Test func `A handler that gives no tags takes no room`() {
        var memo = TagMemo<CacheKey>()
        memo.remember([], for: key(1))
        #expect(memo.count == 0)
    }

    @Test func `The oldest key makes room for the newest`() {
        var memo = TagMemo<CacheKey>(limit: 2)
        for id in 1...2 { memo.remember(["t\(id)"], for: key(id)) }
        memo.remember(["t1 again"], for: key(1))
        memo.remember(["t3"], for: key(3))
        #expect(memo[key(1)].isEmpty && memo[key(2)] == ["t2"] && memo[key(3)] == ["t3"])
        memo.validate()
    }

    @Test func `A memo remembers a bounded number of tags, for a key and for all keys`() {
        var memo = TagMemo<CacheKey>(tagLimit: 5)
        memo.remember(["a", "b", "c"], for: key(1))
        memo.remember(["d", "e"], for: key(2))
        #expect(memo.tagCount == 5 && memo.count == 2)
        memo.remember(["f"], for: key(3))
        #expect(memo[key(1)].isEmpty && memo.tagCount == 3)
        memo.remember(["1", "2", "3", "4", "5"], for: key(3))
        #expect(memo[key(2)].isEmpty && memo[key(3)].count == 5)
        memo.remember(["1", "2", "3", "4", "5", "6"], for: key(3))
        #expect(memo.count == 0 && memo.tagCount == 0)
        memo.validate()
        var large = TagMemo<CacheKey>()
        large.remember((0...TagMemo<CacheKey>.tagsPerKey).map { "t\($0)" }, for: key(1))
        #expect(large[key(1)].count == TagMemo<CacheKey>.tagsPerKey)
        large.validate()
    }

    @Test(arguments: 1...20) func `A memo is a dictionary that forgets its oldest keys`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var memo = TagMemo<CacheKey>(limit: 8)
        var model: [(key: CacheKey, tags: [String])] = []
        for step in 0..<1_000 {
            let key = key(.random(in: 0..<20, using: &random))
            let tags = (0..<Int.random(in: 0...2, using: &random)).map { "t\(step)-\($0)" }
            memo.remember(tags, for: key)
            if let place = model.firstIndex(where: { $0.key == key }) {
                model[place].tags = tags
            } else if !tags.isEmpty {
                model.append((key, tags))
                if model.count > 8 { model.removeFirst() }
            }
            memo.validate()
            #expect(memo.count == model.count, "step \(step)")
            for id in 0..<20 {
                let right = model.first { $0.key == self.key(id) }?.tags ?? []
                #expect(memo[self.key(id)] == right, "step \(step)")
            }
        }
    }
}
