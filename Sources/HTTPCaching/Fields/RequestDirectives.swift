public import HTTPTypes

/// What a request asks of caches by `Cache-Control` and `Pragma` (RFC 9111 §5.2.1, §5.4; RFC 5861 §4), parsed once.
///
/// Of several occurrences the strictest counts. A broken argument is read the careful way: a directive that loosens
/// (`max-stale`, `stale-if-error`) is ignored, one that tightens (`max-age`, `min-fresh`) tightens as far as it can.
public struct RequestDirectives: Hashable, Sendable {
    /// How far past its freshness lifetime the client accepts a response (RFC 9111 §5.2.1.2).
    public enum MaxStale: Hashable, Sendable {
        /// A stale response of any age will do.
        case any
        /// A response that has been stale for at most this long will do.
        case atMost(Duration)
    }

    /// The client wants no stored response without validation (RFC 9111 §5.2.1.4).
    public var noCache = false
    /// The response must not be stored (RFC 9111 §5.2.1.5). It may come from the store.
    public var noStore = false
    /// The content must not be transformed (RFC 9111 §5.2.1.6).
    public var noTransform = false
    /// The client wants a stored response, or a 504 (RFC 9111 §5.2.1.7).
    public var onlyIfCached = false
    /// The greatest age that the client wants (RFC 9111 §5.2.1.1).
    public var maxAge: Duration?
    /// How long the response has to stay fresh from now (RFC 9111 §5.2.1.3).
    public var minFresh: Duration?
    /// How stale the response may be (RFC 9111 §5.2.1.2).
    public var maxStale: MaxStale?
    /// How stale the response may be where the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?

    /// A request that asks for nothing.
    public static let none = RequestDirectives()

    /// A request that asks for nothing.
    public init() {}

    /// Reads the directives of a request.
    public init(_ fields: HTTPFields) {
        var hasCacheControl = false
        for field in fields where field.name == .cacheControl {
            hasCacheControl = true
            for member in FieldList(field.value) {
                self.apply(Directive(member))
            }
        }
        // "Pragma: no-cache" is what HTTP/1.0 clients say; Cache-Control, where there is one, says it better.
        guard !hasCacheControl else { return }
        for field in fields where field.name == .pragma {
            self.noCache = self.noCache || FieldList(field.value).contains { Directive($0).name == "no-cache" }
        }
    }

    private mutating func apply(_ directive: Directive) {
        switch directive.name {
        case "no-cache": self.noCache = true
        case "no-store": self.noStore = true
        case "no-transform": self.noTransform = true
        case "only-if-cached": self.onlyIfCached = true
        case "max-age":
            self.maxAge = min(self.maxAge ?? .longest, directive.seconds ?? .zero)
        case "min-fresh":
            self.minFresh = max(self.minFresh ?? .zero, directive.seconds ?? .longest)
        case "max-stale":
            self.applyMaxStale(directive)
        case "stale-if-error":
            if let seconds = directive.seconds {
                self.staleIfError = min(self.staleIfError ?? .longest, seconds)
            }
        default:
            // "A cache MUST ignore unrecognized cache directives." (RFC 9111 §5.2.3)
            break
        }
    }

    private mutating func applyMaxStale(_ directive: Directive) {
        // "If no value is assigned to max-stale, then the client will accept a stale response of any age."
        if directive.argument == .none {
            self.maxStale = self.maxStale ?? .any
        } else if let seconds = directive.seconds {
            if case .atMost(let other) = self.maxStale {
                self.maxStale = .atMost(min(other, seconds))
            } else {
                self.maxStale = .atMost(seconds)
            }
        }
    }
}

extension Duration {
    /// The longest time that a directive can name.
    fileprivate static let longest = Duration.seconds(DeltaSeconds.limit)
}
