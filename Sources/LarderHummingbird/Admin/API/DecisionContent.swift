import HTTPCaching
import HTTPTypes
import Larder

/// The decision about a request, in words.
struct DecisionContent: Encodable {
    let result: String
    let reason: String
    let sentence: String

    /// - Parameter entries: The stored responses that the decision is about, the newest first.
    init(_ decision: StoredDecision, _ entries: [CacheEntry], at now: Timestamp) {
        let lifetimes = entries.first?.lifetimes
        switch decision {
        case .hit:
            (result, reason) = ("hit", "fresh")
            sentence =
                "It is served: it is fresh for another \(Self.seconds(entries.map { $0.lifetimes.ttl(at: now) }.max()))"
        case .stale(let why):
            (result, reason) = ("stale", why.rawValue)
            sentence =
                switch why {
                case .whileRevalidating: "It is served, although it is stale, and refreshed in the background"
                case .clientAllows: "It is served, although it is stale, because the request allows that by max-stale"
                }
        case .fetch(let why):
            (result, reason) = ("miss", why.rawValue)
            sentence = Self.sentence(why, lifetimes, entries, at: now)
        case .bypass(let why):
            (result, reason) = ("bypass", why.rawValue)
            sentence = "The request bypasses the cache: \(Self.words(why))"
        case .write:
            (result, reason) = ("bypass", "method")
            sentence = "The request may change something, so that the origin gets it"
        }
    }

    private static func sentence(
        _ reason: CacheStatus.ForwardReason,
        _ lifetimes: Lifetimes?,
        _ entries: [CacheEntry],
        at now: Timestamp
    ) -> String {
        switch reason {
        case .stale where lifetimes?.alwaysRevalidate == true:
            return "The origin is asked: the response has no-cache, so that each use has to be confirmed"
        case .stale:
            let since = seconds(lifetimes.map { -$0.ttl(at: now) })
            return "The origin is asked: it has been stale for \(since), and no rule allows serving it"
        case .request: return "The origin is asked: the request demands a newer response by Cache-Control"
        case .varyMiss:
            let names = Set(
                entries.flatMap { entry -> [String] in
                    guard case .fields(let names) = entry.vary else { return [] }
                    return names.map(\.canonicalName)
                }
            )
            let fields = names.isEmpty ? "" : " (\(names.sorted().joined(separator: ", ")))"
            return "The origin is asked: the request differs in the fields that it was selected by\(fields)"
        case .uriMiss: return "The origin is asked: the request accepts or prefers other content codings, or it expired"
        case .bypass, .method, .miss, .partial: return "The origin is asked (\(reason.rawValue))"
        }
    }

    private static func seconds(_ count: Int?) -> String { "\(max(0, count ?? 0)) s" }

    private static func words(_ reason: BypassReason) -> String {
        switch reason {
        case .asked: "its query asks for that"
        case .rule: "a rule of the route demands it"
        case .method: "its method is neither GET nor HEAD"
        case .content: "it has content"
        case .cookie: "it has a cookie that is a credential"
        case .authorization: "it has credentials"
        case .head: "a handler for HEAD may answer it"
        case .upgrade: "it asks for a WebSocket"
        case .precondition: "only the origin can evaluate its conditions"
        case .target: "its path can be read in too many ways"
        case .alteredBytes: "it holds bytes that are not UTF-8"
        case .noRoom: "the memory for bodies in flight is used up"
        case .nested: "it was made by a fetch for the same key"
        case .uncacheable: "responses for the key were not storable lately"
        }
    }
}
