import Larder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Synchronization
import SystemErrors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The acceptance of connections on a listening socket that other processes may share.
///
/// A server channel of NIO expects that there is a connection when the socket is ready, and debug builds trap if there
/// is none. On a shared socket another process may have accepted it. So a thread waits for connections, accepts them,
/// and hands them to event loops. At the limit of connections it accepts no more: further ones wait in the socket,
/// where other processes can accept them.
final class SharedListener: Sendable {
    private struct State {
        var isStopped = false
        /// True if there may be room for a further connection after there was none.
        var hasRoom = false
    }

    /// The number of connections that are accepted before the thread looks for signals: 16.
    private static let batch = 16
    /// The time before another attempt, in milliseconds, if the system cannot accept a connection.
    private static let pause: CInt = 100

    private let descriptor: CInt
    /// A pipe whose bytes wake the thread.
    private let signal: (read: CInt, write: CInt)
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let state = NIOLockedValueBox(State())
    private let failures = NIOLockedValueBox(LogLimit(1))
    private let table: ConnectionTable
    private let isLimited: Bool
    private let group: any EventLoopGroup
    private let open: @Sendable (any Channel) throws -> Void
    private let logger: Logger

    /// Creates a listener, which accepts nothing before it is started.
    /// - Parameters:
    ///   - descriptor: The listening socket, which is closed by ``stop()``.
    ///   - isLimited: False if the connections do not count toward the limit of the table.
    ///   - open: Sets a new connection up, on its event loop.
    /// - Throws: `IOError` if no pipe can be opened.
    init(
        _ descriptor: CInt,
        _ table: ConnectionTable,
        isLimited: Bool,
        on group: any EventLoopGroup,
        _ logger: Logger,
        open: @escaping @Sendable (any Channel) throws -> Void
    ) throws {
        (self.descriptor, self.table, self.isLimited, self.logger) = (descriptor, table, isLimited, logger)
        (self.group, self.open) = (group, open)
        signal = try Self.makePipe()
    }

    /// True if a connection waits in the socket.
    var hasPendingConnection: Bool { Self.isReadable(descriptor, within: 0) }

    /// Begins to accept connections.
    func start() {
        thread.start()
        thread.submit { [self] _ in acceptConnections() }
    }

    /// Accepts no more connections, and closes the socket.
    func stop() async {
        wake { $0.isStopped = true }
        try? await thread.shutdownGracefully()
        for descriptor in [descriptor, signal.read, signal.write] { close(descriptor) }
    }

    // MARK: - The thread

    private func acceptConnections() {
        var isFull = false
        while true {
            let state = state.withLockedValue { state in
                defer { state.hasRoom = false }
                return state
            }
            if state.isStopped { return }
            if state.hasRoom { isFull = false }
            var descriptors = [
                pollfd(fd: signal.read, events: Int16(POLLIN), revents: 0),
                // A negative descriptor is ignored.
                pollfd(fd: isFull ? -1 : descriptor, events: Int16(POLLIN), revents: 0),
            ]
            guard systemPoll(&descriptors, 2, -1) > 0 else { continue }
            if descriptors[0].revents != 0 {
                var bytes = [UInt8](repeating: 0, count: 64)
                _ = systemRead(signal.read, &bytes, bytes.count)
            } else {
                isFull = !acceptBatch()
            }
        }
    }

    /// Accepts the connections that wait, up to a number.
    /// - Returns: False if there is no room for a further one; the thread is woken when there is.
    private func acceptBatch() -> Bool {
        // Each process that gets the socket may have made it a blocking one, for all of them.
        let flags = fcntl(descriptor, F_GETFL)
        if flags & O_NONBLOCK == 0 { _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
        for _ in 0..<Self.batch where hasPendingConnection {
            let hasRoom = !isLimited || table.reserve { [weak self] in self?.resume() }
            guard hasRoom else { return false }
            let place = Place(in: table, isLimited: isLimited)
            let connection = systemAccept(descriptor)
            if connection >= 0 {
                hand(connection, place)
                continue
            }
            let code = errno
            place.leave()
            switch code {
            case EAGAIN, EWOULDBLOCK: return true
            // The client has left already (accept(2)).
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, EOPNOTSUPP: continue
            default:
                noteFailure(code)
                _ = Self.isReadable(signal.read, within: Self.pause)
                return true
            }
        }
        return true
    }

    private func hand(_ connection: CInt, _ place: Place) {
        let bootstrap = ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: Listener.waterMark)
            .channelInitializer { [open] channel in channel.eventLoop.makeCompletedFuture { try open(channel) } }
        bootstrap.withConnectedSocket(connection).whenComplete { result in
            switch result {
            case .success(let channel): channel.closeFuture.whenComplete { _ in place.leave() }
            case .failure: place.leave()
            }
        }
    }

    private func resume() { wake { $0.hasRoom = true } }

    /// Changes the state and wakes the thread, unless the listener is stopped. Then the pipe may be closed, and its
    /// descriptor may belong to another file.
    private func wake(_ change: (inout State) -> Void) {
        state.withLockedValue { state in
            guard !state.isStopped else { return }
            change(&state)
            var byte: UInt8 = 1
            // If the pipe is full, the thread wakes anyway.
            _ = systemWrite(signal.write, &byte, 1)
        }
    }

    private func noteFailure(_ code: CInt) {
        guard let unlogged = failures.withLockedValue({ $0.count() }) else { return }
        logger.error(
            "Connections cannot be accepted",
            metadata: [
                "error": "\(ErrorText.describe(IOError(errnoCode: code, reason: "accept")))",
                "errors-not-logged": "\(unlogged)",
            ]
        )
    }

    /// Returns true if a descriptor has something to read, at once or after a time in milliseconds.
    private static func isReadable(_ descriptor: CInt, within time: CInt) -> Bool {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        return systemPoll(&descriptors, 1, time) > 0
    }

    private static func makePipe() throws -> (CInt, CInt) {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw IOError(errnoCode: errno, reason: "pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        return (ends[0], ends[1])
    }

    /// The place of a connection in the table, which is given back once.
    private final class Place: Sendable {
        private let table: ConnectionTable
        private let isLimited: Bool
        private let hasLeft = Atomic<Bool>(false)

        init(in table: ConnectionTable, isLimited: Bool) {
            (self.table, self.isLimited) = (table, isLimited)
            table.countAccepted()
        }

        func leave() {
            guard !hasLeft.exchange(true, ordering: .relaxed) else { return }
            table.discountAccepted()
            if isLimited { table.release() }
        }
    }
}

private func systemRead(_ descriptor: CInt, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

private func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ time: CInt) -> CInt {
    poll(descriptors, count, time)
}

/// Accepts a connection, which programs that this one starts do not inherit.
private func systemAccept(_ descriptor: CInt) -> CInt {
    let connection = accept(descriptor, nil, nil)
    if connection >= 0 { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
    return connection
}
