import Foundation

/// How many files and sockets this process may have open.
enum DescriptorLimit {
    /// Raises the limit as far as the system lets this process, which it does to keep old programs out of trouble that
    /// count on small numbers (`select`); no part of this one does.
    /// - Returns: what the limit is then; nil where the system does not say.
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
            // More than this it refuses to give, whatever it says.
            limit.rlim_cur = min(rlim_t(OPEN_MAX), limit.rlim_max)
        #else
            limit.rlim_cur = limit.rlim_max
        #endif
        if setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        return Int(clamping: limit.rlim_cur)
    }
}
