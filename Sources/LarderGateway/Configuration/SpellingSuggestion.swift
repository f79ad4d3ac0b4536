/// Suggestions for misspelled names.
enum SpellingSuggestion {
    /// Returns the name that is most similar to a text; nil if no name is similar enough. The distance may be up to a
    /// third of the name's length in bytes, and at least 1.
    static func name(like text: String, among names: [String]) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        let written = text.lowercased().replacing("_", with: "-")
        let nearest = names.map { (name: $0, distance: distance(written, $0)) }.min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(1, nearest.name.utf8.count / 3) else { return nil }
        return nearest.name
    }

    /// Returns the number of characters to insert, delete, replace, or swap with the next one to turn `left` into
    /// `right` (the optimal string alignment distance).
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
