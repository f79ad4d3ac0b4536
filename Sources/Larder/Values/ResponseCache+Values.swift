import HTTPCaching
import HTTPTypes
import Logging

/// Values: anything `Codable` that is expensive to make, cached with all that routes have.
extension ResponseCache {
    /// Returns the cached value with this name and these parts, or makes it.
    ///
    /// ```swift
    /// let posts = try await cache.value("recommendations", parts: userID, for: .seconds(60), tagged: ["posts"]) {
    ///     try await recommend(for: userID)
    /// }
    /// ```
    /// Any number of tasks that ask for a value at the same time wait for one call of `make`. A value that was made
    /// before an invalidation of its key, its name or one of its tags is not returned to a task that asks after it.
    ///
    /// The value is stored as JSON, and decoded once for as long as it is in the memory of this process. If what is
    /// stored cannot be decoded, since another version of the program has stored it, the value is made again.
    /// A response that a route makes from the value, while it is fetched, has the value's tags as well.
    /// - Parameters:
    ///   - name: The name of the values of one kind and type, such as `recommendations`.
    ///   - parts: The texts that distinguish the values of this name.
    ///   - lifetime: The time for which the value is fresh; zero or less stores nothing.
    ///   - tags: The tags by which the value can be invalidated.
    ///   - make: The function that makes the value. It runs in a task of the cache, and continues if the calling task
    ///     is cancelled while others wait.
    /// - Throws: The error of `make`, unchanged, to all tasks that wait for it; `EncodingError` if the value is not
    ///   JSON; `CancellationError` if the calling task is cancelled.
    public func value<Value: Codable & Sendable>(
        _ name: String,
        parts: any ValueKeyPart...,
        for lifetime: Duration,
        tagged tags: [CacheTag] = [],
        _ make: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await value(name, parts, under: .fresh(for: lifetime).tagged(tags), making: make)
    }

    /// Returns the cached value with this name and these parts, or makes it, under a policy.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).stale(ifError: .seconds(600), after: .milliseconds(200)).tagged("posts")
    /// ```
    /// The modifiers for freshness, stale values, tags, coalescing and the size of bodies apply to values; those for
    /// keys, credentials and requests have no meaning for them.
    public func value<Value: Codable & Sendable>(
        _ name: String,
        parts: any ValueKeyPart...,
        under policy: CachePolicy,
        _ make: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await value(name, parts, under: policy, making: make)
    }

    /// Returns the cached value with this name and these parts, or makes it, and stores errors of one type too.
    ///
    /// ```swift
    /// try await cache.value("account", parts: id, under: policy, storing: NoAccount.self, for: .seconds(5)) {
    ///     try await loadAccount(id)
    /// }
    /// ```
    /// An error of this type that `make` throws is stored as a value is: it is thrown to all tasks that ask for the
    /// value in this way until its lifetime is over, by every process that shares the store. Other errors are not
    /// stored. The other functions take a stored error for a missing value.
    /// - Parameters:
    ///   - name: The name of the values of one kind and type.
    ///   - parts: The texts that distinguish the values of this name.
    ///   - policy: The policy by which values are cached.
    ///   - failure: The type of the errors that are stored.
    ///   - failureLifetime: The time for which such an error is thrown without calling `make`, in whole seconds rounded
    ///     up.
    ///   - make: The function that makes the value, or throws an error.
    public func value<Value: Codable & Sendable, Failure: Error & Codable>(
        _ name: String,
        parts: any ValueKeyPart...,
        under policy: CachePolicy,
        storing failure: Failure.Type,
        for failureLifetime: Duration,
        _ make: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let result: ValueOrFailure<Value, Failure> = try await value(name, parts, under: policy) {
            do {
                let value = try await make()
                return Made(value: .value(value), lifetime: try policy.lifetime(of: value))
            } catch let failure as Failure {
                return Made(value: .failure(failure), lifetime: failureLifetime, isFailure: true)
            }
        }
        switch result {
        case .value(let value): return value
        case .failure(let failure): throw failure
        }
    }

    private func value<Value: Codable & Sendable>(
        _ name: String,
        _ parts: [any ValueKeyPart],
        under policy: CachePolicy,
        making make: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await value(name, parts, under: policy) {
            let value = try await make()
            return Made(value: value, lifetime: try policy.lifetime(of: value))
        }
    }

    private func value<Value: Codable & Sendable>(
        _ name: String,
        _ parts: [any ValueKeyPart],
        under policy: CachePolicy,
        _ make: @escaping @Sendable () async throws -> Made<Value>
    ) async throws -> Value {
        let cacheable = CacheableRequest(value: name, parts, policy)
        FetchContext.noteValue(taggedBy: cacheable.location.dependentTags)
        if let (entry, _) = findFresh(cacheable, at: clock.now), let value = try? entry.decoded(as: Value.self) {
            FetchContext.noteValue(taggedBy: entry.location.dependentTags + entry.tags)
            recordHit(entry, cacheable)
            return value
        }
        serviceReminder.check(at: clock.now, logger)
        let origin = ValueOrigin { try ValueResponse(try await make()) }
        let response = try await logging(cacheable.request, .lookUp(cacheable)) {
            try await answer(cacheable, from: origin)
        }
        do {
            return try await value(of: response)
        } catch let error as DecodingError {
            guard let entry = response.entry else { throw error }
            await discardUndecodable(entry, error)
        }
        return try await value(
            of: logging(cacheable.request, .lookUp(cacheable)) { try await answer(cacheable, from: origin) }
        )
    }

    /// Returns the value of a response. A value that is made from it has its tags, too.
    private func value<Value: Codable & Sendable>(of response: ValueResponse<Value>) async throws -> Value {
        let value = try await response.value()
        guard let entry = response.entry else { return value }
        FetchContext.noteValue(taggedBy: entry.location.dependentTags + entry.tags)
        let (freshUntil, generatedAt) = (entry.lifetimes.freshUntil, entry.lifetimes.generatedAt)
        if generatedAt < freshUntil, freshUntil <= clock.now { FetchContext.noteStaleValue() }
        return value
    }
}

// MARK: - Storing, reading and removing values

extension ResponseCache {
    /// Stores a value, in place of the one with this name and these parts.
    ///
    /// The former value is invalidated first, so that no fetch that began earlier stores an older value afterwards. If
    /// one of the value's tags or its name is invalidated during the call, the value is not stored. An invalidation
    /// between reading the data and this call is not noticed: use `value` where that matters.
    /// - Returns: The result of that invalidation. If it is pending, the store cannot be reached, and the value is not
    ///   stored.
    /// - Throws: `EncodingError` if the value is not JSON.
    @discardableResult
    public func set(
        _ value: some Codable & Sendable,
        _ name: String,
        parts: any ValueKeyPart...,
        for lifetime: Duration,
        tagged tags: [CacheTag] = []
    ) async throws -> InvalidationResult {
        let cacheable = CacheableRequest(value: name, parts, .fresh(for: lifetime).tagged(tags))
        let response = try ValueResponse(Made(value: value))
        let readVersion = await store.load(cacheable.location, for: nil, at: clock.now).readVersion
        let removal = await remove(cacheable.location.key)
        let origin = ValueOrigin { response }
        await tasks.finish { await self.fill(cacheable, from: origin, readAt: readVersion) }
        return removal.invalidation
    }

    /// Returns the cached value with this name and these parts; nil if none is stored, or if it is not fresh.
    ///
    /// It counts as a hit or a miss in the statistics. What is stored as another type is not returned.
    public func get<Value: Codable & Sendable>(
        _ name: String,
        parts: any ValueKeyPart...,
        as type: Value.Type = Value.self
    ) async -> Value? {
        let cacheable = CacheableRequest(value: name, parts, .fresh(for: .zero))
        let key = cacheable.location.key
        var entry = findFresh(cacheable, at: clock.now)?.entry
        if entry == nil {
            let now = clock.now
            let lookup = await store.load(cacheable.location, for: nil, at: now)
            if case .serve(let found) = Selection.choose(lookup.entries, for: cacheable, at: now) { entry = found }
        }
        guard let entry else {
            record(.miss(key, .onlyIfCached), for: cacheable)
            if logsRequests { logMiss(key) }
            return nil
        }
        do {
            let value = try entry.decoded(as: type)
            FetchContext.noteValue(taggedBy: entry.location.dependentTags + entry.tags)
            recordHit(entry, cacheable)
            return value
        } catch {
            logUndecodable(key, error)
            record(.miss(key, .onlyIfCached), for: cacheable)
            if logsRequests { logMiss(key) }
            return nil
        }
    }

    /// Removes the value with this name and these parts, and waits for the store's acknowledgement as `invalidate`
    /// does. A value that is being made is returned only to the tasks that wait for it already.
    @discardableResult
    public func remove(value name: String, parts: any ValueKeyPart...) async -> RemovalResult {
        await remove(CacheKey(value: name, parts: parts))
    }
}

// MARK: - Requests for values

extension CacheableRequest {
    /// Creates the request for a value. It has no target and no fields, so that nothing but its key selects the value.
    init(value name: String, _ parts: [any ValueKeyPart], _ policy: CachePolicy) {
        var policy = policy
        policy.originKind = .handler
        policy.makesEntityTags = false
        self.init(
            request: HTTPRequest(method: .get, scheme: nil, authority: nil, path: nil),
            directives: .none,
            isConditional: false,
            hasRange: false,
            hasAuthorization: false,
            isForUser: false,
            location: EntryLocation(value: name, parts: parts, tags: policy.tags),
            sharedPolicy: SharedPolicy(policy)
        )
    }
}

extension ResponseCache {
    private func logUndecodable(_ key: CacheKey, _ error: any Error) {
        logger.notice(
            "A stored value is not of the type that was asked for",
            metadata: ["key": "\(key)", "error": "\(error)"]
        )
    }

    private func discardUndecodable(_ entry: CacheEntry, _ error: DecodingError) async {
        logUndecodable(entry.location.key, error)
        await store.discard(entry)
    }
}

extension CachePolicy {
    /// Returns the lifetime of a value that is nil, if the policy has one for 404; nil for the policy's own.
    fileprivate func lifetime(of value: some Encodable) throws -> Duration? {
        guard let lifetime = rules.lifetimes[404], try ValueCoding.isNull(value) else { return nil }
        return lifetime
    }
}
