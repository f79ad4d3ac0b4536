import LarderGateway
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// The number of connections to an origin, and the requests that share them.
@Suite(.timeLimit(.minutes(5))) struct ConnectionLimitTests {
    @Test(arguments: [1, 3]) func `Requests above the limit of connections wait, and are served`(
        _ limit: Int
    ) async throws {
        let gate = Gate()
        let (open, most) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        try await ScriptedOrigin.run { connection in
            let now = open.withLockedValue { count in
                count += 1
                return count
            }
            most.withLockedValue { $0 = max($0, now) }
            defer { open.withLockedValue { $0 -= 1 } }
            while let request = try await connection.request() {
                await gate.pass()
                try await connection.send(answer("200 OK", [], request.target))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.connectionsPerOrigin = limit
                // The timeout includes the time in the queue.
                $0.connectTimeout = .seconds(120)
                $0.responseTimeout = .seconds(120)
            } _: { gateway in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<12 {
                        group.addTask {
                            let response = try await gateway.send("GET", "/\(number)")
                            #expect(response.status == 200 && response.text == "/\(number)")
                        }
                    }
                    await gate.reached(by: limit)
                    #expect(origin.requests.count == limit)
                    gate.open()
                    try await group.waitForAll()
                }
                #expect(origin.requests.count == 12)
                #expect(most.withLockedValue { $0 } == limit)
            }
        }
    }
}
