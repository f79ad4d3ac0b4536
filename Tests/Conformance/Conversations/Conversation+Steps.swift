import HTTPTypes

/// The functions with which conversations are written.
extension Conversation.Step {
    private init(_ method: HTTPRequest.Method, _ target: String, content: String? = nil) {
        self.method = method
        self.target = target
        self.content = content
    }

    static func get(_ target: String = "/a", _ lines: String...) -> Self {
        Self(.get, target).with { $0.lines = lines.joined(separator: "\n") }
    }

    static func head(_ target: String = "/a", _ lines: String...) -> Self {
        Self(.head, target).with { $0.lines = lines.joined(separator: "\n") }
    }

    /// Creates a step with a request of any method, with content if the method allows it.
    static func send(_ method: String, _ target: String = "/a", _ lines: String...) -> Self {
        guard let name = HTTPRequest.Method(method) else { preconditionFailure("No method: \(method)") }
        let content = ["POST", "PUT", "PATCH"].contains(method) ? "content" : nil
        return Self(name, target, content: content).with { $0.lines = lines.joined(separator: "\n") }
    }

    /// Sets the time since the previous step, in seconds.
    func after(_ seconds: Int) -> Self { with { $0.pause = seconds } }

    /// Sets the number of clients that send the request at once.
    func byClients(_ count: Int) -> Self { with { $0.clients = count } }

    /// Sets the response of the origin, if it is asked.
    func answered(_ status: Int = 200, _ lines: String..., saying text: String? = nil, within delay: Int = 0) -> Self {
        with {
            $0.actions = [.answers(.init(status: status, lines: lines.joined(separator: "\n"), text: text))]
            $0.delay = delay
        }
    }

    /// Adds the response of the origin to the next request, if it is asked once more.
    func andThen(_ status: Int, _ lines: String...) -> Self {
        with { $0.actions.append(.answers(.init(status: status, lines: lines.joined(separator: "\n")))) }
    }

    /// Makes the origin close the connection, if it is asked.
    func closed() -> Self { with { $0.actions = [.closes] } }

    /// Makes the origin close the connection after this part of the body, if it is asked.
    func brokenOff(_ lines: String, after text: String) -> Self {
        with { $0.actions = [.breaksOff(.init(lines: lines, text: text), promising: 20)] }
    }

    /// Expects that the origin is asked, and that the client gets its response unless another one is set.
    func asked(
        times: Int = 1,
        by method: HTTPRequest.Method? = nil,
        with lines: String...,
        without names: [String] = []
    ) -> Self {
        with {
            $0.fetches = times
            $0.fetchMethod = method
            $0.inFetch = lines
            $0.notInFetch = names
            if case .any = $0.says { $0.says = .own }
        }
    }

    /// Expects that the origin is asked in the background.
    func refreshed(with lines: String...) -> Self {
        with {
            $0.refreshes = 1
            $0.fetchMethod = .get
            $0.inFetch = lines
        }
    }

    /// Expects that the client gets the origin's response of an earlier step.
    func gets(_ status: Int = 200, from step: Int) -> Self {
        with { ($0.status, $0.says) = (status, .step(step)) }
    }

    /// Expects that the client gets this status and text.
    func gets(_ status: Int = 200, saying text: String) -> Self {
        with { ($0.status, $0.says) = (status, .text(text)) }
    }

    /// Expects that the client gets this status, with any content.
    func gets(_ status: Int) -> Self {
        with { ($0.status, $0.says) = (status, .any) }
    }

    /// Expects that the client gets an incomplete response.
    func getsBroken() -> Self { with { ($0.status, $0.says) = (200, .broken) } }

    /// Expects that the response has these lines.
    func having(_ lines: String...) -> Self { with { $0.inAnswer += lines } }

    /// Expects that the response does not have these fields.
    func lacking(_ names: String...) -> Self { with { $0.notInAnswer += names } }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }
}
