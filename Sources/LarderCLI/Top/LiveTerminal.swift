import Dispatch
import Foundation

/// The terminal while `larder top` shows its screen: the screen beside the usual one, without a cursor, and keys that
/// are read one by one. It is as before when the screen ends.
final class LiveTerminal {
    /// What a terminal reports.
    enum Event: Sendable {
        /// The bytes of keys.
        case keys([UInt8])
        /// The terminal has another size, or shows the program again.
        case changed
        /// The program should stop until it is continued (Ctrl-Z).
        case suspend
        /// The program should end by a signal, or because the terminal is closed.
        case end(Int32)
    }

    /// The signals that end the program.
    private static let ends = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    let events: AsyncStream<Event>
    private let sink: AsyncStream<Event>.Continuation
    private let queue = DispatchQueue(label: "larder.terminal")
    private var sources: [any DispatchSourceProtocol] = []
    /// The settings of the terminal before; nil if keys are not read, because standard input is not a terminal.
    private var settings: termios?
    private var isOpen = false

    init() { (events, sink) = AsyncStream.makeStream(of: Event.self) }

    /// Shows the screen, and begins to report events.
    func open() throws {
        watchSignals()
        try enter()
        guard settings != nil else { return }
        let keys = DispatchSource.makeReadSource(fileDescriptor: STDIN_FILENO, queue: queue)
        keys.setEventHandler { [sink] in
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(STDIN_FILENO, &bytes, bytes.count)
            if count > 0 {
                sink.yield(.keys(Array(bytes.prefix(count))))
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                // The terminal is closed.
                sink.yield(.end(SIGHUP))
                keys.cancel()
            }
        }
        keys.resume()
        sources.append(keys)
    }

    private func watchSignals() {
        for number in Self.ends + [SIGTSTP, SIGCONT, SIGWINCH] {
            // The default action would end or stop the program before the terminal is as it was.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            let event: Event = number == SIGTSTP ? .suspend : Self.ends.contains(number) ? .end(number) : .changed
            source.setEventHandler { [sink] in sink.yield(event) }
            source.resume()
            sources.append(source)
        }
    }

    private func enter() throws {
        var current = termios()
        if settings == nil, isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &current) == 0 { settings = current }
        if var keys = settings {
            // Signals are still sent for Ctrl-C and Ctrl-Z.
            keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
            withUnsafeMutableBytes(of: &keys.c_cc) { codes in
                codes[Int(VMIN)] = 1
                codes[Int(VTIME)] = 0
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &keys)
        }
        isOpen = true
        try StandardOutput.print("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J", terminator: "")
    }

    /// Makes the terminal what it was before.
    func close() {
        leave()
        for source in sources { source.cancel() }
        sources = []
    }

    private func leave() {
        guard isOpen else { return }
        isOpen = false
        try? StandardOutput.print("\u{1B}[?25h\u{1B}[?1049l", terminator: "")
        if var settings { tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) }
    }

    /// Stops the program as Ctrl-Z does, with the terminal as it was before. Returns when the program is continued.
    func suspend() throws {
        leave()
        // A signal to the process could stop another thread first, and this one would go on for a moment.
        raise(SIGSTOP)
        try enter()
    }

    /// Shows lines, from the top of the screen.
    func show(_ lines: [TopScreen.Line]) throws {
        let texts = lines.map { $0.isReversed ? "\u{1B}[7m\($0.text)\u{1B}[0m" : $0.text }
        let text = texts.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
        try StandardOutput.print("\u{1B}[H" + text + "\u{1B}[J", terminator: "")
    }
}
