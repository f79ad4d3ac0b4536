import HTTPCaching
public import HTTPTypes
public import LarderTestSupport
import TestHelpers

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

    /// Runs the conversation, and returns a message for each deviation from the expected result.
    /// - Parameters:
    ///   - clock: The clock of the cache, which is advanced. For the conversation of a scenario it has to start at
    ///     ``Scenario/beginning``.
    ///   - origin: The origin of the cache.
    public func run(
        on clock: ManualClock,
        _ origin: ConversationOrigin,
        over transport: some ConversationTransport
    ) async throws -> [String] {
        let beginning = clock.now
        var result: [String] = []
        for (index, step) in steps.enumerated() {
            if step.pause > 0 { clock.advance(by: .seconds(step.pause)) }
            let context = ConversationOrigin.StepContext(
                step: step,
                number: index + 1,
                host: host,
                beginning: beginning,
                gate: Gate()
            )
            origin.begin(context)
            let answers = try await run(context, origin, over: transport)
            await transport.idle()
            let found = answers.flatMap { deviations(of: $0, in: context) }
            result += (found + deviations(of: origin.fetches, in: context)).map { "step \(index + 1): \($0)" }
        }
        return result
    }

    private func run(
        _ context: ConversationOrigin.StepContext,
        _ origin: ConversationOrigin,
        over transport: some ConversationTransport
    ) async throws -> [Answer] {
        let step = context.step
        var fields = HTTPFields(lines: context.fill(step.lines), at: context.beginning)
        if let content = step.content { fields[.contentLength] = String(content.utf8.count) }
        let request = HTTPRequest(
            method: step.method,
            scheme: "http",
            authority: host,
            path: step.target,
            headerFields: fields
        )
        // If several clients send the request, the origin answers once all of them ask or wait.
        let isHeld = step.clients > 1 && step.fetches > 0
        if !isHeld { context.gate.open() }
        return try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<step.clients {
                group.addTask { try await transport.send(request, content: step.content) }
            }
            if isHeld {
                defer { context.gate.open() }
                try await eventually("all requests ask or wait") {
                    context.gate.arrivals + transport.waitingCount == step.clients
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

// MARK: - Deviations from the expected result

extension Conversation {
    private func deviations(of fetches: [HTTPRequest], in context: ConversationOrigin.StepContext) -> [String] {
        let step = context.step
        var result: [String] = []
        if fetches.count != step.fetches + step.refreshes {
            result.append("\(fetches.count) fetches in place of \(step.fetches) and \(step.refreshes)")
        }
        for fetch in fetches {
            let method = step.fetchMethod ?? step.method
            if fetch.method != method { result.append("asked by \(fetch.method) in place of \(method)") }
            if fetch.path != step.target { result.append("asked for \(fetch.path ?? "nothing")") }
            result += Self.missing(step.inFetch.map(context.fill), in: fetch.headerFields, context).map {
                "asked without \($0)"
            }
            result += Self.present(step.notInFetch, in: fetch.headerFields).map { "asked with \($0)" }
        }
        return result
    }

    private func deviations(of answer: Answer, in context: ConversationOrigin.StepContext) -> [String] {
        let step = context.step
        var result: [String] = []
        let status = step.status ?? (step.fetches > 0 ? step.reply?.status : nil) ?? 200
        if answer.status != status { result.append("status \(answer.status) in place of \(status)") }
        result += Self.missing(step.inAnswer.map(context.fill), in: answer.fields, context).map {
            "answer without \($0)"
        }
        result += Self.present(step.notInAnswer, in: answer.fields).map { "answer with \($0)" }
        let expected: String?
        switch step.says {
        case .any: return result
        case .own: expected = text(of: context.number)
        case .step(let number): expected = text(of: number)
        case .text(let text): expected = text
        case .broken: expected = nil
        }
        let isEmpty = step.method == .head || [204, 205, 304].contains(status)
        if answer.text != (isEmpty ? "" : expected) {
            result.append("said \(answer.text ?? "too little") in place of \(expected ?? "too little")")
        }
        return result
    }

    /// Returns the content of a step's reply.
    private func text(of number: Int) -> String {
        steps[number - 1].reply?.text ?? Self.text(of: number)
    }

    /// Returns the lines that the fields lack. A line without a colon is the name of a field.
    private static func missing(
        _ lines: [String],
        in fields: HTTPFields,
        _ context: ConversationOrigin.StepContext
    ) -> [String] {
        lines.filter { line in
            guard line.contains(":") else { return Self.present([line], in: fields).isEmpty }
            return HTTPFields(lines: line, at: context.beginning).contains { fields[$0.name] != $0.value }
        }
    }

    private static func present(_ names: [String], in fields: HTTPFields) -> [String] {
        names.filter { name in HTTPField.Name(name).map { fields[$0] != nil } ?? true }
    }
}

extension Conversation.Step {
    /// The last reply of the origin, or nil if it does not reply.
    var reply: Conversation.Reply? {
        switch actions.last {
        case .answers(let reply), .breaksOff(let reply, _): reply
        case .closes, nil: nil
        }
    }
}
