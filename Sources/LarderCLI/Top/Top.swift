import ArgumentParser
import Foundation
import LarderGateway

/// The command `larder top`, which shows the keys, routes, tags or origins with the most requests, as they change.
struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the busiest keys, routes, tags and origins on a live screen.",
        discussion: """
            The screen is refreshed every two seconds. The first lines are about the last minute; the rows count \
            since the start of the process. Keys:

              q           quits (Ctrl-C, too)
              tab, 1 - 4  shows keys, routes, tags or origins
              r m b o     orders by requests, misses, bytes or origin time if counted
              space       refreshes now

            With --once or --json, and if the output is not a terminal, the rows are printed once.

            EXAMPLES
              larder top
              larder top --of routes --by misses
              larder top --once --of keys --limit 50
              larder top --json --of origins | jq -r '.rows[].name'

            \(AdminExit.codes("Something failed."))
            """
    )

    @Option(help: ArgumentHelp("What is shown.", valueName: "kind"))
    var of = TopKind.keys

    @Option(help: ArgumentHelp("The order (requests, or else the first that is counted).", valueName: "order"))
    var by: TopOrder?

    @Flag(help: "Print the rows once.")
    var once = false

    @Option(help: ArgumentHelp("The number of rows that are printed once, 1 to 100.", valueName: "count"))
    var limit = 20

    @Option(help: ArgumentHelp("The time between two refreshes.", valueName: "time"))
    var interval = "2s"

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard (1...100).contains(limit) else { throw ValidationError("--limit is invalid: expected 1 to 100") }
        _ = try pause()
    }

    private func pause() throws -> Duration {
        guard let pause = DurationText.parse(interval), pause >= .milliseconds(100) else {
            throw ValidationError("--interval is invalid: expected \(DurationText.expectation), at least 100ms")
        }
        return pause
    }

    func run() async throws {
        try await AdminClient.run(admin) { client in
            let source = TopSource(client: client)
            if admin.json {
                return try StandardOutput.print(try AdminJSON.pretty(try await source.rows(of: of, by: by, limit).text))
            }
            guard StandardOutput.isTerminal, !once else { return try await print(source) }
            let first = try await source.answers(of: of, by: by, rows())
            let order = TopOrder(rawValue: first.top.by) ?? .requests
            var screen = TopScreen(address: client.address.description, kind: of, order: order)
            screen.show(first)
            try await live(screen, source)
        }
    }

    private func rows() -> Int { TopScreen.rows(onTerminalWith: StandardOutput.size?.rows ?? 24) }

    private func print(_ source: TopSource) async throws {
        let answers = try await source.answers(of: of, by: by, limit)
        let header = TopScreen.header(answers.statistics, address: source.client.address.description)
        let table = TopScreen.table(answers.top, width: StandardOutput.width)
        for line in header.filter({ !$0.isEmpty }) + [""] + table { try StandardOutput.print(line) }
    }

    // MARK: - The live screen

    fileprivate enum Event: Sendable {
        case terminal(LiveTerminal.Event)
        case tick
        case answers(TopScreen.Answers)
        case failure(String)
    }

    private func live(_ start: TopScreen, _ source: TopSource) async throws {
        let pause = try pause()
        let terminal = LiveTerminal()
        defer { terminal.close() }
        try terminal.open()
        let (events, sink) = AsyncStream.makeStream(of: Event.self)
        var screen = start
        let ended: Int32? = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { [events = terminal.events] in for await event in events { sink.yield(.terminal(event)) } }
            group.addTask {
                while !Task.isCancelled {
                    try await Task.sleep(for: pause)
                    sink.yield(.tick)
                }
            }
            var (isFetching, isLate) = (false, false)
            func fetch() {
                guard !isFetching else { return isLate = true }
                (isFetching, isLate) = (true, false)
                let (kind, order, rows) = (screen.kind, screen.order, rows())
                group.addTask { sink.yield(await source.event(of: kind, by: order, rows)) }
            }
            try show(screen, terminal)
            for await event in events {
                switch event {
                case .terminal(.keys(let bytes)):
                    switch screen.press(bytes) {
                    case .quit: return nil
                    case .fetch: fetch()
                    case .nothing: break
                    }
                case .terminal(.changed): break
                case .terminal(.suspend): try terminal.suspend()
                case .terminal(.end(let signal)): return signal
                case .tick: fetch()
                case .answers(let answers):
                    screen.show(answers)
                    isFetching = false
                case .failure(let text):
                    screen.show(failure: text)
                    isFetching = false
                }
                if !isFetching, isLate { fetch() }
                try show(screen, terminal)
            }
            return nil
        }
        terminal.close()
        // Ctrl-C is a way to quit.
        if let ended, ended != SIGINT { throw ExitCode(128 + ended) }
    }

    private func show(_ screen: TopScreen, _ terminal: LiveTerminal) throws {
        let size = StandardOutput.size ?? (80, 24)
        try terminal.show(screen.lines(columns: size.columns, rows: size.rows))
    }
}

extension TopSource {
    /// Returns the answers, or the reason why there are none.
    fileprivate func event(of kind: TopKind, by order: TopOrder, _ limit: Int) async -> Top.Event {
        do { return .answers(try await answers(of: kind, by: order, limit, isFlexible: true)) } catch {
            return .failure("\((error as? Failure)?.description ?? "\(error)")")
        }
    }
}
