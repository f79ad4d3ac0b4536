import HTTPCaching
public import HTTPTypes
public import LarderTestSupport

/// The transport by which the requests of a conversation reach the cache.
public protocol ConversationTransport: Sendable {
    /// Sends a request, and reads the whole response. If the cache cannot answer, the status is 504 if the origin had
    /// to be asked, and otherwise 502.
    func send(_ request: HTTPRequest, content: String?) async throws -> Conversation.Answer
    /// Waits until no background request is in progress.
    func idle() async
    /// The number of requests that wait for another request's flight.
    var waitingCount: Int { get }
}

extension Conversation {
    /// The response that a client got.
    public struct Answer: Sendable {
        /// The status code.
        public let status: Int
        /// The fields of the response.
        public let fields: HTTPFields
        /// The content, or nil if it was incomplete.
        public let text: String?

        /// Creates an answer.
        public init(status: Int, fields: HTTPFields = [:], text: String? = "") {
            (self.status, self.fields, self.text) = (status, fields, text)
        }
    }

    /// Plays the conversation, and returns a message for each deviation from the expected result.
    /// - Parameters:
    ///   - clock: The clock of the cache, which is advanced. For the conversation of a scenario it has to start at
    ///     ``Scenario/beginning``.
    ///   - stage: The stage that plays the cache's origin.
    public func play(
        on clock: ManualClock,
        _ stage: ConversationStage,
        over transport: some ConversationTransport
    ) async throws -> [String] {
        let beginning = clock.now
        var complaints: [String] = []
        for (index, step) in steps.enumerated() {
            if step.pause > 0 { clock.advance(by: .seconds(step.pause)) }
            let scene = ConversationStage.Scene(
                step: step,
                number: index + 1,
                host: host,
                beginning: beginning,
                gate: Gate()
            )
            stage.enter(scene)
            let answers = try await play(scene, stage, over: transport)
            await transport.idle()
            let found = answers.flatMap { complain(about: $0, in: scene) } + complain(about: stage.questions, in: scene)
            complaints += found.map { "step \(index + 1): \($0)" }
        }
        return complaints
    }

    private func play(
        _ scene: ConversationStage.Scene,
        _ stage: ConversationStage,
        over transport: some ConversationTransport
    ) async throws -> [Answer] {
        let step = scene.step
        var fields = HTTPFields(lines: scene.fill(step.lines), at: scene.beginning)
        if let content = step.content { fields[.contentLength] = String(content.utf8.count) }
        let request = HTTPRequest(
            method: step.method,
            scheme: "http",
            authority: host,
            path: step.target,
            headerFields: fields
        )
        // If several clients send the request, the origin answers once all of them ask or wait.
        let isHeld = step.crowd > 1 && step.questions > 0
        if !isHeld { scene.gate.open() }
        return try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<step.crowd {
                group.addTask { try await transport.send(request, content: step.content) }
            }
            if isHeld {
                defer { scene.gate.open() }
                try await eventually("all requests ask or wait") {
                    scene.gate.arrivals + transport.waitingCount == step.crowd
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

// MARK: - Deviations from the expected result

extension Conversation {
    private func complain(about questions: [HTTPRequest], in scene: ConversationStage.Scene) -> [String] {
        let step = scene.step
        var complaints: [String] = []
        if questions.count != step.questions + step.refreshes {
            complaints.append("\(questions.count) questions in place of \(step.questions) and \(step.refreshes)")
        }
        for question in questions {
            let method = step.questionMethod ?? step.method
            if question.method != method { complaints.append("asked by \(question.method) in place of \(method)") }
            if question.path != step.target { complaints.append("asked for \(question.path ?? "nothing")") }
            complaints += Self.missing(step.inQuestion.map(scene.fill), in: question.headerFields, scene).map {
                "asked without \($0)"
            }
            complaints += Self.present(step.notInQuestion, in: question.headerFields).map { "asked with \($0)" }
        }
        return complaints
    }

    private func complain(about answer: Answer, in scene: ConversationStage.Scene) -> [String] {
        let step = scene.step
        var complaints: [String] = []
        let status = step.status ?? (step.questions > 0 ? step.reply?.status : nil) ?? 200
        if answer.status != status { complaints.append("status \(answer.status) in place of \(status)") }
        complaints += Self.missing(step.inAnswer.map(scene.fill), in: answer.fields, scene).map {
            "answer without \($0)"
        }
        complaints += Self.present(step.notInAnswer, in: answer.fields).map { "answer with \($0)" }
        let expected: String?
        switch step.says {
        case .any: return complaints
        case .own: expected = text(of: scene.number)
        case .step(let number): expected = text(of: number)
        case .text(let text): expected = text
        case .broken: expected = nil
        }
        let isEmpty = step.method == .head || [204, 205, 304].contains(status)
        if answer.text != (isEmpty ? "" : expected) {
            complaints.append("said \(answer.text ?? "too little") in place of \(expected ?? "too little")")
        }
        return complaints
    }

    /// Returns the content of a step's reply.
    private func text(of number: Int) -> String {
        steps[number - 1].reply?.text ?? Self.text(of: number)
    }

    /// Returns the lines that the fields lack. A line without a colon is the name of a field.
    private static func missing(_ lines: [String], in fields: HTTPFields, _ scene: ConversationStage.Scene) -> [String]
    {
        lines.filter { line in
            guard line.contains(":") else { return Self.present([line], in: fields).isEmpty }
            return HTTPFields(lines: line, at: scene.beginning).contains { fields[$0.name] != $0.value }
        }
    }

    private static func present(_ names: [String], in fields: HTTPFields) -> [String] {
        names.filter { name in HTTPField.Name(name).map { fields[$0] != nil } ?? true }
    }
}

extension Conversation.Step {
    /// The last reply of the origin, or nil if it does not reply.
    var reply: Conversation.Reply? {
        switch acts.last {
        case .answers(let reply), .breaksOff(let reply, _): reply
        case .closes, nil: nil
        }
    }
}
