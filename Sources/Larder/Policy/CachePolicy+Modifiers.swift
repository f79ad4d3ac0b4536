import HTTPCaching
public import HTTPTypes

/// The modifiers of a policy. Each returns a changed copy.
extension CachePolicy {
    /// Stores responses with these statuses as well, for a time, unless the response itself names one: also those of
    /// thrown errors that have such a status.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).fresh(for: .seconds(5), on: .notFound, .gone)
    /// ```
    /// A stored error (a status from 400) is not served after this time: the times of `stale` do not apply to it. It is
    /// answered as the handler's own responses are: middleware sees a response and no thrown error.
    /// For cached values, nil counts as 404.
    /// - Parameters:
    ///   - lifetime: The time for which such a response is fresh; zero or less stores none.
    ///   - status: The status that is stored for this time.
    ///   - others: Further statuses.
    public func fresh(
        for lifetime: Duration,
        on status: HTTPResponse.Status,
        _ others: HTTPResponse.Status...
    ) -> CachePolicy {
        with { policy in
            for status in [status] + others { policy.rules.lifetimes[status.code] = max(lifetime, .zero) }
        }
    }

    /// Serves a response for this time after it stopped being fresh, while a new one is fetched in the background.
    public func stale(whileRevalidating duration: Duration) -> CachePolicy {
        with { $0.rules.staleWhileRevalidate = duration }
    }

    /// Serves a response for this time after it stopped being fresh if the handler fails: with a 500, 502, 503 or 504
    /// (RFC 5861 §4), returned or thrown, or with an error without a status.
    /// - Parameters:
    ///   - duration: The time after the response stopped being fresh.
    ///   - timeout: The time to wait for the handler before the stale response is served; the handler continues, and
    ///     its response is stored. Nil waits until the handler answers or fails.
    public func stale(ifError duration: Duration, after timeout: Duration? = nil) -> CachePolicy {
        with {
            $0.rules.staleIfError = duration
            $0.softTimeout = timeout
        }
    }

    /// Honors `Cache-Control` and `Pragma` in requests: if a client sends `no-cache` or `max-age=0`, as browsers do
    /// when they reload a page, the handler is called. By default a route ignores them, except `only-if-cached` and
    /// `no-store`.
    public func honoringRequestDirectives() -> CachePolicy {
        with { $0.clientDirectives = .honor }
    }

    /// Returns the directives of a request that the policy honors.
    func directives(of request: HTTPRequest) -> RequestDirectives {
        let sent = RequestDirectives(request.headerFields)
        guard clientDirectives == .ignore else { return sent }
        var honored = RequestDirectives.none
        honored.onlyIfCached = sent.onlyIfCached
        honored.noStore = sent.noStore
        return honored
    }

    /// Gives tags to every response of the route.
    public func tagged(_ tags: CacheTag...) -> CachePolicy { tagged(tags) }

    /// Gives tags to every response of the route.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
    public func tagged(_ tags: [CacheTag]) -> CachePolicy {
        with { $0.tags += tags }
    }

    /// Lets responses be invalidated by two tags together, `.tags("team-1", and: "drafts")`: those that have both.
    ///
    /// A response takes more memory with each pair of its tags. One with more than ``CacheTag/maximumPairedTags`` tags,
    /// of the policy, the handler and the cached values together, is not stored (`detail=too-many-tags`).
    public func invalidatedByTagPairs() -> CachePolicy {
        with { $0.pairsTags = true }
    }

    /// Invalidates further scopes with a write to the route, besides its own path: for example the list that shows the
    /// item.
    public func invalidating(_ scopes: InvalidationScope...) -> CachePolicy {
        with { $0.invalidated += scopes }
    }

    /// Sets whether a write that fails with a 5xx, or with an error without a status, invalidates as one that succeeds;
    /// see ``invalidatesOnError``.
    public func invalidating(onError isOn: Bool) -> CachePolicy {
        with { $0.invalidatesOnError = isOn }
    }

    /// Declares that the route's path ends in a slash: keys read `GET:/api/posts/`.
    public func endingInSlash() -> CachePolicy {
        with { $0.keys.trailingSlash = .added }
    }

    /// Stores separate responses for different values of request fields, which become part of the key.
    public func varying(by fields: HTTPField.Name...) -> CachePolicy {
        with { $0.keys.fields += fields }
    }

    /// Stores separate responses for different values of these query parameters, and of no others: the others are
    /// neither in the key nor seen by the handler when it makes a response that is stored.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).varying(byQuery: "page", "sort")
    /// ```
    /// The handler gets all parameters with a request that bypasses the cache.
    /// - Parameters:
    ///   - parameter: The name, or the beginning of names: `filter_*`.
    ///   - others: Further names.
    public func varying(byQuery parameter: NamePattern, _ others: NamePattern...) -> CachePolicy {
        with { $0.keys.parameters = ($0.keys.parameters ?? []) + [parameter] + others }
    }

    /// Ignores the query: it is neither in the key nor seen by the handler when it makes a response that is stored. The
    /// handler gets it with a request that bypasses the cache.
    public func ignoringQuery() -> CachePolicy {
        with { $0.keys.parameters = [] }
    }

    /// Ignores these query parameters, such as `utm_*`: they are neither in the key nor seen by the handler when it
    /// makes a response that is stored. The handler gets them with a request that bypasses the cache.
    public func ignoringQuery(_ parameter: NamePattern, _ others: NamePattern...) -> CachePolicy {
        with { $0.keys.ignoredParameters += [parameter] + others }
    }

    /// Stores separate responses for different hosts, as part of the key. Otherwise a key has no host, so that a
    /// handler whose response depends on `Host` (tenants, absolute links) needs this.
    public func varyingByHost() -> CachePolicy {
        with { $0.keys.fields.append(.hostField) }
    }

    /// Declares that responses do not depend on credentials: all clients get the same response.
    ///
    /// The handler is asked without `Cookie`, `Authorization`, `Proxy-Authorization`, `X-API-Key` and the fields that
    /// ``credentials(fields:cookies:)`` names, unless ``varying(by:)`` makes one of them a part of the key: a response
    /// that is stored for all clients must not repeat what one client sent. As `Cookie` is withheld, a `Vary: Cookie`
    /// of the handler matches all requests. A request that bypasses the cache is sent with all.
    ///
    /// The cache cannot withhold what middleware has put into the context. A handler that reads the user's identity
    /// from there renders the response for the user whose request led to the fetch: use `perUser` for such a route.
    public func ignoringCredentials() -> CachePolicy {
        with {
            $0.credentials = .ignored
            $0.rules.allowsAuthorization = true
        }
    }

    /// Names the fields and cookies that identify users: a request with one of them bypasses the cache, unless
    /// `perUser` returns an ID for the user.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id"])
    /// ```
    /// - Parameters:
    ///   - fields: The fields that are credentials besides `Authorization`, `Proxy-Authorization` and `X-API-Key`.
    ///   - cookies: The only cookies that are credentials; all cookies are, if no call of this method names any. Case
    ///     matters, and a prefix such as `__Host-` is part of the name. A request with other cookies (analytics,
    ///     consent) can be answered from the cache, so the handler does not get these cookies when it renders a
    ///     response that is stored; it gets them with a request that bypasses the cache.
    public func credentials(fields: [HTTPField.Name] = [], cookies: [NamePattern]? = nil) -> CachePolicy {
        with {
            $0.rules.credentialFields += fields
            if let cookies { $0.credentialCookies = ($0.credentialCookies ?? []) + cookies }
        }
    }

    /// Sets the clients that may bypass the cache, and the query parameter for it; by default any client, with
    /// `nocache`.
    public func bypassable(by bypass: ClientBypass) -> CachePolicy {
        with { $0.setClientBypass(bypass) }
    }

    /// Sets the requests that bypass the cache.
    public func bypassing(_ rule: BypassRule) -> CachePolicy {
        with { $0.bypassRule = rule }
    }

    /// Sets what `Cache-Control` tells clients, whatever the time is for which the cache stores a response.
    ///
    /// ```swift
    /// .fresh(for: .seconds(300)).clientCaching(.revalidate)      // clients ask each time, and get a 304
    /// ```
    /// It applies to responses with a status from 200 to 399, or one that ``fresh(for:on:_:)`` names, unless the
    /// handler sends `no-store`. `.maxAge` leaves redirections with 302, 303 and 307 as they are. A response that may
    /// be for some clients alone is `private` as well: every response of a group with `perUser` or `varying(by:)`.
    public func clientCaching(_ clientCaching: ClientCaching) -> CachePolicy {
        with { $0.clientCaching = clientCaching }
    }

    /// Declares that requests with a method other than GET only ask for something, such as a search by POST, or the
    /// method QUERY (draft-ietf-httpbis-safe-method-w-body): their responses are stored, and they invalidate nothing.
    ///
    /// ```swift
    /// router.group("api/search").cached(by: cache, .fresh(for: .seconds(30)).caching(.post)).post(use: posts.search)
    /// ```
    /// The content of the request is part of the key, by its SHA-256, with `Content-Type` and `Content-Encoding`, byte
    /// for byte: `POST:/api/search#content=…`. A request bypasses the cache if its content is larger than the limit, or
    /// if it does not say how large it is.
    ///
    /// This is for a route that only asks. On a group it applies to every route of the group with this method, also to
    /// one that writes: its handler is not called again for the same content, and it invalidates nothing.
    /// - Parameters:
    ///   - method: The method of the requests that only ask.
    ///   - limit: The size of the largest content; 64 KiB by default.
    public func caching(_ method: HTTPRequest.Method, contentUpTo limit: ByteCount = .kibibytes(64)) -> CachePolicy {
        precondition(
            method != .get && method != .head,
            "\(method) is cached without this: expected a method whose requests have content, such as POST"
        )
        return with { $0.queryMethods[method] = limit }
    }

    /// Stores only the responses for which a function returns true.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).storing { _, response in response.headerFields[.contentLanguage] == "en" }
    /// ```
    /// The function gets the request that the response was fetched with, and the head of the response.
    public func storing(
        if isStored: @escaping @Sendable (_ request: HTTPRequest, _ response: HTTPResponse) -> Bool
    ) -> CachePolicy {
        with { $0.storing = isStored }
    }

    /// Stores bodies up to this size; larger ones are forwarded and not stored. The store has its own limit
    /// (`entryLimit`).
    public func limitingBodies(to limit: ByteCount) -> CachePolicy {
        with { $0.bodyLimit = limit }
    }

    /// Stores responses that name up to this many tags by themselves; a response with more is not stored.
    public func limitingTags(to limit: Int) -> CachePolicy {
        with { $0.tagLimit = limit }
    }

    /// Limits the freshness of a response with a status of 5xx, or of 4xx other than 404, 405, 410, 414 and 451,
    /// whatever the response says; 10 seconds by default, and zero stores none. It has an effect only if the policy
    /// stores such statuses.
    public func limitingErrors(to lifetime: Duration) -> CachePolicy {
        with { $0.rules.errorLifetimeLimit = lifetime }
    }

    /// Sets the coalescing timeout: if a fetch takes longer, one of the requests that wait for it starts another fetch.
    public func coalescing(timeout: Duration) -> CachePolicy {
        with { $0.coalescingTimeout = timeout }
    }

    func with(_ change: (inout CachePolicy) -> Void) -> CachePolicy {
        var copy = self
        change(&copy)
        return copy
    }
}
