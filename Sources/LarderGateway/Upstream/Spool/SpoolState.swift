import NIOCore

/// The content of a ``Spool``, and the tasks that wait for it.
struct SpoolState {
    typealias Continuation = CheckedContinuation<Void, Never>

    /// The result of placing a part.
    enum Place {
        case appended
        /// The part must be written to the file, which must be created if it is nil.
        case file(SpoolFile?, position: Int)
        case noRoom
    }

    /// The result of a read.
    enum Reading {
        case part(ByteBuffer)
        case block(SpoolFile, position: Int, length: Int)
        case end(Result<Void, any Error>)
        case nothing
    }

    /// The number of bytes that are read from a file at once: 64 KiB.
    private static let block = 64 << 10

    /// The number of bytes that were read.
    private(set) var taken = 0
    /// True if nothing more is written to a file.
    var isFileUnusable = false
    /// The error that ends both sides at once.
    var abortion: (any Error)?
    private let space: SpoolSpace
    /// The largest number of bytes that wait.
    private let limit: Int
    private var parts = CircularBuffer<ByteBuffer>()
    /// The number of bytes in `parts`.
    private var inMemory = 0
    private var file: SpoolFile?
    /// True if a file is counted.
    private var hasFile = false
    /// The room on the disk that the file takes, in bytes.
    private var fileSize = 0
    /// The position in the file of the first byte that was not read.
    private var first = 0
    /// The position after the last byte that was written.
    private var end = 0
    private var ending: Result<Void, any Error>?
    private var reader: Continuation?
    private var writer: Continuation?

    init(_ space: SpoolSpace, limit: Int) { (self.space, self.limit) = (space, limit) }

    private var inFile: Int { end - first }
    var isEmpty: Bool { parts.isEmpty && inFile == 0 }

    /// Gives back the room that the spool takes.
    mutating func giveBack() {
        space.giveMemory(inMemory)
        space.giveDisk(fileSize)
        if hasFile { space.giveFile() }
        (inMemory, fileSize, hasFile) = (0, 0, false)
    }

    // MARK: - Writing

    mutating func place(_ part: ByteBuffer) -> Place {
        guard abortion == nil else { return .noRoom }
        let length = part.readableBytes
        if isEmpty {
            // The part is already in memory, and its reader is to get it at once.
            space.chargeMemory(length)
        } else {
            guard inMemory + inFile + length <= limit else { return .noRoom }
            // If the file holds unread bytes, every further part must follow them there.
            let fits = inFile == 0 && inMemory + length <= SpoolSpace.memoryPerMessage
            guard fits, space.takeMemory(length) else { return placeInFile(length) }
        }
        parts.append(part)
        inMemory += length
        return .appended
    }

    private mutating func placeInFile(_ length: Int) -> Place {
        guard !isFileUnusable else { return .noRoom }
        if inFile == 0 { (first, end) = (0, 0) }
        let size = min(limit, max(fileSize, end + length))
        guard space.takeDisk(size - fileSize) else { return .noRoom }
        guard hasFile || space.takeFile() else {
            space.giveDisk(size - fileSize)
            return .noRoom
        }
        (fileSize, hasFile) = (size, true)
        return .file(file, position: end)
    }

    mutating func noteWritten(_ length: Int, to file: SpoolFile) {
        self.file = file
        end += length
    }

    mutating func end(_ result: Result<Void, any Error>) { ending = ending ?? result }

    /// Returns true if the writer does not have to wait after all.
    mutating func waitToWrite(_ continuation: Continuation, isCancelled: Bool) -> Bool {
        guard !isEmpty, abortion == nil, !isCancelled, writer == nil else { return true }
        writer = continuation
        return false
    }

    mutating func takeWriter() -> Continuation? {
        defer { writer = nil }
        return writer
    }

    // MARK: - Reading

    mutating func read() -> Reading {
        if let abortion { return .end(.failure(abortion)) }
        if let part = parts.popFirst() {
            inMemory -= part.readableBytes
            taken += part.readableBytes
            space.giveMemory(part.readableBytes)
            return .part(part)
        }
        if inFile > 0, let file { return .block(file, position: first, length: min(Self.block, inFile)) }
        return ending.map(Reading.end) ?? .nothing
    }

    mutating func noteRead(_ length: Int) {
        first += length
        taken += length
    }

    /// Returns true if the reader does not have to wait after all.
    mutating func waitToRead(_ continuation: Continuation, isCancelled: Bool) -> Bool {
        guard isEmpty, ending == nil, abortion == nil, !isCancelled, reader == nil else { return true }
        reader = continuation
        return false
    }

    mutating func takeReader() -> Continuation? {
        defer { reader = nil }
        return reader
    }
}
