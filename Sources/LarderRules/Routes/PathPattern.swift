/// Which paths a route takes.
struct PathPattern: Hashable, Sendable {
    static let everything = PathPattern()
}
