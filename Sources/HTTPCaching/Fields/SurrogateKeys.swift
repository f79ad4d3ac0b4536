public import HTTPTypes

/// The tags that an origin gives its responses, so that they can be invalidated together.
public enum SurrogateKeys {
    /// Returns the tags in the fields called `names`, in the order in which they came. The caller decides what a tag
    /// means, and how many and how long the tags may be.
    ///
    /// In `Surrogate-Key` and `xkey`, tags are separated by white space. In all other fields, such as `Cache-Tag` and
    /// `Edge-Cache-Tag`, they are separated by commas and may contain spaces.
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
