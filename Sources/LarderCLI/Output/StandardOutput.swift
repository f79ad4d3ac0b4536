import Foundation

/// The output of commands.
enum StandardOutput {
    /// True if the output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// The size of the terminal in characters; nil if the output is not a terminal.
    static var size: (columns: Int, rows: Int)? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// The width of the terminal; nil if the output is not a terminal, and lines are not cut.
    static var width: Int? { size?.columns }

    /// Writes a text.
    ///
    /// If the reader has closed the pipe, as `head` does, the program ends as the signal for that would end it, which
    /// SwiftNIO ignores.
    static func print(_ text: String, terminator: String = "\n") throws {
        let bytes = Array((text + terminator).utf8)
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count >= 0 {
                start += count
            } else if errno == EPIPE {
                exit(128 + SIGPIPE)
            } else if errno == EAGAIN {
                var descriptor = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                poll(&descriptor, 1, -1)
            } else if errno != EINTR {
                let reason = String(cString: strerror(errno))
                throw Failure("standard output cannot be written: \(reason)", code: EX_IOERR)
            }
        }
    }
}

/// The messages of commands.
enum StandardError {
    /// Writes a text. If nobody reads it, it is dropped: the exit status says what happened.
    static func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
