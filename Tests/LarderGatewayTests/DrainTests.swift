import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestHelpers
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The behaviour of a gateway that is being stopped: clients notice only that their connections end.
@Suite(.timeLimit(.minutes(5))) struct DrainTests {
    private static func serve(
        _ origin: String,
        _ options: [String],
        _ test: (ProgramProcess, Int) async throws -> Void
    ) async throws {
        let port = try FreePort.take()
        let arguments = ["serve", "--origin", origin, "--listen", "127.0.0.1:\(port)", "--connect-timeout", "60s"]
        try await ProgramProcess.run("larder", arguments + options) { gateway in
            try await gateway.listens(on: port)
            try await test(gateway, port)
        }
    }

    private static func isReady(_ port: Int) async throws -> Bool {
        try await Wire.send("GET", "/-/larder/ready", to: port).status == 200
    }

    /// Sends requests on one connection until a response announces the end of the connection.
    /// - Returns: The number of responses.
    private static func load(_ method: String, to port: Int, _ answered: NIOLockedValueBox<Int>) async throws -> Int {
        try await Wire.open(to: port) { wire in
            for count in 1... {
                try await wire.send(method, "/\(count % 7)", body: method == "POST" ? "content" : nil)
                let answer = try await wire.answer()
                #expect(answer.status == 200 && answer.text == "answer")
                answered.withLockedValue { $0 += 1 }
                guard answer.fields[.connection] == "close" else { continue }
                #expect(try await wire.part() == nil)
                return count
            }
            return 0
        }
    }

    @Test func `Connections under load lose no request when the gateway is stopped`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=1"], "answer")
        } _: { origin in
            try await Self.serve(origin.url, ["--drain-delay", "10m"]) { gateway, port in
                let answered = NIOLockedValueBox(0)
                try await withThrowingTaskGroup(of: Int.self) { clients in
                    for number in 0..<52 {
                        clients.addTask { try await Self.load(number % 4 == 0 ? "POST" : "GET", to: port, answered) }
                    }
                    try await eventually("there is load") { answered.withLockedValue { $0 } > 520 }
                    #expect(try await Self.isReady(port))
                    gateway.signal(SIGTERM)
                    for try await count in clients { #expect(count > 0) }
                }
                gateway.signal(SIGTERM)
                let status = try await gateway.status()
                #expect(status == 0, "\(gateway.output)")
                for line in ["Draining", "Stopped listening", "Stopped: all requests were answered"] {
                    #expect(gateway.output.contains(line), "\(gateway.output)")
                }
            }
        }
    }

    @Test func `Before it stops listening the gateway serves as before, and is not ready`() async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.target)
        } _: { origin in
            try await Self.serve(origin.url, ["--drain-delay", "10m"]) { gateway, port in
                try await Wire.open(to: port) { idle in
                    try await idle.send("GET", "/before")
                    #expect(try await idle.answer().fields[.connection] == nil)
                    gateway.signal(SIGTERM)
                    try await eventually("it is not ready") { (try? await Self.isReady(port)) == false }
                    let answer = try await Wire.send("GET", "/during", to: port)
                    #expect(answer.status == 200 && answer.fields[.connection] == "close")
                    #expect(try await Wire.send("GET", "/-/larder/health", to: port).status == 200)
                    // A request on a connection that was idle is answered as well, and so is a request that was sent
                    // together with it.
                    let pipeline = ["/first", "/second"].map { "GET \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n" }
                    try await idle.send(bytes: Array(pipeline.joined().utf8))
                    #expect(try await idle.answer().text == "/first")
                    let last = try await idle.answer()
                    #expect(last.text == "/second" && last.fields[.connection] == "close")
                    #expect(try await idle.part() == nil)
                    try await Wire.open(to: port) { silent in
                        // A further signal ends the delay, and closes the idle connections.
                        gateway.signal(SIGTERM)
                        let rest = try await silent.part()
                        #expect(rest == nil)
                    }
                }
                let status = try await gateway.status()
                #expect(status == 0, "\(gateway.output)")
            }
        }
    }

    @Test func `Each further signal ends a step early, and the last one cuts off requests under way`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            await gate.pass()
        } _: { origin in
            try await Self.serve(origin.url, ["--drain-delay", "10m", "--drain-timeout", "10m"]) { gateway, port in
                try await Wire.open(to: port) { wire in
                    try await wire.send("GET", "/")
                    await gate.reached()
                    gateway.signal(SIGTERM)
                    try await eventually("it drains") { gateway.output.contains("Draining") }
                    gateway.signal(SIGTERM)
                    try await eventually("it stops listening") { gateway.output.contains("Stopped listening") }
                    gateway.signal(SIGTERM)
                    let status = try await gateway.status()
                    #expect(status == 0 && gateway.output.contains("the remaining requests were aborted"))
                    gate.open()
                }
            }
        }
    }

    @Test func `HTTP/2 streams under way are answered, and then the connection ends`() async throws {
        let gate = Gate()
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering { request in
                await gate.pass()
                return answer("200 OK", [], request.method)
            } _: { origin in
                let tls = ["--certificate", certificate.certificate, "--private-key", certificate.privateKey]
                try await Self.serve(origin.url, tls + ["--drain-delay", "10m"]) { gateway, port in
                    let status = try await Self.expectGoAway(gateway, port, gate)
                    #expect(status == 0, "\(gateway.output)")
                }
            }
        }
    }

    @Test func `An HTTP/2 stream that is opened before the client reads GOAWAY is answered`() async throws {
        let gate = Gate()
        try await Self.serveTLS({ request in
            await gate.pass()
            return answer("200 OK", [], request.target)
        }) { gateway, port in
            try await HTTP2Wire.open(to: port) { wire in
                try await withThrowingTaskGroup(of: HTTP2Wire.Answer.self) { group in
                    for number in 0..<4 { group.addTask { try await wire.send("GET", "/\(number)") } }
                    await gate.reached(by: 4)
                    try await wire.channel.setOption(.autoRead, value: false).get()
                    gateway.signal(SIGTERM)
                    try await eventually("it drains") { gateway.output.contains("Draining") }
                    // GOAWAY is written, and not read yet: a response on another connection shows that the gateway
                    // stops.
                    let ready = try await HTTP2Wire.open(to: port) { try await $0.send("GET", "/-/larder/ready") }
                    #expect(ready.status == "503")
                    for number in 4..<6 { group.addTask { try await wire.send("GET", "/\(number)") } }
                    await gate.reached(by: 6)
                    try await wire.channel.setOption(.autoRead, value: true).get()
                    gate.open()
                    var texts: Set<String> = []
                    for try await answer in group { texts.insert(answer.text) }
                    #expect(texts.count == 6)
                }
                try await wire.channel.closeFuture.get()
            }
            gateway.signal(SIGTERM)
        }
    }

    @Test func `A TLS handshake that is under way when the listener closes is completed`() async throws {
        try await Self.serveTLS({ answer("200 OK", [], $0.target) }) { gateway, port in
            try await HTTP2Wire.open(
                to: port,
                connected: {
                    try await Self.closeListener(of: gateway)
                }
            ) { wire in
                #expect(try await wire.send("GET", "/late").text == "/late")
                try await wire.channel.closeFuture.get()
            }
        }
    }

    /// Stops a gateway, ends its delay, and waits until it has stopped listening.
    private static func closeListener(of gateway: ProgramProcess) async throws {
        gateway.signal(SIGTERM)
        try await eventually("it drains") { gateway.output.contains("Draining") }
        gateway.signal(SIGTERM)
        try await eventually("the listener closes") { gateway.output.contains("Stopped listening") }
    }

    private static func serveTLS(
        _ respond: @escaping @Sendable (ScriptedOrigin.Received) async throws -> String,
        _ test: @Sendable (ProgramProcess, Int) async throws -> Void
    ) async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering(respond) { origin in
                let tls = ["--certificate", certificate.certificate, "--private-key", certificate.privateKey]
                try await Self.serve(origin.url, tls + ["--drain-delay", "10m", "--drain-timeout", "10m"]) {
                    gateway,
                    port in
                    try await test(gateway, port)
                    let status = try await gateway.status()
                    #expect(status == 0 && gateway.output.contains("Stopped: all requests were answered"))
                }
            }
        }
    }

    @Test func `Clients that use a new connection for each request lose none when the listener closes`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=1"], "answer")
        } _: { origin in
            try await Self.serve(origin.url, ["--drain-delay", "1s"]) { gateway, port in
                let answered = NIOLockedValueBox(0)
                try await withThrowingTaskGroup(of: Void.self) { clients in
                    for _ in 0..<24 {
                        clients.addTask {
                            // The loop ends when no connection is accepted any more.
                            while try await Self.getByNewConnection(port) { answered.withLockedValue { $0 += 1 } }
                        }
                    }
                    try await eventually("there is load") { answered.withLockedValue { $0 } > 240 }
                    gateway.signal(SIGTERM)
                    try await clients.waitForAll()
                }
                let status = try await gateway.status()
                #expect(status == 0 && gateway.output.contains("Stopped: all requests were answered"))
            }
        }
    }

    /// Returns false if the connection is refused; throws if it is accepted and the request is not answered.
    private static func getByNewConnection(_ port: Int) async throws -> Bool {
        do {
            return try await Wire.open(to: port) { wire in
                do {
                    try await wire.send("GET", "/a")
                    return try await wire.answer().text == "answer"
                } catch {
                    Issue.record("a request by a connection that was accepted is lost: \(error)")
                    return false
                }
            }
        } catch let error as NIOConnectionError {
            #expect(!error.connectionErrors.isEmpty)
            return false
        }
    }

    @Test func `A response that began before the gateway began to stop ends its connection`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nCache-Control: no-store\r\n\r\nhalf")
            await gate.pass()
            try await connection.send("half")
        } _: { origin in
            try await Self.serve(origin.url, ["--drain-delay", "10m", "--drain-timeout", "10m"]) { gateway, port in
                try await Wire.open(to: port) { wire in
                    try await wire.send("GET", "/")
                    let head = try await wire.head()
                    #expect(head.fields[.connection] == nil)
                    try await Self.closeListener(of: gateway)
                    gate.open()
                    #expect(try await wire.body(after: head.status, head.fields) == Array("halfhalf".utf8))
                    #expect(try await wire.part() == nil)
                }
                let status = try await gateway.status()
                #expect(status == 0 && gateway.output.contains("Stopped: all requests were answered"))
            }
        }
    }

    /// Sends HTTP/2 requests that are answered after the gateway began to stop, and expects the connection to end.
    /// - Returns: The exit status of the gateway.
    private static func expectGoAway(_ gateway: ProgramProcess, _ port: Int, _ gate: Gate) async throws -> Int32 {
        try await HTTP2Wire.open(to: port) { wire in
            try await withThrowingTaskGroup(of: HTTP2Wire.Answer.self) { group in
                for number in 0..<4 { group.addTask { try await wire.send("GET", "/\(number)") } }
                await gate.reached(by: 4)
                gateway.signal(SIGTERM)
                // A client that connects now is answered, too.
                try await eventually("it is not ready") {
                    let ready = try? await HTTP2Wire.open(to: port) { try await $0.send("GET", "/-/larder/ready") }
                    return ready?.status == "503"
                }
                gate.open()
                for try await answer in group { #expect(answer.status == "200" && answer.text == "GET") }
            }
            // GOAWAY ends the connection, although the gateway listens for ten more minutes.
            try await wire.channel.closeFuture.get()
        }
        gateway.signal(SIGTERM)
        return try await gateway.status()
    }
}
