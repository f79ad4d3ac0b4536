/// Suggestions for misspelled names.
enum SpellingSuggestion {
    /// The largest number of names that are suggested for one text.
    private static let limit = 3

    /// Returns the name that is most similar to a text; nil if no name is similar enough.
    static func name(like text: String, among names: [String]) -> String? { self.names(like: text, among: names).first }

    /// Returns the names that are most similar to a text: several if they are equally similar, none if no name is
    /// similar enough. The distance may be up to a third of the name's length in bytes, and at least 1.
    static func names(like text: String, among names: [String]) -> [String] {
        guard text.utf8.count <= 64 else { return [] }
        let written = text.lowercased().replacing("_", with: "-")
        let similar = names.map { (name: $0, distance: distance(written, $0)) }
            .filter { $0.distance <= max(1, $0.name.utf8.count / 3) }
        let least = similar.map { $0.distance }.min()
        return similar.filter { $0.distance == least }.prefix(limit).map { $0.name }
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
