/// An entry that counts as stored for as long as this exists. An entry can have one of these at a time.
package final class StoredEntry: Sendable {
    package let entry: CacheEntry

    package init(_ entry: CacheEntry) {
        self.entry = entry
        entry.noteStored()
    }

    deinit { entry.noteRemoved() }
}
