/// The memory of a shard's packed entries: blocks of about 100 sizes, in runs of pages that have blocks of one size
/// each.
///
/// The allocator of the process puts blocks of all sizes beside one another, and beside everything else that is
/// allocated. After some millions of them a third of the memory is gaps, which no limit of a store accounts for. Here a
/// block wastes at most a sixteenth, and a run without blocks is given back. All that the runs take is known
/// (``mappedBytes``), and charged.
///
/// A block has the number of its slot, so that it can be moved: if free blocks take much of the memory, the blocks of
/// the emptiest run move into other runs of the same size (``moveNext()``).
///
/// All runs are in one range of addresses, so that the number of mappings of a process does not limit their number.
struct BlockPool: Sendable {
    /// A run of pages with blocks of one size. The first four bytes of a block in use are the number of its slot; those
    /// of a free block are the number of the next free one, plus one, with the highest bit set.
    private struct Run {
        /// The number of the size of the blocks; -1 if the run is not in use.
        var sizeClass: Int32 = -1
        /// The number of blocks in use.
        var used: Int32 = 0
        /// The number of blocks that have been in use once.
        var carved: Int32 = 0
        var firstFree: Int32 = -1
        /// The neighbours among the runs of this size that have free blocks.
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    private struct Size {
        var bytes = 0
        /// The number of blocks in one run.
        var capacity: Int32 = 0
        /// The number of free blocks in all runs.
        var free = 0
        /// The first run with free blocks; -1 if there is none.
        var open: Int32 = -1
    }

    /// The size in bytes of the number before a block.
    static let header = 4
    /// The size in bytes of a block from which sizes are a sixteenth of a power of two apart, and below it 16 bytes.
    private static let fine = 256
    /// The size in bytes of the largest run.
    private static let largestRun = 65_536
    /// The largest number of bytes that the runs take: 64 GiB. Entries beyond it are not packed.
    private static let largestRange = 1 << 36
    /// The number of runs that are made usable at a time.
    private static let step = 16
    private static let freeBit: UInt32 = 1 << 31
    /// The number of runs among which the emptiest is looked for.
    private static let searchLimit = 256

    /// The size in bytes of a run: about a thousandth of the limit, and at least a page.
    let runSize: Int
    /// The size in bytes of the largest block, with its header: an eighth of a run, so that what is left behind the
    /// last block of a run is small. That is 8 KiB if the limit is 64 MiB or more. It is 0 if the limit is less than 64
    /// runs: partly empty runs would take too much of it.
    let largestBlock: Int
    /// The number of free bytes from which blocks are moved: a sixteenth of the limit.
    private let freeLimit: Int
    private let runLimit: Int
    /// The address of the first run; 0 if there was none yet, or if the system refuses it.
    private var base: UInt = 0
    private var isRefused = false
    /// The number of runs whose addresses are usable.
    private var usable = 0
    private var runs: [Run] = []
    private var freeRuns: [Int32] = []
    private var sizes: [Size] = []
    /// The run whose blocks are being moved, which has no free blocks for others; -1 if there is none.
    private var moving: Int32 = -1
    /// The next of its blocks to move.
    private var cursor: Int32 = 0
    /// The memory in bytes that all runs take.
    private(set) var mappedBytes = 0
    /// The memory in bytes of the blocks in use.
    private(set) var usedBytes = 0

    /// Creates a pool.
    /// - Parameters:
    ///   - limit: The number of bytes that will be in use.
    ///   - page: The size of a page in bytes.
    init(limit: Int, page: Int = MappedMemory.page) {
        var size = page
        while size < Self.largestRun, size * 1_024 < limit { size *= 2 }
        runSize = size
        largestBlock = limit / 64 < size ? 0 : size / 8
        freeLimit = limit / 16
        runLimit = min(limit, Self.largestRange) / size + Self.step
    }

    /// The memory in bytes that runs take and blocks in use do not.
    var unusedBytes: Int { mappedBytes - usedBytes }

    /// True if free blocks take so much memory that blocks should be moved.
    var isFragmented: Bool { unusedBytes > freeLimit }

    /// Returns the number of a size, and the size of its blocks.
    private static func sizeClass(of count: Int) -> (number: Int, size: Int) {
        let needed = count + header
        guard needed > fine else {
            let number = (needed + 15) / 16
            return (number, number * 16)
        }
        let octave = Int.bitWidth - 1 - (needed - 1).leadingZeroBitCount
        let step = 1 << (octave - 4)
        let part = (needed - (1 << octave) + step - 1) / step
        return (16 * (octave - 7) + part, (1 << octave) + part * step)
    }

    /// Returns the memory in bytes that a block for `count` bytes takes.
    static func cost(of count: Int) -> Int { sizeClass(of: count).size }

    /// Returns the number of bytes by which ``mappedBytes`` would grow with a block for `count` bytes.
    func growth(for count: Int) -> Int {
        let sizeClass = Self.sizeClass(of: count).number
        return sizeClass < sizes.count && sizes[sizeClass].open >= 0 ? 0 : runSize
    }

    /// Returns the address of a new block with room for `count` bytes; nil if it would be larger than the largest
    /// block, or if the system has no memory.
    mutating func allocate(_ count: Int, for slot: Int) -> UInt? {
        let (sizeClass, size) = Self.sizeClass(of: count)
        guard size <= largestBlock else { return nil }
        while sizes.count <= sizeClass { sizes.append(Size()) }
        if sizes[sizeClass].open < 0 {
            sizes[sizeClass].bytes = size
            sizes[sizeClass].capacity = Int32(runSize / size)
            guard addRun(sizeClass) else { return nil }
        }
        return takeBlock(sizeClass, for: slot)
    }

    private mutating func takeBlock(_ sizeClass: Int, for slot: Int) -> UInt {
        let number = Int(sizes[sizeClass].open)
        var block = runs[number].firstFree
        let memory: UnsafeMutableRawPointer
        if block >= 0 {
            memory = pointer(number, block)
            runs[number].firstFree = Int32(memory.load(as: UInt32.self) & ~Self.freeBit) - 1
        } else {
            block = runs[number].carved
            memory = pointer(number, block)
            runs[number].carved += 1
        }
        runs[number].used += 1
        usedBytes += sizes[sizeClass].bytes
        sizes[sizeClass].free -= 1
        if isFull(number) { close(number) }
        memory.storeBytes(of: UInt32(slot), as: UInt32.self)
        return UInt(bitPattern: memory) + UInt(Self.header)
    }

    /// Returns the memory in bytes that a block takes.
    func cost(ofBlock address: UInt) -> Int { sizes[Int(runs[place(of: address).run].sizeClass)].bytes }

    /// Changes the slot that a block belongs to.
    func setSlot(_ slot: Int, ofBlock address: UInt) {
        let (number, block) = place(of: address)
        pointer(number, block).storeBytes(of: UInt32(slot), as: UInt32.self)
    }

    /// Deallocates a block.
    mutating func deallocate(_ address: UInt) {
        let (number, block) = place(of: address)
        let sizeClass = Int(runs[number].sizeClass)
        let wasFull = isFull(number)
        pointer(number, block)
            .storeBytes(of: Self.freeBit | UInt32(bitPattern: runs[number].firstFree + 1), as: UInt32.self)
        runs[number].firstFree = block
        runs[number].used -= 1
        usedBytes -= sizes[sizeClass].bytes
        sizes[sizeClass].free += 1
        if wasFull, number != moving { reopen(number) }
        if runs[number].used == 0 { removeRun(number) }
    }

    /// Gives back all memory. The blocks cannot be used any more.
    mutating func deallocateAll() {
        if let memory = UnsafeMutableRawPointer(bitPattern: base) {
            MappedMemory.deallocate(memory, runLimit * runSize)
        }
        self = BlockPool(limit: 0)
    }

    private func isFull(_ number: Int) -> Bool {
        let run = runs[number]
        return run.firstFree < 0 && run.carved == sizes[Int(run.sizeClass)].capacity
    }

    private func place(of address: UInt) -> (run: Int, block: Int32) {
        let (number, offset) = Int(address - base).quotientAndRemainder(dividingBy: runSize)
        return (number, Int32(offset / sizes[Int(runs[number].sizeClass)].bytes))
    }

    private func pointer(_ number: Int, _ block: Int32) -> UnsafeMutableRawPointer {
        let offset = number * runSize + Int(block) * sizes[Int(runs[number].sizeClass)].bytes
        guard let pointer = UnsafeMutableRawPointer(bitPattern: base + UInt(offset)) else {
            preconditionFailure("A run has an address")
        }
        return pointer
    }
}

// MARK: - Moving blocks

extension BlockPool {
    /// Moves a block out of the emptiest run of a size, if ``isFragmented``. The last one to leave a run gives it back.
    /// - Returns: The slot that the block belongs to, and its new address; nil if no run can be emptied.
    mutating func moveNext() -> (slot: Int, address: UInt)? {
        if moving < 0 {
            guard isFragmented, let number = emptiestRun() else { return nil }
            close(Int(number))
            (moving, cursor) = (number, 0)
        }
        let (number, sizeClass) = (Int(moving), Int(runs[Int(moving)].sizeClass))
        while sizes[sizeClass].open >= 0, cursor < runs[number].carved {
            let old = pointer(number, cursor)
            cursor += 1
            let slot = old.load(as: UInt32.self)
            guard slot & Self.freeBit == 0 else { continue }
            let address = takeBlock(sizeClass, for: Int(slot))
            UnsafeMutableRawPointer(bitPattern: address)?
                .copyMemory(from: old + Self.header, byteCount: sizes[sizeClass].bytes - Self.header)
            deallocate(UInt(bitPattern: old) + UInt(Self.header))
            return (Int(slot), address)
        }
        // The free blocks of the other runs have been used meanwhile.
        moving = -1
        if !isFull(number) { reopen(number) }
        return nil
    }

    /// Returns a run whose blocks have room in other runs, of the size whose free blocks take most memory.
    private func emptiestRun() -> Int32? {
        var (most, found): (Int, Size?) = (0, nil)
        for size in sizes where size.free >= Int(size.capacity) && size.capacity > 0 && size.free * size.bytes > most {
            (most, found) = (size.free * size.bytes, size)
        }
        guard let found else { return nil }
        var (emptiest, number, examined) = (found.open, found.open, 0)
        while number >= 0, examined < Self.searchLimit {
            if runs[Int(number)].used < runs[Int(emptiest)].used { emptiest = number }
            number = runs[Int(number)].next
            examined += 1
        }
        return emptiest < 0 ? nil : emptiest
    }
}

// MARK: - Runs

extension BlockPool {
    /// Adds a run of a size. Returns false if there is no memory for it.
    private mutating func addRun(_ sizeClass: Int) -> Bool {
        if freeRuns.isEmpty {
            guard runs.count < usable || makeMoreUsable() else { return false }
            freeRuns.append(Int32(runs.count))
            runs.append(Run())
        }
        let number = freeRuns.removeLast()
        runs[Int(number)].sizeClass = Int32(sizeClass)
        sizes[sizeClass].free += Int(sizes[sizeClass].capacity)
        mappedBytes += runSize
        reopen(Int(number))
        return true
    }

    private mutating func makeMoreUsable() -> Bool {
        if base == 0, !isRefused { base = UInt(bitPattern: MappedMemory.reserve(runLimit * runSize)) }
        let count = min(Self.step, runLimit - usable)
        guard let memory = UnsafeMutableRawPointer(bitPattern: base), count > 0,
            MappedMemory.makeUsable(memory + usable * runSize, count * runSize)
        else {
            isRefused = base == 0
            return false
        }
        usable += count
        return true
    }

    /// Gives back the memory of a run without blocks.
    private mutating func removeRun(_ number: Int) {
        if number == moving { moving = -1 } else { close(number) }
        sizes[Int(runs[number].sizeClass)].free -= Int(sizes[Int(runs[number].sizeClass)].capacity)
        MappedMemory.discard(pointer(number, 0), runSize)
        mappedBytes -= runSize
        runs[number] = Run()
        freeRuns.append(Int32(number))
    }

    /// Adds a run to those of its size that have free blocks.
    private mutating func reopen(_ number: Int) {
        let sizeClass = Int(runs[number].sizeClass)
        let first = sizes[sizeClass].open
        (runs[number].previous, runs[number].next) = (-1, first)
        if first >= 0 { runs[Int(first)].previous = Int32(number) }
        sizes[sizeClass].open = Int32(number)
    }

    private mutating func close(_ number: Int) {
        let run = runs[number]
        if run.previous >= 0 {
            runs[Int(run.previous)].next = run.next
        } else {
            sizes[Int(run.sizeClass)].open = run.next
        }
        if run.next >= 0 { runs[Int(run.next)].previous = run.previous }
    }

    /// Traps if a run is not where it belongs; for tests.
    func validate(blocks: Int) {
        var (used, bytes, inUse) = (0, 0, 0)
        var free = sizes.map { _ in 0 }
        for run in runs where run.sizeClass >= 0 {
            let size = sizes[Int(run.sizeClass)]
            used += Int(run.used)
            bytes += Int(run.used) * size.bytes
            free[Int(run.sizeClass)] += Int(size.capacity - run.used)
            inUse += 1
            precondition(run.used > 0 && run.used <= run.carved && run.carved <= size.capacity, "A run without blocks")
        }
        precondition(used == blocks && bytes == usedBytes, "A lost block")
        precondition(inUse * runSize == mappedBytes && inUse + freeRuns.count == runs.count, "A lost run")
        precondition(free == sizes.map(\.free), "A lost free block")
        for (sizeClass, size) in sizes.enumerated() {
            var (previous, number): (Int32, Int32) = (-1, size.open)
            while number >= 0 {
                let run = runs[Int(number)]
                precondition(run.previous == previous && Int(run.sizeClass) == sizeClass, "A broken link")
                precondition(!isFull(Int(number)) && number != moving, "A run that has no blocks for others")
                (previous, number) = (number, run.next)
            }
        }
    }
}
