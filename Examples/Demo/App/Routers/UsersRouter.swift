import HTTPTypes
import Hummingbird

/// The routes of `/api/users/{id}`.
struct UsersRouter: Sendable {
    let repository: Repository

    @Sendable func show(_ request: Request, context: DemoRequestContext) throws -> UserResponse {
        UserResponse(user: repository.user(try Self.id(in: context)))
    }

    @Sendable func update(_ request: Request, context: DemoRequestContext) async throws -> Message {
        let id = try Self.id(in: context)
        let name = try await request.decode(as: UserUpdate.self, context: context).name.checked("name")
        guard repository.rename(id, to: name) else {
            throw HTTPError(.init(code: 507), message: "The limit of \(Repository.limit) renamed users is reached")
        }
        return Message(message: "User updated")
    }

    /// Returns the positive ID in the path. Only one spelling is accepted: digits without leading zeros.
    private static func id(in context: DemoRequestContext) throws -> Int {
        let text = context.parameters.get("id") ?? ""
        guard let id = Int(text), id > 0, String(id) == text else {
            throw HTTPError(
                .badRequest,
                message: "The id is invalid: expected a positive whole number without sign or leading zeros"
            )
        }
        return id
    }
}
