import Hummingbird
import Larder

/// The arguments of ``RouterMethods/cached(by:_:perUser:)`` for a group of routes.
struct RouteCache<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let policy: CachePolicy
    let user: UserSource<Context>

    /// Returns the same cache and policy for routes whose context is made from this one.
    func changingContext<Target: RequestContext>(to target: Target.Type) -> RouteCache<Target> {
        let isPerUser = if case .none = user { false } else { true }
        return RouteCache<Target>(cache: cache, policy: policy, user: isPerUser ? .outerContext : .none)
    }
}

/// The user of a request.
enum RequestUser: Sendable {
    /// The user with this ID.
    case id(String)
    /// The request has no user, or the policy does not distinguish users.
    case none
    /// The user cannot be determined, because the request has left the task that ``OuterContext`` was bound to.
    case unknown

    /// The ID of the user; nil if it is not known or there is no user.
    var id: String? {
        if case .id(let id) = self { id } else { nil }
    }
}

/// The way to find the user of a request.
enum UserSource<Context: RequestContext>: Sendable {
    /// The policy does not distinguish users.
    case none
    /// The function that the application gave finds the user.
    case function(@Sendable (Request, Context) -> String?)
    /// The function takes the context of an outer group. The user that it found is bound to the task.
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

/// Values that a route needs from the context of an outer group, bound to the task that handles a request.
enum OuterContext {
    /// A function that returns the user of a request; nil in a task that no group has bound it to.
    @TaskLocal static var user: (@Sendable (Request) -> RequestUser)?
}
