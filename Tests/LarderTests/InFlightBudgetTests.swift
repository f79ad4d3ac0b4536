import Larder
import Testing

@Suite("The memory of bodies on their way", .timeLimit(.minutes(5)))
struct InFlightBudgetTests {
    @Test func `Memory is taken only if it fits, and memory that is given back can be taken again`() {
        let budget = InFlightBudget(limit: .bytes(100))
        let first = budget.take(60)
        let second = budget.take(41)
        let third = budget.take(40)
        let nothing = budget.take(0)
        #expect([first, second, third, nothing] == [true, false, true, true])
        #expect(budget.used == 100)
        budget.give(60)
        let again = budget.take(60)
        #expect(again)
    }

    @Test func `Memory that is held already is charged beyond the limit, and none can be taken then`() {
        let budget = InFlightBudget(limit: .bytes(100))
        budget.charge(150)
        let refused = budget.take(1)
        budget.give(60)
        let taken = budget.take(10)
        #expect(!refused)
        #expect(taken)
        #expect(budget.used == 100)
    }

    @Test func `A limit that is lowered below what is taken refuses more until enough is given back`() {
        let budget = InFlightBudget(limit: .bytes(100))
        budget.charge(80)
        budget.setLimit(.bytes(50))
        #expect(budget.limit == 50)
        let (first, hasRoom) = (budget.take(1), budget.hasRoom(for: 1))
        budget.give(40)
        let second = budget.take(10)
        #expect(!first && !hasRoom && second && budget.used == 50)
    }

    @Test func `Concurrent tasks that take and give back never exceed the limit, and leave nothing taken`() async {
        let budget = InFlightBudget(limit: .bytes(100))
        let most = await withTaskGroup(of: Int.self) { group in
            for size in 1...16 {
                group.addTask {
                    var most = 0
                    for _ in 0..<1_000 where budget.take(size) {
                        most = max(most, budget.used)
                        budget.give(size)
                    }
                    return most
                }
            }
            return await group.reduce(0, max)
        }
        #expect(most <= 100)
        #expect(budget.used == 0)
    }
}
