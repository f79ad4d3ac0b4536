public import HTTPTypes

extension HTTPField.Name {
    /// `Pragma` (RFC 9111 §5.4).
    public static let pragma = constant("Pragma")
    /// `Host`, which HTTPTypes stores as the request's authority instead of as a field.
    package static let hostField = constant("Host")
    /// `Cache-Status` (RFC 9211).
    public static let cacheStatus = constant("Cache-Status")
    /// `CDN-Cache-Control` (RFC 9213 §3.1).
    public static let cdnCacheControl = constant("CDN-Cache-Control")
    /// `Larder-Cache-Control`: what a handler says to the cache alone, by RFC 9213. Clients do not get it.
    public static let larderCacheControl = constant("Larder-Cache-Control")
    /// The field by which a cache inside another one says what that is to tell clients. Clients do not get it.
    package static let larderClientCaching = constant("Larder-Client-Caching")
    /// The field that marks a stored error in place of a cached value.
    package static let larderFailure = constant("Larder-Failure")
    /// `X-API-Key`, which is a credential by convention; no RFC defines it.
    public static let xAPIKey = constant("X-API-Key")
    /// `Surrogate-Key`: tags separated by spaces.
    public static let surrogateKey = constant("Surrogate-Key")
    /// `Cache-Tag`: tags separated by commas.
    public static let cacheTag = constant("Cache-Tag")

    /// Returns the field name for a constant that is known to be a valid token.
    package static func constant(_ name: StaticString) -> HTTPField.Name {
        guard let name = HTTPField.Name("\(name)") else {
            preconditionFailure("a constant field name must be a token")
        }
        return name
    }
}
