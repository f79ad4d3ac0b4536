/// Guesses what somebody meant who wrote a name wrong.
enum SpellingSuggestion {
    /// The name that is nearest to what was written, where one is near enough.
    static func name(like text: String, among names: [String]) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        let written = text.lowercased().replacing("_", with: "-")
        let nearest = names.map { (name: $0, distance: distance(written, $0)) }.min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(1, nearest.name.utf8.count / 3) else { return nil }
        return nearest.name
    }

    /// How many characters to put in, drop, change, or swap with the next one make `right` of `left` (the optimal
    /// string alignment distance).
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.unicodeScalars), Array(right.unicodeScalars))
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let change = previous[column] + (left[row] == right[column] ? 0 : 1)
                var least = min(change, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    least = min(least, before[column - 1] + 1)
                }
                current.append(least)
            }
            (before, previous) = (previous, current)
        }
        return previous[right.count]
    }
}
