/// A policy as the reference values define it, for keys that are numbered from 0. It decides about storing, too.
protocol ReferencePolicy: Sendable {
    init(capacity: Int, keyCount: Int)

    /// Looks up a key, and stores it if it is not found. Returns true if it was found.
    mutating func request(_ key: Int32, size: Int) -> Bool
}

/// Lists of keys, linked through arrays that all lists share, newest at the head.
struct KeyLists {
    struct List {
        var head: Int32 = -1
        var tail: Int32 = -1
        var bytes = 0
    }

    var towardsHead: [Int32]
    var towardsTail: [Int32]
    var sizes: [Int]

    init(keyCount: Int) {
        towardsHead = Array(repeating: -1, count: keyCount)
        towardsTail = Array(repeating: -1, count: keyCount)
        sizes = Array(repeating: 0, count: keyCount)
    }

    mutating func push(_ key: Int32, to list: inout List) {
        towardsHead[Int(key)] = -1
        towardsTail[Int(key)] = list.head
        if list.head >= 0 { towardsHead[Int(list.head)] = key } else { list.tail = key }
        list.head = key
        list.bytes += sizes[Int(key)]
    }

    mutating func remove(_ key: Int32, from list: inout List) {
        let (newer, older) = (towardsHead[Int(key)], towardsTail[Int(key)])
        if newer >= 0 { towardsTail[Int(newer)] = older } else { list.head = older }
        if older >= 0 { towardsHead[Int(older)] = newer } else { list.tail = newer }
        list.bytes -= sizes[Int(key)]
    }
}

/// One queue: FIFO, LRU, CLOCK, or SIEVE, which has a hand that moves from the oldest key towards the newest.
struct OneQueue {
    enum Kind {
        case fifo, lru, clock, sieve
    }

    private let kind: Kind
    private let capacity: Int
    private var lists: KeyLists
    private var queue = KeyLists.List()
    private var hand: Int32 = -1
    private var isStored: [Bool]
    private var wasUsed: [Bool]

    init(_ kind: Kind, capacity: Int, keyCount: Int) {
        self.kind = kind
        self.capacity = capacity
        lists = KeyLists(keyCount: keyCount)
        isStored = Array(repeating: false, count: keyCount)
        wasUsed = isStored
    }

    mutating func request(_ key: Int32, size: Int) -> Bool {
        if isStored[Int(key)] {
            switch kind {
            case .fifo: break
            case .clock, .sieve: wasUsed[Int(key)] = true
            case .lru:
                lists.remove(key, from: &queue)
                lists.push(key, to: &queue)
            }
            return true
        }
        guard size <= capacity else { return false }
        while queue.bytes + size > capacity {
            if kind == .sieve { moveHand() } else { examineOldest() }
        }
        lists.sizes[Int(key)] = size
        lists.push(key, to: &queue)
        (isStored[Int(key)], wasUsed[Int(key)]) = (true, false)
        return false
    }

    /// Evicts the oldest key, unless it was used.
    private mutating func examineOldest() {
        let oldest = queue.tail
        lists.remove(oldest, from: &queue)
        if wasUsed[Int(oldest)] {
            wasUsed[Int(oldest)] = false
            lists.push(oldest, to: &queue)
        } else {
            isStored[Int(oldest)] = false
        }
    }

    /// Evicts the first key from the hand on that was not used.
    private mutating func moveHand() {
        var victim = hand >= 0 ? hand : queue.tail
        while wasUsed[Int(victim)] {
            wasUsed[Int(victim)] = false
            let next = lists.towardsHead[Int(victim)]
            victim = next >= 0 ? next : queue.tail
        }
        hand = lists.towardsHead[Int(victim)]
        lists.remove(victim, from: &queue)
        isStored[Int(victim)] = false
    }
}

struct ReferenceLRU: ReferencePolicy {
    private var queue: OneQueue
    init(capacity: Int, keyCount: Int) { queue = OneQueue(.lru, capacity: capacity, keyCount: keyCount) }
    mutating func request(_ key: Int32, size: Int) -> Bool { queue.request(key, size: size) }
}

struct ReferenceFIFO: ReferencePolicy {
    private var queue: OneQueue
    init(capacity: Int, keyCount: Int) { queue = OneQueue(.fifo, capacity: capacity, keyCount: keyCount) }
    mutating func request(_ key: Int32, size: Int) -> Bool { queue.request(key, size: size) }
}

struct ReferenceCLOCK: ReferencePolicy {
    private var queue: OneQueue
    init(capacity: Int, keyCount: Int) { queue = OneQueue(.clock, capacity: capacity, keyCount: keyCount) }
    mutating func request(_ key: Int32, size: Int) -> Bool { queue.request(key, size: size) }
}

struct ReferenceSIEVE: ReferencePolicy {
    private var queue: OneQueue
    init(capacity: Int, keyCount: Int) { queue = OneQueue(.sieve, capacity: capacity, keyCount: keyCount) }
    mutating func request(_ key: Int32, size: Int) -> Bool { queue.request(key, size: size) }
}

/// S3-FIFO as libCacheSim defines it, which is bounded in other ways than the store's: its queues have fixed parts of
/// the capacity, an entry that is larger than the small queue is not stored, and the hashes of evicted entries are
/// bounded by the sizes of these entries.
struct ReferenceS3FIFO {
    private enum Place {
        case none, small, main, ghost
    }

    private let (capacity, smallCapacity, mainCapacity, ghostCapacity): (Int, Int, Int, Int)
    private let threshold: Int
    private var lists: KeyLists
    private var (small, main, ghost) = (KeyLists.List(), KeyLists.List(), KeyLists.List())
    private var places: [Place]
    private var uses: [Int]
    private var hasEvicted = false

    init(capacity: Int, keyCount: Int, threshold: Int) {
        self.capacity = capacity
        smallCapacity = Int(0.1 * Double(capacity))
        mainCapacity = capacity - smallCapacity
        ghostCapacity = Int(0.9 * Double(capacity))
        self.threshold = threshold
        lists = KeyLists(keyCount: keyCount)
        places = Array(repeating: .none, count: keyCount)
        uses = Array(repeating: 0, count: keyCount)
    }

    mutating func request(_ key: Int32, size: Int) -> Bool {
        let place = places[Int(key)]
        if place == .small || place == .main {
            uses[Int(key)] += 1
            return true
        }
        let wasEvicted = place == .ghost
        if wasEvicted {
            lists.remove(key, from: &ghost)
            places[Int(key)] = .none
        }
        guard size <= smallCapacity else { return false }
        while small.bytes + main.bytes + size > capacity {
            hasEvicted = true
            if main.bytes > mainCapacity || small.tail < 0 { evictFromMain() } else { evictFromSmall() }
        }
        lists.sizes[Int(key)] = size
        uses[Int(key)] = 0
        if wasEvicted || !hasEvicted && size < smallCapacity && small.bytes >= smallCapacity {
            lists.push(key, to: &main)
            places[Int(key)] = .main
        } else if size < smallCapacity {
            lists.push(key, to: &small)
            places[Int(key)] = .small
        }
        return false
    }

    private mutating func evictFromSmall() {
        while small.tail >= 0 {
            let key = small.tail
            lists.remove(key, from: &small)
            if uses[Int(key)] >= threshold {
                uses[Int(key)] = 0
                lists.push(key, to: &main)
                places[Int(key)] = .main
            } else {
                let size = lists.sizes[Int(key)]
                places[Int(key)] = .none
                guard size <= ghostCapacity else { return }
                while ghost.bytes + size > ghostCapacity {
                    let oldest = ghost.tail
                    lists.remove(oldest, from: &ghost)
                    places[Int(oldest)] = .none
                }
                lists.push(key, to: &ghost)
                places[Int(key)] = .ghost
                return
            }
        }
    }

    private mutating func evictFromMain() {
        while main.tail >= 0 {
            let key = main.tail
            lists.remove(key, from: &main)
            if uses[Int(key)] >= 1 {
                uses[Int(key)] = min(uses[Int(key)], 3) - 1
                lists.push(key, to: &main)
            } else {
                places[Int(key)] = .none
                return
            }
        }
    }
}

/// Promotes from the small queue after two uses.
struct ReferenceS3FIFOTwice: ReferencePolicy {
    private var policy: ReferenceS3FIFO
    init(capacity: Int, keyCount: Int) {
        policy = ReferenceS3FIFO(capacity: capacity, keyCount: keyCount, threshold: 2)
    }
    mutating func request(_ key: Int32, size: Int) -> Bool { policy.request(key, size: size) }
}

/// Promotes from the small queue after one use.
struct ReferenceS3FIFOOnce: ReferencePolicy {
    private var policy: ReferenceS3FIFO
    init(capacity: Int, keyCount: Int) {
        policy = ReferenceS3FIFO(capacity: capacity, keyCount: keyCount, threshold: 1)
    }
    mutating func request(_ key: Int32, size: Int) -> Bool { policy.request(key, size: size) }
}
