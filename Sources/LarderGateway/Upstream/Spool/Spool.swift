import Larder
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The bytes of one message that its sender has sent and its receiver has not taken. The first of them are in memory,
/// and those that do not fit are in a temporary file, up to a limit. So a slow receiver does not delay the sender,
/// whose connection is free when it has sent everything.
///
/// One task appends, and one task reads.
final class Spool: Sendable {
    private let state: NIOLockedValueBox<SpoolState>
    private let space: SpoolSpace
    private let limits: SpoolSpace.Limits

    init(_ space: SpoolSpace) {
        self.space = space
        limits = space.limits
        state = NIOLockedValueBox(SpoolState(space, limit: limits.message))
    }

    deinit { state.withLockedValue { $0.giveBack() } }

    /// The number of bytes that were read; nil if the reader waits for more.
    var takenWhileFilled: Int? { state.withLockedValue { $0.isEmpty ? nil : $0.taken } }

    // MARK: - Writing

    /// Appends a part if there is room for it. There is room for any part if the spool is empty.
    /// - Returns: True if the part was appended.
    func offer(_ part: ByteBuffer) async -> Bool {
        guard part.readableBytes > 0 else { return true }
        let (place, reader) = state.withLockedValue { state in (state.place(part), state.takeReader()) }
        reader?.resume()
        switch place {
        case .appended: return true
        case .noRoom: return false
        case .file(let file, let position): return await write(part, to: file, at: position)
        }
    }

    private func write(_ part: ByteBuffer, to file: SpoolFile?, at position: Int) async -> Bool {
        do {
            let file = try await NIOThreadPool.singleton.runIfActive { [limits] in
                let file = try file ?? SpoolFile(in: limits.directory, size: limits.message)
                try file.write(part, at: position)
                return file
            }
            let reader = state.withLockedValue { state in
                state.noteWritten(part.readableBytes, to: file)
                return state.takeReader()
            }
            reader?.resume()
            return true
        } catch is CancellationError {
            return false
        } catch {
            space.noteFailure(error, in: limits.directory)
            state.withLockedValue { $0.isFileUnusable = true }
            return false
        }
    }

    /// Appends a part, and waits for room if there is none.
    /// - Parameter onWait: Called when the writer begins to wait.
    /// - Throws: The error with which the spool was aborted, or `CancellationError`.
    func append(_ part: ByteBuffer, onWait: () -> Void = {}) async throws {
        while !(await offer(part)) {
            onWait()
            await wait { continuation in
                state.withLockedValue { $0.waitToWrite(continuation, isCancelled: Task.isCancelled) }
            } onCancel: {
                state.withLockedValue { $0.takeWriter() }
            }
            try Task.checkCancellation()
            if let error = state.withLockedValue({ $0.abortion }) { throw error }
        }
    }

    /// Notes that the message is complete.
    func finish() { end { $0.end(.success(())) } }

    /// Notes that the message broke off with an error. The reader gets the error after all parts that were appended
    /// before.
    func fail(_ error: any Error) { end { $0.end(.failure(error)) } }

    /// Ends both sides at once.
    func abort(_ error: any Error) { end { $0.abortion = $0.abortion ?? error } }

    private func end(_ change: (inout SpoolState) -> Void) {
        let (reader, writer) = state.withLockedValue { state in
            change(&state)
            return (state.takeReader(), state.takeWriter())
        }
        reader?.resume()
        writer?.resume()
    }

    // MARK: - Reading

    /// Returns the next part; nil after the last.
    /// - Throws: The error with which the spool failed or was aborted, or `CancellationError`.
    func next() async throws -> ByteBuffer? {
        while true {
            let (reading, writer) = state.withLockedValue { state in (state.read(), state.takeWriter()) }
            writer?.resume()
            switch reading {
            case .part(let part): return part
            case .block(let file, let position, let length): return try await read(length, of: file, at: position)
            case .end(let result):
                try result.get()
                return nil
            case .nothing: break
            }
            await wait { continuation in
                state.withLockedValue { $0.waitToRead(continuation, isCancelled: Task.isCancelled) }
            } onCancel: {
                state.withLockedValue { $0.takeReader() }
            }
            try Task.checkCancellation()
        }
    }

    private func read(_ length: Int, of file: SpoolFile, at position: Int) async throws -> ByteBuffer {
        do {
            let part = try await NIOThreadPool.singleton.runIfActive { try file.read(length, at: position) }
            let writer = state.withLockedValue { state in
                state.noteRead(length)
                return state.takeWriter()
            }
            writer?.resume()
            return part
        } catch let error as IOError {
            space.noteFailure(error, in: limits.directory)
            throw error
        }
    }
}
