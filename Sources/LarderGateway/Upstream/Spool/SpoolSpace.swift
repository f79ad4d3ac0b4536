import Larder
import Logging
import NIOConcurrencyHelpers
import Synchronization
import SystemErrors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The memory and the disk that all spools share.
final class SpoolSpace: Sendable {
    /// The limits of all spools.
    struct Limits: Sendable {
        /// The largest number of bytes of one message that wait. If 0, messages are forwarded as they are received.
        /// Defaults to 16 MiB.
        var message = 16 << 20
        /// The largest size of all temporary files in bytes. Defaults to 1 GiB.
        var disk = 1 << 30
        /// The largest number of temporary files. It is limited so that enough descriptors remain for connections.
        var files = GatewaySettings.spoolFiles
        /// The folder of the files.
        var directory = temporaryDirectory

        /// The folder that `TMPDIR` names, or `/tmp`.
        static var temporaryDirectory: String {
            let name = getenv("TMPDIR").map { String(cString: $0) } ?? ""
            return name.isEmpty ? "/tmp" : name
        }
    }

    /// The largest number of bytes of one message that wait in memory: 256 KiB.
    static let memoryPerMessage = 256 << 10

    private let currentLimits: NIOLockedValueBox<Limits>
    private let memory: InFlightBudget
    private let disk: InFlightBudget
    private let files: InFlightBudget
    private let hasFailed = Atomic<Bool>(false)
    private let logger: Logger

    /// Creates a space.
    /// - Parameter memory: The memory of bodies on their way. Spools leave half of it to bodies that are to be stored.
    init(_ limits: Limits, memory: InFlightBudget, logger: Logger) {
        self.currentLimits = NIOLockedValueBox(limits)
        self.memory = memory
        self.disk = InFlightBudget(limit: .bytes(limits.disk))
        self.files = InFlightBudget(limit: .bytes(limits.files))
        self.logger = logger
    }

    /// The limits of the spools that are created now.
    var limits: Limits { currentLimits.withLockedValue { $0 } }

    /// Changes the limits. Spools that exist keep their limits and the folder of their files.
    func setLimits(_ limits: Limits) {
        let old = currentLimits.withLockedValue { current in
            defer { current = limits }
            return current
        }
        disk.setLimit(.bytes(limits.disk))
        files.setLimit(.bytes(limits.files))
        // Files may be usable in another folder, and the next failure is logged again.
        if old.directory != limits.directory { hasFailed.store(false, ordering: .relaxed) }
    }

    /// The size of all temporary files in bytes.
    var usedDisk: Int { disk.used }

    /// Takes memory, unless less is left.
    func takeMemory(_ bytes: Int) -> Bool { memory.used + bytes <= memory.limit / 2 && memory.take(bytes) }

    /// Takes memory for bytes that are already in memory.
    func chargeMemory(_ bytes: Int) { memory.charge(bytes) }

    /// Gives memory back.
    func giveMemory(_ bytes: Int) { memory.give(bytes) }

    /// Takes a file, unless the limit is reached.
    func takeFile() -> Bool { files.take(1) }

    /// Gives a file back.
    func giveFile() { files.give(1) }

    /// Takes room on the disk, unless less is left.
    func takeDisk(_ bytes: Int) -> Bool { disk.take(bytes) }

    /// Gives room on the disk back.
    func giveDisk(_ bytes: Int) { disk.give(bytes) }

    /// Notes that a temporary file cannot be used. The first failure is logged. Messages are then forwarded without
    /// files.
    /// - Parameter directory: The folder of the file.
    func noteFailure(_ error: any Error, in directory: String) {
        guard !hasFailed.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "Temporary files cannot be written: slow clients hold connections to origins",
            metadata: ["directory": "\(directory)", "error": "\(ErrorText.describe(error))"]
        )
    }
}
