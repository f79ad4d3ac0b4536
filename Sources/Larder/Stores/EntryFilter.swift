/// A selection of stored responses: those for which at least one clause holds.
///
/// ```swift
/// EntryFilter([.init(scopes: [[.tag("posts")], [.prefix("/api")]])])    // the tag, and a path below /api
/// ```
public struct EntryFilter: Sendable {
    /// A condition on a stored response.
    public struct Clause: Sendable {
        /// The scopes that the response has to belong to: at least one of each list.
        public var scopes: [[InvalidationScope]]
        /// The text that its key has to contain; empty for any key. Upper and lower case are different.
        public var keyText: String

        /// Creates a condition.
        /// - Parameters:
        ///   - scopes: The scopes that the response has to belong to: at least one of each list.
        ///   - keyText: The text that its key has to contain; empty for any key.
        public init(scopes: [[InvalidationScope]] = [], keyText: String = "") {
            self.scopes = scopes
            self.keyText = keyText
        }
    }

    /// The conditions.
    public let clauses: [Clause]

    /// Creates a selection.
    /// - Parameter clauses: The conditions, one of which has to hold.
    public init(_ clauses: [Clause]) { self.clauses = clauses }

    /// The selection of every stored response.
    public static let everything = EntryFilter([Clause()])
}

/// A part of the keys that a store has.
public struct KeyPage: Sendable {
    /// A key under which at least one selected response is stored.
    public struct Match: Sendable {
        /// The key.
        public let key: CacheKey
        /// The indices of the filter's clauses that hold for one of its responses or more, in order.
        public let clauses: [Int]
        /// The position after this key, of the same form as ``KeyPage/next``.
        public let position: String

        /// Creates a match.
        /// - Parameters:
        ///   - key: The key.
        ///   - clauses: The indices of the filter's clauses that hold for one of its responses or more, in order.
        ///   - position: The position after this key, of the same form as ``KeyPage/next``.
        public init(key: CacheKey, clauses: [Int], position: String) {
            self.key = key
            self.clauses = clauses
            self.position = position
        }
    }

    /// The keys found.
    public var keys: [Match]
    /// The position after this part; nil if the store has no more keys.
    public var next: String?
    /// The number of keys that were examined.
    public var examined: Int

    /// Creates a page.
    /// - Parameters:
    ///   - keys: The keys found.
    ///   - next: The position after this part: at most 19 digits, or two such numbers with a hyphen between them; nil
    ///     if there are no more keys.
    ///   - examined: The number of keys that were examined.
    public init(keys: [Match] = [], next: String? = nil, examined: Int = 0) {
        self.keys = keys
        self.next = next
        self.examined = examined
    }
}

/// A filter in the form in which a store compares entries with it: with each scope as the store represents it.
package struct EntryMatcher<Scope: Hashable & Sendable>: Sendable {
    private struct Conjunction: Sendable {
        let clause: Int
        let lists: [Set<Scope>]
        let keyText: String

        func hasKeyText(of key: CacheKey) -> Bool { keyText.isEmpty || key.description.contains(keyText) }
    }

    /// The clauses that are one list of scopes, by scope. Most are, and there may be thousands.
    private var byScope: [Scope: [Int]] = [:]
    private var others: [Conjunction] = []

    package init(_ filter: EntryFilter, _ represent: (InvalidationScope) -> Scope) {
        for (place, clause) in filter.clauses.enumerated() {
            if clause.scopes.count == 1, clause.keyText.isEmpty {
                for scope in Set(clause.scopes[0].map(represent)) { byScope[scope, default: []].append(place) }
            } else {
                let lists = clause.scopes.map { Set($0.map(represent)) }
                others.append(Conjunction(clause: place, lists: lists, keyText: clause.keyText))
            }
        }
    }

    /// Returns the indices of the clauses that hold for an entry, in order.
    package func clauses(holdingFor scopes: some Collection<Scope>, _ key: CacheKey) -> [Int] {
        var found: Set<Int> = []
        if !byScope.isEmpty { for scope in scopes { found.formUnion(byScope[scope] ?? []) } }
        for other in others where Self.hold(other.lists, for: scopes) && other.hasKeyText(of: key) {
            found.insert(other.clause)
        }
        return found.sorted()
    }

    /// Returns false if no clause can hold for an entry with these scopes, whatever its key is.
    package func mayHold(for scopes: some Collection<Scope>) -> Bool {
        if !byScope.isEmpty, scopes.contains(where: { byScope[$0] != nil }) { return true }
        return others.contains { Self.hold($0.lists, for: scopes) }
    }

    /// Returns false if no clause can hold for an entry under this key, whatever its scopes are.
    package func mayHold(for key: CacheKey) -> Bool {
        !byScope.isEmpty || others.contains { $0.hasKeyText(of: key) }
    }

    /// The scopes of which every selected entry has at least one; nil if there are no such scopes.
    package var necessaryScopes: Set<Scope>? {
        var scopes = Set(byScope.keys)
        for other in others {
            guard let list = other.lists.first else { return nil }
            scopes.formUnion(list)
        }
        return scopes
    }

    private static func hold(_ lists: [Set<Scope>], for scopes: some Collection<Scope>) -> Bool {
        lists.allSatisfy { list in scopes.contains(where: list.contains) }
    }
}

extension CacheEntry {
    /// The texts of the scopes that the entry belongs to (``InvalidationScope/canonicalText``).
    package var scopeTexts: [String] { location.scopes(with: tags).map(\.canonicalText) }
}
