import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder

/// The operation that shows one entry, and the decision about a request for it.
extension AdminAPI {
    var getEntry: APIOperation<Context> {
        var parameters: [APIOperation<Context>.Parameter] = []
        switch site.form {
        case .path: parameters = [.init("key", Self.key, isRequired: true, "The key of the entry")]
        case .url:
            parameters = [
                .init("key", Self.key, "The key of the entry; either this or the URL is needed"),
                .init("url", Self.url, "The URL of the entry, whose key the route makes"),
            ]
        }
        parameters.append(
            .init("field", Self.fields, "A field of the request that the decision is about; may be given several times")
        )
        return APIOperation(
            .get,
            "/v1/entry",
            id: "getEntry",
            "Show one entry, and say if a request would get it",
            description:
                "The decision is about a GET with the given fields. The fields of the request for this operation do "
                + "not count."
                + (site.form == .path
                    ? " The rules of the route, such as those for users and for requests that bypass the cache, are not "
                        + "known here: the decision is that of a route with the default rules." : ""),
            parameters: parameters,
            answers: [
                .json(200, "The entry", .named("Entry")), .problem(404, "Nothing is stored there"),
                .problem(501, "The store cannot list its entries"), .problem(503, "The store cannot be reached"),
            ]
        ) { api, call throws(APIProblem) in
            AdminAnswer(.json(.ok, try await api.entry(call.query)))
        }
    }

    private func entry(_ query: APIQuery) async throws(APIProblem) -> EntryContent {
        let fields = try Self.requestFields(query["field"]?.texts ?? [])
        guard cache.listsKeys else { throw .notListed }
        let found: (key: CacheKey, entries: [CacheEntry], request: HTTPRequest)
        switch (query["key"]?.text, query["url"]?.text) {
        case (let key?, nil): found = try await entries(key: key, fields)
        case (nil, let url?): found = try await entries(url: url, fields)
        default:
            throw APIProblem("Either the parameter key or the parameter url is needed, and not both")
        }
        let policy = site.policy(found.request)
        let decide = { (entries: [CacheEntry]) in
            cache.decision(about: found.request, under: policy, among: entries)
        }
        let now = cache.now
        let credentials = policy.credentialFields
        return EntryContent(
            key: found.key.description,
            target: found.entries[0].location.target,
            requests: cache.statistics.requests(for: found.key),
            decision: DecisionContent(decide(found.entries), found.entries, at: now),
            variants: found.entries.map { entry in
                StoredVariant(entry, DecisionContent(decide([entry]), [entry], at: now), hiding: credentials, at: now)
            }
        )
    }

    /// Returns the entries under a key in one of its spellings, and a request for them.
    private func entries(
        key text: String,
        _ fields: HTTPFields
    ) async throws(APIProblem) -> (CacheKey, [CacheEntry], HTTPRequest) {
        for key in CacheKey.spellings(of: text) {
            guard let entries = await cache.entries(under: key) else { throw .unreachable }
            guard let first = entries.first else { continue }
            return (key, entries, request(for: first.location.target, fields))
        }
        throw APIProblem(.notFound, "Nothing is stored under this key")
    }

    /// Returns the entries under the key of a URL, and a request for them.
    private func entries(
        url: String,
        _ fields: HTTPFields
    ) async throws(APIProblem) -> (CacheKey, [CacheEntry], HTTPRequest) {
        let request = request(for: url, fields)
        let policy = site.policy(request).policy
        var plain = request
        // Fields that are no part of the key must not keep it from being made.
        plain.headerFields = HTTPFields(fields.filter { policy.keys.fields.contains($0.name) })
        guard let key = policy.key(of: plain) else {
            throw APIProblem(.notFound, "Nothing can be stored under this URL: its path can be read in too many ways")
        }
        guard let entries = await cache.entries(under: key) else { throw .unreachable }
        guard !entries.isEmpty else {
            throw APIProblem(.notFound, "Nothing is stored under the key of this URL, \(key)")
        }
        return (key, entries, request)
    }

    /// Returns a GET for a target: a URL, or a path with its query.
    func request(for target: String, _ fields: HTTPFields = [:]) -> HTTPRequest {
        guard let uri = AbsoluteURI(target), uri.isHTTP else {
            return HTTPRequest(method: .get, scheme: nil, authority: nil, path: target, headerFields: fields)
        }
        let path = (uri.rest.utf8.first == ASCII.slash ? "" : "/") + uri.rest
        let scheme = uri.scheme.lowercased()
        var request = HTTPRequest(method: .get, scheme: scheme, authority: String(uri.authority), path: path)
        request.headerFields = fields
        request.authority = request.keyAuthority ?? request.authority
        return request
    }

    /// Returns the fields that texts such as `Accept-Language: de` stand for.
    static func requestFields(_ lines: [String]) throws(APIProblem) -> HTTPFields {
        var fields: HTTPFields = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else {
                throw APIProblem("A field has to be a name, a colon and a value, such as Accept-Language: de")
            }
            fields.append(HTTPField(name: name, value: String(parts[1].drop { $0 == " " })))
        }
        return fields
    }
}

extension SharedPolicy {
    /// The fields that may hold credentials under this policy.
    var credentialFields: Set<HTTPField.Name> { Set(policy.rules.credentialFields + [.authorization, .cookie]) }
}

/// The content of one entry.
private struct EntryContent: Encodable {
    let key: String
    let target: String
    let requests: Int?
    let decision: DecisionContent
    let variants: [StoredVariant]
}
