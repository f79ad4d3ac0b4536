import LarderTestSupport
import Testing

@testable import Larder

/// The eviction queue against a naive model, by seeded random operations.
@Suite(.timeLimit(.minutes(5))) struct EvictionQueueTests {
    @Test(arguments: [14, 15] as [UInt64])
    func `A queue evicts the first member that was not used since its last turn`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = EvictionQueue()
        var model: [(slot: Int, wasUsed: Bool)] = []
        for _ in 0..<5_000 {
            let slot = Int.random(in: 0..<40, using: &random)
            let place = model.firstIndex { $0.slot == slot }
            switch (Int.random(in: 0..<4, using: &random), place) {
            case (0, nil), (1, nil):
                queue.insert(slot)
                model.append((slot, false))
            case (0, let place?), (1, let place?):
                queue.use(slot)
                model[place].wasUsed = true
            case (2, let place?):
                queue.remove(slot)
                model.remove(at: place)
            case (2, nil): break
            default:
                while let first = model.first, first.wasUsed {
                    model.removeFirst()
                    model.append((first.slot, false))
                }
                let victim = queue.victim()
                #expect(victim == model.first?.slot, "seed \(seed)")
            }
            queue.validate()
            #expect(queue.count == model.count, "seed \(seed)")
        }
    }
}
