#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension JSONEncoder {
    /// An encoder like Hummingbird's own, with dates by ISO 8601, that also sorts the keys of objects. The order of the
    /// keys of a dictionary differs from one rendering to the next otherwise, and with it the entity tag of a response
    /// that has not changed.
    ///
    /// ```swift
    /// struct AppContext: RequestContext {
    ///     var coreContext: CoreRequestContextStorage
    ///     init(source: Source) { coreContext = .init(source: source) }
    ///     var responseEncoder: JSONEncoder { .sortingKeys }
    /// }
    /// ```
    public static var sortingKeys: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = .sortedKeys
        return encoder
    }
}
