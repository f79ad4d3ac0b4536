public import HTTPTypes

/// The directives for caches in the `Cache-Control` and `Pragma` of a request (RFC 9111 §5.2.1, §5.4; RFC 5861 §4),
/// parsed once.
///
/// If a directive occurs several times, the strictest counts. A broken argument is read conservatively: a directive
/// that loosens (`max-stale`, `stale-if-error`) is ignored, and one that tightens (`max-age`, `min-fresh`) tightens as
/// far as it can.
public struct RequestDirectives: Hashable, Sendable {
    /// The staleness that the client accepts (RFC 9111 §5.2.1.2).
    public enum MaxStale: Hashable, Sendable {
        /// The client accepts a stale response of any age.
        case any
        /// The client accepts a response that has been stale for at most this long.
        case atMost(Duration)
    }

    /// True if the client does not accept a stored response without validation (RFC 9111 §5.2.1.4).
    public var noCache = false
    /// True if the response must not be stored (RFC 9111 §5.2.1.5). It may come from the store.
    public var noStore = false
    /// True if the content must not be transformed (RFC 9111 §5.2.1.6).
    public var noTransform = false
    /// True if the client accepts only a stored response, or a 504 (RFC 9111 §5.2.1.7).
    public var onlyIfCached = false
    /// The greatest age that the client accepts (RFC 9111 §5.2.1.1).
    public var maxAge: Duration?
    /// The time for which the response has to stay fresh from now (RFC 9111 §5.2.1.3).
    public var minFresh: Duration?
    /// The staleness that the client accepts (RFC 9111 §5.2.1.2).
    public var maxStale: MaxStale?
    /// The longest time for which the response may be stale if the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?

    /// The directives of a request without any.
    public static let none = RequestDirectives()

    /// Creates the directives of a request without any.
    public init() {}

    /// Creates the directives of a request from its fields.
    public init(_ fields: HTTPFields) {
        var hasCacheControl = false
        for field in fields where field.name == .cacheControl {
            hasCacheControl = true
            for member in FieldList(field.value) {
                apply(Directive(member))
            }
        }
        // HTTP/1.0 clients send "Pragma: no-cache"; Cache-Control, if present, takes precedence.
        guard !hasCacheControl else { return }
        for field in fields where field.name == .pragma {
            self.noCache = noCache || FieldList(field.value).contains { Directive($0).name == "no-cache" }
        }
    }

    private mutating func apply(_ directive: Directive) {
        switch directive.name {
        case "no-cache": noCache = true
        case "no-store": noStore = true
        case "no-transform": noTransform = true
        case "only-if-cached": onlyIfCached = true
        case "max-age":
            maxAge = min(maxAge ?? .longest, directive.seconds ?? .zero)
        case "min-fresh":
            minFresh = max(minFresh ?? .zero, directive.seconds ?? .longest)
        case "max-stale":
            applyMaxStale(directive)
        case "stale-if-error":
            if let seconds = directive.seconds {
                staleIfError = min(staleIfError ?? .longest, seconds)
            }
        default:
            // "A cache MUST ignore unrecognized cache directives." (RFC 9111 §5.2.3)
            break
        }
    }

    private mutating func applyMaxStale(_ directive: Directive) {
        // "If no value is assigned to max-stale, then the client will accept a stale response of any age."
        if directive.argument == .none {
            maxStale = maxStale ?? .any
        } else if let seconds = directive.seconds {
            if case .atMost(let other) = maxStale {
                maxStale = .atMost(min(other, seconds))
            } else {
                maxStale = .atMost(seconds)
            }
        }
    }
}

extension Duration {
    /// The longest time that a directive can name.
    fileprivate static let longest = Duration.seconds(DeltaSeconds.limit)
}
