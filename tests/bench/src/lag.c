/* A bare libuv loop with one 2 ms timer: how late the machine itself makes a loop that does nothing.
 * usage: lag      Runs until SIGTERM, then prints one JSON line: turns, turns over 10 ms late, the worst in ms. */
#include <signal.h>
#include <stdio.h>
#include <uv.h>

enum { kPeriodMs = 2, kLateNs = 10 * 1000 * 1000 };
static uint64_t due, worst;
static unsigned long turns, late;

static void on_timer(uv_timer_t *t) {
    uint64_t now = uv_hrtime(), by = now > due ? now - due : 0;
    turns++;
    if (by > kLateNs) late++;
    if (by > worst) worst = by;
    uv_update_time(t->loop);
    due = uv_hrtime() + (uint64_t)kPeriodMs * 1000000;
    uv_timer_start(t, on_timer, kPeriodMs, 0);
}

static void on_term(uv_signal_t *s, int number) { (void)number; uv_stop(s->loop); }

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t timer;
    uv_signal_t term;
    uv_timer_init(loop, &timer);
    uv_signal_init(loop, &term);
    uv_signal_start(&term, on_term, SIGTERM);
    due = uv_hrtime() + (uint64_t)kPeriodMs * 1000000;
    uv_timer_start(&timer, on_timer, kPeriodMs, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    printf("{\"turns\":%lu,\"late\":%lu,\"worst_ms\":%.2f}\n", turns, late, worst / 1e6);
    return 0;
}
