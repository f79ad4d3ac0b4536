/// Which hosts a route takes.
struct HostPattern: Hashable, Sendable {
}
