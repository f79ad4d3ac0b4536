import Dispatch
import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process that a test started, without standard input.
///
/// Foundation's `Process` lists all open descriptors to have the child close them, and crashes if there are more than a
/// thousand, as in tests with many connections.
final class ChildProcess: Sendable {
    let pid: pid_t
    /// The exit status, negative if a signal ended the process; nil while it runs.
    private let status = NIOLockedValueBox<Int32?>(nil)
    private let end = DispatchGroup()

    /// Starts a program.
    /// - Parameters:
    ///   - environment: The environment of the process; nil for that of this process.
    ///   - output: The file to which standard output and standard error are appended.
    ///   - terminal: The path of a terminal that takes the place of the standard input and outputs; nil for none.
    ///   - descriptors: The descriptors that the process gets from number 3 on. It gets no others.
    ///   - onEnd: Called with the exit status.
    init(
        _ program: URL,
        _ arguments: [String],
        environment: [String: String]? = nil,
        directory: URL? = nil,
        output: String = "/dev/null",
        terminal: String? = nil,
        descriptors: [CInt] = [],
        onEnd: @escaping @Sendable (Int32) -> Void = { _ in }
    ) throws {
        pid = try Self.spawn(
            [program.path] + arguments,
            (environment ?? ProcessInfo.processInfo.environment).map { "\($0)=\($1)" },
            directory?.path,
            output,
            terminal,
            descriptors
        )
        end.enter()
        Thread.detachNewThread { [self] in
            let status = awaitEnd()
            onEnd(status)
            end.leave()
        }
    }

    var isRunning: Bool { status.withLockedValue { $0 == nil } }

    /// Sends a signal if the process runs.
    func signal(_ number: Int32) {
        // The process is not reaped while the lock is held, so the ID still belongs to it.
        status.withLockedValue { if $0 == nil { _ = kill(pid, number) } }
    }

    /// Waits until the process has ended; blocks the thread.
    func waitUntilExit() { end.wait() }

    /// The exit status, negative if a signal ended the process; nil while it runs.
    var exitStatus: Int32? { status.withLockedValue { $0 } }

    private func awaitEnd() -> Int32 {
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        return status.withLockedValue { status in
            var raw: Int32 = 0
            waitpid(pid, &raw, 0)
            let ended = raw & 0x7F == 0 ? raw >> 8 & 0xFF : -(raw & 0x7F)
            status = ended
            return ended
        }
    }

    private static func spawn(
        _ arguments: [String],
        _ environment: [String],
        _ directory: String?,
        _ output: String,
        _ terminal: String?,
        _ descriptors: [CInt]
    ) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        if let terminal {
            // The first terminal that the leader of a session opens is the one that sends it signals.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Copies with large numbers, so that none of them is the number that another one gets.
        let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 64) }
        defer { for copy in copies { close(copy) } }
        for (index, copy) in copies.enumerated() {
            guard copy >= 0 else { throw Unusable(description: "a descriptor cannot be copied: error \(errno)") }
            posix_spawn_file_actions_adddup2(&actions, copy, 3 + CInt(index))
        }
        #if canImport(Darwin)
            if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
        #else
            if let directory { try Self.addChdir(&actions, directory) }
            try Self.addCloseFrom(&actions, 3 + CInt(descriptors.count))
        #endif
        // The threads of this process block signals, and may ignore some: the child does not inherit that.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        #if canImport(Darwin)
            var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_CLOEXEC_DEFAULT
            if terminal != nil { flags |= POSIX_SPAWN_SETSID }
        #else
            var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
            // POSIX_SPAWN_SETSID, which Swift's module of the C library leaves out.
            if terminal != nil { flags |= 0x80 }
        #endif
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let words = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for text in words + variables { free(text) } }
        var pid = pid_t()
        let error = posix_spawn(&pid, arguments[0], &actions, &attributes, words, variables)
        guard error == 0 else { throw Unusable(description: "\(arguments[0]) cannot be started: error \(error)") }
        return pid
    }

    #if !canImport(Darwin)
        private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>

        // Swift's module of the C library leaves these functions out; glibc has them since 2.34.
        private static func addChdir(_ actions: Actions, _ directory: String) throws {
            typealias Function = @convention(c) (Actions, UnsafePointer<CChar>) -> Int32
            let function = try symbol("posix_spawn_file_actions_addchdir_np")
            _ = unsafeBitCast(function, to: Function.self)(actions, directory)
        }

        private static func addCloseFrom(_ actions: Actions, _ first: Int32) throws {
            typealias Function = @convention(c) (Actions, Int32) -> Int32
            let function = try symbol("posix_spawn_file_actions_addclosefrom_np")
            _ = unsafeBitCast(function, to: Function.self)(actions, first)
        }

        /// Returns a function of the C library.
        static func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
            guard let symbol = dlsym(nil, name) else { throw Unusable(description: "The C library has no \(name)") }
            return symbol
        }
    #endif
}
