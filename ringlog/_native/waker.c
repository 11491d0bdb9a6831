/* waker.c: descriptors that become readable when there is news in a ring, and the one thread behind them.
 *
 * Concept:   a watch is armed (its eventfd is not readable, the thread looks for news behind its position)
 *            or fired (readable). Watches of one file are a source: one futex, in whichever of their
 *            mappings. The thread sleeps on all sources' futexes and on `control` in one call. It
 *            announces that it sleeps only where a watch is armed, so that a busy writer whose reader
 *            has fired makes no system call.
 * Guarantee: news that comes after a reader has found nothing makes its descriptor readable: at once
 *            where the ring's futex can be waited for, else within about a millisecond.
 * Caveat:    memory of a ring is looked at only under `mutex`, and a watch ends under it before its mapping
 *            goes. The kernel may still be given an address that was unmapped just then, or is another
 *            mapping's by now: ending a watch has moved `control`, so that call returns at once.
 */
#include "platform.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ringlog/sleepers.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* Linux 5.16, the same number everywhere */
#endif

#define MILLISECOND INT64_C(1000000)
#define LONGEST_SLEEP (100 * MILLISECOND) /* so a waker killed before its wake strands nobody */
#define POLL_INTERVAL (1 * MILLISECOND)   /* where we can't be woken */
#define NAME_INTERVAL (1000 * MILLISECOND)
#define STACK_BYTES (256 << 10)
#define MOST_FUTEXES 128 /* of one futex_waitv */

/* struct futex_waitv, which older kernel headers lack. */
typedef struct futex_entry {
    uint64_t value, address;
    uint32_t flags, reserved;
} futex_entry;
enum { FUTEX_ENTRY_32 = 2 };

/* One ring file and its watches; of one mode, so that any of the mappings can announce, or none. */
typedef struct rl_source {
    struct rl_source *next;
    rl_watch *watches; /* at least one */
    uint64_t device, inode;
    int announce;
    int listed;    /* the thread's current sleep ends when the futex is no longer `seen` */
    uint32_t seen;
} rl_source;

/* All of it under the mutex; `control` is also what the thread sleeps on. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static rl_source *sources;
static int running;        /* a thread exists that will look at `sources` again before it ends */
static int polling;        /* its current sleep ends within POLL_INTERVAL anyway */
static int no_waitv;       /* the kernel, or a filter around us, does not know the call */
static int64_t name_check; /* the next time to look whether files have their names */
static uint32_t control;   /* moved when the thread has to look again */

static rl_header *header_of(const rl_source *s) { return s->watches->map->ring.header; }

/* ---- armed and fired; the mutex is held ---- */

static void fire(rl_watch *w) {
    uint64_t one = 1;
    if (w->fired)
        return;
    /* In this order: who was woken by the descriptor sees that it has fired, the kernel's own locks between.
     * Who looks without having been woken may miss it; then the descriptor tells. */
    RL_STORE_RELAXED(&w->fired, 1);
    (void)!write(w->fd, &one, sizeof one); /* can't fail: the count is 0 */
}

/* Fire every armed watch that has news. How many stay armed; *fired is set if any did not. */
static int fire_ready(rl_source *s, int names, int *fired) {
    int armed = 0;
    for (rl_watch *w = s->watches; w; w = w->next) {
        if (w->fired)
            continue;
        w->gone = names && !rl_mapping_named(w->map);
        if (w->gone || rl_has_news(&w->map->ring, w->position) || rl_mapping_broken(w->map)) {
            fire(w);
            *fired = 1;
        } else {
            armed++;
        }
    }
    return armed;
}

/* Look, and decide whether this source's futex is one to sleep on. 1: a watch here has to be polled. */
static int look(rl_source *s, int names, int may_list) {
    int fired = 0, armed = fire_ready(s, names, &fired);
    if (!s->announce || !may_list)
        return s->listed = 0, armed > 0;
    rl_header *h = header_of(s);
    if (armed) {
        /* Its full fence pairs with the writer's between publishing and looking for sleepers: the look
         * that follows sees the news, or the writer sees the flag and moves the futex behind `seen`. */
        s->seen = rl_sleep_announce(&h->sleepers, &h->sleepers_futex);
        fire_ready(s, 0, &fired);
        s->listed = 1;
        return 0;
    }
    /* Nobody to be woken for. A reader that has just been woken will arm again soon, and need not wake us
     * for that if we sleep on its futex; but if others' wake-ups reach us there, we leave. */
    uint32_t now = RL_LOAD_ACQUIRE(&h->sleepers_futex); /* pairs with the add in rl_sleepers_taken */
    s->listed = fired || (s->listed && now == s->seen);
    s->seen = now;
    return 0;
}

/* ---- the thread ---- */

static void sleep_on(futex_entry *entries, unsigned count, uint32_t seen, int64_t limit, int waitv) {
    if (waitv) {
        int64_t end = rl_monotonic() + limit;
        struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
        if (syscall(SYS_futex_waitv, entries, count, 0, &until, CLOCK_MONOTONIC) >= 0 || errno == EAGAIN ||
            errno == EINTR || errno == ETIMEDOUT)
            return;
        if (errno == ENOSYS || errno == EPERM) {
            pthread_mutex_lock(&mutex);
            no_waitv = 1;
            pthread_mutex_unlock(&mutex);
            return;
        }
        limit = POLL_INTERVAL; /* EFAULT: that mapping went just now. Whatever it is, it is no reason to spin. */
    }
    struct timespec relative = {.tv_sec = limit / 1000000000, .tv_nsec = limit % 1000000000};
    syscall(SYS_futex, &control, FUTEX_WAIT_PRIVATE, seen, &relative, NULL, 0);
}

static void *waiter(void *nothing) {
    futex_entry entries[MOST_FUTEXES];
    for (;;) {
        pthread_mutex_lock(&mutex);
        if (!sources) {
            running = 0; /* under the mutex: who registers next sees it, and starts another */
            pthread_mutex_unlock(&mutex);
            return nothing;
        }
        int64_t now = rl_monotonic();
        int names = now >= name_check, waitv = !no_waitv;
        if (names)
            name_check = now + NAME_INTERVAL;
        uint32_t seen = control;
        unsigned count = 0;
        entries[count++] = (futex_entry){seen, (uintptr_t)&control, FUTEX_ENTRY_32 | FUTEX_PRIVATE_FLAG, 0};
        polling = 0;
        for (rl_source *s = sources; s; s = s->next) {
            polling |= look(s, names, waitv && count < MOST_FUTEXES);
            if (s->listed)
                entries[count++] =
                    (futex_entry){s->seen, (uintptr_t)&header_of(s)->sleepers_futex, FUTEX_ENTRY_32, 0};
        }
        int64_t limit = polling ? POLL_INTERVAL : LONGEST_SLEEP;
        pthread_mutex_unlock(&mutex);
        sleep_on(entries, count, seen, limit, waitv);
    }
}

/* 0, or a negated errno. Signals are for the program's own threads, but for those that this one's own
 * instructions raise: blocked, they would end the process past any handler. */
static int start_thread(void) {
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        sigdelset(&all, own[k]);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&thread, &attributes, waiter, NULL);
    if (!error) {
        pthread_setname_np(thread, "ringlog-waker"); /* the mutex is held: it has not ended */
        running = 1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

/* Let go of the mutex; with `kick` the thread looks again. */
static void unlock(int kick) {
    if (kick)
        RL_FETCH_ADD(&control, 1); /* who has noted the old value and is not asleep yet will not fall asleep */
    pthread_mutex_unlock(&mutex);
    if (kick)
        syscall(SYS_futex, &control, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- watches ---- */

static rl_source *find_source(const rl_mapping *map) {
    int announce = map->mode != RL_MAP_READ;
    for (rl_source *s = sources; s; s = s->next)
        if (s->device == map->device && s->inode == map->inode && s->announce == announce)
            return s;
    rl_source *s = calloc(1, sizeof *s);
    if (s)
        *s = (rl_source){.next = sources, .device = map->device, .inode = map->inode, .announce = announce};
    return s;
}

int rl_watch_begin(rl_watch *w, rl_mapping *map) {
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), error = 0;
    if (fd < 0)
        return -errno;
    pthread_mutex_lock(&mutex);
    rl_source *s = find_source(map);
    if (!s)
        error = -ENOMEM;
    else if (!running)
        error = start_thread(); /* it waits for the mutex */
    if (error) {
        if (s && !s->watches)
            free(s);
        pthread_mutex_unlock(&mutex);
        close(fd);
        return error;
    }
    if (!s->watches)
        sources = s;
    *w = (rl_watch){.source = s, .next = s->watches, .map = map, .fd = fd, .fired = 1};
    s->watches = w;
    pthread_mutex_unlock(&mutex);
    return 0;
}

void rl_watch_end(rl_watch *w) {
    rl_source *s = w->source;
    if (!s)
        return;
    pthread_mutex_lock(&mutex);
    rl_watch **link = &s->watches;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (!s->watches) {
        rl_source **place = &sources;
        while (*place != s)
            place = &(*place)->next;
        *place = s->next;
        free(s);
    }
    fire(w); /* for whoever waits in another thread, or for a duplicate */
    close(w->fd);
    *w = (rl_watch){0};
    unlock(1);
}

void rl_watch_fire(rl_watch *w) {
    if (!w->source)
        return;
    pthread_mutex_lock(&mutex);
    fire(w);
    pthread_mutex_unlock(&mutex);
}

rl_armed rl_watch_arm(rl_watch *w, int64_t position) {
    uint64_t count;
    int kick = 0;
    rl_armed result = RL_ARMED;
    pthread_mutex_lock(&mutex);
    rl_source *s = w->source;
    if (w->gone) {
        result = RL_GONE;
    } else {
        /* If the thread sleeps on this futex, its value noted, all that is missing is the flag: the full
         * fence pairs with the writer's as in look(). If a writer has moved the futex since, the thread is
         * on its way to the mutex, and will find us armed. */
        if (s->listed)
            rl_sleep_announce(&header_of(s)->sleepers, &header_of(s)->sleepers_futex);
        if (rl_has_news(&w->map->ring, position) || rl_mapping_broken(w->map)) {
            result = RL_NEWS;
            fire(w); /* it may have been armed for an earlier place */
        } else {
            if (w->fired)
                (void)!read(w->fd, &count, sizeof count); /* what comes from here on fires it anew */
            w->position = position;
            RL_STORE_RELAXED(&w->fired, 0);
            kick = !s->listed && !polling;
        }
    }
    unlock(kick);
    return result;
}

/* ---- fork ---- */

void rl_waker_before_fork(void) { pthread_mutex_lock(&mutex); }
void rl_waker_after_fork_parent(void) { pthread_mutex_unlock(&mutex); }

/* The child has no thread, and the eventfds are the parent's: reading one would quieten the parent's. */
void rl_waker_after_fork_child(void) {
    while (sources) {
        rl_source *s = sources;
        sources = s->next;
        while (s->watches) {
            rl_watch *w = s->watches;
            s->watches = w->next;
            close(w->fd);
            *w = (rl_watch){0};
        }
        free(s);
    }
    running = polling = 0;
    pthread_mutex_unlock(&mutex);
}
