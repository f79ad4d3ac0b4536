import HTTPCaching
import LarderExplain
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct FuzzTests {
    @Test func `Mutated files are read and explained, or rejected`() {
        var random = seeded(for: "mutated files")
        let files = (MessageFileTests.rows.map(\.file) + Golden.all.map(\.file)).map { Array($0.utf8) }
        var read = 0
        for _ in 0..<2_000 {
            let bytes = random.mutated(random.pick(files))
            guard let file = try? MessageFile(bytes) else { continue }
            read += 1
            let explanation = CacheExplanation(file.exchange(now: start))
            #expect(!explanation.lines.isEmpty && !explanation.record.summary.isEmpty)
        }
        #expect(read > 300)
    }
}
