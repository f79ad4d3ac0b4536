import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A running proxy with its own port and directory, both of which are released when it ends.
final class RunningProxy {
    let name: String
    let port: Int
    private let process: ChildProcess
    private let directory: URL

    /// Creates a proxy that runs on these cores, and waits until it accepts connections.
    /// - Parameter pause: The time between two attempts to connect, in microseconds.
    init(_ proxy: Proxy, origin: Int, cores: Range<Int>, pause: UInt32 = 10_000) throws {
        name = proxy.name
        port = try Connection.unusedPort()
        directory = Self.memory.appending(path: "larder-benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let log = directory.appending(path: "output")
        do {
            process = try ChildProcess(
                proxy.environment.map { "\($0)=\($1)" } + [
                    "taskset", "-c", "\(cores.lowerBound)-\(cores.upperBound - 1)", proxy.program.path(),
                ]
                    + proxy.arguments(port, origin, directory),
                output: log
            )
        } catch {
            try? FileManager.default.removeItem(at: directory)
            throw error
        }
        Leftovers.shared.add(self, process.id, directory)
        do { try awaitConnections(log, pause) } catch {
            end()
            throw error
        }
    }

    /// Returns the processor time that all processes of the proxy have used so far, in user and system mode, in
    /// seconds.
    func processorSeconds() throws -> Double {
        try ProcessTable.now().processes(below: process.id).reduce(0) { $0 + Self.processorSeconds(of: $1) }
    }

    /// Returns the memory that all processes of the proxy have at present, in bytes (proc_pid_statm(5)).
    func residentBytes() throws -> Int {
        try ProcessTable.now().processes(below: process.id).reduce(0) { total, id in
            let text = (try? String(contentsOfFile: "/proc/\(id)/statm", encoding: .utf8)) ?? ""
            let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return total + pages * sysconf(Int32(_SC_PAGESIZE))
        }
    }

    /// Returns the processor time of one process with all of its threads, in nanoseconds' resolution; `/proc` counts in
    /// hundredths of seconds.
    private static func processorSeconds(of process: Int32) -> Double {
        #if canImport(Glibc)
            var (clock, time) = (clockid_t(), timespec())
            // A process that has ended meanwhile has no clock.
            guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        #else
            return 0
        #endif
    }

    /// Sends the proxy a signal if it is running.
    func send(_ signal: Int32) {
        if !process.hasEnded() { kill(process.id, signal) }
    }

    func end() {
        process.end()
        try? FileManager.default.removeItem(at: directory)
        Leftovers.shared.remove(self)
    }

    /// A file system in memory, if there is one from which programs can be run: Varnish makes one of its configuration.
    private static var memory: URL {
        let (path, noPrograms) = ("/dev/shm", 8 as UInt)
        var status = statvfs()
        guard statvfs(path, &status) == 0, UInt(status.f_flag) & noPrograms == 0,
            FileManager.default.isWritableFile(atPath: path)
        else { return FileManager.default.temporaryDirectory }
        return URL(filePath: path)
    }

    private func awaitConnections(_ log: URL, _ pause: UInt32) throws {
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end {
            if (try? Connection(port: port)) != nil { return }
            guard !process.hasEnded() else { break }
            usleep(pause)
        }
        let words = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        throw BenchmarkError(description: "\(name) did not start: \(words.suffix(2_000))")
    }
}

/// A child process. Foundation's `Process` learns of the end of a process from a socket that is inherited by processes
/// that are started later, so it would wait for these too.
private final class ChildProcess {
    let id: pid_t
    private var isReaped = false

    /// Creates a process that runs the command by `env`, with its output in a file.
    init(_ words: [String], output: URL) throws {
        #if canImport(Glibc)
            var actions = posix_spawn_file_actions_t()
        #else
            var actions: posix_spawn_file_actions_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output.path(), O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let arguments = (["env"] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id = pid_t()
        let error = posix_spawn(&id, "/usr/bin/env", &actions, nil, arguments, environ)
        guard error == 0 else { throw BenchmarkError(description: "Cannot start \(words): \(error)") }
        self.id = id
    }

    func hasEnded() -> Bool {
        isReaped = isReaped || waitpid(id, nil, WNOHANG) == id
        return isReaped
    }

    /// Asks the process to end, and ends it if it does not.
    func end() {
        guard !hasEnded() else { return }
        kill(id, SIGTERM)
        for _ in 0..<500 {
            if hasEnded() { return }
            usleep(10_000)
        }
        kill(id, SIGKILL)
        isReaped = waitpid(id, nil, 0) == id
    }
}

/// The processes of this machine, with their parents.
private struct ProcessTable {
    private var parents: [Int32: Int32] = [:]

    /// Reads `/proc` (proc_pid_stat(5)).
    static func now() throws -> ProcessTable {
        var table = ProcessTable()
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let id = Int32(name), let line = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
                // The name of the program is in parentheses, and may have any character in it.
                let end = line.lastIndex(of: ")")
            else { continue }
            let fields = line[end...].split(separator: " ")
            guard fields.count > 2, let parent = Int32(fields[2]) else { continue }
            table.parents[id] = parent
        }
        return table
    }

    /// Returns a process and all its descendants.
    func processes(below root: Int32) throws -> [Int32] {
        guard parents[root] != nil else { throw BenchmarkError(description: "A proxy has died") }
        return parents.keys.filter { descends($0, from: root) }
    }

    private func descends(_ id: Int32, from root: Int32) -> Bool {
        var next: Int32? = id
        while let current = next {
            if current == root { return true }
            next = parents[current]
        }
        return false
    }
}

/// The processes to end and the directories to remove when the program is interrupted.
final class Leftovers: @unchecked Sendable {
    static let shared = Leftovers()

    private let lock = NSLock()
    private var entries: [ObjectIdentifier: (id: Int32?, directory: URL)] = [:]
    private var signals: [any DispatchSourceSignal] = []

    /// Ensures that an interrupted program leaves no processes and no directories.
    func clearWhenInterrupted() {
        signals = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                self.clear()
                Foundation.exit(128 + number)
            }
            source.resume()
            return source
        }
    }

    /// Adds a directory, with the process that writes into it, if there is one.
    func add(_ owner: AnyObject, _ id: Int32?, _ directory: URL) {
        lock.withLock { entries[ObjectIdentifier(owner)] = (id, directory) }
    }

    func remove(_ owner: AnyObject) {
        _ = lock.withLock { entries.removeValue(forKey: ObjectIdentifier(owner)) }
    }

    private func clear() {
        lock.withLock {
            for entry in entries.values { if let id = entry.id { kill(id, SIGTERM) } }
            // The processes write into their directories until they have ended.
            for entry in entries.values {
                for _ in 0..<200 where entry.id.map({ kill($0, 0) == 0 }) ?? false { usleep(10_000) }
                try? FileManager.default.removeItem(at: entry.directory)
            }
        }
    }
}
