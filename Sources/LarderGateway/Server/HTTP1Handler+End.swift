import NIOCore

/// The end of a connection.
extension HTTP1Handler {
    func follow(_ action: HTTP1ConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .none: break
        case .leave: presence.leave(from: answered)
        case .close: context.close(promise: nil)
        case .endOutput: endOutput(context)
        }
    }

    /// Notes that a client that has stopped sending does not wait for its last response either.
    func leaveIfLast() {
        if state.isAtLastResponse, !options.allowsHalfClose { presence.leave(from: answered) }
    }

    /// Ends the output once everything is written, and the connection when the client has read it, or after
    /// ``HTTPOptions/lingerTime``.
    private func endOutput(_ context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        phase = .ending
        let ended = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: ended)
        ended.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result, !self.state.isInputClosed else { return context.close(promise: nil) }
            self.phase = .lingering
            context.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.lingerTime) { context.close(promise: nil) }
            context.read()
        }
    }

    /// Closes an idle connection if nothing more is received for a moment, because a request may be on its way.
    func endWhenIdle(_ context: ChannelHandlerContext) {
        guard isBetweenRequests else { return }
        let time = state.isNew ? HTTPOptions.firstRequestTime : HTTPOptions.graceTime
        context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            guard self.isBetweenRequests else { return }
            // A request that has arrived, and was not read yet, is answered.
            if context.channel.hasUnreadInput { self.endWhenIdle(context) } else { context.close(promise: nil) }
        }
    }

    /// True if every request is answered, and no further one has begun.
    private var isBetweenRequests: Bool {
        if case .open = phase { state.endIfIdle() == .close && !recorder.isInHead } else { false }
    }

    func watchIdleness(_ context: ChannelHandlerContext) {
        idle.start(on: context) {
            self.state.waitsForResponse ? .stop : self.isBetweenRequests ? .closeUnlessUnread : .close
        }
    }
}
