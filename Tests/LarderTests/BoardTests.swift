import HTTPCaching
import LarderTesting
import Testing

@testable import Larder

/// The tables that requests wait at and leave by, against naive models, by seeded random operations.
@Suite struct BoardTests {
    @Test(arguments: [11, 12, 13] as [UInt64]) func `a board tells every passenger once, and boards by the rule`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        var board = FlightBoard<UInt64>(flightLimit: 4, passengerLimit: 3, landingLimit: 8)
        var landings: [FlightKey] = []
        var keys: [FlightID: FlightKey] = [:]
        let epoch = Birth.Epoch.new()
        var births: [FlightID: UInt64] = [:]
        var waiting: [UInt64: FlightID] = [:]
        var number: UInt64 = 0
        for passenger in 0..<5_000 as Range<UInt64> {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                number += Bool.random(using: &random) ? 1 : 0
                let key = FlightKey(
                    key: CacheKey(legal: "GET:/\(Int.random(in: 0..<6, using: &random))"),
                    selecting: .none
                )
                let stamp = UInt64.random(in: 0...number, using: &random)
                let lookup = Lookup(entries: [], birth: Birth(epoch: epoch, number: number), newestStamp: stamp)
                let seen = Int.random(in: max(0, landings.count - 12)...landings.count, using: &random)
                // No more than so many are remembered.
                let hasLanded = landings[seen...].suffix(8).contains(key)
                switch board.board(key, Ticket(lookup: lookup, landing: UInt64(seen))) {
                case .lead(let id):
                    #expect(births.updateValue(number, forKey: id) == nil, "seed \(seed)")
                    #expect(!hasLanded, "seed \(seed)")
                    keys[id] = key
                case .landed:
                    #expect(hasLanded, "seed \(seed)")
                case .ride(let id, let isFirst):
                    #expect(births[id].map { stamp <= $0 } == true, "seed \(seed)")
                    #expect(isFirst == !waiting.values.contains(id), "seed \(seed)")
                    #expect(waiting.values.count { $0 == id } < 3, "seed \(seed)")
                    #expect(board.wait(passenger, for: id, passenger) == nil, "seed \(seed)")
                    waiting[passenger] = id
                    // Who was to ride when there was a seat left, and comes when there is none.
                    guard waiting.values.count(where: { $0 == id }) == 3 else { break }
                    #expect(board.wait(passenger + 5_000, for: id, passenger) == .full, "seed \(seed)")
                case .alone:
                    #expect(births.count == 4 || waiting.count >= 3, "seed \(seed)")
                }
            case 5..<7:
                guard let (passenger, id) = waiting.randomElement(using: &random) else { break }
                let left = [board.leave(passenger, from: id), board.leave(passenger, from: id)]
                #expect(left == [passenger, nil], "seed \(seed)")
                waiting[passenger] = nil
            default:
                guard let id = births.keys.randomElement(using: &random) else { break }
                let isLanding = Bool.random(using: &random)
                let isStored = Bool.random(using: &random)
                let told = isLanding ? board.land(id, isStored: isStored) : board.release(id)
                if isLanding, isStored, let key = keys[id] { landings.append(key) }
                #expect(board.lastLanding == landings.count, "seed \(seed)")
                #expect(Set(told) == Set(waiting.filter { $0.value == id }.keys), "seed \(seed)")
                waiting = waiting.filter { $0.value != id }
                #expect(board.wait(passenger, for: id, passenger) == .landed, "seed \(seed)")
                if isLanding { births[id] = nil }
            }
            board.validate()
            #expect(board.count == births.count && board.passengerCount == waiting.count, "seed \(seed)")
        }
    }

    @Test(arguments: [14, 15] as [UInt64]) func `a queue gives its members second chances as a list would`(
        _ seed: UInt64
    ) {
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

    @Test(arguments: [16, 17] as [UInt64]) func `a memo remembers no longer than it should, and never too many`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        let clock = ManualClock()
        var memo = KeyMemo<CacheKey>(limit: 10, span: .seconds(30))
        var model: [CacheKey: Timestamp] = [:]
        for _ in 0..<3_000 {
            let key = CacheKey(legal: "GET:/\(Int.random(in: 0..<20, using: &random))")
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                memo.add(key, at: clock.now)
                model[key] = clock.now.advanced(by: .seconds(30))
                #expect(memo.contains(key, at: clock.now), "seed \(seed)")
            case 1:
                memo.forget(key)
                model[key] = nil
            case 2: clock.advance(by: .milliseconds(Int.random(in: 0...9_000, using: &random)))
            default:
                // It may have forgotten for want of room, and never has what the model has not.
                let isRemembered = model[key].map { clock.now < $0 } == true
                #expect(isRemembered || !memo.contains(key, at: clock.now), "seed \(seed)")
            }
            memo.validate()
        }
    }
}
