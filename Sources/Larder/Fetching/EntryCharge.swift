import Synchronization

/// The memory that an entry takes of a budget while it is used and no store of this process holds it:
/// - from its arrival from the origin until it is stored,
/// - from its arrival from Redis until the last client has read it,
/// - from its removal from the store until the end of the last response that is made from it.
///
/// A copy of a packed response, or of one in Redis, is charged to the store while that holds it, like any other. But
/// the store gives up a copy when others are made, so the first use of a copy needs room in the budget: copies that are
/// being sent take no more than the budget, and the part of the store that is for copies.
struct EntryCharge: ~Copyable, Sendable {
    struct State {
        var budget: InFlightBudget?
        var isStored = false
    }

    private let state = Mutex(State())
    private let needsRoom: Bool

    /// - Parameter needsRoom: True if the first use needs room in the budget, even if a store holds the entry.
    init(needsRoom: Bool = false) { self.needsRoom = needsRoom }

    /// Charges an entry to a budget, unless it is charged already, or stored.
    /// - Parameter take: Takes the bytes, and returns false if it cannot.
    func begin(_ cost: Int, in budget: InFlightBudget, by take: (InFlightBudget, Int) -> Bool) -> Bool {
        state.withLock { state in
            if state.budget == nil {
                guard state.isStored ? !needsRoom || budget.hasRoom(for: cost) : take(budget, cost) else {
                    return false
                }
                state.budget = budget
            }
            return true
        }
    }

    /// True if a store of this process holds the entry.
    var isStored: Bool { state.withLock { $0.isStored } }

    /// True if the entry takes memory of a budget.
    var isTaken: Bool { state.withLock { $0.budget != nil && !$0.isStored } }

    /// Moves the charge from the budget to a store, or back.
    func setStored(_ isStored: Bool, _ cost: Int) {
        state.withLock { state in
            guard state.isStored != isStored else { return }
            state.isStored = isStored
            if isStored { state.budget?.give(cost) } else { state.budget?.charge(cost) }
        }
    }

    /// Gives back the charge when the entry is deallocated.
    func end(_ cost: Int) {
        state.withLock { state in
            if !state.isStored { state.budget?.give(cost) }
            state.budget = nil
        }
    }
}
