import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A channel handler that speaks RESP3. It and everything that uses it run on the channel's event loop.
///
/// `ConnectionState` decides what to do; this class does it: it writes, resumes callers, sets the alarm and closes.
final class RedisChannelHandler: ChannelInboundHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Reply = Result<RedisReplies, RedisError>
    typealias Waiter = @Sendable (Reply) -> Void

    private var state: ConnectionState<Waiter>
    private var decoder: RESPDecoder
    /// The bytes that the connection has still to transfer, for the callers that choose a connection.
    let load = ConnectionLoad()
    private let onPush: @Sendable (RedisPush) -> Void
    private let closedPromise: EventLoopPromise<RedisError>
    private let eventLoop: any EventLoop
    /// The context of the channel; nil once the connection was given up.
    private var context: ChannelHandlerContext?
    /// The reason why the connection was given up.
    private var end: RedisError?
    /// The bytes that have been received and not been decoded: less than one message.
    private var received = ByteBuffer()
    private var alarm: Alarm?
    private var isFlushScheduled = false
    /// True if something was overdue and unread when the alarm fired, and the event loop has not read it yet.
    private var isBehind = false

    private struct Alarm {
        let time: NIODeadline
        let callback: NIOScheduledCallback
    }

    init(
        limits: RESPLimits,
        silenceLimit: Duration,
        timeouts: AdaptiveTimeout.Bounds,
        eventLoop: any EventLoop,
        onPush: @escaping @Sendable (RedisPush) -> Void
    ) {
        self.state = ConnectionState(
            limits: limits,
            silenceLimit: TimeAmount(silenceLimit),
            timeouts: timeouts,
            now: eventLoop.now
        )
        self.decoder = RESPDecoder(limits: limits)
        self.onPush = onPush
        self.closedPromise = eventLoop.makePromise()
        self.eventLoop = eventLoop
    }

    /// The reason for giving up the connection, available as soon as it is given up, which may be before the channel
    /// has closed. It never fails.
    var closed: EventLoopFuture<RedisError> { closedPromise.futureResult }
}

// MARK: Sending
extension RedisChannelHandler {
    /// Sends encoded commands. The waiter is called exactly once, on the event loop.
    func send(
        _ bytes: ByteBuffer,
        commands: Int,
        expecting reply: Int = 0,
        timeout: ReplyTimeout,
        sendState: SendState,
        waiter: @escaping Waiter
    ) {
        eventLoop.preconditionInEventLoop()
        guard let context else {
            return waiter(.failure(RedisError(.unavailable, "the connection has ended", underlying: end)))
        }
        let result = state.enqueue(
            waiter,
            commands: commands,
            bytes: bytes.readableBytes,
            expecting: reply,
            timeout: timeout
        )
        load.bytes = state.bytesAwaited
        switch result {
        case .refuse(let error):
            waiter(.failure(error))
        case .send(let id):
            context.write(wrapOutboundOut(bytes), promise: nil)
            scheduleFlush()
            if sendState.markSent(as: id) == .cancelled { abandon(id) }
        }
    }

    /// Abandons a batch because its caller was cancelled.
    func abandon(_ id: Int) {
        eventLoop.preconditionInEventLoop()
        state.abandon(id)?(.failure(.cancelled))
        closeIfDrained()
    }

    /// Flushes once for everything that is sent in this turn of the event loop: one system call for many callers.
    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            guard let context = self.context else { return }
            context.flush()
            if let next = self.state.flush(now: self.eventLoop.now) { self.setAlarm(noLaterThan: next) }
        }
    }
}

// MARK: Receiving
extension RedisChannelHandler {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.context != nil else { return }
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = bytes
        } else {
            received.writeBuffer(&bytes)
        }
        let now = eventLoop.now
        // If the alarm is overdue by now, the event loop was busy with something else.
        let isExact = !isBehind && alarm.map { now < $0.time } != false
        state.read(now: now, isExact: isExact)
        do {
            // A push handler or a reply can lead to the connection being closed while it is read.
            while self.context != nil, let message = try decoder.next(from: &received) {
                switch message.content {
                case .push(let push): onPush(push)
                case .reply(let value): receive(value, bytes: message.size, now: now, isExact: isExact)
                }
            }
        } catch {
            close(.violation(error))
        }
        if received.readableBytes > 0 { state.read(now: now, isExact: isExact) }
        discardWhatWasRead()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isBehind = false
        context.fireChannelReadComplete()
    }

    /// Releases the memory of bytes that have been decoded: a server could arrange that every read ends within a
    /// message.
    private func discardWhatWasRead() {
        if received.readableBytes == 0 {
            received = ByteBuffer()
        } else if received.readerIndex > received.readableBytes {
            // This moves fewer bytes than have been read since the last time.
            received.discardReadBytes()
        }
    }

    /// The bytes of memory that are allocated for data that has been received and not been decoded.
    var memory: Int { received.storageCapacity }

    private func receive(_ value: RESPValue, bytes: Int, now: NIODeadline, isExact: Bool) {
        let result = state.receive(value, bytes: bytes, now: now, isExact: isExact)
        load.bytes = state.bytesAwaited
        switch result {
        case .wait: break
        case .deliver(let waiter, let values, let isLate):
            waiter(.success(RedisReplies(values: values, isLate: isLate)))
        case .close(let error): return close(error)
        }
        if let deadline = state.silenceDeadline { setAlarm(noLaterThan: deadline) }
        closeIfDrained()
    }
}

// MARK: Time
extension RedisChannelHandler {
    /// Makes sure that the alarm fires at this time or earlier.
    ///
    /// There is one alarm for all batches, and it moves only when a batch needs it earlier. Most batches have been
    /// answered when it fires, so the usual cost of a deadline is one comparison.
    private func setAlarm(noLaterThan time: NIODeadline) {
        if let alarm {
            guard time < alarm.time else { return }
            alarm.callback.cancel()
        }
        // Scheduling fails on an event loop that has shut down; then no caller is left to wait.
        alarm = try? Alarm(time: time, callback: eventLoop.assumeIsolated().scheduleCallback(at: time, handler: self))
    }

    /// Gives up the batches that are overdue, unless the event loop has unread data: then this process is slow, and the
    /// data that the server sent is read first.
    ///
    /// An event loop runs the tasks that other threads hand to it before it looks at its sockets again, so callers that
    /// send without pause can keep it from reading for seconds. Callers do not wait that long: they get an error that
    /// names this process as busy, not the server, and the connection stays open.
    func handleScheduledCallback(eventLoop: some EventLoop) {
        alarm = nil
        let now = eventLoop.now
        isBehind = state.isUnread(at: now) && isReadable
        let soon = now + .milliseconds(1)
        if isBehind, !state.isLongOverdue(at: now) { return setAlarm(noLaterThan: soon) }
        let (expired, silence) = state.expire(now: now)
        let reason: RedisError = isBehind ? .processBusy : .deadlineExceeded
        for waiter in expired { waiter(.failure(reason)) }
        if silence == .tooLong, !isBehind {
            return close(RedisError(.connectionLost, "the server stopped answering"))
        }
        closeIfDrained()
        if let next = state.nextExpiry { setAlarm(noLaterThan: isBehind ? max(next, soon) : next) }
    }

    /// True if the socket holds bytes, or an end of the stream, that the event loop has not read yet.
    private var isReadable: Bool {
        let readable = try? context?.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { descriptor in
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, 0) > 0
        }
        return readable ?? false
    }
}

// MARK: Ending
extension RedisChannelHandler {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        close(RedisError(.connectionLost, "the connection was closed"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(RedisError(.connectionLost, "the server closed the connection"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(RedisError(.connectionLost, "the connection failed", underlying: error))
    }

    /// Rejects further commands, and closes the connection when no caller waits for a reply any more.
    func drain() {
        eventLoop.preconditionInEventLoop()
        state.drain()
        closeIfDrained()
    }

    /// Gives the connection up: fails the waiting callers and closes the channel. Only the first call has an effect.
    func close(_ error: RedisError) {
        eventLoop.preconditionInEventLoop()
        guard let context else { return }
        self.context = nil
        end = error
        received = ByteBuffer()
        alarm?.callback.cancel()
        alarm = nil
        let left = state.close()
        closedPromise.succeed(error)
        for waiter in left { waiter(.failure(error)) }
        context.close(promise: nil)
    }

    private func closeIfDrained() {
        guard state.isDrained else { return }
        close(RedisError(.unavailable, "the client was shut down"))
    }
}
