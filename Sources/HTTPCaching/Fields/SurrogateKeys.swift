public import HTTPTypes

/// The tags that an origin gives its responses, by which they can be invalidated together.
public enum SurrogateKeys {
    /// Returns the texts of the tags in the fields called `names`, in the order they came. What a text stands for, and
    /// how many and how long they may be, is for the caller to say.
    ///
    /// In `Surrogate-Key` and `xkey` tags are separated by white space, in all other fields, such as `Cache-Tag` and
    /// `Edge-Cache-Tag`, by commas: there a tag may contain spaces.
    public static func tags(in fields: HTTPFields, named names: [HTTPField.Name]) -> [String] {
        var tags: [String] = []
        for field in fields where names.contains(field.name) {
            let isSpaced = field.name == .surrogateKey || field.name.canonicalName == "xkey"
            let parts = field.value.utf8.split { isSpaced ? ASCII.isWhitespace($0) : $0 == ASCII.comma }
            for part in parts {
                let tag = part.trimmingWhitespace
                // "A recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110 §5.6.1.2).
                if !tag.isEmpty { tags.append(String(Substring(tag))) }
            }
        }
        return tags
    }
}
