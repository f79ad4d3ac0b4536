import HTTPTypes

extension Scenario {
    /// True if an origin can send the response: its status is final.
    public var travels: Bool { (200...599).contains(status) }

    /// The scenario as a conversation with a whole cache. The requests that reach the origin show the outcome of the
    /// second request.
    public var conversation: Conversation {
        var first = Conversation.Step(method: method, target: "/a")
        first.lines = firstRequest
        first.actions = [.answers(.init(status: status, lines: response))]
        first.delay = delay
        first.fetches = 1
        first.says = .own
        var second = Conversation.Step(method: .get, target: "/a")
        // The first request is sent at the beginning, and its response arrives after the delay.
        second.pause = seconds - delay
        second.lines = secondRequest
        switch expected {
        case .hit, .stale: (second.status, second.says) = (status, .step(1))
        case .notModified: second.status = 304
        case .staleAndRefreshed: (second.status, second.says, second.refreshes) = (status, .step(1), 1)
        case .asks, .varies, .forwarded, .notStorable, .gone: (second.fetches, second.says) = (1, .own)
        }
        return Conversation(id: id, anchor: anchor, rules: rules, steps: [first, second])
    }
}
