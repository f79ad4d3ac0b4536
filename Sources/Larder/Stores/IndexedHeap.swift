/// A binary heap of small integers by priority, lowest first, in which the priority of any member can be changed.
///
/// Members are indices of slots in another array, so a second array maps each to its place in the heap.
struct IndexedHeap<Priority: Comparable & Sendable>: Sendable {
    private var heap: [(priority: Priority, id: Int)] = []
    /// The place of each ID in `heap`; -1 if the ID is not a member.
    private var places: [Int32] = []

    var count: Int { heap.count }

    /// The member with the lowest priority.
    var first: (priority: Priority, id: Int)? { heap.first }

    /// Returns the priority of a member; nil if the ID is not a member.
    func priority(of id: Int) -> Priority? {
        guard id < places.count, places[id] >= 0 else { return nil }
        return heap[Int(places[id])].priority
    }

    /// Adds a member, or changes its priority.
    mutating func set(_ id: Int, to priority: Priority) {
        while places.count <= id { places.append(-1) }
        if places[id] >= 0 {
            let place = Int(places[id])
            let isLower = priority < heap[place].priority
            heap[place].priority = priority
            if isLower { rise(from: place) } else { sink(from: place) }
        } else {
            places[id] = Int32(heap.count)
            heap.append((priority, id))
            rise(from: heap.count - 1)
        }
    }

    /// Removes a member; does nothing if the ID is not a member.
    mutating func remove(_ id: Int) {
        guard id < places.count, places[id] >= 0 else { return }
        let place = Int(places[id])
        swap(place, heap.count - 1)
        heap.removeLast()
        places[id] = -1
        guard place < heap.count else { return }
        rise(from: place)
        sink(from: place)
    }

    private mutating func rise(from start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].priority < heap[parent].priority else { return }
            swap(place, parent)
            place = parent
        }
    }

    private mutating func sink(from start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
                if heap[child].priority < heap[least].priority { least = child }
            }
            guard least != place else { return }
            swap(place, least)
            place = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        guard left != right else { return }
        heap.swapAt(left, right)
        places[heap[left].id] = Int32(left)
        places[heap[right].id] = Int32(right)
    }

    /// Traps if the order of the heap is broken, or a member's place is wrong; for tests.
    func validate() {
        for (place, member) in heap.enumerated() {
            precondition(places[member.id] == Int32(place), "A member does not know its place")
            if place > 0 {
                precondition(heap[(place - 1) / 2].priority <= member.priority, "A parent above its child")
            }
        }
        precondition(places.count { $0 >= 0 } == heap.count, "A place without a member")
    }
}
