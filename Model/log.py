"""An exhaustive check of the invalidation log: every interleaving of a small system, breadth first.

    python3 Model/log.py [rows…]

prints a line for each row: its name, "holds" or "breaks", the number of states, and what is modelled. A row that breaks
leaves out a rule on purpose; its shortest counterexample follows. The exit status is 1 if a row is not as expected.

The promise, checked at every answer from the store: a request that starts after an invalidation was acknowledged never
gets a body rendered before it.
"""
import sys
from collections import deque, namedtuple


class Broken(Exception):
    """An answer that breaks the promise."""


def explore(model):
    """Returns the number of states, the words that steps witness, and the shortest trace that breaks the promise."""
    start = model.start()
    parents, queue, seen = {start: None}, deque([start]), set()

    def trace(state, last):
        labels = [last]
        while parents[state] is not None:
            state, label = parents[state]
            labels.append(label)
        return labels[::-1]

    while queue:
        state = queue.popleft()
        for label, step in model.steps(state):
            try:
                following, word = step()
            except Broken as broken:
                return len(parents), seen, trace(state, f"{label}: {broken}")
            if word:
                seen.add(word)
            if following not in parents:
                parents[following] = (state, label)
                queue.append(following)
    return len(parents), seen, None


# --- The log in Redis: a list, a table, a floor and an epoch ---------------------------------------------------------

List = namedtuple("List", "epoch run n floor moved versions")  # versions: of A, B and C; 0 if not in the list
Table = namedtuple("Table", "epoch cells")
Entry = namedtuple("Entry", "epoch n body")
Reader = namedtuple("Reader", "at told entry list table birth body")
IDLE = Reader("idle", 0, None, None, None, None, 0)
Redis = namedtuple("Redis", "db told list table entry writer readers left epochs run saved refuses")
A, B, C = 0, 1, 2
NAMES = "ABC"


class RedisLog:
    """A writer commits, invalidates A and is acknowledged, while others invalidate B, C and everything; readers of a
    response with the scope A ask for the entry, then the list, then the table, and store what they fetch. The list has
    room for one scope. A step is one command or script on the server, or one read of the database."""

    wanted = {"hit", "hit by the table", "invalid by the list", "invalid by the table", "miss"}

    def __init__(self, requests=2, others=3, everything=0, lost="", restarts=0, refusals=0, mistake="", cell=(A, B, C)):
        self.left = dict(requests=requests, others=others, everything=everything, losses=bool(lost),
                         restarts=restarts, refusals=refusals)
        self.order = sorted(self.left)
        self.lost, self.mistake, self.cell = lost, mistake, cell
        if everything:
            self.wanted = self.wanted | {"everything"}
        if refusals:
            self.wanted = self.wanted | {"refused"}

    def start(self):
        left = tuple(int(self.left[name]) for name in self.order)
        log = List(0, 1, 0, 0, 0, (0, 0, 0))
        return Redis(0, 0, log, None, None, 0, (IDLE, IDLE), left, 1, 1, None, False)

    # The scripts

    def usable(self, s):
        if s.list is None:
            return False
        if s.list.run != s.run and self.mistake != "another run is not noticed":
            return False
        if s.list.moved == 0 or self.mistake == "a lost table counts as empty":
            return True
        return s.table is not None and s.table.epoch == s.list.epoch

    def begun(self, s):
        if self.usable(s):
            return s
        log = List(s.epochs, s.run, 0, 0, 0, (0, 0, 0))
        return s._replace(list=log, table=None, epochs=s.epochs + 1)

    def invalidated(self, s, scope):
        """Returns the state, and whether the script replied without an error."""
        s = self.begun(s)
        log = s.list._replace(n=s.list.n + 1)
        table = s.table
        if scope == "everything":
            log = log._replace(versions=(0, 0, 0), floor=log.n)
            if self.mistake == "everything makes the tables empty":
                log, table = log._replace(moved=0), None
            return s._replace(list=log, table=table), True
        log = log._replace(versions=put(log.versions, scope, log.n))
        listed = sorted((v, i) for i, v in enumerate(log.versions) if v)
        if len(listed) > 1:
            isMisordered = self.mistake == "versions move in another order" and log.n % 2 == 0
            version, lowest = listed[-1 if isMisordered else 0]
            removed = log._replace(versions=put(log.versions, lowest, 0))
            if self.mistake == "versions are dropped":
                return s._replace(list=removed), True
            if log.moved == 0 or table is None:
                if s.refuses:
                    kept = removed if self.mistake == "the list forgets before the table knows" else log
                    return s._replace(list=kept), False
                table = Table(log.epoch, (0, 0, 0))
            table = table._replace(cells=put(table.cells, self.cell[lowest], version))
            log = removed
            if self.mistake != "what was moved is not noted":
                log = log._replace(moved=max(log.moved, version))
        return s._replace(list=log, table=table), True

    # The steps

    def steps(self, s):
        left = dict(zip(self.order, s.left))
        if left["requests"] == 0 and s.readers == (IDLE, IDLE):
            return  # Nobody asks any more.

        def spent(name):
            return s._replace(left=put(s.left, self.order.index(name), left[name] - 1))

        if s.writer == 0:
            yield "the writer commits", lambda: (s._replace(db=1, writer=1), None)
        if s.writer == 1 or s.writer == -1 and not s.refuses:
            def write():
                after, replied = self.invalidated(s, A)
                return after._replace(writer=2 if replied else -1), None if replied else "refused"
            yield "the writer invalidates A", write
        if s.writer == 2:
            yield "the writer is acknowledged", lambda: (s._replace(told=1, writer=3), None)
        if left["others"]:
            scope = B if left["others"] % 2 else C
            def other(scope=scope):
                after, replied = self.invalidated(spent("others"), scope)
                return after, None if replied else "refused"
            yield f"{NAMES[scope]} is invalidated", other
        if left["everything"]:
            yield "everything is invalidated", lambda: (self.invalidated(spent("everything"), "everything")[0],
                                                        "everything")
        if left["losses"]:
            if "list" in self.lost and s.list:
                yield "the list is evicted", lambda: (spent("losses")._replace(list=None), None)
            if "table" in self.lost and s.table:
                yield "the table is evicted", lambda: (spent("losses")._replace(table=None), None)
        if left["refusals"] and s.refuses != (left["refusals"] == 1):
            yield "Redis makes no table", lambda: (spent("refusals")._replace(refuses=True), None)
        elif s.refuses:
            yield "Redis makes tables again", lambda: (s._replace(refuses=False), None)
        if left["restarts"]:
            if s.saved is None:
                yield "Redis saves a snapshot", lambda: (s._replace(saved=(s.list, s.table, s.entry)), None)
            else:
                yield "Redis restarts from the snapshot", lambda: (self.restarted(spent("restarts")), None)
        for place, reader in enumerate(s.readers):
            if reader.at == "idle":
                if left["requests"] and (place == 0 or s.readers[0].at != "idle"):
                    begun = Reader("entry", s.told, None, None, None, None, 0)
                    yield f"reader {place + 1} starts", lambda b=begun, p=place: (
                        spent("requests")._replace(readers=put(s.readers, p, b)), None)
            else:
                yield f"reader {place + 1}: {reader.at}", lambda r=reader, p=place: self.read(s, p, r)

    def restarted(self, s):
        log, table, entry = s.saved
        # Whoever connects compares the run before it trusts anything; what was under way has failed.
        s = s._replace(list=log, table=table, entry=entry, run=s.run + 1, readers=(IDLE, IDLE))
        return self.begun(s)

    def read(self, s, place, r):
        def goes(r, word=None, s=s):
            return s._replace(readers=put(s.readers, place, r)), word

        def answers(r, word):
            if r.entry.body < r.told:
                raise Broken("the body is older than an invalidation that was acknowledged before the request")
            return goes(IDLE, word)

        def misses(s, r, word):
            s = self.begun(s)
            if not s.left[self.order.index("requests")] and all(o.at != "entry" for o in s.readers):
                return goes(IDLE, word, s)  # Nobody would read what it stores.
            return goes(r._replace(at="fetch", birth=(s.list.epoch, s.list.n), entry=None, list=None, table=None),
                        word, s)

        if r.at == "entry":
            follows = "table first" if self.mistake == "the table is read before the list" else "list"
            return goes(r._replace(at=follows, entry=s.entry))
        if r.at == "table first":
            return goes(r._replace(at="list", table=s.table))
        if r.at == "list":
            log, entry = s.list, r.entry
            if log is None or entry is None or entry.epoch != log.epoch or entry.n < log.floor:
                return misses(s, r, "miss")
            if log.versions[A]:
                if entry.n < log.versions[A]:
                    return misses(s, r, "invalid by the list")
                return answers(r, "hit")
            if entry.n >= log.moved:
                return answers(r, "hit")
            if self.mistake == "the table is read before the list":
                return self.compare(s, r._replace(list=log), r.table, answers, misses)
            return goes(r._replace(at="table", list=log))
        if r.at == "table":
            return self.compare(s, r, s.table, answers, misses)
        if r.at == "fetch":
            return goes(r._replace(at="store", body=s.db))
        return goes(IDLE, None, s._replace(entry=Entry(*r.birth, r.body)))

    def compare(self, s, r, table, answers, misses):
        if table is None and self.mistake == "a lost table counts as empty":
            table = Table(r.list.epoch, (0, 0, 0))
        if table is None:
            return misses(s, r, "miss")
        if table.epoch != r.list.epoch and self.mistake != "a table of another epoch counts":
            return misses(s, r, "miss")
        if r.entry.n < min(table.cells[self.cell[A]], r.list.moved):
            return misses(s, r, "invalid by the table")
        return answers(r, "hit by the table")


# --- The log in memory: versions, removals, and two floors -----------------------------------------------------------

Memory = namedtuple("Memory", "db told n floor stored versions removals finished entry writer fill reader left")


class MemoryLog:
    """A response is stored under one spelling of its key; a writer invalidates the key in another one. The log has room
    for one version. A step is one hold of a lock. `removals`: the invalidations whose entries are not removed yet."""

    wanted = {"hit", "invalid", "removed", "not stored", "dropped"}

    def __init__(self, others=3, requests=2, mistake=""):
        self.others, self.requests, self.mistake = others, requests, mistake

    def start(self):
        return Memory(0, 0, 0, 0, 0, (0, 0, 0), (), (), None, 0, ("idle", 0, 0), ("idle", 0),
                      (self.others, self.requests))

    def stamped(self, s, scope):
        n = s.n + 1
        versions, removals = put(s.versions, scope, n), s.removals + ((n, scope),)
        floor, stored, word = s.floor, s.stored, None
        listed = sorted((v, i) for i, v in enumerate(versions) if v)
        if len(listed) > 1:
            version, lowest = listed[0]
            versions, floor, word = put(versions, lowest, 0), version, "dropped"
            if version >= removals[0][0] and self.mistake != "a version is dropped before its entries are removed":
                stored = version
        return s._replace(n=n, versions=versions, removals=removals, floor=floor, stored=stored), word

    def steps(self, s):
        others, requests = s.left
        if s.writer == 0:
            yield "the writer commits", lambda: (s._replace(db=1, writer=1), None)
        if s.writer == 1:
            def write():
                after, word = self.stamped(s, A)
                return after._replace(writer=2), word
            yield "the writer invalidates A", write
        if s.writer == 2:
            yield "the writer is acknowledged", lambda: (s._replace(told=1, writer=3), None)
        for scope in (B, C):
            if others:
                yield f"{NAMES[scope]} is invalidated", lambda scope=scope: self.stamped(
                    s._replace(left=(others - 1, requests)), scope)
        for number, scope in s.removals:
            yield f"what invalidation {number} concerns is removed", lambda n=number, c=scope: self.removed(s, n, c)
        yield from self.fills(s)
        at, told = s.reader
        if at == "idle" and requests:
            yield "a reader starts", lambda: (
                s._replace(reader=("find", s.told), left=(others, requests - 1)), None)
        if at == "find":
            def find():
                after = s._replace(reader=("idle", 0))
                if s.entry is None:
                    return after, None
                n, body = s.entry
                if n < max(s.stored, s.versions[A]):
                    return after._replace(entry=None), "invalid"
                if body < told:
                    raise Broken("the body is older than an invalidation that was acknowledged before the request")
                return after, "hit"
            yield "the reader looks up", find

    def fills(self, s):
        at, n, body = s.fill
        floor = s.stored if self.mistake == "a fetch is compared with the floor of what is stored" else s.floor
        isValid = n >= max(floor, s.versions[A])
        if at == "idle":
            yield "a fetch begins", lambda: (s._replace(fill=("fetch", s.n, 0)), None)
        if at == "fetch":
            yield "the origin renders", lambda: (s._replace(fill=("store", n, s.db)), None)
        if at == "store":
            if not isValid:
                yield "the fetch is not stored", lambda: (s._replace(fill=("done", 0, 0)), "not stored")
            elif self.mistake == "a fetch is compared outside of the shard's lock":
                yield "the fetch is found valid", lambda: (s._replace(fill=("insert", n, body)), None)
            else:
                yield "the fetch is stored", lambda: (s._replace(fill=("done", 0, 0), entry=(n, body)), None)
        if at == "insert":
            yield "the fetch is stored", lambda: (s._replace(fill=("done", 0, 0), entry=(n, body)), None)

    def removed(self, s, number, scope):
        removals = tuple(r for r in s.removals if r[0] != number)
        entry, word = s.entry, None
        isFound = scope == A and self.mistake != "a key is removed in one spelling only"
        if isFound and entry is not None and entry[0] < max(s.stored, s.versions[A]):
            entry, word = None, "removed"
        return s._replace(removals=removals, entry=entry), word


def put(values, place, value):
    return values[:place] + (value,) + values[place + 1:]


HOLDS, BREAKS = "holds", "breaks"
ROWS = [
    ("L01", HOLDS, "the list, then the table", RedisLog()),
    ("L02", BREAKS, "versions that leave the list are dropped, without a floor",
     RedisLog(mistake="versions are dropped")),
    ("L03", BREAKS, "the table is read before the list", RedisLog(mistake="the table is read before the list")),
    ("L04", BREAKS, "the number of what was moved is missing", RedisLog(mistake="what was moved is not noted")),
    ("L05", HOLDS, "the list or the table is evicted alone", RedisLog(others=3, lost="list table")),
    ("L06", BREAKS, "a lost table counts as empty", RedisLog(lost="table", mistake="a lost table counts as empty")),
    ("L07", BREAKS, "a table of another epoch counts",
     RedisLog(others=3, lost="list", mistake="a table of another epoch counts")),
    ("L08", HOLDS, "everything is invalidated: the floor rises, the table stays", RedisLog(others=3, everything=1)),
    ("L09", HOLDS, "Redis refuses to make a table: the list has its version until the table has it",
     RedisLog(others=3, refusals=1)),
    ("L10", HOLDS, "Redis restarts from a snapshot: another run is another epoch", RedisLog(others=2, restarts=1)),
    ("L11", BREAKS, "everything makes the tables empty, in the same epoch",
     RedisLog(others=4, everything=1, mistake="everything makes the tables empty")),
    ("L12", BREAKS, "a version leaves the list before it is in the table, and Redis refuses",
     RedisLog(refusals=1, mistake="the list forgets before the table knows")),
    ("L13", BREAKS, "a restart from a snapshot is not noticed",
     RedisLog(restarts=1, mistake="another run is not noticed")),
    ("L14", HOLDS, "A and B share a cell, and versions move in their order", RedisLog(cell=(A, A, C))),
    ("L15", BREAKS, "A and B share a cell, and versions move in another order",
     RedisLog(cell=(A, A, C), mistake="versions move in another order")),
    ("N01", HOLDS, "versions are dropped once what they concern is removed, or raise the floor of what is stored",
     MemoryLog()),
    ("N02", BREAKS, "a version is dropped before its entries are removed",
     MemoryLog(mistake="a version is dropped before its entries are removed")),
    ("N03", BREAKS, "a fetch is compared with the floor of what is stored",
     MemoryLog(mistake="a fetch is compared with the floor of what is stored")),
    ("N04", BREAKS, "a key is removed in one spelling only",
     MemoryLog(mistake="a key is removed in one spelling only")),
    ("N05", BREAKS, "a fetch is compared outside of the shard's lock",
     MemoryLog(mistake="a fetch is compared outside of the shard's lock")),
]


def main(chosen):
    wrong = 0
    for name, expected, text, model in ROWS:
        if chosen and name not in chosen:
            continue
        states, seen, trace = explore(model)
        found = BREAKS if trace else HOLDS
        # A model in which nothing happens holds everything.
        missing = sorted(model.wanted - seen) if found == HOLDS else []
        isRight = found == expected and not missing
        wrong += not isRight
        print(f"{name} {found} {states:7} states  {text}{'' if isRight else '  NOT AS EXPECTED'}", flush=True)
        if missing:
            print("      never seen: " + ", ".join(missing))
        for number, label in enumerate(trace or [], 1):
            print(f"      {number:2}. {label}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
