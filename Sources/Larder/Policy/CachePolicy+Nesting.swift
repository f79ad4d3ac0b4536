import HTTPCaching

extension CachePolicy {
    /// Returns the policy with the restrictions of a policy around it: what keeps its responses apart, and what
    /// invalidates them. A route inside a group must not lose them because it has another lifetime.
    package func restricted(by outer: CachePolicy) -> CachePolicy {
        with { policy in
            policy.keys.fields.appendMissing(outer.keys.fields)
            policy.rules.credentialFields.appendMissing(outer.rules.credentialFields)
            if let names = outer.credentialCookies { policy.credentialCookies?.appendMissing(names) }
            policy.tags.appendMissing(outer.tags)
            policy.invalidated.appendMissing(outer.invalidated)
            policy.pairsTags = policy.pairsTags || outer.pairsTags
            policy.isPersonal = policy.isPersonal || outer.isPersonal
            guard let bypass = outer.bypassRule else { return }
            policy.bypassRule = policy.bypassRule?.adding(bypass) ?? bypass
        }
    }
}
