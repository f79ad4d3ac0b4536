import HTTPCaching
import HTTPTypes
import Testing

/// One rule of caching as an experiment: a request and its response, and another request some time later.
struct Scenario: Sendable, CustomTestStringConvertible {
    /// What becomes of the second request.
    enum Outcome: Hashable, Sendable {
        /// Answered from the store, fresh.
        case hit
        /// Answered from the store with a 304.
        case notModified
        /// Answered from the store, stale, and refreshed in the background.
        case staleAndRefreshed
        /// Answered from the store, stale, because the client allows it.
        case stale
        /// The origin is asked first, for this reason.
        case asks(Reuse.RevalidateReason)
        /// What is stored is not for this request.
        case varies
        /// The origin is asked since it alone can judge the conditions.
        case forwarded
        /// Nothing was stored, for this reason.
        case refused(Refusal)
        /// What was stored is of no use any more.
        case gone
    }

    /// The name of the case, for failures and for other harnesses.
    let id: String
    /// Where the rule stands.
    let anchor: String
    let method: HTTPRequest.Method
    let firstRequest: String
    let status: Int
    let response: String
    let delay: Int
    let seconds: Int
    let secondRequest: String
    let rules: CachingRules
    let expected: Outcome

    /// - Parameters:
    ///   - response: its fields; a `Date` of ``start`` is added, unless the fields say `Date`.
    ///   - delay: seconds from the first request to its response.
    ///   - seconds: from the first request to the second.
    init(
        _ id: String,
        _ anchor: String,
        _ response: String,
        after seconds: Int = 1,
        _ expected: Outcome,
        status: Int = 200,
        method: HTTPRequest.Method = .get,
        first: String = "",
        then secondRequest: String = "",
        delay: Int = 0,
        rules: CachingRules = .gateway
    ) {
        self.id = id
        self.anchor = anchor
        self.method = method
        self.firstRequest = first
        self.status = status
        self.response = response.contains("Date:") ? response : "Date: {0}\n" + response
        self.delay = delay
        self.seconds = seconds
        self.secondRequest = secondRequest
        self.rules = rules
        self.expected = expected
    }

    var testDescription: String { "\(self.id) (\(self.anchor))" }

    /// Plays the scenario on the pure functions.
    func outcome() -> Outcome {
        let first = HTTPRequest(self.method, lines: self.firstRequest)
        let second = HTTPRequest(lines: self.secondRequest)
        let response = HTTPResponse(self.status, lines: self.response.replacing("Date: none\n", with: ""))
        let decision = Storability.decide(
            request: first,
            response: response,
            rules: self.rules,
            requestedAt: start,
            respondedAt: at(self.delay)
        )
        switch decision {
        case .refuse(let refusal): return .refused(refusal)
        case .store(let lifetimes):
            let vary = VaryRule(response.headerFields)
            guard let selecting = vary.selectingFields(of: first.headerFields) else { return .varies }
            guard vary.matches(second.headerFields, stored: selecting) else { return .varies }
            return self.reuse(response, lifetimes, for: second)
        }
    }

    private func reuse(_ response: HTTPResponse, _ lifetimes: Lifetimes, for request: HTTPRequest) -> Outcome {
        let directives = RequestDirectives(request.headerFields)
        switch Reuse.decide(lifetimes: lifetimes, request: directives, now: at(self.seconds)) {
        case .fresh: break
        case .stale(.whileRevalidating): return .staleAndRefreshed
        case .stale(.clientAllows): return .stale
        case .revalidate(let reason): return .asks(reason)
        case .unusable: return .gone
        }
        switch Preconditions.evaluate(request, stored: response, receivedAt: at(self.delay)) {
        case .proceed: return .hit
        case .notModified: return .notModified
        case .forward: return .forwarded
        }
    }
}

extension CachingRules {
    /// These rules with something changed.
    func with(_ change: (inout CachingRules) -> Void) -> CachingRules {
        var rules = self
        change(&rules)
        return rules
    }
}

@Suite struct ScenarioTests {
    @Test("A second request gets what the rules of caching say", arguments: Scenario.all)
    func outcome(_ scenario: Scenario) {
        #expect(scenario.outcome() == scenario.expected)
    }

    @Test func idsAreUnique() {
        var seen: Set<String> = []
        let twice = Scenario.all.map(\.id).filter { !seen.insert($0).inserted }
        #expect(twice.isEmpty)
        print("scenarios: \(Scenario.all.count)")
    }
}
