import ConformanceTables
import HTTPCaching
import HTTPTypes
import TestHelpers
import Testing

extension Scenario {
    /// Plays the scenario on the pure functions, and returns its outcome.
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
        case .notStorable(let reason): return .notStorable(reason)
        case .store(let lifetimes):
            let vary = VariantRule(response.headerFields)
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

@Suite(.timeLimit(.minutes(5))) struct ScenarioTests {
    @Test(arguments: Scenario.all)
    func `A second request gets the outcome that the rules require`(_ scenario: Scenario) {
        #expect(scenario.outcome() == scenario.expected)
    }

    @Test func idsAreUnique() {
        var seen: Set<String> = []
        let twice = Scenario.all.map(\.id).filter { !seen.insert($0).inserted }
        #expect(twice.isEmpty)
        print("scenarios: \(Scenario.all.count)")
    }
}
