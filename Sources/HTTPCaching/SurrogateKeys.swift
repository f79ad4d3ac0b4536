public import HTTPTypes

/// The tags that an origin gives its responses by fields such as `Surrogate-Key` and `Cache-Tag`.
public enum SurrogateKeys {
    /// The tags in the fields called `names`, each once, in order.
    public static func tags(in fields: HTTPFields, named names: [HTTPField.Name]) -> [String] { [] }
}
