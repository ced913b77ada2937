/* The lease protocol of the shared circuit: three nodes, a quorum of two, one store, one override.
 * Safety S1 to S5 (S6 where a decision is made) as assertions, with crashes, late events, belief that ends at any time,
 * leases that end once belief has, and FAULTS events that break an assumption: a lease revoked early, or a pause between
 * the last look at the clock and the bytes. A switch NO_... takes one safeguard away; `run` shows that each is missed.
 *
 * Time is an order only: a node's belief ends before its lease can (the clock rule), and a probe ends before the belief
 * it rests on (a probe starts only if usable(t + T)).
 */
#ifndef N
#define N 3
#endif
#define QUORUM 2
#ifndef EPOCHS
#define EPOCHS 5
#endif
#ifndef TAKES
#define TAKES 3
#endif
#ifndef FAULTS
#define FAULTS 0
#endif

#define CLOSED 0
#define OPEN 1
#define HALF 2
#define NOBODY 7

/* the store */
byte S = CLOSED, E = 1;
bool order_stands = false;
byte prober = NOBODY;   /* probe/u, on a lease of its own */
byte takes = 0;         /* create revision of probe/u */
bool lease[N];
byte vote[N];           /* the epoch voted for; 0: none; hangs on lease */

/* the nodes */
bool usable[N];         /* what the node's own clock lets it believe of its lease */
bool probe_usable[N];   /* and of its probe's */
bool in_flight[N];
byte applied[N], applied_s[N], disk[N], newest[N];

byte faults = 0, orders = 0;

inline probes_in_flight(n) {
    n = 0; k = 0;
    do
    :: k < N -> n = n + in_flight[k]; k++
    :: else -> break
    od
}
inline standing(n) {
    n = 0; k = 0;
    do
    :: k < N -> n = n + (lease[k] && vote[k] == E); k++
    :: else -> break
    od
}

#ifdef NO_EPOCH_IN_VOTES
#define COUNTS(j) (vote[j] != 0)
#else
#define COUNTS(j) (vote[j] == applied[me])
#endif

#ifdef NO_VOTE_COMPARE
#define STILL(j) true
#else
#define STILL(j) (COUNTS(j))
#endif

#ifdef NO_OVERRIDE_COMPARE
#define NO_ORDER true
#else
#define NO_ORDER (!order_stands)
#endif

#ifdef NO_OWN_VOTE
#define MINE_STANDS true
#else
#define MINE_STANDS (vote[me] == applied[me])
#endif

#ifdef NO_FENCE
#define FENCED true
#else
#define FENCED (E == fence_epoch && prober == me && takes == fence_take)
#endif

#ifdef NO_RECHECK
#define MAY_SEND true
#else
#define MAY_SEND (usable[me] && probe_usable[me])
#endif

#ifdef NO_OLDER_DROPPED
#define NEWS (event_epoch != 0 && event_epoch != applied[me])
#else
#define NEWS (event_epoch > applied[me])
#endif

proctype Node(byte me) {
    byte event_epoch = 0, event_s = 0;              /* a message under way: of any age when it comes */
    byte a = NOBODY, b = NOBODY;                    /* the quorum that an opening was decided on */
    bool checked = false, verdict = false, good = false;
    byte fence_epoch = 0, fence_take = 0, k = 0, n = 0;
    do
    /* registers, renews; belief ends at any time, but not under a probe that was started for all of its limit */
    :: atomic { !lease[me] && !usable[me] -> lease[me] = true; usable[me] = true; vote[me] = 0 }
    :: atomic { lease[me] && !usable[me] -> usable[me] = true }
    :: atomic { usable[me] && !in_flight[me] -> usable[me] = false; probe_usable[me] = false; checked = false }
    :: atomic { probe_usable[me] && prober == me && !in_flight[me] -> probe_usable[me] = false }
#ifdef NO_PROBE_LIMIT
    :: atomic { probe_usable[me] && in_flight[me] -> probe_usable[me] = false }
#endif

    /* learns: a message leaves the store, comes later, is durable before it is applied */
    :: atomic { E > applied[me] && event_epoch != E -> event_epoch = E; event_s = S }
    :: atomic { NEWS ->
#ifndef NO_PERSIST
           disk[me] = event_epoch;
#endif
           applied[me] = event_epoch; applied_s[me] = event_s;
           assert(applied[me] >= newest[me]);       /* S1 */
           newest[me] = applied[me];
#ifdef NO_OLDER_DROPPED
           skip
#else
           event_epoch = 0; event_s = 0
#endif
       }

    /* its own circuit opens: it votes; it closes: the vote goes */
    :: atomic { usable[me] && applied[me] == E && lease[me] && vote[me] != E && NO_ORDER -> vote[me] = E }
    :: atomic { usable[me] && vote[me] != 0 && prober != me -> vote[me] = 0 }

    /* opens on a quorum: sees the votes, then commits */
    :: atomic { usable[me] && applied_s[me] == CLOSED && a == NOBODY && E < EPOCHS ->
           k = 0;
           do
           :: k < N && lease[k] && COUNTS(k) && a == NOBODY -> a = k; k++
           :: k < N && lease[k] && COUNTS(k) && a != NOBODY && b == NOBODY -> b = k; k++
           :: k < N && !(lease[k] && COUNTS(k) && b == NOBODY) -> k++
           :: k >= N -> break
           od;
           if
           :: b == NOBODY -> a = NOBODY
           :: else -> skip
           fi;
           k = 0 }
    :: atomic { a != NOBODY ->
           if
           :: S == CLOSED && E == applied[me] && NO_ORDER && STILL(a) && STILL(b) ->
                  assert(!order_stands);            /* S5 */
                  standing(n);
                  assert(n >= QUORUM || faults > 0 && n + faults >= QUORUM); /* S3 */
                  S = OPEN; E++
           :: else -> skip
           fi;
           a = NOBODY; b = NOBODY; n = 0; k = 0 }

    /* takes the probe: from open (a new epoch) or from a dead prober */
    :: atomic { usable[me] && applied[me] == E && S != CLOSED && NO_ORDER && MINE_STANDS && prober == NOBODY &&
                E < EPOCHS && takes < TAKES && !checked && !verdict && !in_flight[me] ->
           assert(!order_stands);                   /* S5 */
           assert(vote[me] == E);                   /* only one whose own vote stands */
           if
           :: S == OPEN -> S = HALF; E++; vote[me] = E;
                  disk[me] = E; applied[me] = E; newest[me] = E; applied_s[me] = HALF
           :: else -> skip
           fi;
           prober = me; takes++; probe_usable[me] = true;
           fence_epoch = E; fence_take = takes }

    /* checks, sends, hears */
    :: atomic { usable[me] && probe_usable[me] && !checked && !in_flight[me] && !verdict && fence_take != 0 &&
                applied[me] == fence_epoch -> checked = true }
    :: atomic { checked ->
           checked = false;
           if
           :: MAY_SEND ->
                  in_flight[me] = true;
                  probes_in_flight(n);
                  assert(n <= 1 + faults);          /* S2 */
                  assert(lease[me] || faults > 0)   /* S6 */
           :: else -> fence_take = 0
           fi;
           n = 0; k = 0 }
    :: atomic { checked && faults < FAULTS ->       /* paused behind the last look at the clock */
           faults++; checked = false; in_flight[me] = true;
           usable[me] = false; probe_usable[me] = false;
           probes_in_flight(n);
           assert(n <= 1 + faults); n = 0; k = 0 }
    :: atomic { in_flight[me] -> in_flight[me] = false; verdict = true; good = true }
    :: atomic { in_flight[me] -> in_flight[me] = false; verdict = true; good = false }
    :: atomic { verdict ->
           if
           :: FENCED && NO_ORDER && E <= EPOCHS ->
                  assert(!order_stands);            /* S5 */
                  assert(E == fence_epoch && prober == me && takes == fence_take && S == HALF); /* S4 */
                  S = (good -> CLOSED : OPEN); E++; prober = NOBODY
           :: else -> skip
           fi;
           verdict = false; good = false; fence_take = 0; fence_epoch = 0; probe_usable[me] = false }

    /* dies at any point, and starts again from its disk */
    :: atomic { applied[me] != 0 ->
           checked = false; verdict = false; good = false; in_flight[me] = false;
           usable[me] = false; probe_usable[me] = false; a = NOBODY; b = NOBODY;
           fence_take = 0; fence_epoch = 0; event_epoch = 0; event_s = 0;
           assert(disk[me] >= newest[me]);          /* S1, over a restart */
           applied[me] = disk[me]; applied_s[me] = HALF }
    od
}

proctype Store() {
    byte i = 0;
    do
    /* a lease ends: never before the belief of its holder, unless it is a fault */
#ifdef NO_BELIEF_END
    :: atomic { select(i : 0 .. N - 1); lease[i] -> lease[i] = false; vote[i] = 0; i = 0 }
    :: atomic { prober != NOBODY -> prober = NOBODY }
#else
    :: atomic { select(i : 0 .. N - 1); lease[i] && !usable[i] -> lease[i] = false; vote[i] = 0; i = 0 }
    :: atomic { prober != NOBODY && !probe_usable[prober] -> prober = NOBODY }
#endif
    :: atomic { faults < FAULTS && prober != NOBODY -> faults++; prober = NOBODY }
    :: atomic { faults < FAULTS -> select(i : 0 .. N - 1); lease[i] -> faults++; lease[i] = false; vote[i] = 0; i = 0 }
    /* the operator */
    :: atomic { !order_stands && orders == 0 && E < EPOCHS -> order_stands = true; orders++; E++ }
    :: atomic { order_stands && E < EPOCHS -> order_stands = false; S = HALF; E++ }
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i < N -> applied[i] = 1; disk[i] = 1; newest[i] = 1; run Node(i); i++
        :: else -> break
        od;
        run Store()
    }
}
