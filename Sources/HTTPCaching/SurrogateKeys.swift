public import HTTPTypes

/// The tags that an origin gives its responses, by which they can be invalidated together.
public enum SurrogateKeys {
    /// The tags in the fields called `names`, each once, in the order they came. How many and how long they may be is
    /// for the caller to say.
    ///
    /// In `Surrogate-Key` and `xkey` they are separated by whitespace, in all others, such as `Cache-Tag` and
    /// `Edge-Cache-Tag`, by commas: their tags may hold spaces.
    public static func tags(in fields: HTTPFields, named names: [HTTPField.Name]) -> [String] {
        var tags: [String] = []
        var seen: Set<String> = []
        for field in fields where names.contains(field.name) {
            let isSpaced = field.name == .surrogateKey || field.name.canonicalName == "xkey"
            let parts = field.value.utf8.split { isSpaced ? ASCII.isWhitespace($0) : $0 == ASCII.comma }
            for part in parts {
                let tag = String(Substring(part.trimmingWhitespace))
                // An empty tag would gather everything under one name.
                if !tag.isEmpty, seen.insert(tag).inserted { tags.append(tag) }
            }
        }
        return tags
    }
}
