import CoreMetrics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension MetricsRegistry {
    /// Adds the metrics of the process under the names that Prometheus' client libraries use: processor time, resident
    /// memory, open files and their limit, and the time of the start. Has an effect on Linux only.
    public func addProcessMetrics() {
        #if os(Linux)
            describe([
                MetricDescription("process_cpu_seconds", "Processor time in user mode and in the kernel, in seconds."),
                MetricDescription("process_resident_memory_bytes", "Resident memory."),
                MetricDescription("process_open_fds", "Open file descriptors."),
                MetricDescription("process_max_fds", "Limit of open file descriptors."),
                MetricDescription("process_start_time_seconds", "Time of the start, in seconds since 1970."),
            ])
            let processorTime = FloatingPointCounter(label: "process_cpu_seconds", factory: self)
            let memory = Gauge(label: "process_resident_memory_bytes", factory: self)
            let files = Gauge(label: "process_open_fds", factory: self)
            let fileLimit = Gauge(label: "process_max_fds", factory: self)
            if let time = ProcessState.startTime {
                Gauge(label: "process_start_time_seconds", factory: self).record(time)
            }
            let last = LastValue()
            addCollector {
                processorTime.increment(by: last.rise(to: ProcessState.processorTime))
                if let bytes = ProcessState.residentBytes { memory.record(bytes) }
                if let count = ProcessState.openFiles { files.record(count) }
                fileLimit.record(ProcessState.fileLimit)
            }
        #endif
    }
}

#if os(Linux)
    import NIOConcurrencyHelpers

    /// A number that only grows.
    private final class LastValue: Sendable {
        private let value = NIOLockedValueBox(0.0)

        /// Returns the growth since the last call.
        func rise(to new: Double) -> Double {
            value.withLockedValue { value in
                defer { value = max(value, new) }
                return max(0, new - value)
            }
        }
    }

    /// The state of this process according to the kernel (proc(5), getrusage(2)).
    private enum ProcessState {
        static var processorTime: Double {
            var usage = rusage()
            guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
            func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
            return seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }

        static var residentBytes: Int? {
            let pages = text("/proc/self/statm")?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return pages.map { $0 * sysconf(Int32(_SC_PAGESIZE)) }
        }

        static var openFiles: Int? {
            guard let directory = opendir("/proc/self/fd") else { return nil }
            defer { closedir(directory) }
            var count = 0
            while let entry = readdir(directory) {
                if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
            }
            // One of them is the directory itself.
            return count - 1
        }

        static var fileLimit: Double {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
            return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
        }

        static var startTime: Double? {
            // The name of the program, in parentheses, may hold spaces. The 22nd field is the start, in ticks since the
            // machine was started.
            guard let stat = text("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
            let fields = stat[end...].split(separator: " ")
            var up = timespec()
            guard fields.count > 20, let ticks = Double(fields[20]), clock_gettime(CLOCK_BOOTTIME, &up) == 0 else {
                return nil
            }
            let uptime = Double(up.tv_sec) + Double(up.tv_nsec) / 1e9
            return (Double(time(nil)) - uptime + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))).rounded()
        }

        private static func text(_ path: String) -> String? {
            guard let file = fopen(path, "re") else { return nil }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 4_096)
            let count = fread(&bytes, 1, bytes.count, file)
            return String(decoding: bytes[..<count], as: UTF8.self)
        }
    }
#endif
