@_spi(CustomByteBufferAllocator) package import NIOCore

extension ByteBuffer {
    /// The readable bytes in an allocation of exactly their size.
    ///
    /// A stored entry must not hold the buffer that it was sliced from, nor pay for capacity that it does not use:
    /// NIO's own allocator rounds every capacity up to a power of two, so that 600 KiB take 1 MiB.
    package var fitted: ByteBuffer {
        guard storageCapacity > readableBytes else { return self }
        guard readableBytes > 0 else { return ByteBuffer() }
        return withUnsafeReadableBytes { Self.exactly($0) }
    }

    /// Returns a buffer of a copy of some bytes, in an allocation of exactly their size.
    static func exactly(_ bytes: UnsafeRawBufferPointer) -> ByteBuffer {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return ByteBuffer() }
        let memory =
            bytes.count < mapped
            ? UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: alignment)
            : MappedBody.allocate(bytes.count)
        memory.copyMemory(from: start, byteCount: bytes.count)
        return ByteBuffer(
            takingOwnershipOf: UnsafeMutableRawBufferPointer(start: memory, count: bytes.count),
            allocator: .exact(for: bytes.count)
        )
    }

    /// Creates a buffer of the bytes of several buffers, one after the other, in an allocation of exactly their size. A
    /// single buffer is used as it is.
    init(joining parts: [ByteBuffer]) {
        if parts.count == 1 {
            self = parts[0]
            return
        }
        let size = parts.reduce(0) { $0 + $1.readableBytes }
        self = size == 0 ? ByteBuffer() : ByteBufferAllocator.exact(for: size).buffer(capacity: size)
        for part in parts { writeImmutableBuffer(part) }
    }

    /// Returns the number of bytes that the allocator takes for a buffer of this capacity: its own header included, and
    /// whole pages if it maps them.
    static func allocated(_ capacity: Int) -> Int {
        guard capacity > 0 else { return 0 }
        let (granule, header) = capacity < mapped ? (16, 8) : (MappedMemory.page, MappedBody.header)
        return (capacity + header + granule - 1) / granule * granule
    }

    fileprivate static var alignment: Int { 16 }
    /// The size in bytes from which bodies have pages of their own, rather than memory from a heap: it would have gaps
    /// between bodies that no other body fits in.
    static var mapped: Int { 128 * 1024 }
}

/// A body in pages of its own, or in the heap if the system allows the process no more mappings. Before it is the size
/// of the pages; 0 if it is in the heap.
enum MappedBody {
    static let header = 16

    /// - Parameter map: Returns pages; nil if there are none.
    static func allocate(
        _ count: Int,
        from map: (Int) -> UnsafeMutableRawPointer? = MappedMemory.allocate
    ) -> UnsafeMutableRawPointer {
        let size = MappedMemory.rounded(count + header)
        if let memory = map(size) {
            memory.storeBytes(of: size, as: Int.self)
            return memory + header
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count + header, alignment: header)
        memory.storeBytes(of: 0, as: Int.self)
        return memory + header
    }

    static func deallocate(_ body: UnsafeMutableRawPointer) {
        let memory = body - header
        let size = memory.load(as: Int.self)
        if size > 0 { MappedMemory.deallocate(memory, size) } else { memory.deallocate() }
    }
}

extension ByteBufferAllocator {
    /// An allocator that allocates exactly the requested size. A buffer that grows by it grows like any other.
    fileprivate static func exact(for count: Int) -> ByteBufferAllocator {
        count < ByteBuffer.mapped ? fromHeap : inPages
    }

    private static let inPages = ByteBufferAllocator(
        allocate: { MappedBody.allocate($0) },
        reallocate: { old, oldSize, newSize in
            let new = MappedBody.allocate(newSize)
            if let old {
                new.copyMemory(from: old, byteCount: min(oldSize, newSize))
                MappedBody.deallocate(old)
            }
            return new
        },
        deallocate: { MappedBody.deallocate($0) },
        copy: { $0.copyMemory(from: $1, byteCount: $2) }
    )

    private static let fromHeap = ByteBufferAllocator(
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
