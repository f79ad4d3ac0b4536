import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import Testing

@testable import LarderExplain

@Suite(.timeLimit(.minutes(5))) struct TimeLineTests {
    @Test func `The time line agrees with Reuse at any time`() throws {
        var random = seeded(for: "the time line")
        var stored = 0
        for _ in 0..<1_000 {
            let (exchange, rules) = (random.exchange(), random.rules())
            let explanation = CacheExplanation(exchange, rules: rules)
            guard case .stored(let lifetimes) = explanation.conclusion else { continue }
            stored += 1
            let line = try #require(explanation.timeLine)
            #expect(line.rows.first?.from == exchange.respondedAt)
            #expect(line.rows.last?.until == nil)
            for _ in 0..<10 {
                let now = Self.moment(of: line, lifetimes, using: &random)
                let answers = try #require(line.answers(at: now))
                for (question, answer) in zip(line.questions, answers) {
                    Self.expect(answer, to: question, at: now, lifetimes, explanation)
                }
            }
        }
        #expect(stored > 200)
    }

    /// Returns a random time, or a time at or next to the ends of rows.
    private static func moment(
        of line: TimeLine,
        _ lifetimes: Lifetimes,
        using random: inout SeededRandom
    ) -> Timestamp {
        let start = line.rows[0].from
        let anywhere = start.advanced(by: .milliseconds(Int.random(in: 0...120_000, using: &random)))
        let edge = random.pick(line.rows).from.advanced(by: .nanoseconds(random.pick([-1, 0, 1])))
        return max(start, random.isTrue(in: 2) ? anywhere : edge)
    }

    private static func expect(
        _ answer: TimeLine.Answer,
        to question: TimeLine.Question,
        at now: Timestamp,
        _ lifetimes: Lifetimes,
        _ explanation: CacheExplanation
    ) {
        let directives = question.directives
        let decision = Reuse.decide(lifetimes: lifetimes, request: directives, now: now)
        var comment: Comment { "\(question) at \(now), \(explanation.exchange)" }
        switch (decision, answer.normally) {
        case (.fresh, .fresh), (.unusable, .missing): break
        case (.stale(let reason), .stale(let said)): #expect(reason == said, comment)
        case (.revalidate(let reason), .validated(let said)), (.revalidate(let reason), .fetched(let said)):
            #expect(reason == said, comment)
        case (.revalidate, .gatewayTimeout), (.unusable, .gatewayTimeout): #expect(directives.onlyIfCached, comment)
        case (.fresh, .notModified), (.stale, .notModified): #expect(question == .ifNoneMatch, comment)
        default: Issue.record("\(decision) is not \(answer.normally): \(comment)")
        }
        for (failure, outcome) in [
            (Reuse.Failure.unreachable, answer.unreachable), (.status(503), answer.failing),
        ] {
            switch decision {
            case .fresh, .stale: #expect(outcome == answer.normally, comment)
            case .revalidate where directives.onlyIfCached, .unusable where directives.onlyIfCached:
                #expect(outcome == .gatewayTimeout, comment)
            case .revalidate, .unusable:
                let mayServe = Reuse.mayServeOnError(
                    lifetimes: lifetimes,
                    request: directives,
                    now: now,
                    failure: failure
                )
                #expect((outcome != .failed) == mayServe, comment)
            }
        }
    }

    @Test func `The result agrees with Storability, and gives its reason first`() {
        var random = seeded(for: "the result")
        for _ in 0..<600 {
            let (exchange, rules) = (random.exchange(), random.rules())
            let explanation = CacheExplanation(exchange, rules: rules)
            let decision = Storability.decide(
                request: exchange.request,
                response: exchange.response,
                rules: rules,
                requestedAt: exchange.requestedAt,
                respondedAt: exchange.respondedAt
            )
            switch (explanation.conclusion, decision) {
            case (.stored(let said), .store(let lifetimes)): #expect(said == lifetimes)
            case (.notStored(let blockers), .notStorable(let reason)):
                let isFirst = blockers.first { if case .notStored = $0.reason { true } else { false } }
                guard isFirst != nil else {
                    #expect(!blockers.isEmpty)
                    continue
                }
                #expect(isFirst?.reason == .notStored(.notStorable(reason)))
            case (.notStored(let blockers), .store):
                #expect(blockers.contains { if case .notStored = $0.reason { false } else { true } })
            case (.stored, .notStorable(let reason)): Issue.record("stored in spite of \(reason): \(exchange)")
            }
            #expect(!explanation.lines.isEmpty)
            #expect(explanation.record.stored == (explanation.timeLine != nil))
        }
    }

    @Test func `The limits of the client's request start new rows`() throws {
        let file = """
            GET / HTTP/1.1
            Host: example.org
            Cache-Control: max-age=30, max-stale=20

            HTTP/1.1 200
            Cache-Control: max-age=60

            """
        let explanation = CacheExplanation(try MessageFile(file.utf8).exchange(now: start))
        let line = try #require(explanation.timeLine)
        #expect(line.questions.last?.name == "as it was")
        #expect(line.answers(at: start.advanced(by: .seconds(30)))?.last?.normally == .fresh)
        let later = start.advanced(by: .seconds(30)).advanced(by: .nanoseconds(1))
        #expect(line.answers(at: later)?.last?.normally == .fetched(.requestMaxAge))
        #expect(line.answers(at: start.advanced(by: .seconds(-1))) == nil)
    }
}
