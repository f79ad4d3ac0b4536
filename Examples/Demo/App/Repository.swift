import NIOConcurrencyHelpers

/// The simulated users and posts: in memory, limited in number, and lost when the process ends.
public final class Repository: Sendable {
    /// The limit of renamed users, and of posts: 10,000 each.
    public static let limit = 10_000

    private struct State {
        var names: [Int: String] = [:]
        var posts = ["Cached post A", "Cached post B"]
    }

    private let state = NIOLockedValueBox(State())

    /// Creates a repository with the users and posts of the specification.
    public init() {}

    /// Returns the user with this ID; there is one for every positive ID.
    func user(_ id: Int) -> User {
        User(id: id, name: state.withLockedValue { $0.names[id] } ?? "Cached User \(Self.letters(id))")
    }

    /// Renames a user; returns false if the limit of renamed users is reached.
    func rename(_ id: Int, to name: String) -> Bool {
        state.withLockedValue { state in
            guard state.names[id] != nil || state.names.count < Self.limit else { return false }
            state.names[id] = name
            return true
        }
    }

    /// The titles of all posts, the oldest first.
    var posts: [String] { state.withLockedValue { $0.posts } }

    /// Adds a post; returns false if the limit of posts is reached.
    func addPost(_ title: String) -> Bool {
        state.withLockedValue { state in
            guard state.posts.count < Self.limit else { return false }
            state.posts.append(title)
            return true
        }
    }

    /// Returns letters for a number: 1 is A, 26 is Z, 27 is AA, like the columns of a spreadsheet.
    static func letters(_ id: Int) -> String {
        var letters = ""
        var rest = id
        while rest > 0 {
            rest -= 1
            letters = String(UnicodeScalar(UInt8(ascii: "A") + UInt8(rest % 26))) + letters
            rest /= 26
        }
        return letters
    }
}
