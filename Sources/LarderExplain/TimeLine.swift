public import HTTPCaching
import HTTPTypes
import Larder

/// What requests get of a stored response, from its arrival to its end.
public struct TimeLine: Hashable, Sendable {
    /// A time through which every question has the same answer.
    public struct Row: Hashable, Sendable {
        /// When it begins.
        public let from: Timestamp
        /// When it ends, itself not included; nil: never.
        public let until: Timestamp?
        /// The answers, in the order of ``TimeLine/questions``.
        public let answers: [Answer]
        /// What ends with it.
        public let ends: [Boundary]
    }

    /// Something that a stored response is good for until some moment.
    public enum Boundary: String, Hashable, Sendable, CaseIterable {
        /// It is fresh.
        case fresh
        /// It may be served while it is refreshed.
        case staleWhileRevalidate = "stale-while-revalidate"
        /// It may be served where the origin fails.
        case staleIfError = "stale-if-error"
        /// It may be served where the origin cannot be reached.
        case staleIfUnreachable = "stale-if-unreachable"
        /// It is kept.
        case keep

        /// When it ends; nil where it never began, because nothing is allowed beyond freshness.
        func end(_ lifetimes: Lifetimes) -> Timestamp? {
            let end =
                switch self {
                case .fresh: lifetimes.freshUntil
                case .staleWhileRevalidate: lifetimes.staleWhileRevalidateUntil
                case .staleIfError: lifetimes.staleIfErrorUntil
                case .staleIfUnreachable: lifetimes.staleIfUnreachableUntil
                case .keep: lifetimes.keepUntil
                }
            return self == .fresh || self == .keep || end > lifetimes.freshUntil ? end : nil
        }
    }

    /// The age counts from here (RFC 9111 §4.2.3).
    public let born: Timestamp
    /// What is asked, in order.
    public let questions: [Question]
    /// The rows, without a gap; the first begins when the response arrived.
    public let rows: [Row]

    /// The answers of the row that `moment` lies in; nil before the response arrived.
    public func answers(at moment: Timestamp) -> [Answer]? {
        rows.last { $0.from <= moment }?.answers
    }

    /// Asks about a response that is stored, at every moment at which an answer may change.
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
        self.born = lifetimes.born
        self.questions = questions
        self.rows = zip(rows, rows.dropFirst().map { Optional($0.from) } + [nil])
            .map { Row(from: $0.from, until: $1, answers: $0.answers, ends: $1.flatMap { ends[$0] } ?? []) }
    }

    /// The moments at which an answer may change. One too many does no harm, as rows that are alike become one.
    private static func moments(_ lifetimes: Lifetimes, _ own: RequestDirectives) -> [Timestamp] {
        var moments = Boundary.allCases.compactMap { $0.end(lifetimes) }
        var wishes: [Timestamp] = []
        if let maxAge = own.maxAge { wishes.append(lifetimes.born.advanced(by: maxAge)) }
        if let minFresh = own.minFresh { wishes.append(lifetimes.freshUntil.advanced(by: .zero - minFresh)) }
        if case .atMost(let limit) = own.maxStale { wishes.append(lifetimes.freshUntil.advanced(by: limit)) }
        if let staleIfError = own.staleIfError { wishes.append(lifetimes.freshUntil.advanced(by: staleIfError)) }
        // A client's limits hold up to and with that moment, a response's up to it.
        moments += wishes.flatMap { [$0, $0.advanced(by: .nanoseconds(1))] }
        return moments
    }
}

extension TimeLine {
    /// A request that is asked about.
    public enum Question: Hashable, Sendable {
        /// Without directives and conditions.
        case plain
        /// With `Cache-Control: max-age=0`, as browsers send on reload.
        case maxAgeZero
        /// With `Cache-Control: no-cache`.
        case noCache
        /// With `Cache-Control: only-if-cached`.
        case onlyIfCached
        /// With `Cache-Control: max-stale`.
        case maxStale
        /// With `If-None-Match` and the stored entity tag.
        case ifNoneMatch
        /// With the directives of the exchange's own request.
        case own(RequestDirectives)

        /// The question as it heads a column.
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

        /// What the request says to caches.
        public var directives: RequestDirectives {
            switch self {
            case .plain, .ifNoneMatch: .none
            case .maxAgeZero, .noCache, .onlyIfCached, .maxStale:
                RequestDirectives([.cacheControl: name])
            case .own(let directives): directives
            }
        }
    }

    /// What a request gets.
    public enum Outcome: Hashable, Sendable {
        /// The stored response, fresh.
        case fresh
        /// The stored response, stale.
        case stale(Reuse.StaleReason)
        /// A 304 made from the stored response.
        case notModified
        /// What the origin says, which is asked whether the stored response is still good.
        case validated(Reuse.RevalidateReason)
        /// What the origin says, which is asked for the whole.
        case fetched(Reuse.RevalidateReason)
        /// What the origin says, as if nothing had been stored.
        case missing
        /// What is kept, in place of the origin's failure.
        case kept
        /// A 504, since the origin must not be asked.
        case gatewayTimeout
        /// The origin's failure.
        case failed

        /// The outcome as it stands in a cell.
        public var token: String {
            switch self {
            case .fresh: "fresh"
            case .stale: "stale"
            case .notModified: "304"
            case .validated: "validate"
            case .fetched: "fetch"
            case .missing: "gone"
            case .kept: "kept"
            case .gatewayTimeout: "504"
            case .failed: "error"
            }
        }

        /// Why, where there is a reason: the token of ``Reuse``.
        public var reason: String? {
            switch self {
            case .stale(let reason): reason.rawValue
            case .validated(let reason), .fetched(let reason): reason.rawValue
            case .fresh, .notModified, .missing, .kept, .gatewayTimeout, .failed: nil
            }
        }
    }

    /// What a request gets, by how the origin does.
    public struct Answer: Hashable, Sendable {
        /// Where the origin answers.
        public let normally: Outcome
        /// Where it cannot be reached.
        public let unreachable: Outcome
        /// Where it answers with a 503.
        public let failing: Outcome
    }
}

/// A stored response that is asked about.
private struct Asked {
    let stored: HTTPResponse
    let lifetimes: Lifetimes
    let policy: CachePolicy

    func answer(to question: TimeLine.Question, at now: Timestamp) -> TimeLine.Answer {
        let normally = outcome(of: question, at: now)
        let asksOrigin =
            switch normally {
            case .validated, .fetched, .missing: true
            case .fresh, .stale, .notModified, .kept, .gatewayTimeout, .failed: false
            }
        func onFailure(_ failure: Reuse.Failure) -> TimeLine.Outcome {
            guard asksOrigin else { return normally }
            let mayServe = Reuse.mayServeOnError(
                lifetimes: lifetimes,
                request: question.directives,
                now: now,
                failure: failure
            )
            return mayServe ? served(.kept, to: question) : .failed
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
        switch Preconditions.evaluate(request, stored: stored, receivedAt: lifetimes.born) {
        case .notModified: return .notModified
        case .proceed, .forward: return outcome
        }
    }
}
