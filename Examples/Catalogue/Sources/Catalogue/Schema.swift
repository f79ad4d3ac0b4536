import GRDB

/// The tables, and the rows of the first start.
public enum Schema {
    /// Opens the database file, or a database in memory if the path is nil.
    ///
    /// A read that begins after a commit sees the commit, in a pool as well as in a queue. The cache needs that: it
    /// invalidates after the commit, and the next request reads.
    public static func open(_ path: String?) throws -> any DatabaseWriter {
        guard let path else { return try DatabaseQueue() }
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)  // several processes may write to the file
        return try DatabasePool(path: path, configuration: configuration)
    }

    /// Creates the tables, and the rows if there are none.
    public static func prepare(_ database: any DatabaseWriter, seed: Seed) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("tables") { db in
            try db.execute(sql: tables)
            try seed.insert(into: db)
        }
        try migrator.migrate(database)
    }

    private static let tables = """
        CREATE TABLE product (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, cents INTEGER NOT NULL CHECK (cents > 0)
        );
        CREATE INDEX productCategory ON product (category);
        CREATE TABLE user (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, isStaff BOOLEAN NOT NULL, password TEXT NOT NULL
        );
        CREATE TABLE review (
            id INTEGER PRIMARY KEY,
            productID INTEGER NOT NULL REFERENCES product, userID INTEGER NOT NULL REFERENCES user,
            stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), text TEXT NOT NULL
        );
        CREATE INDEX reviewProduct ON review (productID);
        CREATE TABLE session (
            token TEXT PRIMARY KEY, userID INTEGER NOT NULL REFERENCES user, expires INTEGER NOT NULL
        );
        CREATE TABLE favourite (
            userID INTEGER NOT NULL REFERENCES user, productID INTEGER NOT NULL REFERENCES product,
            PRIMARY KEY (userID, productID)
        );
        CREATE TABLE top (
            id INTEGER PRIMARY KEY REFERENCES product, stars REAL NOT NULL, reviews INTEGER NOT NULL
        );
        """
}

/// The rows of the first start.
public struct Seed: Sendable {
    let products: Int
    let reviews: Int
    let passwords: PasswordHashing

    /// Creates a description of the rows: this many products, with this many reviews each.
    public init(products: Int = 100, reviews: Int = 500, passwords: PasswordHashing = PasswordHashing()) {
        self.products = products
        self.reviews = reviews
        self.passwords = passwords
    }

    func insert(into db: Database) throws {
        for (name, isStaff) in [("Ada", true), ("Bob", false)] {
            try db.execute(
                sql: "INSERT INTO user (name, isStaff, password) VALUES (?, ?, ?)",
                arguments: [name, isStaff, try passwords.hash("\(name.lowercased())-password")]
            )
        }
        let product = try db.makeStatement(sql: "INSERT INTO product (name, category, cents) VALUES (?, ?, ?)")
        let review = try db.makeStatement(
            sql: "INSERT INTO review (productID, userID, stars, text) VALUES (?, ?, ?, ?)"
        )
        let kinds = [("Lamp", "home"), ("Chair", "home"), ("Spade", "garden"), ("Kettle", "kitchen")]
        for id in 1...products {
            let (kind, category) = kinds[id % kinds.count]
            try product.execute(arguments: ["\(kind) \(id)", category, 500 + 25 * id])
            for number in 0..<reviews {
                try review.execute(arguments: [id, 1 + number % 2, 1 + (id + number * number) % 5, "Review \(number)"])
            }
        }
    }
}
