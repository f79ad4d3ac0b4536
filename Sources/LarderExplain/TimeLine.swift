public import HTTPCaching
import HTTPTypes
import Larder

/// The answers to requests for a stored response, from its arrival on.
public struct TimeLine: Hashable, Sendable {
    /// A period in which every request gets the same answer.
    public struct Row: Hashable, Sendable {
        /// The time at which the row begins.
        public let from: Timestamp
        /// The time at which the row ends, exclusive; nil if it does not end.
        public let until: Timestamp?
        /// The answers, in the order of ``TimeLine/questions``.
        public let answers: [Answer]
        /// The uses that end with the row.
        public let ends: [Boundary]
    }

    /// A use of a stored response that is allowed until some time.
    public enum Boundary: String, Hashable, Sendable, CaseIterable {
        /// The response is fresh.
        case fresh
        /// The response may be served stale while it is refreshed.
        case staleWhileRevalidate = "stale-while-revalidate"
        /// The response may be served stale if the origin fails.
        case staleIfError = "stale-if-error"
        /// The response may be served stale if the origin cannot be reached.
        case staleIfUnreachable = "stale-if-unreachable"
        /// The response stays stored.
        case stored

        /// Returns the time at which the use ends, or nil if it is not allowed beyond freshness.
        func end(_ lifetimes: Lifetimes) -> Timestamp? {
            let end =
                switch self {
                case .fresh: lifetimes.freshUntil
                case .staleWhileRevalidate: lifetimes.staleWhileRevalidateUntil
                case .staleIfError: lifetimes.staleIfErrorUntil
                case .staleIfUnreachable: lifetimes.staleIfUnreachableUntil
                case .stored: lifetimes.storedUntil
                }
            return self == .fresh || self == .stored || end > lifetimes.freshUntil ? end : nil
        }
    }

    /// The time at which the age is zero (RFC 9111 §4.2.3).
    public let generatedAt: Timestamp
    /// The requests, in order.
    public let questions: [Question]
    /// The rows, without gaps; the first begins when the response arrived.
    public let rows: [Row]

    /// Returns the answers of the row that contains `moment`, or nil before the response arrived.
    public func answers(at moment: Timestamp) -> [Answer]? {
        rows.last { $0.from <= moment }?.answers
    }

    /// Creates the time line of a stored response from its answers at every time at which they may change.
    init(of exchange: Exchange, stored: HTTPResponse, lifetimes: Lifetimes, policy: CachePolicy) {
        var questions: [Question] = [.plain, .maxAgeZero, .noCache, .onlyIfCached, .maxStale, .ifNoneMatch]
        let own = RequestDirectives(exchange.request.headerFields)
        if own != .none { questions.append(.own(own)) }
        let asked = Asked(stored: stored, lifetimes: lifetimes, policy: policy)
        let ends = Dictionary(grouping: Boundary.allCases) { $0.end(lifetimes) }
        let moments = Self.moments(lifetimes, own).filter { $0 > exchange.respondedAt }
        var rows: [(from: Timestamp, answers: [Answer])] = []
        for moment in [exchange.respondedAt] + Set(moments).sorted() {
            let answers = questions.map { asked.answer(to: $0, at: moment) }
            if rows.last?.answers != answers || ends[moment] != nil { rows.append((moment, answers)) }
        }
        self.generatedAt = lifetimes.generatedAt
        self.questions = questions
        self.rows = zip(rows, rows.dropFirst().map { Optional($0.from) } + [nil])
            .map { Row(from: $0.from, until: $1, answers: $0.answers, ends: $1.flatMap { ends[$0] } ?? []) }
    }

    /// Returns the times at which an answer may change. Superfluous times do no harm: rows with equal answers are
    /// merged.
    private static func moments(_ lifetimes: Lifetimes, _ own: RequestDirectives) -> [Timestamp] {
        var moments = Boundary.allCases.compactMap { $0.end(lifetimes) }
        var limits: [Timestamp] = []
        if let maxAge = own.maxAge { limits.append(lifetimes.generatedAt.advanced(by: maxAge)) }
        if let minFresh = own.minFresh { limits.append(lifetimes.freshUntil.advanced(by: .zero - minFresh)) }
        if case .atMost(let limit) = own.maxStale { limits.append(lifetimes.freshUntil.advanced(by: limit)) }
        if let staleIfError = own.staleIfError { limits.append(lifetimes.freshUntil.advanced(by: staleIfError)) }
        // A client's limit includes its last moment; a response's limit does not.
        moments += limits.flatMap { [$0, $0.advanced(by: .nanoseconds(1))] }
        return moments
    }
}

extension TimeLine {
    /// A kind of request for the stored response.
    public enum Question: Hashable, Sendable {
        /// A request without directives and conditions.
        case plain
        /// A request with `Cache-Control: max-age=0`, which browsers send on reload.
        case maxAgeZero
        /// A request with `Cache-Control: no-cache`.
        case noCache
        /// A request with `Cache-Control: only-if-cached`.
        case onlyIfCached
        /// A request with `Cache-Control: max-stale`.
        case maxStale
        /// A request with `If-None-Match` and the stored entity tag.
        case ifNoneMatch
        /// A request with the directives of the exchange's request.
        case own(RequestDirectives)

        /// The name of the request at the head of its column.
        public var name: String {
            switch self {
            case .plain: "plain"
            case .maxAgeZero: "max-age=0"
            case .noCache: "no-cache"
            case .onlyIfCached: "only-if-cached"
            case .maxStale: "max-stale"
            case .ifNoneMatch: "If-None-Match"
            case .own: "as it was"
            }
        }

        /// The directives of the request.
        public var directives: RequestDirectives {
            switch self {
            case .plain, .ifNoneMatch: .none
            case .maxAgeZero, .noCache, .onlyIfCached, .maxStale:
                RequestDirectives([.cacheControl: name])
            case .own(let directives): directives
            }
        }
    }

    /// The outcome of a request.
    public enum Outcome: Hashable, Sendable {
        /// The request gets the stored response, fresh.
        case fresh
        /// The request gets the stored response, stale.
        case stale(Reuse.StaleReason)
        /// The request gets a 304 made from the stored response.
        case notModified
        /// The request gets the origin's response to a conditional request.
        case validated(Reuse.RevalidateReason)
        /// The request gets the origin's response to an unconditional request.
        case fetched(Reuse.RevalidateReason)
        /// The request gets the origin's response, as if nothing had been stored.
        case missing
        /// The request gets the stored response, because the origin failed.
        case staleIfError
        /// The request gets a 504, since the origin must not be asked.
        case gatewayTimeout
        /// The request gets the origin's error.
        case failed

        /// The text of the outcome in a cell.
        public var token: String {
            switch self {
            case .fresh: "fresh"
            case .stale: "stale"
            case .notModified: "304"
            case .validated: "validate"
            case .fetched: "fetch"
            case .missing: "missing"
            case .staleIfError: "stale-if-error"
            case .gatewayTimeout: "504"
            case .failed: "error"
            }
        }

        /// The token of ``Reuse`` for the reason of the outcome, or nil if it has none.
        public var reason: String? {
            switch self {
            case .stale(let reason): reason.rawValue
            case .validated(let reason), .fetched(let reason): reason.rawValue
            case .fresh, .notModified, .missing, .staleIfError, .gatewayTimeout, .failed: nil
            }
        }
    }

    /// The outcomes of a request, depending on the origin.
    public struct Answer: Hashable, Sendable {
        /// The outcome if the origin answers.
        public let normally: Outcome
        /// The outcome if the origin cannot be reached.
        public let unreachable: Outcome
        /// The outcome if the origin answers with a 503.
        public let failing: Outcome
    }
}

/// A stored response and the policy by which it answers requests.
private struct Asked {
    let stored: HTTPResponse
    let lifetimes: Lifetimes
    let policy: CachePolicy

    func answer(to question: TimeLine.Question, at now: Timestamp) -> TimeLine.Answer {
        let normally = outcome(of: question, at: now)
        let asksOrigin =
            switch normally {
            case .validated, .fetched, .missing: true
            case .fresh, .stale, .notModified, .staleIfError, .gatewayTimeout, .failed: false
            }
        func onFailure(_ failure: Reuse.Failure) -> TimeLine.Outcome {
            guard asksOrigin else { return normally }
            let mayServe = Reuse.mayServeOnError(
                lifetimes: lifetimes,
                request: question.directives,
                now: now,
                failure: failure
            )
            return mayServe ? served(.staleIfError, to: question) : .failed
        }
        return TimeLine.Answer(
            normally: normally,
            unreachable: onFailure(.unreachable),
            failing: onFailure(.status(503))
        )
    }

    private func outcome(of question: TimeLine.Question, at now: Timestamp) -> TimeLine.Outcome {
        let directives = question.directives
        switch Reuse.decide(lifetimes: lifetimes, request: directives, now: now) {
        case .fresh: return served(.fresh, to: question)
        case .stale(let reason): return served(.stale(reason), to: question)
        // "Either respond using a stored response consistent with the other constraints of the request or respond with
        // a 504 (Gateway Timeout) status code." (RFC 9111 §5.2.1.7)
        case .revalidate where directives.onlyIfCached, .unusable where directives.onlyIfCached: return .gatewayTimeout
        case .revalidate(let reason): return policy.canValidate(stored) ? .validated(reason) : .fetched(reason)
        case .unusable: return .missing
        }
    }

    private func served(_ outcome: TimeLine.Outcome, to question: TimeLine.Question) -> TimeLine.Outcome {
        guard question == .ifNoneMatch else { return outcome }
        var request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/")
        request.headerFields[.ifNoneMatch] = stored.headerFields[.eTag] ?? "\"\""
        switch Preconditions.evaluate(request, stored: stored, receivedAt: lifetimes.generatedAt) {
        case .notModified: return .notModified
        case .proceed, .forward: return outcome
        }
    }
}
