import Hummingbird

/// A simulated user.
struct User: ResponseCodable, Equatable, Sendable {
    let id: Int
    let name: String
}

/// The body of `GET /api/users/{id}`.
struct UserResponse: ResponseCodable, Sendable {
    let user: User
}

/// The body of `PUT /api/users/{id}`.
struct UserUpdate: Decodable, Sendable {
    let name: String
}

/// The body of `GET /api/posts/`.
struct PostsResponse: ResponseCodable, Sendable {
    let posts: [String]
}

/// The body of `POST /api/posts/`.
struct NewPost: Decodable, Sendable {
    let title: String
}

/// A body with one message: the response to a write, or an error.
struct Message: ResponseCodable, Sendable {
    let message: String
}
