import Foundation

/// The number of files and sockets that this process may have open.
enum DescriptorLimit {
    /// Raises the limit as far as the system allows. Systems set it low for old programs that depend on small
    /// descriptor numbers (`select`), which this program does not.
    /// - Returns: The new limit; nil if the system does not report it.
    static func raise() -> Int? {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return nil }
        let before = limit.rlim_cur
        #if canImport(Darwin)
            // The system rejects values above this one, even if the reported maximum is higher.
            limit.rlim_cur = min(rlim_t(OPEN_MAX), limit.rlim_max)
        #else
            limit.rlim_cur = limit.rlim_max
        #endif
        if setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        return Int(clamping: limit.rlim_cur)
    }
}
