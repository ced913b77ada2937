// holdfastctl's side of the admin socket: one blocking request at a time over a plain Unix socket, HTTP/1.1, a total
// limit of time for each. Not a general HTTP client. This comment is also the contract of the admin API.
//
// Bodies are JSON objects; times are RFC 3339 strings; durations are seconds (numbers). A field marked ? may be absent.
// Unknown fields of an answer are ignored; unknown fields of a request are refused. A refusal is
//   {"code":"…","message":"one sentence"}   with 400 bad request, 403 no permission, 404 no such thing, 409 not now,
//   422 configuration invalid, 503 cannot (store damaged, disk full), 504 did not finish in time.
// holdfastctl exits 4 for 403, 5 for 504, 78 for 422, and 1 for every other status from 400 on.
//
// GET /v1/status
//   {"verdict":"ok|degraded|impaired|draining","summary":"one line for people",
//    "node":{"name","region","version","pid":N,"startedAt","uptimeSeconds":N},
//    "mode":{"node":"auto|degraded|live","overrides":[{"scope":"node|scene|circuit|fleet","scene"?,"mode","reason",
//            "by","since"?,"expiresAt","remainingSeconds":N}]},
//    "circuits":[{"upstream","state":"closed|half-open|open","since","sinceSeconds":N,"reason",
//                 "outageSince"?,"outageSeconds"?:N (since it is not closed),"forced"?:"open|close",
//                 "forcedRemainingSeconds"?:N,"forcedBy"?,"forcedReason"?,"retryInSeconds"?:N}],
//    "lease":{"kind":"local|etcd","state":"local|leased|autonomous","remainingSeconds"?:N,"store"?,"epoch"?:N,
//             "live"?:N,"why"?:"why autonomous","alarm"?:"what an operator must look at","remedy"?},
//    "cache":{"entries":N,"bytes":N,"sizeBytes":N,"healthy":bool,"detail"?},
//    "state":{"healthy":bool,"detail"?}, "journal":{"healthy":bool,"entries":N,"detail"?},
//    "evidence":{"healthy":bool,"entries":N,"detail"?},
//    "clock":{"synchronised":bool,"trusted":bool,"jumpSeconds"?:N (of the wall clock, of late)},
//    "upstreams":[{"upstream","endpoint","weight":N,"state":as GET /v1/upstream,"inFlight":N,"connections":N,
//                  "p99Seconds"?:N}],
//    "load":{"connections":N,"inFlight":N,"queued":N,"requests":N,"perSecond":N,"refusedPerSecond":N,
//      "degradedPerSecond":N},
//    "budgets":[{"scene","used":N,"left":N,"perMinute":N,"configuredPerMinute":N,"outageSeconds"?:N,
//      "beginsInSeconds"?:N,"endsInSeconds"?:N}]   provisional answers of the last minute, of those that this node may
//      give: its share of what is configured for the fleet; in an outage when they begin (after) and end (hard_stop)
//    "listener":{"certificateEnds"?},"credentials":{"count":N,"rotating":N (with two active secrets),
//      "twoSecrets":["id"] (32 of them)},
//    "reconcile":{as GET /v1/reconcile},
//    "config":{"hash","generation":N,"source","file"?:"of the node","kind","loadedAt","lastReloadSuccessful":bool,
//     "failedAt"?,"failedBy"?,"failure"?,"held"?:{"generation":N,"since","by","reason","newerWaits":bool},
//     "notKept"?,"remoteProblem"?,"remoteRevision"?:N,"restartNeeded":["key"],
//     "remote"?:{"kind","endpoint","path","reachable":bool,"problem"?}},
//    "events":[{"time","kind","text"}]}                       the newest last, at most 20
// POST /v1/degrade {"mode":"degraded|live|auto","scene"?,"fleet"?:bool,"forSeconds"?:N,"reason"}
//   {"scope":"node|scene|fleet","scene"?,"mode","reason","expiresAt"?,"remainingSeconds"?:N}   durable before it
//   answers; with "fleet" 503 when this node is not linked to its fleet, 504 when it is not known whether it stands
// GET /v1/circuit
//   {"budgets":[as in status],"circuits":[{as in status,"window":{"calls":N,"failures":N,"slow":N,"failureRate":N,
//     "slowRate":N,"subjects":N,"credentials":N,"connectFailures":N},"notOpened"?:"one_credential",
//     "throttle":{"active":bool,"probability":N},"halfOpen"?:{"permitted":N,"done":N,"failed":N},"ramp"?:{"percent":N},
//     "votes"?:{"open":N,"needed":N,"live":N},"mode"?:"shared|autonomous","why"?,"alarm"?,"remedy"?,
//     "own"?:"closed|half-open|open","proof"?:bool,
//     "fleet"?:{"name","state","epoch":N,"cause"?,"by"?,"sinceSeconds"?:N,"retryInSeconds"?:N,"prober"?,
//       "override"?:{"order":"open|closed|degraded|live","by","reason","remainingSeconds":N},
//       "votes":[{"node","stands":bool,"cause","calls":N,"failures":N,"slow":N,"window","subjects":N}],
//       "disagree":["node"]}}]}
// POST /v1/circuit {"action":"open|close|auto","fleet"?:bool,"forSeconds"?:N,"reason"?}     answers like GET; a reason
//   is needed with "fleet"
// GET /v1/peers
//   {"kind":"local|etcd","fleet"?,"mode"?,"why"?,"alarm"?,"remedy"?,"store"?,"cluster"?,"revision"?:N,"epoch"?:N,
//    "peers":[{"name","self":bool,"readable":bool,"region"?,"own"?,"proof"?:bool,"epoch"?:N,"revision"?:N,"vote":bool,
//      "probing":bool,"disagrees":bool,"counted":bool (live),"upstream"?:"…",
//      "leaseRemainingSeconds"?:N (of this node),"clockSkewSeconds"?:N}]}
// POST /v1/fleet/accept {"reason"}       answers like GET /v1/peers, with "accepted" (the alarm) and "orderBefore"?
//                                        (the fleet's, which stands only if the store has it); 409 while no alarm
//                                        about the store stands
// GET /v1/reconcile
//   {"pending":N,"state":"idle|waiting|asking|held","why"?:"why held","oldestSeconds"?:N,"undecided"?:N,
//    "lastFailure"?,"confirmed":N,"reversed":N,"unknown":N}      counts since the start
// POST /v1/reconcile {}                 answers like GET; 409 while it is held
// GET /v1/upstream
//   {"endpoints":[{"upstream","endpoint","weight":N,"configuredWeight":N,"sharePercent":N,
//     "state":"healthy|slow-start|failing|ejected|down" (failing: its calls fail, or its probes, and without it too few
//     would be left),"why"?:"tries|probes|operator" (of failing, ejected),"backInSeconds"?:N,"probe"?:"good|bad",
//     "live"?:{"weight"?:{"by","reason","at"},"eject"?:{"by","reason","at"}},"ejections":N,"inFlight":N,"queued":N,
//     "idle":N,"addresses":N,"addressesStale":bool,"detail"?}],
//    "mirror"?:{"url","share":N,"underWay":N,"bytes":N,"answered":N,"failed":N,"timeout":N,"dropped":N}}
// POST /v1/upstream {"action":"weight|eject|restore","endpoint":"URL","weight"?:N,"forSeconds"?:N,"reason"}
//   answers like GET; 404 for an unknown URL, 409 when too few endpoints would be left. Until a restart.
// GET /v1/cache/stats
//   {"entries":N,"bytes":N,"sizeBytes":N,"orders":N,"hits":N,"misses":N,"evictions":{"<cause>":N},"healthy":bool,
//    "detail"?}
// POST /v1/cache/get {"credential","subject","scene","device"?}     404 when there is no record
//   {"outcome","score"?,"decidedAt","ageSeconds":N,"maxAgeSeconds"?:N,"verificationId"?,"feature":bool,"revoked":bool,
//    "usable":bool,"why":"why it would or would not answer now"}
// POST /v1/cache/purge {"scene"?}        {"purged"?:N,"orders"?:N,"scene"?,"purgedAt"}; how many records of one
//                                        scene there are is not known until they are erased, in steps; 400 for an
//                                        unknown scene
// POST /v1/cache/revoke {"subject"}      {"revokedAt","provisionalScenes":["scene"]}   durable before it answers
// POST /v1/policy/test {"credential"?,"client"?:"address","request":{the body of a verification}}     changes nothing
//   the credential may be left out where one alone is configured
//   {"allowed":bool,"code"?,"message"?,"prechecks":[{"name","result":"pass|deny|skip","detail"?}],
//    "live":{"admitted":bool,"why"},"degraded":{"answer":"cache|feature|provisional|deny","why",
//    "rungs":[{"rung","answers":bool,"why"}]}}
// GET /v1/config                         {"hash","generation":N,"source","loadedAt","toml":"effective, secrets
// redacted"} GET /v1/config?origin=1                application/x-ndjson:
// {"key","value":"TOML","origin":"file:line|default",
//                                        "reload":"hot|restart"} a line
// POST /v1/config/reload {}     {"generation":N,"hash","unchanged":bool,"certificatesReadAnew":bool,"holdEnded"?:N,
//                               "changed":["key"],"restartNeeded":["key"],"warnings":["text"]}; 422 adds
//                               "rendered":"the errors as a terminal shows them"
// POST /v1/config/rollback {"generation"?:N,"reason"?}     answers like reload; durable before it stands
// GET /v1/config/history                 {"generation":N,"held"?:N,"versions":[{"generation":N,"hash","time","kind",
//                                        "source","by","reason"?,"of"?:N,"inForce":bool}]}, the newest first
// GET /v1/journal?n=N[&after=SEQ]        application/x-ndjson, oldest first: the last n entries, or the first n with a
//                                        sequence number above SEQ: {"seq":N,"time","kind","fields":{…},"prev","hash"}:
//                                        the journal's own lines
// GET /v1/journal/verify                 {"ok":bool,"entries":N,"lastSeq":N,"lastHash","damage":N (entries that tell of
//                                        damage),"damagedSince":N (the first of them about the journal itself; 0:
//                                        none),"setAside":N (files of what was cut),"unfinishedBytes":N,"problem"?}
// GET /v1/explain/{requestId}            404 when it is not among the recent ones
//   {"requestId","traceId","began","credential","scene","orderNo","auth":"what it said","claimed"?:"id that a
//    refused one names","skewSeconds"?:N (how far a refused timestamp is ahead of the node's clock),"precheck":"rule or
//    pass","mode","circuit","attempts":[{"endpoint","result","startedMs":N,"durationMs":N}],"rung",
//    "ladder":"none, or why it was not climbed","rungs":[{"rung","why":as of policy test}],"reason","repeated":bool,
//    "source","outcome","status":N,"code","durationUs":N}
// POST /v1/drain {}                      {"draining":true,"inFlight":N,"connections":N,"done":bool}; GET answers the
//                                        same and changes nothing: `drain --wait` asks until done is true
//                                        409 while it hands over
// POST /v1/undrain {}                    {"draining":false,"inFlight":N,"connections":N,"done":bool}; 409: it is ending
// POST /v1/upgrade {}                    begins; GET tells how it stands: whoever serves the socket by then answers
//   {"state":"none|preparing|handing-over|done|failed","pid":N,"successor"?:N,"error"?:"…"}
// POST /v1/state/reset {"reason"}        {"reset":true}     declares it sound; what is in it stays
#pragma once

#include <string>
#include <string_view>

#include "edge/admin_paths.h"
#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast::ctl {

struct AdminAnswer {
    int status = 0;
    std::string body;
};

class AdminClient {
  public:
    // `limit` is the total time for one request: connect, send, wait and read.
    AdminClient(std::string socket_path, Nanos limit) : socket_path_(std::move(socket_path)), limit_(limit) {}
    // One connection, one request, one answer of any status. Errors: refused (nobody listens, or no such socket),
    // denied (the socket's permissions), timeout, too_large (above kAnswerBytesMax), invalid (not HTTP), closed.
    Result<AdminAnswer> get(std::string_view target) { return ask("GET", target, {}); }
    Result<AdminAnswer> post(std::string_view target, std::string_view json) { return ask("POST", target, json); }
    const std::string& socket_path() const { return socket_path_; }

  private:
    Result<AdminAnswer> ask(std::string_view method, std::string_view target, std::string_view body);
    std::string socket_path_;
    Nanos limit_;
};

}  // namespace holdfast::ctl
