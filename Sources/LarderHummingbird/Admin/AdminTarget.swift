/// The targets of admin requests, as logs show them.
package enum AdminTarget {
    /// Returns a target without the values of the parameter `field`: `v1/entry` gets the fields of a request by it,
    /// which may be credentials.
    package static func withoutFieldValues(_ target: String) -> String {
        guard let mark = target.firstIndex(of: "?") else { return target }
        let items = target[target.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
        let shown = items.map { item -> String in
            let name = item.prefix { $0 != "=" }
            guard name == "field" || name.contains("%") else { return String(item) }
            let ends = [
                item.firstIndex(of: ":"), item.firstRange(of: "%3A")?.lowerBound,
                item.firstRange(of: "%3a")?.lowerBound,
            ]
            guard let end = ends.compactMap(\.self).min() else { return name + "=(hidden)" }
            return item[..<end] + ":(hidden)"
        }
        return target[...mark] + shown.joined(separator: "&")
    }
}
