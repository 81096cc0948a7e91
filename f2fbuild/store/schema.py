"""The tables of a node, as numbered migrations.

Text of a migration that was released is never changed: a new one is added. All times are unix seconds; all
digests, node ids and job ids 64 hexadecimal digits; `json` columns hold valid JSON. The values that a CHECK
allows are those of the enums in `f2fbuild.model`, written out because an old file keeps its old text.
"""

_FRIENDS = """
CREATE TABLE friend (
    node TEXT PRIMARY KEY CHECK (length(node) = 64),
    owner TEXT NOT NULL CHECK (length(owner) IN (40, 64)),
    alias TEXT NOT NULL,
    certificate BLOB NOT NULL,
    hints TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(hints)),
    rights TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(rights)),
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'removed', 'blocked')),
    added INTEGER NOT NULL
) STRICT
"""
"""One friend's node. `owner` is an OpenPGP fingerprint (v4 or v6). Removed and blocked rows are tombstones:
the node stays known as one that was sent away."""

_HANDSHAKES = """
CREATE TABLE handshake_time (
    peer TEXT PRIMARY KEY,
    tai64n BLOB NOT NULL CHECK (length(tai64n) = 12)
) STRICT, WITHOUT ROWID
"""
"""The greatest time that a peer's first message carried; smaller or equal ones are replays."""

_REPLAYS = """
CREATE TABLE replay (
    sender TEXT NOT NULL,
    nonce BLOB NOT NULL CHECK (length(nonce) = 16),
    not_after INTEGER NOT NULL,
    PRIMARY KEY (sender, nonce)
) STRICT, WITHOUT ROWID
"""
"""Nonces of signed messages, kept until the message would be refused for its age."""

_JOBS = """
CREATE TABLE job (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    created INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'blocked', 'running', 'succeeded', 'failed', 'gaveback',
        'cancelled', 'expired')),
    "order" BLOB NOT NULL,
    build_key TEXT NOT NULL CHECK (length(build_key) = 64),
    title TEXT NOT NULL,
    target TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('rpm', 'deb', 'recipe', 'image')),
    class TEXT NOT NULL CHECK (class IN ('scratch', 'testing', 'release')),
    offer TEXT NOT NULL CHECK (json_valid(offer)),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    log_size INTEGER NOT NULL CHECK (log_size >= 0),
    arch TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    verdict TEXT CHECK (verdict IS NULL OR json_valid(verdict)),
    updated INTEGER NOT NULL
) STRICT
"""
"""The submitter's side: one order. `offer` is the body that every builder gets, `salt` hides the order in the
log until the verdict opens it, `log_size` is the log's size before the order was decided. `verdict` is NULL
until there is one."""

_ASSIGNMENTS = """
CREATE TABLE assignment (
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    peer TEXT NOT NULL CHECK (length(peer) = 64),
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('offered', 'refused', 'accepted', 'preparing', 'building',
        'verifying', 'committed', 'done', 'lost', 'cancelled')),
    stage TEXT NOT NULL DEFAULT '' CHECK (stage IN ('', 'fetch', 'chroot', 'deps', 'build', 'test',
        'package', 'upload', 'agreement')),
    detail TEXT NOT NULL DEFAULT '',
    acceptance BLOB,
    receipt BLOB,
    commitment BLOB,
    commitment_proof BLOB,
    ending BLOB,
    ending_proof BLOB,
    attachments TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attachments)),
    result TEXT NOT NULL DEFAULT '' CHECK (length(result) IN (0, 64)),
    verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    facts TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(facts)),
    tie_break INTEGER NOT NULL DEFAULT 0 CHECK (tie_break IN (0, 1)),
    replaces TEXT NOT NULL DEFAULT '',
    late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
    withheld INTEGER NOT NULL DEFAULT 0 CHECK (withheld IN (0, 1)),
    updated INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    PRIMARY KEY (job, peer)
) STRICT
"""
"""The submitter's side: one builder asked. Envelopes and proofs are verbatim, NULL until received; `ending`
is the outcome or the closing. `verified` once this node recomputed the result from the builder's bytes."""

_TASKS = """
CREATE TABLE task (
    job TEXT PRIMARY KEY CHECK (length(job) = 64),
    submitter TEXT NOT NULL CHECK (length(submitter) = 64),
    offer BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('accepted', 'preparing', 'building', 'verifying', 'committed',
        'done', 'lost', 'cancelled')),
    acceptance_index INTEGER CHECK (acceptance_index >= 0),
    acceptance BLOB NOT NULL,
    nonce BLOB NOT NULL CHECK (length(nonce) = 32),
    salts BLOB NOT NULL CHECK (length(salts) = 64),
    log_size INTEGER NOT NULL CHECK (log_size >= 0),
    attachments TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attachments)),
    deadline INTEGER NOT NULL,
    reveal_by INTEGER NOT NULL,
    result BLOB,
    stage TEXT NOT NULL DEFAULT '' CHECK (stage IN ('', 'fetch', 'chroot', 'deps', 'build', 'test',
        'package', 'upload', 'agreement')),
    detail TEXT NOT NULL DEFAULT '',
    commitment_index INTEGER CHECK (commitment_index > acceptance_index),
    outcome_index INTEGER CHECK (outcome_index > acceptance_index),
    closing_index INTEGER CHECK (closing_index > acceptance_index),
    updated INTEGER NOT NULL,
    CHECK (outcome_index IS NULL OR closing_index IS NULL)
) STRICT
"""
"""The builder's side: one job taken. `acceptance` and `result` are decided before they are logged, and
`log_size` is the log's size before that, from where a restart looks for what a crash left behind. The last
CHECK is the ledger's rule: an acceptance has one end."""

_PRODUCTS = """
CREATE TABLE product (
    job TEXT NOT NULL CHECK (length(job) = 64),
    peer TEXT NOT NULL CHECK (length(peer) = 64),
    name TEXT NOT NULL CHECK (name <> ''),
    kind TEXT NOT NULL CHECK (kind IN ('rpm', 'deb', 'udeb', 'file')),
    size INTEGER NOT NULL CHECK (size >= 0),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    canonical TEXT NOT NULL CHECK (length(canonical) = 64),
    content TEXT NOT NULL DEFAULT '' CHECK (length(content) IN (0, 64)),
    verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    PRIMARY KEY (job, peer, name)
) STRICT
"""
"""A product that a builder's statement names; `verified` once this node recomputed it from the bytes."""

_READERS = """
CREATE TABLE blob_reader (
    peer TEXT NOT NULL CHECK (length(peer) = 64),
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    until INTEGER NOT NULL,
    PRIMARY KEY (peer, digest)
) STRICT, WITHOUT ROWID
"""
"""Which friend may fetch which blob, and until when."""

_FINDINGS = """
CREATE TABLE finding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    node TEXT NOT NULL,
    evidence_path TEXT NOT NULL DEFAULT '',
    found INTEGER NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
) STRICT
"""
"""What an audit found against an owner, with the file that proves it."""

_EVENTS = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT
"""
"""What happened to a job, for those who watch. `seq` never goes back, so a watcher resumes after it."""

_NOTES = """
CREATE TABLE note (
    name TEXT PRIMARY KEY,
    entry BLOB NOT NULL,
    log_size INTEGER NOT NULL CHECK (log_size >= 0),
    made INTEGER NOT NULL,
    blob TEXT NOT NULL DEFAULT '',
    written INTEGER NOT NULL DEFAULT 0 CHECK (written IN (0, 1))
) STRICT
"""
"""Entries about other logs, decided before they are written: what, the log's size then, the blob it seals."""

_WITNESSED = """
CREATE TABLE witnessed (
    role TEXT NOT NULL CHECK (role IN ('witness', 'mirror')),
    origin TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    note BLOB NOT NULL,
    fork BLOB NOT NULL DEFAULT x'',
    time INTEGER NOT NULL CHECK (time >= 0),
    PRIMARY KEY (role, origin)
) STRICT
"""
"""The newest head of each log that a key of this node has cosigned, with the time that it said; `fork` is the
note of another head of that size, once the log has signed one."""

_WITNESSED_GROWS = """
CREATE TRIGGER witnessed_never_smaller BEFORE UPDATE ON witnessed
WHEN NEW.size < OLD.size OR NEW.time < OLD.time OR (OLD.fork <> x'' AND NEW.fork <> OLD.fork)
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END
"""
"""The rule once more, where no mistake of the program gets round it."""

_COSIGNATURES = """
CREATE TABLE cosignature (
    origin TEXT NOT NULL,
    cosigner TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    time INTEGER NOT NULL CHECK (time >= 0),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (origin, cosigner)
) STRICT
"""
"""The newest cosignature of this node's own head by each key, a vkey; verified before it is stored."""

_INDICES = (
    "CREATE INDEX friend_by_owner ON friend (owner)",
    "CREATE INDEX friend_by_alias ON friend (alias)",
    "CREATE INDEX replay_by_age ON replay (not_after)",
    "CREATE INDEX job_by_state ON job (state, created)",
    "CREATE INDEX job_by_build_key ON job (build_key)",
    "CREATE INDEX assignment_by_peer ON assignment (peer, state)",
    "CREATE INDEX assignment_by_deadline ON assignment (state, deadline)",
    "CREATE INDEX task_by_state ON task (state, deadline)",
    "CREATE INDEX task_by_submitter ON task (submitter, state)",
    "CREATE INDEX product_by_sha256 ON product (sha256)",
    "CREATE INDEX blob_reader_by_age ON blob_reader (until)",
    "CREATE INDEX finding_by_owner ON finding (owner, found)",
    "CREATE INDEX event_by_job ON event (job, seq)",
)

_STRIKES = (
    "ALTER TABLE assignment ADD COLUMN strikes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(strikes))",
    """UPDATE assignment SET strikes = '["late"]' WHERE late""",
    """UPDATE assignment SET strikes = '["withheld"]' WHERE withheld AND NOT late""",
    """UPDATE assignment SET strikes = '["late", "withheld"]' WHERE withheld AND late""",
    "ALTER TABLE assignment DROP COLUMN late",
    "ALTER TABLE assignment DROP COLUMN withheld",
    'ALTER TABLE assignment ADD COLUMN "out" INTEGER NOT NULL DEFAULT 0 CHECK ("out" IN (0, 1))',
    "ALTER TABLE assignment ADD COLUMN open_book INTEGER NOT NULL DEFAULT 0 CHECK (open_book IN (0, 1))",
    "ALTER TABLE assignment ADD COLUMN behind INTEGER NOT NULL DEFAULT 0 CHECK (behind IN (0, 1))",
)
"""Why a builder's statement is no vote, by name; and when its result, or another's, could be read."""
_FINDING_ORIGIN = "ALTER TABLE finding ADD COLUMN origin TEXT NOT NULL DEFAULT ''"
"""The log that a finding is about; empty in rows of the first version and where no log is meant."""

_FINDING_SUBJECT = "ALTER TABLE finding ADD COLUMN subject TEXT NOT NULL DEFAULT ''"
"""What a finding is about within its kind: a subject is found once, however its evidence is written."""

_FINDING_HOPS = "ALTER TABLE finding ADD COLUMN hops INTEGER NOT NULL DEFAULT 0 CHECK (hops >= 0)"
"""How many friends the evidence came through; 0 when this node found it itself."""

_ACCUSATIONS = """
CREATE TABLE accusation (
    job TEXT NOT NULL CHECK (length(job) = 64),
    title TEXT NOT NULL,
    accused TEXT NOT NULL CHECK (length(accused) = 64),
    accused_outcome BLOB NOT NULL,
    accused_proof BLOB NOT NULL,
    accused_products BLOB NOT NULL,
    majority TEXT NOT NULL CHECK (length(majority) = 64),
    majority_outcome BLOB NOT NULL,
    majority_proof BLOB NOT NULL,
    majority_products BLOB NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
    PRIMARY KEY (job, accused)
) STRICT
"""
"""A verdict's accusation, from the verdict until its evidence is written; then it is `settled` and stays, so
that a verdict which is read again accuses nobody twice."""

_MIRRORED_OUTCOMES = """
CREATE TABLE mirrored_outcome (
    origin TEXT NOT NULL,
    idx INTEGER NOT NULL CHECK (idx >= 0),
    vkey TEXT NOT NULL,
    owner TEXT NOT NULL,
    node TEXT NOT NULL,
    build_key TEXT NOT NULL CHECK (length(build_key) = 64),
    result TEXT NOT NULL CHECK (length(result) = 64),
    PRIMARY KEY (origin, idx)
) STRICT, WITHOUT ROWID
"""
"""The outcomes in the logs that are followed, by what they are about, so that results of one build meet."""

_EVIDENCE_TOLD = """
CREATE TABLE evidence_told (
    finding INTEGER NOT NULL REFERENCES finding (id) ON DELETE CASCADE,
    peer TEXT NOT NULL CHECK (length(peer) = 64),
    PRIMARY KEY (finding, peer)
) STRICT, WITHOUT ROWID
"""
"""Which friend has been shown which evidence, or showed it to us: nobody is told twice."""

_EVIDENCE = (
    _FINDING_ORIGIN,
    _FINDING_SUBJECT,
    _FINDING_HOPS,
    _ACCUSATIONS,
    _MIRRORED_OUTCOMES,
    _EVIDENCE_TOLD,
    "CREATE INDEX mirrored_outcome_by_build_key ON mirrored_outcome (build_key)",
    "CREATE INDEX finding_by_kind ON finding (kind, origin)",
)

_CHALLENGES = (
    """ALTER TABLE assignment ADD COLUMN challenge TEXT NOT NULL DEFAULT '' CHECK (challenge IN ('', 'asked',
        'answered', 'passed', 'failed'))""",
    "ALTER TABLE assignment ADD COLUMN nonce BLOB CHECK (length(nonce) = 32)",
    "ALTER TABLE assignment ADD COLUMN answer TEXT NOT NULL DEFAULT '' CHECK (length(answer) IN (0, 64))",
)
"""The last challenge to a builder, and what came of it."""

_OWN_LOG = "CREATE TABLE own_log (origin TEXT NOT NULL) STRICT"
"""One row: the log that sizes and indices in other rows are of."""

_GOSSIP_HEADS = """
CREATE TABLE gossip_head (
    public BLOB PRIMARY KEY CHECK (length(public) = 32),
    note BLOB NOT NULL,
    hops INTEGER NOT NULL CHECK (hops BETWEEN 1 AND 3),
    proved BLOB NOT NULL
) STRICT
"""
"""The newest head that was heard of a log, by its key, and the one that all heads so far agree with; `hops`
are those that an announcement would say, 3 for a head that is not passed on."""

_GOSSIP_FRIENDS = """
CREATE TABLE gossip_friend (
    peer TEXT PRIMARY KEY CHECK (length(peer) = 64),
    has BLOB NOT NULL CHECK (length(has) % 57 = 0),
    told BLOB NOT NULL CHECK (length(told) % 57 = 0)
) STRICT, WITHOUT ROWID
"""
"""What a friend said it has of which logs, and what it was told that we have: lines of 57 bytes each."""

_SIGHTINGS = """
CREATE TABLE sighting (
    origin TEXT NOT NULL,
    kept INTEGER NOT NULL CHECK (kept >= 0),
    note BLOB NOT NULL,
    PRIMARY KEY (origin, kept)
) STRICT, WITHOUT ROWID
"""
"""Heads that two independent owners had cosigned, with their lines, by the time at which they were kept."""

_WITNESS_CERTIFICATES = "CREATE TABLE witness_certificate (vkey TEXT PRIMARY KEY, file BLOB NOT NULL) STRICT"
"""The certificate file of each witness whose line is under such a head, as it was then."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        _FRIENDS,
        _HANDSHAKES,
        _REPLAYS,
        _JOBS,
        _ASSIGNMENTS,
        _TASKS,
        _PRODUCTS,
        _READERS,
        _FINDINGS,
        _EVENTS,
        *_INDICES,
    ),
    (_NOTES,),
    _STRIKES,
    _CHALLENGES,
    _EVIDENCE,
    (_WITNESSED, _WITNESSED_GROWS, _COSIGNATURES),
    (_OWN_LOG,),
    (_GOSSIP_HEADS, _GOSSIP_FRIENDS),
    (_SIGHTINGS, _WITNESS_CERTIFICATES),
)
"""Migration n leads from schema version n to n + 1."""
