import RedisClient

/// The scripts that Redis runs for a store, each one atomic and short: none walks what it does not name.
///
/// What must work when memory is full says so (`allow-oom`); Redis 7 is the first that understands it.
enum Scripts {}
