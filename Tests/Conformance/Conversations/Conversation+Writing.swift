import HTTPTypes

/// The words that conversations are written in.
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

    /// A request by any method, with content where it may have some.
    static func send(_ method: String, _ target: String = "/a", _ lines: String...) -> Self {
        guard let name = HTTPRequest.Method(method) else { preconditionFailure("No method: \(method)") }
        let content = ["POST", "PUT", "PATCH"].contains(method) ? "content" : nil
        return Self(name, target, content: content).with { $0.lines = lines.joined(separator: "\n") }
    }

    /// So many seconds after the step before.
    func after(_ seconds: Int) -> Self { with { $0.pause = seconds } }

    /// Sent by so many clients at once.
    func byCrowd(of count: Int) -> Self { with { $0.crowd = count } }

    /// The origin answers so, if it is asked.
    func answered(_ status: Int = 200, _ lines: String..., saying text: String? = nil, within delay: Int = 0) -> Self {
        with {
            $0.acts = [.answers(.init(status: status, lines: lines.joined(separator: "\n"), text: text))]
            $0.delay = delay
        }
    }

    /// The origin answers so, if it is asked once more.
    func andThen(_ status: Int, _ lines: String...) -> Self {
        with { $0.acts.append(.answers(.init(status: status, lines: lines.joined(separator: "\n")))) }
    }

    /// The origin closes the connection, if it is asked.
    func closed() -> Self { with { $0.acts = [.closes] } }

    /// The origin breaks off after this much of the body, if it is asked.
    func brokenOff(_ lines: String, after text: String) -> Self {
        with { $0.acts = [.breaksOff(.init(lines: lines, text: text), promising: 20)] }
    }

    /// The origin is asked, and the client gets its answer where nothing else is said.
    func asked(
        times: Int = 1,
        by method: HTTPRequest.Method? = nil,
        with lines: String...,
        without names: [String] = []
    ) -> Self {
        with {
            $0.questions = times
            $0.questionMethod = method
            $0.inQuestion = lines
            $0.notInQuestion = names
            if case .any = $0.says { $0.says = .own }
        }
    }

    /// The origin is asked in the background.
    func refreshed(with lines: String...) -> Self {
        with {
            $0.refreshes = 1
            $0.questionMethod = .get
            $0.inQuestion = lines
        }
    }

    /// The client gets what the origin said in an earlier step.
    func gets(_ status: Int = 200, from step: Int) -> Self {
        with { ($0.status, $0.says) = (status, .step(step)) }
    }

    /// The client gets this.
    func gets(_ status: Int = 200, saying text: String) -> Self {
        with { ($0.status, $0.says) = (status, .text(text)) }
    }

    /// The client gets this status, and no content worth looking at.
    func gets(_ status: Int) -> Self {
        with { ($0.status, $0.says) = (status, .any) }
    }

    /// The client gets a response that breaks off.
    func getsBroken() -> Self { with { ($0.status, $0.says) = (200, .broken) } }

    /// The response has these lines.
    func having(_ lines: String...) -> Self { with { $0.inAnswer += lines } }

    /// The response has no such fields.
    func lacking(_ names: String...) -> Self { with { $0.notInAnswer += names } }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }
}
