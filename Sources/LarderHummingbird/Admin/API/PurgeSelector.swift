import HTTPTypes
import Hummingbird
import Larder

/// The way in which a purge acts.
enum PurgeMode: String, Encodable, CaseIterable {
    /// What matches is invalidated: nothing that was fetched before is served any more, nor what is being fetched now.
    case hard
    /// The freshness of what is stored and matches ends. What is being fetched now is not touched.
    case soft
}

/// A selector of a purge: one member of a list of the request.
struct PurgeSelector: Sendable {
    /// The kind of a selector, and the member of the request that lists them.
    enum Kind: String, Encodable, CaseIterable, Sendable {
        case keys, urls, paths, prefixes, tags
        case allTags = "all_tags"
        case everything

        /// Returns the kinds that a request may have.
        static func offered(_ form: AdminKeyForm) -> [Kind] {
            form == .url ? allCases : allCases.filter { $0 != .urls }
        }

        var meaning: String {
            switch self {
            case .keys: "Keys: the responses under each, in every spelling of its URL that means the same"
            case .urls: "URLs: the responses to each, by http and https"
            case .paths: "Paths: the responses for each, with any query"
            case .prefixes: "Paths: the responses for each and for the paths below it"
            case .tags: "Tags: the responses that have any of them"
            case .allTags:
                "Lists of tags: the responses that have all tags of a list. The entries are looked for and removed, "
                    + "so that responses which are being fetched stay, unless the list has two tags and the policy "
                    + "says invalidatedByTagPairs()"
            case .everything: "True to select everything"
            }
        }

        func schema<Context>(form: AdminKeyForm, in api: AdminAPI<Context>.Type) -> APISchema {
            let count = 0...api.listLimit
            return switch self {
            case .keys: .array(api.key, count: count)
            case .urls: .array(api.url, count: count)
            case .paths: .array(api.path(form), count: count)
            case .prefixes: .array(api.prefix(form), count: count)
            case .tags: .array(api.tag, count: count)
            case .allTags: .array(.array(api.tag, count: 2...8), count: count)
            case .everything: .boolean(default: false)
            }
        }
    }

    let kind: Kind
    /// The texts that the request names it by.
    let values: [String]
    /// The scopes that a hard purge invalidates; empty if it removes the keys of the entries that it finds.
    let scopes: [InvalidationScope]
    /// The keys that it names, if it names nothing else.
    var keys: [CacheKey] = []
    /// The condition on entries.
    let clause: EntryFilter.Clause
    /// The target to request again after the purge; nil if it names none.
    var target: String?
}

extension AdminAPI {
    /// Returns the selectors of a purge.
    func selectors(_ content: JSONValue) throws(APIProblem) -> [PurgeSelector] {
        var all: [PurgeSelector] = []
        for text in content["keys"]?.texts ?? [] {
            let keys = CacheKey.spellings(of: text)
            all.append(selector(.keys, [text], keys: keys, [], target: PurgeSelector.target(ofKey: text)))
        }
        for text in content["urls"]?.texts ?? [] { all.append(selector(url: text)) }
        for text in content["paths"]?.texts ?? [] {
            let scopes = try Self.scopes(ofPath: text, site.form)
            all.append(selector(.paths, [text], scopes, target: site.form == .path ? text : nil))
        }
        for text in content["prefixes"]?.texts ?? [] {
            all.append(selector(.prefixes, [text], try Self.scopes(ofPrefix: text, site.form)))
        }
        for text in content["tags"]?.texts ?? [] { all.append(selector(.tags, [text], [.tag(CacheTag(text: text))])) }
        for list in content["all_tags"]?.elements ?? [] {
            let tags = list.texts.map { CacheTag(text: $0) }
            // The pair is invalidated as well, for responses that are being fetched under a policy that has pairs.
            let pair = tags.count == 2 ? [InvalidationScope.tags(tags[0], and: tags[1])] : []
            let clause = EntryFilter.Clause(scopes: tags.map { [.tag($0)] })
            all.append(PurgeSelector(kind: .allTags, values: list.texts, scopes: pair, clause: clause))
        }
        if content["everything"]?.bool == true { all.append(selector(.everything, [], [.everything])) }
        return all
    }

    private func selector(
        _ kind: PurgeSelector.Kind,
        _ values: [String],
        keys: [CacheKey] = [],
        _ scopes: [InvalidationScope],
        target: String? = nil
    ) -> PurgeSelector {
        let scopes = keys.map(InvalidationScope.key) + scopes
        var selector = PurgeSelector(kind: kind, values: values, scopes: scopes, clause: .init(scopes: [scopes]))
        // Other scopes than keys have to be looked for.
        selector.keys = scopes.count == keys.count ? keys : []
        selector.target = target
        return selector
    }

    private func selector(url: String) -> PurgeSelector {
        var request = request(for: url)
        let policy = site.policy(request).policy
        var (keys, others): ([CacheKey], [InvalidationScope]) = ([], [])
        for scheme in ["http", "https"] {
            request.scheme = scheme
            keys += policy.spelledKeys(of: request)
            others += policy.scopesBesideKey(of: request)
        }
        return selector(.urls, [url], keys: keys, others, target: url)
    }

}

extension PurgeSelector {
    /// Returns the target of a key, if a GET without further fields has that key.
    static func target(ofKey text: String) -> String? {
        let target = text.dropFirst(4)
        return text.hasPrefix("GET:") && !target.contains("#") ? String(target) : nil
    }
}

/// The content of the answer to a purge.
struct PurgeAnswer: Encodable {
    enum Result: String, Encodable, CaseIterable {
        /// Everything is done. A hard purge is confirmed by the invalidation log.
        case acknowledged
        /// The invalidation is queued.
        case pending
        /// Nothing was changed, as the request asked.
        case counted
    }

    /// A selector with the number of entries that it matched.
    struct Selected: Encodable {
        let selector: PurgeSelector.Kind
        let values: [String]
        let matched: Int?
    }

    var result: Result
    let mode: PurgeMode
    let dryRun: Bool
    let matched: Int?
    let complete: Bool?
    let selectors: [Selected]
    var warm: WarmAnswer?

    enum CodingKeys: String, CodingKey {
        case result, mode, matched, complete, selectors, warm
        case dryRun = "dry_run"
    }
}
