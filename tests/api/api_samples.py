"""One request and one answer of every call and stream."""

from typing import Any

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.api.cosigned import Cosigned
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.model.job import AssignmentState, JobClass, JobState
from f2fbuild.model.verdict import VerdictKind

JOB_ID = "5d" * 32
SHORT = "bnentqax"
ALICE, BOB, CAROL = "A1" * 20, "B0" * 20, "CA" * 20
ORIGIN = "f2fbuild.invalid/log/" + "ab" * 32

PRODUCT = replies.Product(
    name="hello.deb", kind="deb", size=1234, sha256="9c" * 32, canonical="9c" * 32, verified=True
)


def assignment(alias: str, owner: str, **changes: Any) -> replies.Assignment:
    fields: dict[str, Any] = {
        "peer": owner.lower()[:8] * 8,
        "owner": owner,
        "alias": alias,
        "node": "elm",
        "state": AssignmentState.DONE,
        "stage": "build",
        "detail": "",
        "origin": ORIGIN,
        "index": 3,
        "outcome": "succeeded",
        "result": "9c" * 32,
        "products": (PRODUCT,),
        "last_line": "",
        "updated": 600,
    }
    return replies.Assignment(**(fields | changes))


def verdict(kind: VerdictKind = VerdictKind.AGREE, **changes: Any) -> replies.Verdict:
    fields: dict[str, Any] = {
        "kind": kind,
        "agree": 2,
        "denominator": 2,
        "needed": 2,
        "verified": 2,
        "result": "9c" * 32,
        "accuses": (),
    }
    return replies.Verdict(**(fields | changes))


def job(**changes: Any) -> replies.Job:
    fields: dict[str, Any] = {
        "id": JOB_ID,
        "short": SHORT,
        "title": "hello_2.10-3",
        "target": "bookworm",
        "arch": "amd64",
        "format": "deb",
        "job_class": JobClass.TESTING,
        "state": JobState.SUCCEEDED,
        "reason": "",
        "created": 600,
        "deadline": 87_000,
        "builders": 2,
        "agree": 2,
        "verdict": verdict(),
        "assignments": (assignment("bob", BOB), assignment("carol", CAROL)),
        "exit_code": 0,
    }
    return replies.Job(**(fields | changes))


def running(**changes: Any) -> replies.Job:
    state = {"state": JobState.RUNNING, "verdict": None, "exit_code": None}
    building = assignment("bob", BOB, state=AssignmentState.BUILDING, outcome="", result="", products=())
    return job(**(state | {"assignments": (building,)} | changes))


def peer(**changes: Any) -> replies.Peer:
    fields: dict[str, Any] = {
        "id": "b0" * 32,
        "alias": "bob",
        "node": "elm",
        "owner": BOB,
        "origin": ORIGIN,
        "rights": ("build", "ledger"),
        "hints": ("[fe80::1]:8595",),
        "connected": True,
        "path": "direct TCP",
        "refusals": ("here: the key has expired (rule 2)",),
        "log_size": 7,
        "frozen": False,
        "certificate_until": 87_000,
    }
    return replies.Peer(**(fields | changes))


STATUS = replies.Status(
    version="0.1.0",
    node="oak",
    node_id="a1" * 32,
    owner=ALICE,
    owner_name="Alice <alice@example.org>",
    origin=ORIGIN,
    vkey=ORIGIN + "+00000000+AA==",
    statement_key="11" * 32,
    log_path="/var/lib/log",
    log_size=7,
    listen=("[fe80::1]:8595",),
    friends=2,
    connected=1,
    jobs_running=0,
    builds_running=0,
    notices=("equivocation: bob",),
)
TRUST = replies.Trust(
    owner=BOB,
    alias="bob",
    validity="full",
    answers=(
        replies.TrustAnswer(
            question="may build for you", allowed=True, reason="", rule="rule 3", detail="2 paths"
        ),
        replies.TrustAnswer(
            question="may give you jobs", allowed=False, reason="depth", rule="rule 5", detail=""
        ),
    ),
    paths=(("you", "dave", "bob"),),
    would_change=("key expires on 2027-01-15",),
    told_us=("your certificate is unknown",),
)
TARGET = replies.Target(
    name="bookworm", format="deb", arch="amd64", text='name = "bookworm"\n', keys=("/etc/key.gpg",)
)
EXPLANATION = replies.Explanation(
    job=JOB_ID,
    waiting_for="second builder",
    reasons=(replies.Reason(peer="b0" * 32, who="bob@elm", reason="no-target", detail="no target f45"),),
)
DIVERGENCE = replies.Divergence(
    job=JOB_ID,
    title="hello_2.10-3",
    verdict=VerdictKind.DIVERGED,
    environment_differences=("kernel: 6.1 | 6.2",),
    groups=(
        replies.DivergenceGroup(
            result="9c" * 32,
            owners=("bob",),
            outcome="succeeded",
            products=(PRODUCT,),
            environment={"kernel": "6.1"},
        ),
        replies.DivergenceGroup(
            result="",
            owners=("carol",),
            outcome="failed in build (nonzero)",
            products=(),
            environment={},
        ),
    ),
    differing=("hello.deb",),
    evidence=("/home/alice/evidence/1",),
)
LOGS = ledger_replies.Logs(
    logs=(
        ledger_replies.Log(
            origin=ORIGIN,
            owner=ALICE,
            node="oak",
            vkey=STATUS.vkey,
            statement_key="11" * 32,
            path="/var/lib/log",
            size=7,
            frozen=False,
        ),
    ),
    findings=(
        ledger_replies.Finding(
            kind="equivocation",
            owner=BOB,
            node="elm",
            evidence="/home/alice/evidence/1",
            found=600,
            detail="two heads",
        ),
    ),
)
COSIGNED = Cosigned(
    origin=ORIGIN,
    name="bob@elm",
    role="witness",
    vkey="f2fbuild.invalid/witness/ab+01+BA==",
    size=7,
    time=600,
)
WITNESSING = ledger_replies.Witnessing(
    origin=ORIGIN,
    note=f"{ORIGIN}\n7\nAAAA\n",
    keys=("f2fbuild.invalid/witness/cd+01+BA==", "f2fbuild.invalid/mirror/ef+01+BA=="),
    cosigned=(COSIGNED,),
    given=(COSIGNED,),
    problems=("example: cannot be reached",),
)
IMPORTED = ledger_replies.Imported(
    logs=(ledger_replies.ImportedLog(origin="o", name="bob@elm", state="advanced", size=7, detail=""),)
)
CHUNK = replies.LogChunk(job=JOB_ID, who="bob@elm", arch="amd64", offset=0, data=b"checking for gcc\n")

PROTECTIONS = replies.Protections(
    protections=(
        replies.Protection(name="build", holds=True, by="uid 1000 of this host", hint=""),
        replies.Protection(name="install", holds=False, by="no range", hint="see subuid(5)"),
    )
)

CALLS: dict[type[Request], tuple[Request, Reply]] = {
    requests.GetStatus: (requests.GetStatus(), STATUS),
    requests.GetProtections: (requests.GetProtections(), PROTECTIONS),
    requests.TakeRenewal: (
        requests.TakeRenewal(),
        replies.Renewed(node="elm", origin=ORIGIN, epoch=0, not_before=600, not_after=9000, in_force=True),
    ),
    requests.GetCard: (requests.GetCard(dial=("a:1",)), replies.Card(text="f2fbuild friend card v1\n")),
    requests.AddPeer: (requests.AddPeer(card="c", rights=("build",), certify=True, alias="b"), peer()),
    requests.GetPeer: (requests.GetPeer(peer="bob"), peer()),
    requests.RemovePeer: (requests.RemovePeer(peer="bob"), peer(connected=False)),
    requests.ListPeers: (
        requests.ListPeers(),
        replies.Peers(peers=(peer(),), refused=("somebody: expired",)),
    ),
    requests.ExplainTrust: (requests.ExplainTrust(who="bob"), TRUST),
    requests.ListTargets: (requests.ListTargets(), replies.Targets(targets=(TARGET,))),
    requests.GetTarget: (requests.GetTarget(name="bookworm"), TARGET),
    requests.AddTarget: (requests.AddTarget(text="x"), TARGET),
    requests.Submit: (requests.Submit(target="bookworm", source="/s.dsc", builders=2), running()),
    requests.GetJob: (requests.GetJob(job=SHORT), job()),
    requests.CancelJob: (
        requests.CancelJob(job=SHORT),
        job(state=JobState.CANCELLED, verdict=None, exit_code=5),
    ),
    requests.RetryJob: (requests.RetryJob(job=SHORT), running()),
    requests.ChallengeJob: (requests.ChallengeJob(job=SHORT), running()),
    requests.ExplainJob: (requests.ExplainJob(job=SHORT), EXPLANATION),
    requests.ListJobs: (requests.ListJobs(limit=5), replies.Jobs(jobs=(job(),))),
    requests.Download: (
        requests.Download(job=SHORT, directory="/d", logs=True),
        replies.Downloaded(job=JOB_ID, files=("/d/hello.deb",)),
    ),
    requests.ListDivergences: (requests.ListDivergences(), replies.Divergences(divergences=(DIVERGENCE,))),
    requests.GetDivergence: (requests.GetDivergence(job=SHORT), DIVERGENCE),
    requests.ListLogs: (requests.ListLogs(), LOGS),
    requests.ImportLogs: (requests.ImportLogs(file="/media/stick/logs.tar"), IMPORTED),
    requests.ReadStrangersLog: (
        requests.ReadStrangersLog(log=LOGS.logs[0].origin),
        ledger_replies.StrangersLog(log=LOGS.logs[0], giver="f" * 64),
    ),
    requests.GetWitnessing: (requests.GetWitnessing(), WITNESSING),
    requests.GetTlogPolicy: (
        requests.GetTlogPolicy(origin=LOGS.logs[0].origin),
        ledger_replies.TlogPolicy(origin=LOGS.logs[0].origin, text="log x\nquorum none\n"),
    ),
    requests.DateEntry: (
        requests.DateEntry(origin=LOGS.logs[0].origin, index=7, before=9),
        ledger_replies.Dated(origin=LOGS.logs[0].origin, index=7, before=9, evidence="f2fbuild\n"),
    ),
}
STREAMS: dict[type[Request], tuple[Request, tuple[Reply, ...]]] = {
    requests.WatchJob: (requests.WatchJob(job=SHORT), (running(), job())),
    requests.ReadLog: (requests.ReadLog(job=SHORT, follow=True), (CHUNK, CHUNK)),
}
