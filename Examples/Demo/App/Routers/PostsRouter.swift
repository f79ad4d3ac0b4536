import HTTPTypes
import Hummingbird

/// The routes of `/api/posts/`.
struct PostsRouter: Sendable {
    let repository: Repository

    @Sendable func list(_ request: Request, context: DemoRequestContext) -> PostsResponse {
        PostsResponse(posts: repository.posts)
    }

    @Sendable func create(_ request: Request, context: DemoRequestContext) async throws -> Message {
        let title = try await request.decode(as: NewPost.self, context: context).title.checked("title")
        guard repository.addPost(title) else {
            throw HTTPError(.init(code: 507), message: "The limit of \(Repository.limit) posts is reached")
        }
        return Message(message: "Post created")
    }
}

extension String {
    /// Returns the text, unless it is blank or longer than 200 characters.
    /// - Throws: `HTTPError` with status 400, which names the field.
    func checked(_ field: String) throws -> String {
        guard contains(where: { !$0.isWhitespace }) else {
            throw HTTPError(.badRequest, message: "The field \(field) is blank")
        }
        guard unicodeScalars.count <= 200 else {
            throw HTTPError(.badRequest, message: "The field \(field) is longer than 200 characters")
        }
        return self
    }
}
