package import HTTPTypes

/// The `Accept-Language` field: the languages that a client prefers (RFC 9110 §12.5.4).
package struct AcceptLanguage {
    /// The ranges in lower case, those with the highest weight first, in the order in which they were sent.
    private var ranges: [(name: String, weight: Int)] = []
    /// The ranges that the client excludes by a weight of 0.
    private var excluded: Set<String> = []

    /// The number of ranges that are read; browsers send fewer than ten.
    private static let limit = 32

    /// Creates the value from the fields of a request.
    package init(_ request: HTTPFields) {
        for field in request where field.name == .acceptLanguage {
            field.withUnsafeBytesOfValue { bytes in
                WeightedList.forEachMember(of: bytes) { name, weight in
                    guard let weight, ranges.count + excluded.count < Self.limit else { return }
                    let name = String(decoding: name.lazy.map(ASCII.lowercased), as: UTF8.self)
                    if weight > 0 { ranges.append((name, weight)) } else { excluded.insert(name) }
                }
            }
        }
        // Sorting is stable.
        ranges.sort { $0.weight > $1.weight }
    }

    /// Returns the language that matches best by the lookup of RFC 4647 §3.4: each range in turn, and then without its
    /// last subtag. Nil if none of them matches, or only `*` does.
    package func best(among languages: [String]) -> String? {
        let names = languages.map(\.lowercasedASCII)
        for range in ranges where range.name != "*" {
            var name = Substring(range.name)
            while !name.isEmpty {
                if let place = names.firstIndex(where: { $0 == name }), !excluded.contains(names[place]) {
                    return languages[place]
                }
                guard let hyphen = name.lastIndex(of: "-") else { break }
                name = name[..<hyphen]
                // "Single letter or digit subtags […] are removed as well".
                if name.dropLast().last == "-" { name = name.dropLast(2) }
            }
        }
        return nil
    }
}
