import HTTPCaching
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore

/// The capture of a body that may be shared, while it arrives.
extension Fetch {
    /// Captures the body of a response that other requests may have if it arrives whole, and stores it.
    /// - Parameter notStored: The reason why the response is not stored, if it is only for the requests that wait.
    mutating func capture(
        _ fetched: Fetched,
        _ lifetimes: Lifetimes,
        notStored: NotStoredReason? = nil
    ) async -> FetchResult<O.Response> {
        let response = fetched.response
        // "A server MUST evaluate received request preconditions […] just before it would process the request content"
        // (RFC 9110 §13.2.1): they are evaluated by the head that the client is about to get, before the body arrives.
        answerConditions(by: fetched)
        // The client has its response already, and does not wait for the body.
        if leader?.isCompleted == true { FetchContext.fetch?.leave() }
        let capture = BodyCapture(
            length: response.bodyLength,
            limit: cacheable.policy.bodyLimit.bytes,
            deadline: fetched.receivedAt.advanced(by: cacheable.policy.captureTime),
            budget: dependencies.inFlight,
            clock: dependencies.clock,
            fetch: FetchContext.fetch
        )
        let sink = CapturingSink(
            fetch: self,
            response: response,
            capture: capture,
            isStored: notStored == nil,
            waitsForWhole: waitsForWhole(fetched.head)
        )
        // With a stored response, the client is not served before the first part: the stored response can still replace
        // a body that breaks off.
        if response.bodyLength == nil, stored == nil { sink.serveLeader() }
        var failure: (any Error)?
        do {
            try await FetchContext.$frames.withValue(frames) { try await response.pourBody(into: sink) }
            capture.fail(BodyError.unfinished)
        } catch {
            capture.fail(error)
            failure = error
        }
        var result = await self.result(of: capture, failure, fetched, lifetimes, notStored)
        result.body = capture
        return result
    }

    /// Answers the leader with a 304 if the head says that the client has the response already.
    private func answerConditions(by fetched: Fetched) {
        guard let leader, cacheable.isConditional, !makesEntityTagForCondition(fetched.head),
            let notModified = cacheable.notModified(received: fetched.head, at: fetched.receivedAt)
        else { return }
        leader.succeed(O.Response(headOnly: leaderHead(notModified, forwarded: fetched.head.status)))
    }

    /// Returns true if the client's condition can only be evaluated with the whole body, since the entity tag will be
    /// made from it.
    private func makesEntityTagForCondition(_ head: HTTPResponse) -> Bool {
        cacheable.policy.makesEntityTags && cacheable.request.headerFields.contains(.ifNoneMatch)
            && !head.headerFields.contains(.eTag)
    }

    /// Returns true if the leader can be answered only with the whole body.
    private func waitsForWhole(_ head: HTTPResponse) -> Bool { cutsRange(head) || makesEntityTagForCondition(head) }

    /// Returns true if the leader gets a range that is cut from the whole body. "The Range header field is evaluated
    /// […] only if the result in absence of the Range header field would be a 200 (OK) response." (RFC 9110 §14.2)
    fileprivate func cutsRange(_ head: HTTPResponse) -> Bool { cacheable.hasRange && head.status == .ok }

    /// Returns the result when the origin has finished the body, or has failed. A leader that does not read the body
    /// yet still waits for its response.
    private mutating func result(
        of capture: BodyCapture,
        _ failure: (any Error)?,
        _ fetched: Fetched,
        _ lifetimes: Lifetimes,
        _ notStored: NotStoredReason?
    ) async -> FetchResult<O.Response> {
        let leaderWaits = leader?.isCompleted == false
        if let failure, !capture.isPastLimit, leaderWaits { return await failed(failure) }
        do {
            return await store(try capture.whole(), of: capture, fetched, lifetimes, notStored)
        } catch {
            if error == .brokenOff {
                record.events.append(.notStored(cacheable.location.key, error))
                if leaderWaits { return await failed(BodyError.unfinished) }
                if notStored == nil, FetchContext.fetch?.isAbandoned != true { noteFailure(status: nil) }
            } else {
                if error.isLasting { await removeStored() }
                // The client asked for a range of a response that is not captured.
                if leaderWaits {
                    return FetchResult(leader: unstored(fetched.response, because: error), completion: .unsharable)
                }
            }
            return FetchResult(leader: .failure(BodyError.unfinished), completion: .leaderOnly)
        }
    }

    /// Returns the tags of a response whose body has arrived: those that the handler gave it, and those of the values
    /// that it is made from.
    private func tags(of fetched: Fetched) -> [CacheTag] {
        let tags = fetched.tags.tags
        return tags + valueTags.filter { !tags.contains($0) }
    }

    /// The tags of the values that the response is made from, as far as the policy does not give it the same.
    var valueTags: [CacheTag] {
        guard let used = frames.last?.usedValues.withLockedValue({ $0.tags }), !used.isEmpty else { return [] }
        return used.subtracting(cacheable.location.tags).sorted { $0.description < $1.description }
    }

    /// Stores a response whose body arrived whole, unless there is a reason not to.
    private mutating func store(
        _ body: ByteBuffer,
        of capture: BodyCapture,
        _ fetched: Fetched,
        _ lifetimes: Lifetimes,
        _ notStored: NotStoredReason?
    ) async -> FetchResult<O.Response> {
        noteSuccess(status: fetched.head.status)
        let own = tags(of: fetched)
        let paired = cacheable.policy.pairing(own)
        let entry = entry(
            fetched.head,
            fetched.directives,
            body: body,
            lifetimes: lifetimes,
            tags: paired ?? own,
            receivedAt: fetched.receivedAt
        )
        capture.replaceParts(by: entry)
        var known = notStored
        if known == nil { known = paired == nil ? .tooManyTags : unconfirmed(fetched.head.status) }
        if known == nil, frames.last?.usedValues.withLockedValue({ $0.isStale }) == true { known = .staleValue }
        if notStored == nil, let known { record.events.append(.notStored(cacheable.location.key, known)) }
        let (validity, reason) = known == nil ? await save(entry) : (await validity(of: entry), known)
        return result(
            of: entry,
            .fetched(status: fetched.head.status.code, reason),
            validity,
            answeredAt: fetched.receivedAt,
            received: fetched.head.headerFields
        )
    }
}

/// The sink that the origin writes a captured body to.
private struct CapturingSink<O: Origin>: BodySink, CaptureOwner {
    let fetch: Fetch<O>
    let response: O.Response
    let capture: BodyCapture
    /// False if the response is only for the requests that wait.
    let isStored: Bool
    /// True if the leader can be answered only with the whole body.
    let waitsForWhole: Bool

    func write(_ part: ByteBuffer) async throws {
        try await capture.write(part, for: self)
    }

    func finish() async throws { try capture.finish() }

    /// Serves the leader from here on, unless it needs the whole body.
    func serveLeader() {
        if !waitsForWhole { stream() }
    }

    func stopStoring(because reason: NotStoredReason) {
        fetch.stopStoring(because: reason, alreadyNotStored: !isStored)
        // The origin answers a range by itself; without a reader the capture ends.
        if !fetch.cutsRange(response.head) { stream() }
    }

    /// Gives the leader a response whose body it reads while the body arrives.
    private func stream() {
        guard let leader = fetch.leader, !leader.isCompleted else { return }
        let head = fetch.leaderHead(response.head)
        leader.succeed(
            fetch.cacheable.isHead
                ? O.Response(headOnly: head)
                : O.Response(head, streaming: capture.reader(), length: response.bodyLength)
        )
    }
}
