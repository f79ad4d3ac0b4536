package import HTTPTypes

/// The calculation of age and freshness lifetime (RFC 9111 §4.2), in nanoseconds.
package struct Freshness {
    let response: HTTPResponse
    let directives: ResponseDirectives
    let rules: CachingRules
    let requestedAt: Timestamp
    let respondedAt: Timestamp

    package init(
        response: HTTPResponse,
        directives: ResponseDirectives,
        rules: CachingRules,
        requestedAt: Timestamp,
        respondedAt: Timestamp
    ) {
        self.response = response
        self.directives = directives
        self.rules = rules
        self.requestedAt = requestedAt
        self.respondedAt = respondedAt
    }

    private var fields: HTTPFields { response.headerFields }

    /// The time at which the response was made, according to its `Date`. "A recipient with a clock that receives a
    /// response message without a Date header field MUST record the time it was received"; one "with an invalid Date
    /// header field value MAY replace that value with the time that response was received" (RFC 9110 §6.6.1).
    package var date: Timestamp {
        fields.date(.date, now: respondedAt) ?? respondedAt
    }

    package var lifetimes: Lifetimes {
        let (declared, source) = freshnessLifetime
        let isLimited = response.status.isErrorOfLimitedFreshness
        let limit = max(rules.lifetimes[response.status.code] ?? .zero, rules.errorLifetimeLimit)
        let lifetime = isLimited ? min(declared, limit) : declared
        let generatedAt = respondedAt.advanced(byNanoseconds: -correctedInitialAge)
        // A forced lifetime counts from the arrival, and ignores the age that the response declares.
        let freshUntil = (forcedLifetime == nil ? generatedAt : respondedAt).advanced(by: lifetime)
        if isLimited { return lifetimes(ofErrorGeneratedAt: generatedAt, freshUntil: freshUntil, source) }
        let forbidsStale = directives.forbidsStale
        // The stale windows that the response declares hold unless it forbids stale use. If only s-maxage forbids it,
        // the rules can allow them. The default windows of the rules do not hold in either case.
        let forbidsDeclared =
            forbidsStale && !sMaxAgeAloneForbidsStale(unless: rules.allowsStaleBesideSMaxAge)
        func window(_ declared: Duration?, _ fallback: Duration) -> Timestamp {
            let length = forbidsDeclared ? .zero : declared ?? (forbidsStale ? .zero : fallback)
            return freshUntil.advanced(by: length)
        }
        // An error is stored for the time that the rules name for its status, and not for the windows that they grant
        // to every response: the end of a short lifetime is the time at which the origin is to be asked again.
        let isError = response.status.code >= 400 && rules.lifetimes[response.status.code] != nil
        let staleIfErrorUntil = window(directives.staleIfError, isError ? .zero : rules.staleIfError)
        let storedUntil = freshUntil.advanced(by: rules.retention)
        let canBeValidated = Revalidation.hasValidator(fields)
        return Lifetimes(
            generatedAt: generatedAt,
            freshUntil: freshUntil,
            staleWhileRevalidateUntil: window(
                directives.staleWhileRevalidate,
                isError ? .zero : rules.staleWhileRevalidate
            ),
            staleIfErrorUntil: staleIfErrorUntil,
            staleIfUnreachableUntil: rules.servesStaleOnUnreachable && !forbidsStale && !isError
                ? max(storedUntil, staleIfErrorUntil) : staleIfErrorUntil,
            storedUntil: canBeValidated || !forbidsStale ? storedUntil : freshUntil,
            source: source,
            mustRevalidate: forbidsStale,
            alwaysRevalidate: directives.noCache == .response,
            isImmutable: directives.immutable
        )
    }

    /// Returns the lifetimes of an error whose freshness is limited. Such a response is not used after it becomes
    /// stale.
    private func lifetimes(
        ofErrorGeneratedAt generatedAt: Timestamp,
        freshUntil: Timestamp,
        _ source: Lifetimes.Source
    ) -> Lifetimes {
        Lifetimes(
            generatedAt: generatedAt,
            freshUntil: freshUntil,
            staleWhileRevalidateUntil: freshUntil,
            staleIfErrorUntil: freshUntil,
            staleIfUnreachableUntil: freshUntil,
            storedUntil: freshUntil,
            source: source,
            mustRevalidate: directives.forbidsStale,
            alwaysRevalidate: directives.noCache == .response,
            isImmutable: directives.immutable
        )
    }

    private func sMaxAgeAloneForbidsStale(unless isAllowed: Bool) -> Bool {
        guard isAllowed else { return false }
        var others = directives
        others.sMaxAge = nil
        return !others.forbidsStale
    }

    /// The lifetime that the rules force, or nil if they force none for this status.
    private var forcedLifetime: Duration? {
        rules.forcedLifetime.flatMap { lifetime in
            Status.allowsHeuristics(response.status, directives) ? lifetime : nil
        }
    }

    /// The lifetime and its source: the first of the lifetime that the rules force, `s-maxage`, `max-age`, `Expires`,
    /// the rules' lifetime for the status, their default, and an estimate (RFC 9111 §4.2.1).
    private var freshnessLifetime: (Duration, Lifetimes.Source) {
        if let lifetime = forcedLifetime { return (lifetime, .rules) }
        if let seconds = directives.sMaxAge { return (seconds, .sMaxAge) }
        if let seconds = directives.maxAge { return (seconds, .maxAge) }
        // A targeted field takes precedence over Expires as well as over Cache-Control (RFC 9213 §2.2).
        if directives.target == nil, let expires = fields[values: .expires].first {
            // "If the Expires response header field is present, use its value minus the value of the Date response
            // header field." "A cache recipient MUST interpret invalid date formats, especially the value "0", as
            // representing a time in the past." (RFC 9111 §5.3)
            guard let expires = HTTPDate.parse(expires, now: respondedAt) else { return (.zero, .expires) }
            return (max(.zero, expires.duration(since: date)), .expires)
        }
        if let lifetime = rules.lifetimes[response.status.code] { return (lifetime, .rules) }
        guard Status.allowsHeuristics(response.status, directives) else { return (.zero, .none) }
        if let lifetime = rules.defaultLifetime { return (lifetime, .rules) }
        if rules.heuristics, let modified = fields.date(.lastModified, now: respondedAt) {
            // "Caches are encouraged to use a heuristic expiration value that is no more than some fraction of the
            // interval since that time. A typical setting of this fraction might be 10%." (RFC 9111 §4.2.2)
            let lifetime = date.duration(since: modified) / 10
            if lifetime > .zero { return (min(lifetime, rules.heuristicLimit), .heuristic) }
        }
        return (.zero, .none)
    }

    /// The age on arrival (RFC 9111 §4.2.3).
    ///
    ///     apparent_age = max(0, response_time - date_value);
    ///     response_delay = response_time - request_time;
    ///     corrected_age_value = age_value + response_delay;
    ///     corrected_initial_age = max(apparent_age, corrected_age_value);
    private var correctedInitialAge: Int64 {
        let (corrected, overflow) = ageValue.saturatedNanoseconds
            .addingReportingOverflow(responseDelay.saturatedNanoseconds)
        return max(apparentAge.saturatedNanoseconds, overflow ? .max : corrected)
    }

    /// The time from `Date` to the arrival, in whole seconds. `Date` has whole seconds, rounded down, so a fraction of
    /// a second since then carries no information.
    package var apparentAge: Duration {
        .seconds(max(0, respondedAt.secondsSinceEpoch - date.secondsSinceEpoch))
    }

    /// The longest time for which the response can have been in transit.
    package var responseDelay: Duration {
        .nanoseconds(max(0, respondedAt.nanoseconds(since: requestedAt)))
    }

    /// The value of the `Age` field, or zero: "A cache encountering a message with a list-based Age field value SHOULD
    /// use the first member of the field value, discarding subsequent ones. If the field value (after discarding
    /// additional members, as per above) is invalid (e.g., it contains something other than a non-negative integer), a
    /// cache SHOULD ignore the field." (RFC 9111 §5.1)
    package var ageValue: Duration {
        guard let member = FieldList.members(of: .age, in: fields).first else { return .zero }
        return DeltaSeconds.parse(member) ?? .zero
    }
}
