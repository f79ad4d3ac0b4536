extension Array where Element: Equatable {
    /// Appends the elements that are not there yet, in their order.
    package mutating func appendMissing(_ others: [Element]) {
        self += others.filter { !contains($0) }
    }
}
