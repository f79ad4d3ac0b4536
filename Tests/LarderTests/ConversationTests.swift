import ConformanceTables
import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The conversations of the table with the engine as a gateway runs it. They run one after the other: each has its own
/// cache, and hundreds at once would take memory that other tests measure.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ConversationTests {
    @Test(arguments: Conversation.all) func `A cache answers, forwards and stores as the RFCs say`(
        _ conversation: Conversation
    ) async throws {
        #expect(try await Self.deviations(of: conversation) == [])
    }

    @Test(arguments: Scenario.all.filter(\.travels)) func `A cache behaves as the rules alone say`(
        _ scenario: Scenario
    ) async throws {
        #expect(try await Self.deviations(of: scenario.conversation) == [])
    }

    @Test func `Conversation IDs are unique, and there are enough of them`() {
        let ids = Conversation.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(ids.count >= 80)
        print("conversations: \(ids.count)")
    }

    private static func deviations(of conversation: Conversation) async throws -> [String] {
        let clock = ManualClock(now: Scenario.beginning)
        let origin = ConversationOrigin(clock: clock)
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(1), clock: clock.clock), clock: clock.clock)
        let engine = Engine(cache: cache, policy: conversation.policy, origin: origin)
        return try await conversation.run(on: clock, origin, over: engine)
    }
}

/// A transport that sends to a cache of this process.
private struct Engine: ConversationTransport {
    let cache: ResponseCache
    let policy: CachePolicy
    let origin: ConversationOrigin

    func send(_ request: HTTPRequest, content: String?) async -> Conversation.Answer {
        do {
            let local = LocalOrigin(origin: origin, request: request)
            let response = try await cache.respond(to: request, under: policy, from: local)
            let text = try? await response.text
            return .init(status: response.head.status.code, fields: response.head.headerFields, text: text)
        } catch is DisconnectedError {
            return .init(status: 504)
        } catch {
            return .init(status: 502)
        }
    }

    func idle() async { await cache.idle() }

    var waitingCount: Int { cache.waiterCount }
}

/// The origin of a conversation, without a connection to it.
private struct LocalOrigin: Origin {
    let origin: ConversationOrigin
    let request: HTTPRequest

    func fetch(_ request: HTTPRequest) async throws -> TestResponse {
        switch await origin.react(to: request) {
        case .answers(let head, let text):
            return text.map { TestResponse(head: head, body: ByteBuffer(string: $0)) } ?? TestResponse(headOnly: head)
        case .closes: throw TestFailure("closed")
        case .breaksOff(let head, let text, let length):
            var response = TestResponse(length: length) { sink in
                if !text.isEmpty { try await sink.write(ByteBuffer(string: text)) }
                throw TestFailure("broken off")
            }
            response.head = head
            return response
        }
    }

    func forward() async throws -> TestResponse { try await fetch(request) }

    func status(of error: any Error) -> HTTPResponse.Status? { nil }
}
