extension Array {
    /// The same array in an allocation of its size.
    var fitted: [Element] {
        var array: [Element] = []
        array.reserveCapacity(count)
        array.append(contentsOf: self)
        return array
    }

    /// Removes the elements behind the first `count`, and gives their memory back.
    mutating func shrink(to count: Int) {
        guard count < self.count else { return }
        removeSubrange(count...)
        self = fitted
    }
}
