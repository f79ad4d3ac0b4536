#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Memory of whole pages from the system. It is given back at once, while an allocator keeps what lies between pieces
/// that are still in use.
enum MappedMemory {
    /// The size of a page in bytes: 4,096, or 16 or 64 KiB on some machines.
    static let page = max(4_096, Int(sysconf(Int32(_SC_PAGESIZE))))

    /// Returns new memory, which is zero; nil if the system has none, or allows the process no more mappings.
    /// - Parameter count: The size in bytes, a multiple of ``page``.
    static func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        map(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | anonymous)
    }

    /// Returns addresses that cannot be used until ``makeUsable(_:_:)``, and take no memory; nil if there are none.
    static func reserve(_ count: Int) -> UnsafeMutableRawPointer? {
        let memory = map(nil, count, PROT_NONE, MAP_PRIVATE | anonymous)
        #if !canImport(Darwin)
            // A huge page would take memory for parts that are not in use.
            if let memory { madvise(memory, count, Int32(MADV_NOHUGEPAGE)) }
        #endif
        return memory
    }

    /// Makes reserved addresses usable. Returns false if the system refuses it.
    static func makeUsable(_ memory: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        mprotect(memory, count, PROT_READ | PROT_WRITE) == 0
    }

    /// Gives back the memory of usable addresses, which stay usable. They are zero, or as before.
    static func discard(_ memory: UnsafeMutableRawPointer, _ count: Int) {
        #if canImport(Darwin)
            _ = map(memory, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | anonymous)
        #else
            madvise(memory, count, Int32(MADV_DONTNEED))
        #endif
    }

    /// Gives back memory with its addresses.
    static func deallocate(_ memory: UnsafeMutableRawPointer, _ count: Int) { munmap(memory, count) }

    /// Returns a size, rounded up to whole pages.
    static func rounded(_ count: Int) -> Int { (count + page - 1) / page * page }

    private static func map(
        _ address: UnsafeMutableRawPointer?,
        _ count: Int,
        _ protection: Int32,
        _ flags: Int32
    ) -> UnsafeMutableRawPointer? {
        let memory = mmap(address, count, protection, flags, -1, 0)
        return memory == MAP_FAILED ? nil : memory
    }

    #if canImport(Darwin)
        private static let anonymous = MAP_ANON
    #else
        private static let anonymous = MAP_ANONYMOUS
    #endif
}
