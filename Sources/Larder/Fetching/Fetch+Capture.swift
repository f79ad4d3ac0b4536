import HTTPCaching
import HTTPTypes
import NIOCore

/// The capture of a body that may be shared, while it arrives.
extension Fetch {
    /// Captures the body of a response that other requests may have if it arrives whole.
    /// - Parameter notStored: The reason why the response is not stored, if it is only for the requests that wait.
    func capture(
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStoredReason? = nil,
        releasing release: @escaping @Sendable (FlightCompletion) -> Void
    ) async -> FetchResult {
        let response = reception.response
        // "A server MUST evaluate received request preconditions […] just before it would process the request content"
        // (RFC 9110 §13.2.1): they are evaluated by the head that the client is about to get, before the body arrives.
        answerConditions(by: reception)
        // "The Range header field is evaluated […] only if the result in absence of the Range header field would be a
        // 200 (OK) response." (RFC 9110 §14.2)
        let cutsRange = cacheable.hasRange && reception.head.status == .ok
        let waitsForWhole = cutsRange || isJudgedByBody(reception.head)
        let fetch = FetchContext.fetch
        let capture = BodyCapture(
            length: response.bodyLength,
            limit: cacheable.policy.bodyLimit.bytes,
            deadline: reception.at.advanced(by: cacheable.policy.captureTime),
            budget: cache.inFlight,
            clock: cache.clock
        ) { event, capture in
            switch event {
            // A range is cut from the whole body, so the client waits for it.
            case .begun: if !waitsForWhole { stream(response, from: capture) }
            case .left: fetch?.leave()
            case .unwanted: fetch?.abandon()
            case .overflowed(let tooMuch):
                if notStored == nil {
                    cache.record(.notStored(cacheable.location.key, tooMuch))
                    // A lack of memory does not mean that the next response will not be stored.
                    release(noteUncacheable(because: tooMuch))
                } else {
                    release(.refusedToLeader)
                }
                // The origin answers a range; without a reader the capture ends.
                if !cutsRange { stream(response, from: capture) }
            }
        }
        // The client has its response already, and does not wait for the body.
        if seat?.isServed == true { fetch?.leave() }
        // With a stored response, the client is not served before the first part: the stored response can still replace
        // a body that breaks off.
        if response.bodyLength == nil, kept == nil, !waitsForWhole { stream(response, from: capture) }
        let completion = await collect(reception, lifetimes, notStored, in: capture)
        return FetchResult(result: completion.result) {
            completion.answerLeader()
            capture.release()
        }
    }

    /// Answers the leader with a 304 if the head says that the client has the response already.
    private func answerConditions(by reception: Reception) {
        guard let seat, cacheable.isConditional, !isJudgedByBody(reception.head),
            let notModified = cacheable.notModified(received: reception.head, at: reception.at)
        else { return }
        let head = cache.serving.head(
            notModified,
            .forwarded(reason, status: reception.head.status.code),
            policy: cacheable.policy,
            at: cache.clock.now
        )
        seat.give(.success(O.Response(headOnly: head)))
    }

    /// Returns true if the client's condition can only be evaluated with the whole body, since the entity tag will be
    /// made from it.
    private func isJudgedByBody(_ head: HTTPResponse) -> Bool {
        cacheable.policy.makesEntityTags && cacheable.request.headerFields.contains(.ifNoneMatch)
            && !head.headerFields.contains(.eTag)
    }

    /// Collects the body, and stores the response if the body is whole.
    private func collect(
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStoredReason?,
        in capture: BodyCapture
    ) async -> FetchResult {
        let response = reception.response
        do {
            try await FetchContext.$frames.withValue(frames) { try await response.pourBody(into: capture) }
            capture.fail(BodyError.unfinished)
        } catch {
            capture.fail(error)
            if !capture.isPastLimit, seat?.isServed == false { return await failed(error) }
        }
        do {
            return await store(try capture.whole(), of: capture, reception, lifetimes, notStored)
        } catch {
            if error == .brokenOff {
                cache.record(.notStored(cacheable.location.key, error))
                if seat?.isServed == false { return await failed(BodyError.unfinished) }
                if notStored == nil, FetchContext.fetch?.isAbandoned != true { noteFailure(status: nil) }
            } else {
                if error.isLasting { await discardKept() }
                // The client asked for a range of a response that is not captured.
                if seat?.isServed == false { return landingAlone(await passed(response, because: error), .unsharable) }
            }
            return landingAlone(.failure(BodyError.unfinished), .refusedToLeader)
        }
    }

    /// Stores a response whose body arrived whole, unless there is a reason not to.
    private func store(
        _ body: ByteBuffer,
        of capture: BodyCapture,
        _ reception: Reception,
        _ lifetimes: Lifetimes,
        _ notStored: NotStoredReason?
    ) async -> FetchResult {
        noteSuccess(status: reception.head.status)
        let entry = entry(
            reception.head,
            reception.directives,
            body: body,
            lifetimes: lifetimes,
            tags: reception.tags.tags,
            receivedAt: reception.at
        )
        capture.replaceParts(by: entry)
        let (validity, reason) = await notStored == nil ? keep(entry) : (validity(of: entry), notStored)
        return completion(
            of: entry,
            .fetched(status: reception.head.status.code, reason),
            validity,
            answeredAt: reception.at,
            received: reception.head.headerFields
        )
    }
}
