@_spi(CustomByteBufferAllocator) import NIOCore

extension ByteBuffer {
    /// The readable bytes in an allocation of exactly their size.
    ///
    /// A stored entry must not hold the buffer that it was sliced from, nor pay for capacity that it does not use:
    /// NIO's own allocator rounds every capacity up to a power of two, so that 600 KiB take 1 MiB.
    var fitted: ByteBuffer {
        guard storageCapacity > readableBytes else { return self }
        guard readableBytes > 0 else { return ByteBuffer() }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: readableBytes, alignment: Self.alignment)
        withUnsafeReadableBytes { memory.copyMemory(from: $0) }
        return ByteBuffer(takingOwnershipOf: memory, allocator: .exact)
    }

    /// Creates a buffer of the bytes of several buffers, one after the other, in an allocation of exactly their size. A
    /// single buffer is used as it is.
    init(joining parts: [ByteBuffer]) {
        if parts.count == 1 {
            self = parts[0]
            return
        }
        let size = parts.reduce(0) { $0 + $1.readableBytes }
        self = size == 0 ? ByteBuffer() : ByteBufferAllocator.exact.buffer(capacity: size)
        for part in parts { writeImmutableBuffer(part) }
    }

    /// Returns the number of bytes that the allocator takes for a buffer of this capacity: its own header included, and
    /// whole pages if it maps them.
    static func allocated(_ capacity: Int) -> Int {
        guard capacity > 0 else { return 0 }
        let (granule, header) = capacity < mapped ? (16, 8) : (4_096, 16)
        return (capacity + header + granule - 1) / granule * granule
    }

    fileprivate static var alignment: Int { 16 }
    /// The size in bytes from which allocators map pages rather than take memory from a heap.
    private static var mapped: Int { 128 * 1024 }
}

extension ByteBufferAllocator {
    /// An allocator that allocates exactly the requested size. A buffer that grows by it grows like any other.
    fileprivate static let exact = ByteBufferAllocator(
        allocate: { .allocate(byteCount: $0, alignment: ByteBuffer.alignment) },
        reallocate: { old, oldSize, newSize in
            let new = UnsafeMutableRawPointer.allocate(byteCount: newSize, alignment: ByteBuffer.alignment)
            if let old {
                new.copyMemory(from: old, byteCount: min(oldSize, newSize))
                old.deallocate()
            }
            return new
        },
        deallocate: { $0.deallocate() },
        copy: { $0.copyMemory(from: $1, byteCount: $2) }
    )
}
