import RedisClient

/// The scripts that Redis runs for a store. Each is atomic and short: it does not walk through keys that it does not
/// name.
///
/// A script that has to work when memory is full says so (`allow-oom`); Redis 7 is the first version that understands
/// it.
enum Scripts {}
