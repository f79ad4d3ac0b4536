// MARK: - Checks for tests

extension MemoryShard {
    /// Traps if the tables disagree; for tests.
    func validate() {
        policy.validate()
        expiry.validate()
        slots.validate()
        scopes.validate()
        heads.validate(uses: index.count)
        index.validate { policy.hash(of: $0) }
        var (links, hotCount, hotBytes, blocks) = (0, 0, 0, 0)
        for place in slots.indices {
            let variants = variants(at: place)
            guard let first = variants.first else { continue }
            precondition(self.place(of: first.entry.location.key) == place, "A slot the index does not know")
            precondition(variants.count <= variantLimit, "A slot with too many variants")
            if case .objects = slots[place].content {} else { blocks += 1 }
            if case .hot(let hot) = slots[place].content {
                (hotCount, hotBytes) = (hotCount + 1, hotBytes + Self.hotCost(hot.entry))
            }
            for (number, variant) in variants.enumerated() {
                let others = variants[(number + 1)...]
                precondition(!others.contains { variant.entry.replaces($0.entry) }, "A variant twice")
                precondition(oldestReadVersion <= variant.entry.readVersion.number, "An entry that no sweep examines")
                let chains = scopes.scopes(of: variant.run, links: Int(variant.linkCount))
                precondition(chains == Self.chains(of: variant.entry), "An entry that an invalidation would not find")
                links += chains.count
            }
        }
        if pool.mappedBytes > 0 || blocks > 0 { pool.validate(blocks: blocks) }
        precondition(hotCount == hot.count && hotBytes == hot.bytes, "A hot entry that is not in its slot")
        precondition(links == scopes.count, "A link to an entry that is not stored")
        precondition(bytes <= limit, "More bytes than the limit")
        precondition(index.count == policy.count && index.count == expiry.count, "Tables of different length")
        precondition(index.count + slots.freeCount == slots.count, "A lost slot")
    }
}
