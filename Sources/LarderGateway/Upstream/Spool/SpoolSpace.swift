import Larder
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The memory and the disk that all spools share.
final class SpoolSpace: Sendable {
    /// What spools may take.
    struct Limits: Sendable {
        /// The bytes of one message that wait, at most; 0: messages are passed on as they come.
        var message = 16 << 20
        /// The bytes of all temporary files.
        var disk = 1 << 30
        /// The number of temporary files: their descriptors must not be missing for connections.
        var files = GatewaySettings.spoolFiles
        /// The folder of the files.
        var directory = temporaryDirectory

        /// The folder that `TMPDIR` names, or `/tmp`.
        static var temporaryDirectory: String {
            let name = getenv("TMPDIR").map { String(cString: $0) } ?? ""
            return name.isEmpty ? "/tmp" : name
        }
    }

    /// The bytes of one message that wait in memory.
    static let memoryPerMessage = 256 << 10

    let limits: Limits
    private let memory: InFlightBudget
    private let disk: InFlightBudget
    private let files: InFlightBudget
    private let hasFailed = Atomic<Bool>(false)
    private let logger: Logger

    /// - Parameter memory: The memory of bodies on their way. Spools leave half of it to those that are to be stored.
    init(_ limits: Limits, memory: InFlightBudget, logger: Logger) {
        self.limits = limits
        self.memory = memory
        self.disk = InFlightBudget(limit: .bytes(limits.disk))
        self.files = InFlightBudget(limit: .bytes(limits.files))
        self.logger = logger
    }

    /// The bytes of temporary files.
    var usedDisk: Int { disk.used }

    /// Takes memory, unless it is more than what is left.
    func takeMemory(_ bytes: Int) -> Bool { memory.used + bytes <= memory.limit / 2 && memory.take(bytes) }

    /// Takes memory for bytes that are held already.
    func chargeMemory(_ bytes: Int) { memory.charge(bytes) }

    /// Gives memory back.
    func giveMemory(_ bytes: Int) { memory.give(bytes) }

    /// Takes a file, unless there are as many as there may be.
    func takeFile() -> Bool { files.take(1) }

    /// Gives a file back.
    func giveFile() { files.give(1) }

    /// Takes room on the disk, unless it is more than what is left.
    func takeDisk(_ bytes: Int) -> Bool { disk.take(bytes) }

    /// Gives room on the disk back.
    func giveDisk(_ bytes: Int) { disk.give(bytes) }

    /// Notes that a temporary file cannot be used. The first time is logged: messages are passed on without it.
    func noteFailure(_ error: any Error) {
        guard !hasFailed.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "Temporary files cannot be written: slow clients hold connections to origins",
            metadata: ["directory": "\(limits.directory)", "error": "\(error)"]
        )
    }
}
