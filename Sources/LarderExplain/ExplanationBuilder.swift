import HTTPCaching
import HTTPTypes
import Larder

/// A builder for the notes of an explanation, topic by topic.
struct ExplanationBuilder {
    /// The request as the client sent it.
    let asked: HTTPRequest
    /// The exchange, with the request as the policy changes it.
    let exchange: Exchange
    let policy: CachePolicy
    let conclusion: CacheExplanation.Conclusion

    var notes: [CacheExplanation.Note] {
        CacheExplanation.Topic.allCases.flatMap { topic in
            texts(on: topic).map { CacheExplanation.Note(topic: topic, text: $0) }
        }
    }

    private func texts(on topic: CacheExplanation.Topic) -> [String] {
        switch topic {
        case .why: why
        case .lifetime: lifetimes.map(lifetimeTexts) ?? []
        case .age: lifetimes.map(ageTexts) ?? []
        case .directives: directiveTexts
        case .request: requestTexts
        case .vary: varyTexts
        case .cookies: cookieTexts
        case .authorization: authorizationTexts
        case .tags: tagTexts
        case .validators: lifetimes == nil ? [] : validatorTexts
        }
    }

    private var fields: HTTPFields { exchange.response.headerFields }
    private var rules: CachingRules { policy.rules }
    private var directives: ResponseDirectives { exchange.directives(rules) }

    /// The lifetimes of the response; nil if it is not stored.
    private var lifetimes: Lifetimes? {
        if case .stored(let lifetimes) = conclusion { lifetimes } else { nil }
    }

    /// The name of the field that the directives come from.
    private var field: String { directives.target?.rawName ?? "Cache-Control" }
}

// MARK: - Storability and lifetime

extension ExplanationBuilder {
    private var why: [String] {
        switch conclusion {
        case .notStored(let blockers):
            return blockers.flatMap { [$0.sentence, "Remedy: \($0.remedy)"] } + otherwise
        case .stored:
            let status = exchange.response.status.code
            return [
                "It is the response to a GET, with status \(status), and neither the request nor the response forbids "
                    + "storing it (RFC 9111 §3)."
            ]
        }
    }

    /// The result if nothing prevented the response from being stored.
    private var otherwise: [String] {
        guard !Invalidation.isUnsafe(exchange.request.method),
            let lifetimes = StorageBlockerSearch(exchange, rules: rules).lifetimes
        else { return [] }
        let left = lifetimes.freshUntil.duration(since: exchange.respondedAt)
        return left > .zero
            ? ["If nothing prevented this, it would be stored, and fresh for \(left.inWords)."]
            : ["If nothing prevented this, it would be stored, and validated before it is used."]
    }

    private func lifetimeTexts(_ lifetimes: Lifetimes) -> [String] {
        [sourceText(lifetimes)] + overruled(by: lifetimes.source) + errorTexts(lifetimes) + [staleText(lifetimes)]
            + (lifetimes.isImmutable
                ? ["While it is fresh, a reload (max-age=0) does not ask the origin (RFC 8246 §2)."] : [])
    }

    private func sourceText(_ lifetimes: Lifetimes) -> String {
        let lifetime = lifetimes.freshUntil.duration(since: lifetimes.generatedAt).inWords
        switch lifetimes.source {
        case .none:
            return "It declares no lifetime, and there is no basis for a heuristic one: it is stale from the start "
                + "(RFC 9111 §4.2.2)."
        case .sMaxAge: return "Fresh for \(lifetime), by s-maxage in \(field) (RFC 9111 §5.2.2.10)."
        case .maxAge: return "Fresh for \(lifetime), by max-age in \(field) (RFC 9111 §5.2.2.1)."
        case .expires:
            let expires = fields[values: .expires].first ?? ""
            guard HTTPDate.parse(expires, now: exchange.respondedAt) != nil else {
                return "Expires is not a date (\(quoted(expires))), and counts as a time in the past (RFC 9111 §5.3)."
            }
            return
                "Fresh for \(lifetime), by Expires minus \(hasDate ? "Date" : "the time of arrival") (RFC 9111 §5.3)."
        case .heuristic:
            return "Fresh for \(lifetime), by a heuristic: a tenth of the time since Last-Modified, at most "
                + "\(rules.heuristicLimit.inWords) (RFC 9111 §4.2.2). Send max-age to set the lifetime."
        case .rules:
            guard let forced = rules.forcedLifetime else {
                return "Fresh for \(lifetime), by the rules: the response declares no lifetime."
            }
            return "Fresh for \(forced.inWords) from its arrival, by the rules, whatever the response declares."
        }
    }

    /// Returns the effect of the limit for errors.
    private func errorTexts(_ lifetimes: Lifetimes) -> [String] {
        let limit = rules.errorLifetimeLimit
        guard exchange.response.status.isErrorOfLimitedFreshness,
            lifetimes.freshUntil.duration(since: lifetimes.generatedAt) >= limit
        else { return [] }
        let status = exchange.response.status.code
        return ["An error with the status \(status) is fresh for at most \(limit.inWords), by the rules (error-ttl)."]
    }

    private var hasDate: Bool {
        fields[values: .date].count == 1 && HTTPDate.parse(fields[.date] ?? "", now: exchange.respondedAt) != nil
    }

    /// Returns the sources that would have given a lifetime if another one did not take precedence.
    private func overruled(by source: Lifetimes.Source) -> [String] {
        var others: [String] = []
        let isForced = source == .rules && rules.forcedLifetime != nil
        if isForced, directives.sMaxAge != nil { others.append("s-maxage") }
        if isForced || source == .sMaxAge, directives.maxAge != nil { others.append("max-age") }
        if source != .expires, fields.contains(.expires) { others.append("Expires") }
        guard !others.isEmpty, source != .none else { return [] }
        return [
            "\(others.listed) \(others.count == 1 ? "is" : "are") ignored: another lifetime takes precedence "
                + "(RFC 9111 §4.2.1)."
        ]
    }

    private func staleText(_ lifetimes: Lifetimes) -> String {
        let forbidden = lifetimes.mustRevalidate ? "\(forbidding) serving it stale (RFC 9111 §4.2.4)" : nil
        guard lifetimes.storedUntil > lifetimes.freshUntil else {
            if exchange.response.status.kind == .serverError {
                return "It is stored only while it is fresh: errors are not served stale."
            }
            let reason = Revalidation.hasValidator(fields) ? nil : forbidden.map { "\($0), and there is no validator" }
            return "It is stored only while it is fresh: \(reason ?? "the rules do not store stale responses")."
        }
        let stored = storedText(lifetimes)
        func length(_ until: Timestamp) -> Duration { until.duration(since: lifetimes.freshUntil) }
        var uses: [String] = []
        let (revalidating, error) = (
            length(lifetimes.staleWhileRevalidateUntil), length(lifetimes.staleIfErrorUntil)
        )
        let unreachable = length(lifetimes.staleIfUnreachableUntil)
        if revalidating > .zero { uses.append("for \(revalidating.inWords) while it is refreshed (RFC 5861 §3)") }
        if error > .zero { uses.append("for \(error.inWords) if the origin fails (RFC 5861 §4)") }
        if unreachable > error {
            uses.append("for \(unreachable.inWords) if the origin cannot be reached (RFC 9111 §4.2.4)")
        }
        if !uses.isEmpty { return "Once stale, it may be served \(uses.listed). \(stored)" }
        return forbidden.map { "Once stale, it must be validated: \($0). \(stored)" }
            ?? "Once stale, it is served only to requests that allow it (max-stale). \(stored)"
    }

    /// The directives that forbid stale use.
    private var forbidding: String {
        var names: [String] = []
        if directives.mustRevalidate { names.append("must-revalidate") }
        if directives.proxyRevalidate { names.append("proxy-revalidate") }
        if directives.noCache == .response { names.append("no-cache") }
        if directives.sMaxAge != nil { names.append("s-maxage") }
        return "\(names.listed) \(names.count == 1 ? "forbids" : "forbid")"
    }

    private func storedText(_ lifetimes: Lifetimes) -> String {
        let left = lifetimes.storedUntil.duration(since: exchange.respondedAt)
        let purpose = policy.canValidate(exchange.storedHead(policy)) ? ", so that it can be validated" : ""
        return "It is stored for at most \(left.inWords)\(purpose)."
    }

    private func ageTexts(_ lifetimes: Lifetimes) -> [String] {
        let freshness = exchange.freshness(rules)
        var parts: [String] = []
        if let age = FieldList.members(of: .age, in: fields).first {
            let isRead = Directive("age=\(age)").seconds != nil
            parts.append(
                isRead
                    ? "Age is \(freshness.ageValue.inWords)"
                    : "Age is not a number (\(quoted(age))) and is ignored (RFC 9111 §5.1)"
            )
        } else {
            parts.append("there is no Age")
        }
        parts.append("the response delay was at most \(freshness.responseDelay.inWords)")
        if hasDate {
            parts.append("Date is \(freshness.apparentAge.inWords) before the arrival")
        } else {
            parts.append(
                "\(fields.contains(.date) ? "Date is not a date" : "there is no Date"), so the time of arrival is used"
            )
        }
        let age = exchange.respondedAt.duration(since: lifetimes.generatedAt)
        return [
            "On arrival it was \(age.inWords) old: the greater of Age plus the response delay, and the time since Date "
                + "(RFC 9111 §4.2.3). Here \(parts.listed)."
        ]
    }
}

// MARK: - Fields

extension ExplanationBuilder {
    private var directiveTexts: [String] {
        var texts: [String] = []
        for name in rules.targetedFields where fields.contains(name) && directives.target != name {
            // The first field that can be read applies; the others are ignored.
            let alone = ResponseDirectives(fields, targets: [name])
            texts.append(
                alone.target == name
                    ? "\(name.rawName) is ignored, since \(field) takes precedence (RFC 9213 §2.2)."
                    : "\(name.rawName) is empty or not a dictionary of structured fields, and is ignored as a whole "
                        + "(RFC 9213 §2.1)."
            )
        }
        if let target = directives.target {
            let ignored = [HTTPField.Name.cacheControl, .expires].filter(fields.contains).map(\.rawName)
            texts.append(
                "\(target.rawName) "
                    + (ignored.isEmpty ? "applies" : "takes precedence over \(ignored.listed)")
                    + " (RFC 9213 §2.2)."
            )
        }
        let reading = DirectiveReading(exchange, rules)
        if reading.sentences.isEmpty, fields.contains(.pragma) {
            texts.append("Pragma has no meaning in a response (RFC 9111 §5.4).")
        }
        return texts + (reading.sentences.isEmpty ? ["There are no directives in \(field)."] : reading.sentences)
    }

    private var requestTexts: [String] {
        let request = exchange.request.headerFields
        var texts: [String] = []
        if exchange.isRequestAssumed {
            let names = asked.headerFields.map(\.name.rawName)
            let fields = names.isEmpty ? "without fields" : "with \(names.listed)"
            texts.append("The request is not known: a plain \(asked.method.rawValue) \(fields) is assumed.")
        }
        texts += RequestReading.sentences(request)
        if !request.contains(.cacheControl), RequestDirectives(request).noCache {
            texts.append("\"Pragma: no-cache\" counts as no-cache, since there is no Cache-Control (RFC 9111 §5.4).")
        }
        let withheld = Set(asked.headerFields.map(\.name)).subtracting(request.map(\.name)).map(\.rawName).sorted()
        if !withheld.isEmpty { texts.append("\(withheld.listed) is withheld from the origin by the policy.") }
        if asked.path != exchange.request.path { texts.append("The policy leaves out query parameters.") }
        return texts
    }

    private var varyTexts: [String] {
        let variant = VariantRule(fields)
        var texts: [String] = []
        if case .fields(let names) = variant.vary {
            let text = variant.fields(of: exchange.request.selectableFields)?.fieldLines ?? ""
            let selecting = text.split(separator: "\n").map(quoted)
            texts = [
                "It answers only requests with the same values of \(names.map(\.rawName).listed) (RFC 9111 §4.1).",
                "This request had \(selecting.listed); a name without a value is a field that was missing.",
            ]
        }
        return texts + codingTexts(variant)
    }

    /// Returns the effect of the content coding on the requests that the response answers.
    private func codingTexts(_ variant: VariantRule) -> [String] {
        guard variant.vary != .everything, lifetimes != nil else { return [] }
        if !variant.ignoresUnknownCodings {
            let names = FieldList.members(of: .vary, in: fields).map { HTTPField.Name(String($0)) }
            let isDeclared = names.contains(.acceptEncoding)
            return isDeclared
                ? []
                : ["It has a Content-Encoding, so it varies by Accept-Encoding although Vary does not name it."]
        }
        guard variant.dependsOnPreferredCodings, exchange.request.headerFields.contains(.acceptEncoding) else {
            return []
        }
        let selecting = variant.selectingFields(of: exchange.request.selectableFields)
        guard selecting?.preferredCodings.isEmpty == true else { return [] }
        return [
            "It has no Content-Encoding and does not vary by Accept-Encoding: since the request accepts no coding, "
                + "requests that accept one are not answered from it until one of them gets the same response."
        ]
    }

    private var cookieTexts: [String] {
        guard fields.contains(.setCookie) else { return [] }
        if directives.withheldFields.contains(.setCookie) {
            return ["Set-Cookie is not stored with the response, since \(field) names it: only this client gets it."]
        }
        return lifetimes == nil ? [] : ["Set-Cookie is stored with the response: all clients get the same cookie."]
    }

    private var authorizationTexts: [String] {
        guard !rules.credentials(in: exchange.request.headerFields).isEmpty, lifetimes != nil else { return [] }
        if rules.allowsAuthorization {
            return ["The request had credentials, which do not prevent storing by the rules."]
        }
        var names: [String] = []
        if directives.isPublic { names.append("public") }
        if directives.sMaxAge != nil { names.append("s-maxage") }
        if directives.mustRevalidate { names.append("must-revalidate") }
        return [
            "The request had credentials, and \(names.listed) \(names.count == 1 ? "allows" : "allow") "
                + "sharing the response (RFC 9111 §3.5)."
        ]
    }

    private var tagTexts: [String] {
        let named = ResponseTags(fields, named: rules.tagFields)
        let given =
            policy.tags.isEmpty || lifetimes == nil
            ? [] : ["Tags of the policy: \(policy.tags.map { quoted($0.description) }.listed)."]
        guard !named.tags.isEmpty || !named.rejected.isEmpty else { return given }
        var texts = given
        if !named.tags.isEmpty {
            texts.append("Tags of the response: \(named.tags.map { quoted($0.description) }.listed).")
        }
        if !named.rejected.isEmpty {
            texts.append(
                "Tags that are longer than \(CacheTag.maximumLength) bytes or not UTF-8: "
                    + "\(named.rejected.map(quoted).listed)."
            )
        }
        let others = rules.tagFields.filter(fields.contains).map(\.rawName)
        return texts + ["\(others.listed) \(others.count == 1 ? "is" : "are") not sent to clients."]
    }

    private var validatorTexts: [String] {
        let stored = exchange.storedHead(policy)
        guard policy.originKind == .server else {
            let tag =
                policy.makesEntityTags && !fields.contains(.eTag)
                ? "The cache adds an ETag computed from the body. " : ""
            return [
                "\(tag)It is not validated, since the handler would have to make the whole response to compare it."
            ]
        }
        guard policy.canValidate(stored) else {
            return [
                Revalidation.hasValidator(stored.headerFields)
                    ? "Its validators are not used: only successful responses are validated (RFC 9110 §13.2.1)."
                    : "It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3)."
            ]
        }
        var question = HTTPFields()
        Revalidation.makeConditional(&question, validating: [stored.headerFields])
        let asked = question.map { "\($0.name.rawName): \(printable($0.value))" }
        return ["A validation sends \(asked.listed) (RFC 9111 §4.3.1)."]
    }
}
