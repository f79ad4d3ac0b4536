import Foundation
import GRDB
import Hummingbird

/// Reads the cookie `session` and puts the user into the context.
///
/// It is added to the router, so it stands in front of the cache and runs on hits too: after a user has signed out, the
/// cookie does not even get responses that are stored.
struct SessionMiddleware: RouterMiddleware {
    let database: any DatabaseWriter

    func handle(
        _ request: Request,
        context: AppContext,
        next: (Request, AppContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let token = request.cookies["session"]?.value {
            context.user = try await database.read { db in
                try User.fetchOne(
                    db,
                    sql: """
                        SELECT user.id, user.name, user.isStaff
                        FROM session JOIN user ON user.id = session.userID WHERE token = ? AND expires > unixepoch()
                        """,
                    arguments: [sha256(token)]
                )
            }
        }
        return try await next(request, context)
    }
}

/// Signs users in and out. The table has the SHA-256 of a token, so that a copy of the database signs nobody in.
struct Sessions: Sendable {
    let database: any DatabaseWriter
    let passwords: PasswordHashing

    private static let lifetime = 30 * 24 * 3_600

    func signIn(_ request: Request, _ context: AppContext) async throws -> EditedResponse<User> {
        let body = try await request.decode(as: SignIn.self, context: context)
        let found = try await database.read { db -> (user: User, hash: String)? in
            let row = try Row.fetchOne(db, sql: "SELECT * FROM user WHERE name = ?", arguments: [body.name])
            return try row.map { (try User(row: $0), $0["password"]) }
        }
        guard try await passwords.verify(body.password, hash: found?.hash), let user = found?.user else {
            throw HTTPError(.unauthorized, message: "The name or the password is wrong")
        }
        let token = randomHex(byteCount: 32)
        try await database.write { db in
            try db.execute(
                sql: "INSERT INTO session (token, userID, expires) VALUES (?, ?, unixepoch() + ?)",
                arguments: [sha256(token), user.id, Self.lifetime]
            )
        }
        return EditedResponse(headers: cookie(token, maxAge: Self.lifetime), response: user)
    }

    func signOut(_ request: Request, _ context: AppContext) async throws -> Response {
        if let token = request.cookies["session"]?.value {
            try await database.write { db in
                try db.execute(sql: "DELETE FROM session WHERE token = ?", arguments: [sha256(token)])
            }
        }
        return Response(status: .noContent, headers: cookie("", maxAge: 0))
    }

    /// A server that is reached by HTTPS alone adds `secure: true`.
    private func cookie(_ token: String, maxAge: Int) -> HTTPFields {
        let cookie = Cookie(name: "session", value: token, maxAge: maxAge, path: "/", httpOnly: true, sameSite: .lax)
        return [.setCookie: cookie.description]
    }
}
