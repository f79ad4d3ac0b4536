import GRDB
import Hummingbird
import Larder
import LarderHummingbird
import Logging

/// Builds the routes, and says how each of them is cached.
func buildRouter(
    _ options: CatalogueOptions,
    database: any DatabaseWriter,
    cache: ResponseCache,
    statistics: Statistics
) -> Router<AppContext> {
    let products = Products(database: database, cache: cache)
    let reviews = Reviews(database: database, cache: cache)
    let favourites = Favourites(database: database, cache: cache)
    let sessions = Sessions(database: database, passwords: options.passwords)
    let page = Page(statistics: statistics)

    // All of this runs on hits too.
    let router = Router(context: AppContext.self, options: .autoGenerateHeadEndpoints)
    router.addMiddleware {
        LogRequestsMiddleware(.debug)
        CORSMiddleware(
            allowOrigin: .custom(options.allowedOrigin),
            allowHeaders: [.contentType],
            allowMethods: [.get, .head, .post, .put, .patch, .delete],
            allowCredentials: true
        )
        SessionMiddleware(database: database)
    }

    // Most responses are the same for all users. Clients ask each time, and get a 304 if nothing has changed.
    let shared = CachePolicy.fresh(for: .seconds(60)).ignoringCredentials().clientCaching(.revalidate)

    // The page is made from a cached value, so its response is invalidated with the value. What is added after
    // `cachingMiddleware()` runs on a miss alone: compressed responses are stored.
    router.group("/")
        .cached(by: cache, shared)
        .cachingMiddleware()
        .add(middleware: Gzip())
        .get(use: page.show)

    let api = router.group("api")

    // Two parameters of the query count; all others are neither in the key nor seen by the handler.
    api.group("products")
        .cached(by: cache, shared.varying(byQuery: "category", "page").tagged("products"))
        .cachingMiddleware()
        .add(middleware: Gzip())
        .get(use: products.list)

    // A 404 is stored for five seconds. The handler gives a product the tag of its row.
    api.group("products/:product")
        .cached(by: cache, shared.fresh(for: .seconds(5), on: .notFound))
        .get(use: products.show)
        .patch(use: products.update)

    // A new review invalidates the product and the list, with all of its queries.
    api.group("products/:product/reviews")
        .cached(by: cache, shared)
        .invalidating(paths: "/api/products/:product", "/api/products")
        .get(use: reviews.list)
        .post(use: reviews.add)

    // The tags of the rows concern this list too: a review of product 42 invalidates the lists that show product 42.
    api.group("categories/:category")
        .cached(by: cache, shared)
        .cachingMiddleware()
        .add(middleware: Gzip())
        .get(use: products.category)

    // A search asks with content, which is a part of the key.
    api.group("search")
        .cached(by: cache, .fresh(for: .seconds(30)).caching(.post, contentUpTo: .kibibytes(4)).ignoringCredentials())
        .post(use: products.search)

    api.group("top")
        .cached(by: cache, shared)
        .get(use: statistics.list)

    // One response for each user. Cookies of analytics do not switch the cache off.
    api.group("favourites")
        .cached(
            by: cache,
            .fresh(for: .seconds(60)).credentials(cookies: ["session"]).clientCaching(.none),
            perUser: { _, context in context.user.map { "\($0.id)" } }
        )
        .tagged { _, context in context.user.map { [Favourites.tag($0)] } ?? [] }
        .get(use: favourites.list)

    // These routes cache nothing. Their handlers invalidate what they change.
    api.group("favourites/:product")
        .put(use: favourites.add)
        .delete(use: favourites.remove)
    api.group("session")
        .post(use: sessions.signIn)
        .delete(use: sessions.signOut)
    api.post("clear") { _, context -> HTTPResponse.Status in
        guard try context.requireUser().isStaff else { throw HTTPError(.forbidden) }
        await cache.invalidate(.everything)
        return .noContent
    }

    if let token = options.adminToken {
        router.addCacheAdministration(of: cache, access: .token(token))
    }
    return router
}
