import Hummingbird
import Larder

/// The cache of a group of routes: what ``RouterMethods/cached(by:_:perUser:)`` was given.
struct RouteCache<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let policy: CachePolicy
    let user: UserSource<Context>

    /// Returns the same for routes whose context is made from this one.
    func changingContext<Target: RequestContext>(to target: Target.Type) -> RouteCache<Target> {
        let isPerUser = if case .none = user { false } else { true }
        return RouteCache<Target>(cache: cache, policy: policy, user: isPerUser ? .outerContext : .none)
    }
}

/// The user of a request.
enum RequestUser: Sendable {
    /// The user with this ID.
    case id(String)
    /// No user, or none that matters.
    case none
    /// Not to be told: the request has left the task that ``OuterContext`` was bound to.
    case unknown

    /// The ID of the user, if there is one.
    var id: String? {
        if case .id(let id) = self { id } else { nil }
    }
}

/// The way to find the user of a request.
enum UserSource<Context: RequestContext>: Sendable {
    /// The policy does not keep users apart.
    case none
    /// The function that the application gave.
    case function(@Sendable (Request, Context) -> String?)
    /// The function takes the context of a group further out. What it found is bound to the task.
    case outerContext

    /// Returns the user of a request.
    func find(_ request: Request, _ context: Context) -> RequestUser {
        switch self {
        case .none: .none
        case .function(let function): function(request, context).map(RequestUser.id) ?? .none
        case .outerContext: OuterContext.user?(request) ?? .unknown
        }
    }
}

/// What a route needs of the context of a group further out, bound to the task that handles a request.
enum OuterContext {
    /// Returns the user of a request; nil in a task that no group has bound it to.
    @TaskLocal static var user: (@Sendable (Request) -> RequestUser)?
}
